package complycube

import (
	"slices"

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
	tables  []providers.Fields // of what the payload is about
	providers.Mapping
}

// mapper checks what every event needs, then lets f add the events.
func mapper(f func(r *run) error, tables ...providers.Fields) providers.MapFunc {
	tables = append(slices.Clip(tables), common)
	return func(d *providers.Delivery, n *providers.Notice) (providers.Mapping, error) {
		r := &run{Notice: n, payload: n.Doc.At("payload"), fetched: d.Fetched, tables: tables}
		if n.ID == "" {
			return r.Mapping, providers.LacksID("id")
		}
		if r.id = r.payload.At("id").ID(); r.id == "" {
			return r.Mapping, providers.LacksID("payload.id")
		}
		r.at = r.Time("created_at", n.Doc.At("createdAt"))
		r.known()
		if err := f(r); err != nil {
			return providers.Mapping{}, err
		}
		return r.Mapping, nil
	}
}

// metadata starts the metadata of an event about subject.
func (r *run) metadata(subject *kycv1.Subject) *kycv1.EventMetadata {
	if subject.ClientId == "" {
		subject.ClientId = r.payload.At("clientId").ID()
	}
	return &kycv1.EventMetadata{Subject: subject, OccurredAt: r.at}
}
