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
	said    words // the webhook's decisions
	counts  words // those that count: the object's, where it is the later of the two
	verdict verdict
	providers.Mapping
}

// mapper checks what every event needs, then lets f add the events.
func mapper(subject func(r *run, id string) *kycv1.Subject, f func(r *run) error, known ...providers.Fields) providers.MapFunc {
	return func(d *providers.Delivery, n *providers.Notice) (providers.Mapping, error) {
		r := &run{Notice: n, body: n.Doc.At("body"), object: fetched(d)}
		name := subjectOf(n.MapAs)
		id := r.body.At(name).ID()
		if id == "" {
			return providers.Mapping{}, &providers.Problem{
				Field: bodyPath + name, Detail: "want a string of 1 to 256 characters", Err: providers.ErrInvalid,
			}
		}
		r.subject = subject(r, id)
		r.subject.CustomerReference = r.reference()
		r.Shape("", n.Doc, topFields)
		r.Shape(bodyPath, r.body, known...)
		if r.object != nil {
			r.shapeObject(d.Fetched.Kind)
		}
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

// journey maps an event about a journey, in whose body the known fields may stand.
func journey(f func(r *run) error, known ...providers.Fields) providers.MapFunc {
	return mapper(func(r *run, id string) *kycv1.Subject {
		return &kycv1.Subject{SessionId: id, ClientId: field(r.object, "applicant", "applicant_id").ID()}
	}, f, known...)
}

// metadata is the metadata of an event about the delivery's subject. The vendor
// gives no time of the event, so occurred_at stays unset.
func (r *run) metadata() *kycv1.EventMetadata {
	return &kycv1.EventMetadata{
		Subject: proto.CloneOf(r.subject),
		FlowId:  r.flow(),
		VendorAttributes: providers.Attributes(
			"system_decision", r.counts.system.known(),
			"manual_decision", r.counts.manual.known(),
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
