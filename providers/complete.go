package providers

import (
	"bytes"

	"google.golang.org/protobuf/types/known/timestamppb"

	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// Complete fills the metadata that every event of a delivery shares and that no
// mapper knows: ids, names, times, the raw record. rawKey is the raw record's key.
func (p *Provider) Complete(d *Delivery, n *Notice, rawKey []byte, raw *kycv1.RawPosition, m Mapping) {
	hydration := hydrationOf(d.Fetched, m.Incomplete)
	seed := deliverySeed(d.Tenant, d.Endpoint, p.seedKey(d, rawKey), n.Identity, n.ContentHash())
	received := timestamppb.New(d.ReceivedAt)
	for i, e := range m.Events {
		md := e.GetMetadata()
		md.EventId = eventID(seed, i)
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
		md.Hydrated = hydration == kycv1.Hydration_HYDRATION_FETCHED
		if md.Hydrated {
			md.FetchedAt = timestamppb.New(d.Fetched.At)
		}
	}
}

// seedKey is the raw key as event ids are made of it: where it holds a digest, the key as it
// is without one, as earlier releases made it.
func (p *Provider) seedKey(d *Delivery, rawKey []byte) []byte {
	if _, id, _ := bytes.Cut(rawKey, []byte("/")); !isDigest(string(id)) {
		return rawKey
	}
	return RawKey(d.Endpoint, p.Key(d), d.Body)
}

// hydrationOf says how asking the vendor's API ended. An object that is gone for
// good is one that the API does not know any more.
func hydrationOf(f *Fetched, incomplete bool) kycv1.Hydration {
	switch {
	case f == nil && incomplete:
		return kycv1.Hydration_HYDRATION_OFF
	case f == nil:
		return kycv1.Hydration_HYDRATION_NOT_NEEDED
	case f.Result == kycv1.FetchResult_FETCH_RESULT_FETCHED:
		return kycv1.Hydration_HYDRATION_FETCHED
	case f.Result == kycv1.FetchResult_FETCH_RESULT_GAVE_UP:
		return kycv1.Hydration_HYDRATION_GAVE_UP
	}
	return kycv1.Hydration_HYDRATION_NOT_FOUND
}
