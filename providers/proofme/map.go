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
		switch {
		case d.Fetched != nil && d.Fetched.Result == kycv1.FetchResult_FETCH_RESULT_GONE:
			return deleted(d), nil
		case d.Fetched == nil || d.Fetched.Result != kycv1.FetchResult_FETCH_RESULT_FETCHED:
			m := providers.Mapping{Incomplete: true}
			m.Shape("", n.Doc, noticeFields)
			return m, nil
		}
		r := &run{object: objectIn(d.Fetched.Kind, n.Doc), environment: d.Environment}
		if err := r.answers(objectID(d.Body)); err != nil {
			return providers.Mapping{}, err
		}
		if err := r.agree(); err != nil {
			return providers.Mapping{}, err
		}
		r.unknownFields()
		f(r)
		return r.Mapping, nil
	}
}

// standing is what a status means.
type standing struct {
	transition kycv1.SessionTransition
	decision   kycv1.Decision
}

// statuses: the first four are the vendor's, "open" and "completed" are leftovers
// in its texts for PENDING and SUCCESS. A revoked identification has no verdict
// of its own; being cancelled replaces any earlier one.
var statuses = providers.Enum[standing]{
	"pending":   {kycv1.SessionTransition_SESSION_TRANSITION_STARTED, kycv1.Decision_DECISION_UNSPECIFIED},
	"success":   {kycv1.SessionTransition_SESSION_TRANSITION_COMPLETED, kycv1.Decision_DECISION_APPROVED},
	"failed":    {kycv1.SessionTransition_SESSION_TRANSITION_COMPLETED, kycv1.Decision_DECISION_DECLINED},
	"revoked":   {kycv1.SessionTransition_SESSION_TRANSITION_CANCELLED, kycv1.Decision_DECISION_UNSPECIFIED},
	"open":      {kycv1.SessionTransition_SESSION_TRANSITION_STARTED, kycv1.Decision_DECISION_UNSPECIFIED},
	"completed": {kycv1.SessionTransition_SESSION_TRANSITION_COMPLETED, kycv1.Decision_DECISION_APPROVED},
}

// session maps an identification.
func session(r *run) {
	word := r.status()
	at, known := statuses.Of(word)
	if !known {
		r.Note("status", word)
	}
	if at.transition == kycv1.SessionTransition_SESSION_TRANSITION_STARTED && r.At("scannedAt").Scalar() != "" {
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

// documentChange maps a document to be signed. Signing is no check of anybody, and
// its final words are not documented: the event says that something changed.
func documentChange(r *run) {
	if word := r.status(); !strings.EqualFold(word, "pending") {
		r.Note("status", word)
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
func deleted(d *providers.Delivery) providers.Mapping {
	id, kind := objectID(d.Body), d.Fetched.Kind
	e := &kycv1.ResourceEvent{
		Metadata: &kycv1.EventMetadata{Subject: &kycv1.Subject{SessionId: id}},
		Resource: kycv1.Resource_RESOURCE_SESSION, Change: kycv1.Change_CHANGE_DELETED, VendorResource: kind,
	}
	if kind == document {
		e.Metadata.Subject = &kycv1.Subject{DocumentId: id}
		e.Resource = kycv1.Resource_RESOURCE_DOCUMENT
	}
	var m providers.Mapping
	m.Add(e)
	return m
}

func (r *run) metadata(subject *kycv1.Subject) *kycv1.EventMetadata {
	attributes := map[string]string{}
	for name, field := range map[string]string{
		"organisation_id": "organisationId", "mode": "mode", "is_request": "isRequest", "verification_level": "verificationLevel",
	} {
		if v := code(r.At(field)); v != "" {
			attributes[name] = v
		}
	}
	return &kycv1.EventMetadata{Subject: subject, OccurredAt: r.Time("updated_at", r.At("updatedAt")), VendorAttributes: attributes}
}

// code is an id, a word or a number; "" for whatever might be a text.
func code(v *providers.Value) string {
	if s := v.Scalar(); providers.IsCode(s) {
		return s
	}
	return ""
}

var (
	noticeFields         = providers.Fields{"id": providers.AnyField}
	identificationFields = providers.Fields{
		"id": providers.AnyField, "organisationId": providers.AnyField, "proofmeId": providers.AnyField, "proofmeRevision": providers.AnyField, "description": providers.AnyField, "scannedAt": providers.AnyField,
		"status": providers.AnyField, "isRequest": providers.AnyField, "redirectUrl": providers.AnyField, "webhookUrl": providers.AnyField, "myPageUrl": providers.AnyField, "metadata": providers.AnyField,
		"mode": providers.AnyField, "notify": providers.AnyField, "createdAt": providers.AnyField, "updatedAt": providers.AnyField, "proofme": providers.AnyField, "identificationData": providers.AnyField,
	}
	unwrappedFields = providers.Fields{
		"method": providers.AnyField, "details": providers.AnyField, "profileId": providers.AnyField, "sequenceType": providers.AnyField, "expiresAt": providers.AnyField, "isCancelable": providers.AnyField, "_links": providers.AnyField,
	}
	documentFields = providers.Fields{
		"id": providers.AnyField, "verificationLevel": providers.AnyField, "message": providers.AnyField, "documentLocation": providers.AnyField, "documentName": providers.AnyField, "myPageUrl": providers.AnyField,
		"documentStatus": providers.AnyField, "mimeType": providers.AnyField, "createdBy": providers.AnyField, "fingerprint": providers.AnyField, "size": providers.AnyField, "createdAt": providers.AnyField,
		"updatedAt": providers.AnyField, "encryptedDocumentSecret": providers.AnyField, "encryptedInitialVector": providers.AnyField, "userDocument": providers.AnyField,
	}
	besideFields = providers.Fields{identification: providers.AnyField, document: providers.AnyField, "documentDownloadUrl": providers.AnyField}
)

// unknownFields notes what the API said beyond what its documentation shows.
func (r *run) unknownFields() {
	fields := identificationFields
	if r.kind == document {
		fields = documentFields
	}
	if !r.wrapped() {
		r.Shape("", r.answer, fields, unwrappedFields, besideFields)
		return
	}
	r.Shape("", r.answer, besideFields)
	r.Shape(r.kind+".", r.Value, fields)
}
