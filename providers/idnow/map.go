package idnow

import (
	"cmp"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/kycbridge/kycbridge/providers"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// The words of sessionStatus that code speaks of; the rest is in the tables.
const (
	completed = "COMPLETED"
	live      = "live"
	staging   = "staging"
)

// anyEvent is the entry of Maps for event names that are new to us: eventName is
// an open set, and the status beside it says what happened.
const anyEvent = "*"

// statusOfEvent is the sessionStatus that goes with each event name known so far.
// Open question: the vendor's own list of names is not known in full, and no name
// for RUNNING was seen.
var statusOfEvent = map[string]string{
	"session.created":   "CREATED",
	"session.completed": completed,
	"session.aborted":   "ABORTED",
	"session.expired":   "EXPIRED",
	"session.error":     "ERROR",
}

var transitions = providers.Enum[kycv1.SessionTransition]{
	"created":   kycv1.SessionTransition_SESSION_TRANSITION_STARTED,
	"running":   kycv1.SessionTransition_SESSION_TRANSITION_PROCESSING,
	"completed": kycv1.SessionTransition_SESSION_TRANSITION_COMPLETED,
	"aborted":   kycv1.SessionTransition_SESSION_TRANSITION_CANCELLED,
	"expired":   kycv1.SessionTransition_SESSION_TRANSITION_EXPIRED,
	"error":     kycv1.SessionTransition_SESSION_TRANSITION_FAILED,
}

// What is known of the claims. IDnow's table of fields writes "payload." before three of them and not before those of
// the last step; of nbf and jti it says nothing.
var (
	claimFields = providers.Fields{
		"iss": providers.AnyField, "aud": providers.AnyField, "iat": providers.AnyField, "exp": providers.AnyField,
		"nbf": providers.AnyField.Inferred(), "jti": providers.AnyField.Inferred(),
		"sub": providers.TextField, "data": providers.ObjectField(dataFields),
	}
	dataFields = providers.Fields{
		"eventId": providers.IDField, "event_id": providers.IDField, "eventName": providers.TextField, "eventVersion": providers.IDField,
		"eventDeliverId": providers.AnyField, "eventSequence": providers.IDField, "createdAt": providers.AnyField,
		"environment": providers.TextField, "payload": providers.ObjectField(payloadFields),
		"lastStepId": providers.IDField, "lastStepType": providers.TextField, "lastStepStatus": providers.TextField,
	}
	payloadFields = providers.Fields{
		"flowId": providers.IDField, "sessionId": providers.IDField, "session_id": providers.IDField, "sessionStatus": providers.TextField,
		"lastStepId": providers.IDField.Inferred(), "lastStepType": providers.TextField.Inferred(), "lastStepStatus": providers.TextField.Inferred(),
	}
)

// run is one delivery while it is mapped.
type run struct {
	*providers.Notice
	d             *providers.Delivery
	data, payload *providers.Value
	id            string // of the session
	status        status // as given; what the name implies where it is not given
	object        *providers.Value
	at            *timestamppb.Timestamp
	providers.Mapping
}

// mapSession maps every event: each carries the session's status, and any may
// carry the last step.
func mapSession(d *providers.Delivery, n *providers.Notice) (providers.Mapping, error) {
	r, err := begin(d, n)
	if err != nil {
		return providers.Mapping{}, err
	}
	r.notes()
	r.readObject()
	r.addSession()
	r.addStep()
	return r.Mapping, nil
}

// begin checks what every event needs, and what contradicts itself.
func begin(d *providers.Delivery, n *providers.Notice) (*run, error) {
	data := n.Doc.At("data")
	r := &run{Notice: n, d: d, data: data, payload: data.At("payload"), status: statusOf(data)}
	if n.ID == "" {
		return nil, providers.LacksID("data.eventId")
	}
	if r.id = sessionID(r.payload); r.id == "" {
		return nil, providers.LacksID("data.payload.sessionId")
	}
	if !r.fits(providers.TermOf(data.At("environment"))) {
		return nil, providers.Contradicts("data.environment", "the endpoint is configured for the other environment (live, or staging as sandbox)")
	}
	said := statusOfEvent[n.MapAs]
	switch {
	case said == "" || r.status.Is(said):
	case !r.status.Given:
		r.status.Text = said
	case r.status.known():
		return nil, providers.Contradicts("data.payload.sessionStatus", "the event name goes with "+said)
	}
	return r, nil
}

// sessionID is the id of the session. The vendor's tables call it sessionId, and the text beside them session_id.
func sessionID(payload *providers.Value) string {
	return cmp.Or(payload.At("sessionId").ID(), payload.At("session_id").ID())
}

// fits reports whether the vendor's word for an environment may come to this
// endpoint. live is LIVE, every other word is not; none says nothing.
func (r *run) fits(environment providers.Term) bool {
	switch {
	case !environment.Given || r.d.Environment == kycv1.Environment_ENVIRONMENT_UNSPECIFIED:
		return true
	case environment.Is(live):
		return r.d.Environment == kycv1.Environment_ENVIRONMENT_LIVE
	}
	return r.d.Environment == kycv1.Environment_ENVIRONMENT_SANDBOX
}

// notes records what is new to us.
func (r *run) notes() {
	if r.MapAs == anyEvent {
		r.Note("event_type", r.Type)
	}
	if !r.status.Given || !r.status.known() {
		r.Note("status", r.status.said())
	}
	if w := providers.TermOf(r.data.At("environment")); !w.Is(live) && !w.Is(staging) {
		r.Note("environment", w.Text)
	}
	// Seen in one integration only: sub is the event's id.
	if sub := providers.TermOf(r.Doc.At("sub")); sub.Given && sub.Text != r.ID {
		r.Note("sub", "")
	}
	if r.data.At("eventSequence").Given() && r.sequence() == "" {
		r.Note("sequence", "")
	}
	r.Shape("", r.Doc, claimFields)
}

// said is the word as the vendor gave it.
func (s status) said() string {
	if !s.Given {
		return ""
	}
	return s.Text
}

func (r *run) addSession() {
	transition, _ := transitions.Of(r.status.Text)
	e := &kycv1.SessionEvent{
		Metadata: r.metadata(""), Transition: transition,
		VendorStatus: providers.FirstWord(r.status.said(), r.Type),
	}
	if transition == kycv1.SessionTransition_SESSION_TRANSITION_COMPLETED {
		r.decide(e)
	}
	r.Add(e)
}

// metadata starts the metadata of an event; step is empty for the session's own.
func (r *run) metadata(step string) *kycv1.EventMetadata {
	return &kycv1.EventMetadata{
		Subject:        &kycv1.Subject{SessionId: r.id, StepId: step, CustomerReference: r.reference()},
		OccurredAt:     r.at,
		VendorSequence: r.sequence(),
		FlowId:         r.payload.At("flowId").ID(),
		FlowVersion:    r.object.At("flowVersion").ID(),
		VendorAttributes: providers.Attributes(
			"event_version", r.data.At("eventVersion").ID(),
			"last_step_id", r.step("lastStepId").ID(),
			"last_step_type", r.step("lastStepType").Scalar(), // not its status, which reads like a verdict
		),
	}
}

// maxSequence is the number of digits that metadata.vendor_sequence holds.
const maxSequence = 40

// sequence counts within a session. Open question: the vendor's table says
// String, its text counts 1, 2, 3; both are read.
func (r *run) sequence() string {
	s := providers.TermOf(r.data.At("eventSequence")).Text
	if len(s) > maxSequence {
		return ""
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return ""
		}
	}
	return s
}
