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

var envelopeFields = providers.Fields{"id": true, "type": true, "resourceType": true, "payload": true, "createdAt": true}

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
		r.Unknown("", n.Doc, envelopeFields)
		r.Unknown("payload.", r.payload, common, known)
		if err := f(r); err != nil {
			return providers.Mapping{}, err
		}
		return r.Mapping, nil
	}
}

// common are the fields of every resource.
var common = providers.Fields{"id": true, "clientId": true, "createdAt": true, "updatedAt": true}

// metadata starts the metadata of an event about subject.
func (r *run) metadata(subject *kycv1.Subject) *kycv1.EventMetadata {
	if subject.ClientId == "" {
		subject.ClientId = r.payload.At("clientId").ID()
	}
	return &kycv1.EventMetadata{Subject: subject, OccurredAt: r.at}
}
