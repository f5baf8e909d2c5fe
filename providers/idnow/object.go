package idnow

import (
	"errors"

	"github.com/kycbridge/kycbridge/providers"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// sessionObject is the kind of the one object that is asked for.
const sessionObject = "session"

// needs: only a completed session has an outcome, and only the API says which.
func needs(d *providers.Delivery, n *providers.Notice) (providers.Target, bool) {
	r, err := begin(d, n)
	if err != nil || !r.status.Is(completed) {
		return providers.Target{}, false
	}
	return providers.Target{Kind: sessionObject, ID: r.id}, true
}

// check refuses an answer that is not the session asked for, and one that lags
// behind the webhook: a session that is not completed yet has no outcome yet. What
// it refuses is asked for again. Any other state will stay as it is.
func check(t providers.Target, body []byte) error {
	object, err := providers.ReadObject(body)
	if err != nil {
		return err
	}
	id, state := providers.TermOf(object.At("sessionId")), providers.TermOf(object.At("sessionStatus"))
	switch {
	case !id.Given && !state.Given && !object.At("outcome").Given():
		return errors.New("the answer is no session: it has none of sessionId, sessionStatus, outcome")
	case id.Given && id.Text != t.ID:
		return errors.New("the answer is another session: sessionId is not the one asked for")
	case state.Is("CREATED"), state.Is("RUNNING"):
		return errors.New("the API lags behind the webhook: sessionStatus is not COMPLETED yet")
	}
	return nil
}

// What is known of the session object. Keys of metadata are the customer's.
var objectFields = providers.Fields{
	"sessionId": providers.IDField, "sessionStatus": providers.TextField, "flowId": providers.AnyField, "flowVersion": providers.IDField,
	"environment": providers.TextField, "subjectId": providers.IDField, "metadata": providers.ObjectField(nil),
	"outcome": providers.TextField, "decisionOutcome": providers.TextField,
	"createdAt": providers.AnyField, "startedAt": providers.AnyField, "expiresAt": providers.AnyField,
	"updatedAt": providers.TextField, "completedAt": providers.TextField,
	"redirectUrl": providers.AnyField, "state": providers.AnyField, "results": providers.AnyField,
	"lastStep": providers.ObjectField(providers.Fields{
		"stepId": providers.IDField, "stepType": providers.TextField, "verdict": providers.TextField,
		"stepDescription": providers.AnyField, "stepName": providers.AnyField,
	}),
}

// readObject sets r.object to the session as the API has it, or leaves it nil
// where it was not asked, had no answer, or speaks of something else: another
// session, another environment, another state than the webhook.
func (r *run) readObject() {
	f := r.d.Fetched
	if f == nil || f.Result != kycv1.FetchResult_FETCH_RESULT_FETCHED {
		return
	}
	object, err := providers.ReadObject(f.Body)
	if err != nil {
		r.Note("fetched", "")
		return
	}
	r.Shape("fetched.", object, objectFields)
	id, state := providers.TermOf(object.At("sessionId")), providers.TermOf(object.At("sessionStatus"))
	switch {
	case id.Given && id.Text != r.id:
		r.Note("fetched_session", "")
	case !r.fits(providers.TermOf(object.At("environment"))):
		r.Note("fetched_environment", object.At("environment").Text())
	case state.Given && !state.Is(r.status.Text):
		r.Note("fetched_status", state.Text)
	default:
		r.object = object
		r.at = r.Time("completed_at", object.At("completedAt"))
		if r.at == nil {
			r.at = r.Time("updated_at", object.At("updatedAt"))
		}
		if r.subject().Given() && r.reference() == "" {
			r.Note("subject_id", "")
		}
	}
}

// outcomes are the words of the session object. NO_OUTCOME is a known word and
// still no verdict.
var outcomes = providers.Enum[kycv1.Decision]{
	"accepted":   kycv1.Decision_DECISION_APPROVED,
	"rejected":   kycv1.Decision_DECISION_DECLINED,
	"no_outcome": kycv1.Decision_DECISION_UNDETERMINED,
}

// decide reads the verdict of a completed session. The webhook has none: the last
// step's status may look like one and is not.
func (r *run) decide(e *kycv1.SessionEvent) {
	e.Decision = kycv1.Decision_DECISION_UNDETERMINED
	if r.object == nil {
		r.Incomplete = true
		return
	}
	said, older := r.object.At("outcome"), providers.TermOf(r.object.At("decisionOutcome"))
	if !said.Given() {
		said = r.object.At("decisionOutcome") // its name in older versions
	}
	decision, outcome := providers.Say(&r.Mapping, "outcome", outcomes, said)
	e.VendorOutcome = providers.Word(outcome.Text)
	switch {
	case older.Given && !older.Is(outcome.Text):
		r.Note("outcome", outcome.Text)
	case decision != kycv1.Decision_DECISION_UNSPECIFIED:
		e.Decision = decision
	}
	if e.Decision != kycv1.Decision_DECISION_UNDETERMINED {
		// The vendor documents COMPLETED as a state that no session leaves.
		e.Finality = kycv1.Finality_FINALITY_FINAL
	}
}

// subject is the customer's own reference, given when the session was created. One
// integration reads it below metadata.
func (r *run) subject() *providers.Value {
	if v := r.object.At("subjectId"); v.Given() {
		return v
	}
	return r.object.At("metadata", "subjectId")
}

func (r *run) reference() string { return r.Reference(r.subject()) }
