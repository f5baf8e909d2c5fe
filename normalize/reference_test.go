package normalize_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/kycbridge/kycbridge/internal/canary"
	"github.com/kycbridge/kycbridge/internal/contract"
	"github.com/kycbridge/kycbridge/normalize"
	"github.com/kycbridge/kycbridge/normalize/normalizetest"
	"github.com/kycbridge/kycbridge/providers"
	"github.com/kycbridge/kycbridge/providers/catalog"
	"github.com/kycbridge/kycbridge/providers/providertest"
	"github.com/kycbridge/kycbridge/schemas"
)

// references are where a vendor hands the customer's own reference through that leaves as customer_reference. Without a
// place, it hands none through, or keeps it to itself.
var references = map[string][]string{
	"complycube": {"body payload.externalId"},
	"idenfy":     {"body clientId"},
	"idnow":      {"answer subjectId", "answer metadata.subjectId"},
	"idwise":     {"body body.referenceNo"},
	"proofme":    nil,
}

// TestReferencesOfEveryVendor: a mail address that stands for a customer leaves as its digest and is drift, from every
// vendor alike; from an endpoint that says so it leaves as it came, in customer_reference alone.
func TestReferencesOfEveryVendor(t *testing.T) {
	mail := canary.Of("mail")
	for name, places := range references {
		p := vendorOf(t, name)
		for _, asIs := range []bool{false, true} {
			i := normalize.NewInterpreter([]providers.Provider{p}, normalizetest.Validator(t), normalize.InterpreterOptions{
				Gate: pepperedGate, ReferenceAsIs: func(endpoint string) bool { return asIs && endpoint == p.Name },
			})
			seen := map[string]int{}
			for planted, d := range providertest.Plantings(t, p) {
				if planted.Kind == mail.Kind && slices.Contains(places, planted.Where) {
					seen[planted.Where] += checkReference(t, fmt.Sprintf("%s, %s, as it came: %v", p.Name, planted.Where, asIs), asIs, mail, read(t, i, p, d))
				}
			}
			for _, place := range places {
				if seen[place] == 0 {
					t.Errorf("%s: no event carries a reference that stands at %s", p.Name, place)
				}
			}
		}
	}
}

// checkReference counts the events that carry the canary as a reference, and looks at all that is written.
func checkReference(t *testing.T, what string, asIs bool, mail canary.Canary, r *normalize.Reading) (carry int) {
	t.Helper()
	want, drift := providers.Digest(mail.Text), true
	if asIs {
		want, drift = mail.Text, false
	}
	for _, out := range outgoing(t, r) {
		topic, _ := schemas.TopicNamed("", out.Topic)
		if e, ok := normalizetest.Must(contract.Decode(nil, topic, out.Value))(t).(schemas.DomainEvent); ok {
			if s := e.GetMetadata().GetSubject(); s.GetCustomerReference() == want {
				s.CustomerReference = ""
				carry++
			}
			for _, leak := range mail.Leaks(e.ProtoReflect(), true) {
				t.Errorf("%s: %s holds %q", what, leak.Field, leak.Value)
			}
		} else if out.Topic == schemas.DispositionTopic && mail.In(out.Value) {
			t.Errorf("%s: the disposition holds it", what)
		}
		if mail.In(out.Key) {
			t.Errorf("%s: the key %q of %s holds it", what, out.Key, out.Topic)
		}
		for _, h := range out.Headers {
			if mail.In(h.Value) {
				t.Errorf("%s: the header %s of %s holds it", what, h.Key, out.Topic)
			}
		}
	}
	if hashed := slices.Contains(r.Drift, providers.Drift{Kind: "reference_hashed"}); carry > 0 && hashed != drift {
		t.Errorf("%s: drift is %v, want reference_hashed: %v", what, r.Drift, drift)
	}
	return carry
}

// TestReferenceAsIsIsOfOneEndpoint: the same delivery, at two endpoints, leaves as each says; its event has the id it
// has in either case, so that a replay after a change of the setting replaces and does not add.
func TestReferenceAsIsIsOfOneEndpoint(t *testing.T) {
	p := vendorOf(t, "idenfy")
	i := normalize.NewInterpreter([]providers.Provider{p}, normalizetest.Validator(t), normalize.InterpreterOptions{
		ReferenceAsIs: func(endpoint string) bool { return endpoint == p.Name },
	})
	hashing := normalize.NewInterpreter([]providers.Provider{p}, normalizetest.Validator(t), normalize.InterpreterOptions{
		ReferenceAsIs: func(endpoint string) bool { return endpoint != p.Name },
	})
	for planted, d := range providertest.Plantings(t, p) {
		if planted.Kind != "mail" || planted.Where != "body clientId" {
			continue
		}
		a, b := events(read(t, i, p, d)), events(read(t, hashing, p, d))
		if len(a) == 0 || len(a) != len(b) {
			continue
		}
		for n := range a {
			one, other := a[n].GetMetadata(), b[n].GetMetadata()
			if one.GetEventId() != other.GetEventId() {
				t.Errorf("the event is %s where its reference leaves as it came, and %s where it does not", one.GetEventId(), other.GetEventId())
			}
			if one.GetSubject().GetCustomerReference() != planted.Text || other.GetSubject().GetCustomerReference() != providers.Digest(planted.Text) {
				t.Errorf("the references are %q and %q", one.GetSubject().GetCustomerReference(), other.GetSubject().GetCustomerReference())
			}
		}
		return
	}
	t.Error("nothing was compared")
}

func vendorOf(t *testing.T, name string) providers.Provider {
	t.Helper()
	all := catalog.All()
	at := slices.IndexFunc(all, func(p providers.Provider) bool { return p.Name == name })
	if at < 0 {
		t.Fatal("no vendor is named " + name)
	}
	return all[at]
}

func events(r *normalize.Reading) (all []schemas.DomainEvent) {
	if p, ok := r.Outcome.(*normalize.Publish); ok {
		for _, e := range p.Events {
			all = append(all, e.Message)
		}
	}
	return all
}
