package audit

import (
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/kycbridge/kycbridge/internal/contract"
	"github.com/kycbridge/kycbridge/internal/record"
	"github.com/kycbridge/kycbridge/schemas"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// matchDisposition finds an id in a disposition: the vendor's, an event's, the key or, by its trace, ours.
func (t *tracer) matchDisposition(r record.Record) {
	d := &kycv1.Disposition{}
	if contract.Unmarshal(r.Value, d) != nil {
		return
	}
	if !t.inKey(r) && !t.is(d.GetVendorEventId()) && !slices.ContainsFunc(d.GetEventIds(), t.same) && !t.same(deliveryOf(r)) {
		return
	}
	if t.foreign(d) {
		t.earlier++
	} else {
		t.note(positionOf(d.GetRaw()))
	}
}

// matchEvent finds an id in an event's metadata.
func (t *tracer) matchEvent(topic Topic, r record.Record) {
	e, ok := message[schemas.DomainEvent](topic, r)
	if !ok {
		return
	}
	md := e.GetMetadata()
	s := md.GetSubject()
	ids := []string{
		md.GetVendorEventId(), s.GetSessionId(), s.GetCheckId(), s.GetClientId(), s.GetCompanyId(), s.GetDocumentId(), s.GetAddressId(),
		s.GetPartyId(), s.GetCustomerReference(),
	}
	if t.inKey(r) || t.same(md.GetEventId()) || slices.ContainsFunc(ids, t.is) {
		t.note(positionOf(md.GetRaw()))
	}
}

// matchRaw finds an id in a raw record that is not yet processed.
func (t *tracer) matchRaw(r record.Record) {
	e := &kycv1.RawEnvelope{}
	if t.inKey(r) || contract.Unmarshal(r.Value, e) == nil && t.same(e.GetDeliveryId()) {
		t.note(record.Position{Partition: r.Partition, Offset: r.Offset})
	}
}

// inKey reports whether the id is the record's key, or what follows the endpoint in it.
func (t *tracer) inKey(r record.Record) bool {
	key := string(r.Key)
	_, subject, _ := strings.Cut(key, "/")
	return t.is(key) || t.is(subject)
}

// is reports whether a text stands for the id.
func (t *tracer) is(text string) bool { return text != "" && slices.Contains(t.forms, text) }

// same compares an id of ours, in whatever letters.
func (t *tracer) same(id string) bool { return id != "" && strings.EqualFold(id, t.id) }

// deliveryOf reads our id of the delivery out of a record's trace; "" where it has none.
func deliveryOf(r record.Record) string {
	parts := strings.Split(r.Header("traceparent"), "-")
	if len(parts) != 4 {
		return ""
	}
	id, err := uuid.Parse(parts[1])
	if err != nil {
		return ""
	}
	return id.String()
}
