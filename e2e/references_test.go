package e2e

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/kycbridge/kycbridge/internal/canary"
	"github.com/kycbridge/kycbridge/internal/simulate"
	"github.com/kycbridge/kycbridge/providers"
	"github.com/kycbridge/kycbridge/providers/catalog"
	"github.com/kycbridge/kycbridge/schemas"
)

// referencePlaces are where vendors hand the customer's own reference through.
var referencePlaces = []string{"body payload.externalId", "body clientId", "body body.referenceNo", "answer subjectId"}

// referral is a delivery with a reference, as its events must name it.
type referral struct{ endpoint, text, want string }

// TestReferences lets mail addresses and names in as references, at endpoints that let them leave as they came and at
// others: every stage goes by its endpoint, and so do a replay, `drift` and `trace`. Nothing but customer_reference
// ever holds one. A replay after a change of the setting gives events of the same ids, with the reference as the
// setting has it by then.
func TestReferences(t *testing.T) {
	asIs := []string{"complycube", "idenfy", "idnow", "idwise"}
	a := startAviary(t, func(endpoint string) bool { return slices.Contains(asIs, endpoint) })
	r := read(t, a.kafka, schemas.DefaultPrefix)
	sent := a.refer()
	r.quiet(t)
	first := a.referred(r)
	for _, n := range sent {
		if !slices.ContainsFunc(first, func(e emitted) bool { return n.names(e) }) {
			t.Errorf("no event of %s has the reference %q", n.endpoint, n.want)
		}
	}

	a.replay()
	r.quiet(t)
	compareReplayed(t, first, a.referred(r), func(was, is string) bool { return was == is })

	if out := a.drift("--config", a.config); strings.Contains(out, `"complycube","kind":"reference_hashed"`) {
		t.Errorf("drift tells of references that leave as they came:\n%s", out)
	}
	if out := a.drift("--brokers", a.kafka); !strings.Contains(out, `"complycube","kind":"reference_hashed"`) {
		t.Errorf("without the configuration drift does not tell of references that it takes to be hashed:\n%s", out)
	}
	for _, n := range sent {
		if out, errs, code := command(t, a.environment(), "trace", n.text, "--config", a.config, "--json"); code != 0 || !strings.Contains(out, `"`+n.endpoint+`"`) {
			t.Errorf("trace %q does not find the delivery of %s: exit code %d\n%s%s", n.text, n.endpoint, code, out, errs)
		}
	}

	a.hashAll()
	a.replay()
	r.quiet(t)
	compareReplayed(t, first, a.referred(r), func(was, is string) bool {
		return was == is || is == providers.Digest(was)
	})
	a.report()
}

// refer posts, to each endpoint, one delivery for each place of its vendor's references.
func (a *aviary) refer() (sent []referral) {
	a.Helper()
	for _, v := range catalog.All() {
		ways, err := a.keys.Ways(v)
		if err != nil {
			a.Fatal(err)
		}
		for _, way := range ways {
			sender, err := simulate.NewSender(v, way, "http://"+a.ingest.listen+"/hooks/"+way.Endpoint, 1, "")
			if err != nil {
				a.Fatal(err)
			}
			for _, place := range referencePlaces {
				if p, ok := a.referring(v, sender, place); ok {
					if err := a.post(sender, p); err != nil {
						a.Fatal(err)
					}
					n := referral{way.Endpoint, p.Text, providers.Digest(p.Text)}
					if a.asIs(n.endpoint) {
						n.want = n.text
					}
					sent = append(sent, n)
				}
			}
			sender.Close()
		}
	}
	if len(sent) < 8 {
		a.Fatalf("%d deliveries have a reference, want one of each endpoint: %v", len(sent), sent)
	}
	return sent
}

// referring makes a delivery of a vendor with a reference that has not the form of an id.
func (a *aviary) referring(v providers.Provider, sender *simulate.Sender, place string) (simulate.Planted, bool) {
	a.Helper()
	fixtures, err := v.Fixtures()
	if err != nil {
		a.Fatal(err)
	}
	where, inBody := strings.CutPrefix(place, "body ")
	for n, f := range fixtures {
		switch seed := uint64(n+1) << 32; {
		case f.Bad():
		case !inBody:
			if p, ok := a.answered(f, sender, place, seed); ok {
				return p, true
			}
		case f.Fetched == nil:
			for spot := range canary.Spots(v.Vary(f.Body, seed)) {
				if spot.Path == where {
					c := canary.Of("mail")
					return simulate.Planted{Canary: c, Where: place, Delivery: sender.Seal(spot.With(c.Text), f.Headers)}, true
				}
			}
		}
	}
	return simulate.Planted{}, false
}

