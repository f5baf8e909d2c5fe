package providertest

import (
	"bytes"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/kycbridge/kycbridge/providers"
	"github.com/kycbridge/kycbridge/schemas"
)

// asTyped are the kinds of canaries that customers use as references, or that may not leave even as those.
var asTyped = []string{"mail", "plain name", "token", "control"}

// checkAsIs: an endpoint that lets the customer's reference leave as it came changes subject.customer_reference, from
// the digest of what was planted to that, and nothing else of what a delivery becomes.
func (s *suite) checkAsIs(t testing.TB, p Planting, d *providers.Delivery, hashed *result) {
	t.Helper()
	other := *d
	other.ReferenceAsIs = true
	r := s.read(&other)
	r.rawKey = s.RecordKey(&other)
	leaves := 0
	for i, e := range r.Events {
		if i >= len(hashed.Events) {
			break
		}
		was := hashed.Events[i].GetMetadata().GetSubject().GetCustomerReference()
		is := e.GetMetadata().GetSubject().GetCustomerReference()
		switch {
		case is == was:
			continue
		case was != providers.Digest(is) || p.In([]byte(is)) && (p.Nowhere || p.Kind == "token" || p.Kind == "control"):
			t.Errorf("as it came, %s planted at %s leaves as the reference %q, and otherwise as %q", p.Kind, p.Where, is, was)
		}
		leaves++
		e.GetMetadata().GetSubject().CustomerReference = was
	}
	if leaves > 0 { // what leaves as it came is nothing to count
		hashed.Drift = slices.DeleteFunc(slices.Clone(hashed.Drift), isHashed)
	}
	if !r.equal(hashed) {
		t.Errorf("%s planted at %s, where references leave as they came, changes more than the reference:\n%+v\n%+v", p.Kind, p.Where, r, hashed)
	}
}

func isHashed(d providers.Drift) bool { return d.Kind == "reference_hashed" }

// equal compares what leaves of two deliveries.
func (r *result) equal(other *result) bool {
	same := func(a, b schemas.DomainEvent) bool { return proto.Equal(a, b) }
	failed := func(err error) string {
		if err == nil {
			return ""
		}
		return err.Error()
	}
	return bytes.Equal(r.rawKey, other.rawKey) && failed(r.err) == failed(other.err) && r.needs == other.needs &&
		slices.EqualFunc(r.Events, other.Events, same) && slices.Equal(r.Drift, other.Drift) && r.identity() == other.identity()
}

// identity is what makes the delivery the same as another; "" where it could not be read.
func (r *result) identity() string {
	if r.notice == nil {
		return ""
	}
	hash := r.notice.ContentHash()
	return string(r.notice.Identity.Bytes()) + string(hash[:])
}
