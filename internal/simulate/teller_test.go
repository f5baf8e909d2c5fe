package simulate

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kycbridge/kycbridge/providers"
	"github.com/kycbridge/kycbridge/providers/catalog"
)

// nasty are words that only fixtures have.
var nasty = regexp.MustCompile(`(?i)perhaps|absurd|zzz|"(client|company|check|aml|mon)-1"`)

// TestTeller: over many rounds each story of each vendor is told as often as any other, each customer's in its
// order, several customers at once, and of no more than that is anything kept.
func TestTeller(t *testing.T) {
	const rounds = 20
	now := time.Date(2026, 11, 30, 18, 0, 0, 0, time.UTC)
	for _, name := range []string{"complycube", "idenfy", "idnow", "idwise", "proofme"} { // others need none
		v, _ := catalog.Find(name)
		stories, err := v.ReadStories()
		if err != nil {
			t.Fatal(err)
		}
		if len(stories) < 5 {
			t.Fatalf("%s has %d stories", v.Name, len(stories))
		}
		deliveries := 0
		for _, s := range stories {
			deliveries += len(s.Deliveries)
		}
		tell, told, keys, mixed := newTeller(stories, 7), map[string]int{}, map[string]bool{}, 0
		last := ""
		for range rounds * deliveries {
			one := tell.next(now)
			if len(tell.open) > customersAtOnce || len(tell.round) > len(stories) {
				t.Fatalf("%s: %d customers are open, and %d stories to come", v.Name, len(tell.open), len(tell.round))
			}
			if word := nasty.Find(one.Body); word != nil {
				t.Errorf("%s: %s has %s", v.Name, one.Name, word)
			}
			told[one.Name]++
			name, _, _ := strings.Cut(one.Name, " ")
			if name != last {
				mixed++
			}
			last = name
			keys[v.Key(arrived(v, one))] = true
		}
		for _, s := range stories {
			for _, d := range s.Deliveries {
				if n := told[d.Name]; n < rounds-2 || n > rounds+2 {
					t.Errorf("%s: %s was told %d times in %d rounds", v.Name, d.Name, n, rounds)
				}
			}
		}
		if mixed < rounds*len(stories) || len(keys) < rounds*len(stories)/2 {
			t.Errorf("%s: %d changes between customers and %d keys in %d rounds of %d stories", v.Name, mixed, len(keys), rounds, len(stories))
		}
	}
}

// arrived is a delivery as Key sees it.
func arrived(v providers.Provider, told providers.Told) *providers.Delivery {
	d := unsigned(v, told.Fixture)
	return &providers.Delivery{Endpoint: v.Name, Environment: providers.FixtureEnvironment, Headers: d.Header, Body: d.Body}
}

// TestTellerInOrder: each customer hears the story in order, from the beginning to the end.
func TestTellerInOrder(t *testing.T) {
	v, _ := catalog.Find("proofme") // its deliveries hold the id of the customer's session and nothing else
	stories, err := v.ReadStories()
	if err != nil {
		t.Fatal(err)
	}
	at := slices.IndexFunc(stories, func(s providers.Story) bool { return s.Name == "approved_at_once" })
	tell, heard := newTeller(stories[at:at+1], 3), map[string]string{}
	for range 600 {
		one := tell.next(time.Date(2026, 11, 30, 18, 0, 0, 0, time.UTC))
		heard[v.Key(arrived(v, one))] += strings.TrimPrefix(one.Name, "approved_at_once")
	}
	open := 0
	for customer, parts := range heard {
		if !strings.HasPrefix(" 1 2 3", parts) {
			t.Errorf("customer %s hears%s", customer, parts)
		}
		if parts != " 1 2 3" {
			open++
		}
	}
	if open > customersAtOnce || len(heard) < 200 {
		t.Errorf("%d customers, %d in the middle", len(heard), open)
	}
}

// TestTold: what traffic told the APIs is forgotten where there is too much of it, the oldest first, and nothing
// that somebody else set.
func TestTold(t *testing.T) {
	f := NewFakeAPIs(nil)
	own := fakeAnswer{status: 200, body: []byte("own")}
	if !f.set("acme", "own", own) {
		t.Fatal("cannot set an object")
	}
	id := func(n int) string { return time.Duration(n).String() }
	for n := range fakeTold + 10 {
		f.tell("acme", id(n), fakeAnswer{status: 200})
		f.tell("acme", id(n), fakeAnswer{status: 410}) // the same object, later
	}
	if len(f.answers) != fakeTold+1 || len(f.told) != fakeTold {
		t.Errorf("%d answers, %d told", len(f.answers), len(f.told))
	}
	for n, want := range map[int]bool{0: false, 9: false, 10: true, fakeTold + 9: true} {
		if a, ok := f.answers[fakeObject{"acme", id(n)}]; ok != want || ok && a.status != 410 {
			t.Errorf("object %d is there: %v, %+v", n, ok, a)
		}
	}
	if string(f.answers[fakeObject{"acme", "own"}].body) != "own" {
		t.Error("what somebody set is forgotten")
	}
}

// TestScript: vendors tell stories, and send their fixtures for chaos, or where they have no stories.
func TestScript(t *testing.T) {
	v, _ := catalog.Find("idenfy")
	quiet := v
	quiet.Stories = nil
	for _, tc := range []struct {
		name   string
		vendor providers.Provider
		chaos  bool
		nasty  bool
	}{{"stories", v, false, false}, {"chaos", v, true, true}, {"no stories", quiet, false, true}} {
		keys := Keyring{Lookup: func(string) (string, bool) { return "", false }, Dir: t.TempDir()}
		ways, err := keys.Ways(tc.vendor)
		if err != nil {
			t.Fatal(err)
		}
		s, err := NewSender(tc.vendor, ways[0], "http://ingest.invalid/hooks/idenfy", 1, "")
		if err != nil {
			t.Fatal(err)
		}
		next, err := Traffic{Chaos: tc.chaos}.script(s)
		if err != nil {
			t.Fatal(err)
		}
		found := false
		for range 400 { // more than there are fixtures
			d := next()
			found = found || nasty.Match(d.Body)
			if !ways[0].believes(d.Delivery, s.url) {
				t.Fatalf("%s: a delivery is not signed", tc.name)
			}
		}
		if found != tc.nasty {
			t.Errorf("%s: words of fixtures are sent: %v", tc.name, found)
		}
	}
}
