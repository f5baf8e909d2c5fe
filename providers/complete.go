package providers

import (
	"google.golang.org/protobuf/types/known/timestamppb"

	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// Complete fills the metadata that every event of a delivery shares and that no
// mapper knows: ids, names, times, the raw record. rawKey is the raw record's key.
// The hydration it writes is that of an endpoint that asks no API.
func (p *Provider) Complete(d *Delivery, n *Notice, rawKey []byte, raw *kycv1.RawPosition, m Mapping) {
	hydration := kycv1.Hydration_HYDRATION_NOT_NEEDED
	if m.Incomplete {
		hydration = kycv1.Hydration_HYDRATION_OFF
	}
	hash := n.ContentHash()
	received := timestamppb.New(d.ReceivedAt)
	for i, e := range m.Events {
		md := e.GetMetadata()
		md.EventId = EventID(d.Tenant, d.Endpoint, rawKey, n.Identity, hash, i)
		md.Provider = p.Name
		md.Endpoint = d.Endpoint
		md.Tenant = d.Tenant
		md.Environment = d.Environment
		md.VendorEventId = n.ID
		md.VendorEventType = n.Type
		md.ReceivedAt = received
		md.Raw = raw
		md.MapperVersion = p.MapperVersion
		md.Hydration = hydration
	}
}
