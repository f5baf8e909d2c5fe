package proofme

import (
	"strings"

	"github.com/kycbridge/kycbridge/providers"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// run is one fetched object while it is mapped.
type run struct {
	object
	environment kycv1.Environment // of the endpoint
	providers.Mapping
}

// mapper handles what both kinds share: a webhook nobody has asked the API about
// says nothing yet, and an object that is gone is deleted.
func mapper(f func(*run)) providers.MapFunc {
	return func(d *providers.Delivery, n *providers.Notice) (providers.Mapping, error) {
		r := &run{environment: d.Environment}
		r.shapeNotice(d.Body)
		switch {
		case d.Fetched != nil && d.Fetched.Result == kycv1.FetchResult_FETCH_RESULT_GONE:
			r.deleted(d)
			return r.Mapping, nil
		case d.Fetched == nil || d.Fetched.Result != kycv1.FetchResult_FETCH_RESULT_FETCHED:
			r.Incomplete = true
			return r.Mapping, nil
		}
		r.object = objectIn(d.Fetched.Kind, n.Doc)
		if err := r.answers(objectID(d.Body)); err != nil {
			return providers.Mapping{}, err
		}
		if err := r.agree(); err != nil {
			return providers.Mapping{}, err
		}
		r.shapeObject()
		f(r)
		return r.Mapping, nil
	}
}

// standing is what a status means.
type standing struct {
	transition kycv1.SessionTransition
	decision   kycv1.Decision
}

// statuses: the first four are the vendor's, "completed" is what its texts call SUCCESS.
// A revoked identification has no verdict of its own; being cancelled replaces any
// earlier one.
var statuses = providers.Enum[standing]{
	"pending":   {kycv1.SessionTransition_SESSION_TRANSITION_STARTED, kycv1.Decision_DECISION_UNSPECIFIED},
	"success":   {kycv1.SessionTransition_SESSION_TRANSITION_COMPLETED, kycv1.Decision_DECISION_APPROVED},
	"failed":    {kycv1.SessionTransition_SESSION_TRANSITION_COMPLETED, kycv1.Decision_DECISION_DECLINED},
	"revoked":   {kycv1.SessionTransition_SESSION_TRANSITION_CANCELLED, kycv1.Decision_DECISION_UNSPECIFIED},
	"completed": {kycv1.SessionTransition_SESSION_TRANSITION_COMPLETED, kycv1.Decision_DECISION_APPROVED},
}

// requestStatuses has the word of the object that is not wrapped.
var requestStatuses = providers.Enum[standing]{
	"open": {kycv1.SessionTransition_SESSION_TRANSITION_STARTED, kycv1.Decision_DECISION_UNSPECIFIED},
}

// standing is what the status means. Inside the wrapper, "open" is inferred.
func (r *run) standing() standing {
	if at, ok := requestStatuses.Of(r.status()); ok && !r.wrapped() {
		return at
	}
	at, _ := providers.Say(&r.Mapping, "status", statuses, r.At("status"), requestStatuses)
	return at
}

// session maps an identification.
func session(r *run) {
	word := r.status()
	at := r.standing()
	scanned := r.Time("scanned_at", r.At("scannedAt")) != nil
	if at.transition == kycv1.SessionTransition_SESSION_TRANSITION_STARTED && scanned {
		at.transition = kycv1.SessionTransition_SESSION_TRANSITION_PROCESSING
	}
	e := &kycv1.SessionEvent{
		Metadata:   r.metadata(&kycv1.Subject{SessionId: r.id()}),
		Transition: at.transition, Decision: at.decision, VendorStatus: word,
	}
	e.Metadata.FlowId, e.Metadata.FlowVersion = code(r.At("proofmeId")), code(r.At("proofmeRevision"))
	if at.decision != kycv1.Decision_DECISION_UNSPECIFIED {
		e.VendorOutcome = word
	}
	r.Add(e)
}

// agree refuses an object of the other environment: a test that succeeds
// must not open anything, and a real customer is no test.
func (r *run) agree() error {
	mode := r.At("mode")
	if !mode.Given() {
		if r.kind == identification {
			r.Note("mode", "") // documented as always there
		}
		return nil
	}
	word := strings.TrimSpace(mode.Text())
	says := kycv1.Environment_ENVIRONMENT_SANDBOX
	if strings.EqualFold(word, "live") {
		says = kycv1.Environment_ENVIRONMENT_LIVE
	} else if !strings.EqualFold(word, "test") {
		r.Note("mode", word)
	}
	if says == r.environment {
		return nil
	}
	return &providers.Problem{
		Field:  r.kind + ".mode",
		Detail: "contradiction: the object belongs to " + says.String() + ", the endpoint to " + r.environment.String(),
		Err:    providers.ErrMismatch,
	}
}

// documentWords is the one word of a document that is shown.
var documentWords = providers.Enum[struct{}]{"pending": {}}

// documentChange maps a document to be signed. Signing is no check of anybody, and
// its final words are not documented: the event says that something changed.
func documentChange(r *run) {
	if _, word := providers.Say(&r.Mapping, "status", documentWords, r.At("documentStatus")); !word.Given {
		r.Note("status", "") // shown as always there
	}
	for user := range r.At("userDocument").Items() {
		if !strings.EqualFold(user.At("signStatus").Text(), "pending") {
			r.Note("sign_status", "") // not even a word of what is said about people
		}
	}
	r.Add(&kycv1.ResourceEvent{
		Metadata: r.metadata(&kycv1.Subject{DocumentId: r.id()}),
		Resource: kycv1.Resource_RESOURCE_DOCUMENT, Change: kycv1.Change_CHANGE_UPDATED,
		VendorResource: document, VendorStatus: r.status(),
	})
}

// deleted is an object that the API knows to be gone for good.
func (r *run) deleted(d *providers.Delivery) {
	id, kind := objectID(d.Body), d.Fetched.Kind
	e := &kycv1.ResourceEvent{
		Metadata: &kycv1.EventMetadata{Subject: &kycv1.Subject{SessionId: id}},
		Resource: kycv1.Resource_RESOURCE_SESSION, Change: kycv1.Change_CHANGE_DELETED, VendorResource: kind,
	}
	if kind == document {
		e.Metadata.Subject = &kycv1.Subject{DocumentId: id}
		e.Resource = kycv1.Resource_RESOURCE_DOCUMENT
	}
	r.Add(e)
}

func (r *run) metadata(subject *kycv1.Subject) *kycv1.EventMetadata {
	return &kycv1.EventMetadata{Subject: subject, OccurredAt: r.Time("updated_at", r.At("updatedAt")), VendorAttributes: r.attributes()}
}

// attributes are what the pages show of the kind of object, and its mode.
func (r *run) attributes() map[string]string {
	if r.kind == document {
		return providers.Attributes("mode", code(r.At("mode")), "verification_level", code(r.At("verificationLevel")))
	}
	return providers.Attributes(
		"organisation_id", code(r.At("organisationId")), "mode", code(r.At("mode")), "is_request", r.At("isRequest").Flag(),
	)
}

// code is an id, a word or a number; "" for whatever might be a text.
func code(v *providers.Value) string {
	if s := v.Scalar(); providers.IsCode(s) {
		return s
	}
	return ""
}