// answered makes one whose reference stands in what the API answers.
func (a *aviary) answered(f providers.Fixture, sender *simulate.Sender, place string, seed uint64) (simulate.Planted, bool) {
	if f.Fetched == nil {
		return simulate.Planted{}, false
	}
	for p := range sender.Plant([]providers.Fixture{f}, seed, a.apis) {
		switch {
		case p.Where == place:
			return p, !p.Coded && p.Kind != "token" && p.Kind != "control"
		case p.Where == "query": // the answer has no such place
			return p, false
		}
	}
	return simulate.Planted{}, false
}

// names reports whether an event of the delivery's endpoint names it.
func (n referral) names(e emitted) bool {
	return e.metadata.GetEndpoint() == n.endpoint && e.metadata.GetSubject().GetCustomerReference() == n.want
}

// referred are the events that carry a reference, and nothing else that was let in.
func (a *aviary) referred(r *reader) (all []emitted) {
	a.Helper()
	for _, e := range sorted(a, r.snapshot()).events {
		if e.metadata.GetSubject().GetCustomerReference() != "" {
			all = append(all, e)
		}
	}
	for at, record := range r.snapshot() {
		topic := topicOf(at.topic)
		for part, text := range beside(at.topic, record) {
			a.look(part+" of "+topic.Base, text)
		}
		if topic.Base == schemas.DispositionTopic && len(canary.Seen(record.Value)) > 0 {
			a.look("a disposition", string(record.Value))
		}
	}
	return all
}

// compareReplayed looks at each event and its copies.
func compareReplayed(t *testing.T, first, all []emitted, fits func(was, is string) bool) {
	t.Helper()
	copies := 0
	for _, was := range first {
		for _, e := range all {
			if e.metadata.GetEventId() != was.metadata.GetEventId() || e.record == was.record {
				continue
			}
			copies++
			if a, b := was.metadata.GetSubject().GetCustomerReference(), e.metadata.GetSubject().GetCustomerReference(); !fits(a, b) {
				t.Errorf("event %s of %s has the reference %q, and replayed %q", was.metadata.GetEventId(), was.metadata.GetEndpoint(), a, b)
			}
		}
	}
	if copies < len(first) {
		t.Errorf("%d events have %d copies, want one of each at least", len(first), copies)
	}
}

// environment is that of the commands.
func (a *aviary) environment() []string {
	return append(slices.Clone(a.env), "KYCBRIDGE_LISTEN=127.0.0.1:0", "KYCBRIDGE_ADMIN=127.0.0.1:0")
}

func (a *aviary) replay() {
	a.Helper()
	if out, errs, code := command(a, a.environment(), "replay", "--mode", "re-emit", "--all", "--config", a.config, "--json"); code != 0 {
		a.Fatalf("replay: exit code %d\n%s%s", code, out, errs)
	}
}

// drift is what the command prints of the whole topic, without blanks.
func (a *aviary) drift(flags ...string) string {
	a.Helper()
	out, errs, code := command(a, a.environment(), append([]string{"drift", "--from-start", "--json"}, flags...)...)
	if code != 0 || !json.Valid([]byte(strings.SplitN(out, "\n", 2)[0])) {
		a.Fatalf("drift %v: exit code %d\n%s%s", flags, code, out, errs)
	}
	return strings.ReplaceAll(out, " ", "")
}

// hashAll takes the setting out of the file.
func (a *aviary) hashAll() {
	a.Helper()
	text, err := os.ReadFile(a.config)
	if err != nil {
		a.Fatal(err)
	}
	hashed := strings.ReplaceAll(string(text), "CUSTOMER_REFERENCE_AS_IS", "HASHED")
	if hashed == string(text) {
		a.Fatal("the file has no such setting")
	}
	if err := os.WriteFile(a.config, []byte(hashed), 0o600); err != nil {
		a.Fatal(err)
	}
}
