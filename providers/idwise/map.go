package idwise

import (
	"google.golang.org/protobuf/proto"

	"github.com/kycbridge/kycbridge/providers"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// run is one delivery while it is mapped.
type run struct {
	*providers.Notice
	body    *providers.Value
	object  *providers.Value // what the vendor's API answered; nil without it
	subject *kycv1.Subject
	verdict verdict
	providers.Mapping
}

var topFields = providers.Fields{"event": providers.AnyField, "body": providers.AnyField}

// common are the fields of every body. The decisions stood in all of them once.
var common = providers.Fields{
	"eventId": providers.AnyField, "journeyId": providers.AnyField, "referenceNo": providers.AnyField,
	"systemDecision": providers.AnyField, "manualDecision": providers.AnyField, "finalDecision": providers.AnyField,
}

// mapper checks what every event needs, then lets f add the events.
func mapper(known providers.Fields, subject func(r *run, id string) *kycv1.Subject, f func(r *run) error) providers.MapFunc {
	return func(d *providers.Delivery, n *providers.Notice) (providers.Mapping, error) {
		r := &run{Notice: n, body: n.Doc.At("body"), object: fetched(d)}
		name := subjectOf(n.MapAs)
		id := r.body.At(name).ID()
		if id == "" {
			return providers.Mapping{}, &providers.Problem{
				Field: "body." + name, Detail: "want a string of 1 to 256 characters", Err: providers.ErrInvalid,
			}
		}
		r.subject = subject(r, id)
		r.subject.CustomerReference = r.reference()
		r.Shape("", n.Doc, topFields)
		r.Shape("body.", r.body, common, known)
		if err := r.decide(); err != nil {
			return providers.Mapping{}, err
		}
		if err := f(r); err != nil {
			return providers.Mapping{}, err
		}
		if r.object != nil {
			r.Incomplete = false
		}
		return r.Mapping, nil
	}
}

// journey maps an event about a journey.
func journey(known providers.Fields, f func(r *run) error) providers.MapFunc {
	return mapper(known, func(r *run, id string) *kycv1.Subject {
		return &kycv1.Subject{SessionId: id, ClientId: field(r.object, "applicant", "applicant_id").ID()}
	}, f)
}

// metadata is the metadata of an event about the delivery's subject. The vendor
// gives no time of the event, so occurred_at stays unset.
func (r *run) metadata() *kycv1.EventMetadata {
	return &kycv1.EventMetadata{
		Subject: proto.CloneOf(r.subject),
		FlowId:  r.flow(),
		VendorAttributes: providers.Attributes(
			"system_decision", known(r.words().system, systemWords),
			"manual_decision", known(r.words().manual, manualWords),
		),
	}
}

// flow is the flow that the journey ran. The second name is the older one, the
// third is how the vendor's page spells it.
func (r *run) flow() string {
	for _, name := range []string{"flow_id", "journey_definition_id", "journey_definintion_id"} {
		if id := field(r.object, name).ID(); id != "" {
			return id
		}
	}
	return ""
}

// reference is the customer's own reference.
func (r *run) reference() string {
	v := r.body.At("referenceNo")
	if !v.Given() {
		v = field(r.object, "reference_number")
	}
	return r.Reference(v)
}
