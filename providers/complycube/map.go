package complycube

import (
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/kycbridge/kycbridge/providers"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// run is one delivery while it is mapped.
type run struct {
	*providers.Notice
	payload *providers.Value
	id      string // payload.id
	at      *timestamppb.Timestamp
	fetched *providers.Fetched // of the vendor's API; see complete
	providers.Mapping
}

var envelopeFields = providers.Fields{"id": providers.AnyField, "type": providers.AnyField, "resourceType": providers.AnyField, "payload": providers.AnyField, "createdAt": providers.AnyField}

// mapper checks what every event needs, then lets f add the events.
func mapper(known providers.Fields, f func(r *run) error) providers.MapFunc {
	return func(d *providers.Delivery, n *providers.Notice) (providers.Mapping, error) {
		r := &run{Notice: n, payload: n.Doc.At("payload"), fetched: d.Fetched}
		if n.ID == "" {
			return r.Mapping, providers.LacksID("id")
		}
		if r.id = r.payload.At("id").ID(); r.id == "" {
			return r.Mapping, providers.LacksID("payload.id")
		}
		r.at = r.Time("created_at", n.Doc.At("createdAt"))
		r.Shape("", n.Doc, envelopeFields)
		r.Shape("payload.", r.payload, common, known)
		if err := f(r); err != nil {
			return providers.Mapping{}, err
		}
		return r.Mapping, nil
	}
}

// common are the fields of every resource.
var common = providers.Fields{"id": providers.AnyField, "clientId": providers.AnyField, "createdAt": providers.AnyField, "updatedAt": providers.AnyField}

// metadata starts the metadata of an event about subject.
func (r *run) metadata(subject *kycv1.Subject) *kycv1.EventMetadata {
	if subject.ClientId == "" {
		subject.ClientId = r.payload.At("clientId").ID()
	}
	return &kycv1.EventMetadata{Subject: subject, OccurredAt: r.at}
}
