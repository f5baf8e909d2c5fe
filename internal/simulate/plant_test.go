package simulate

import (
	"bytes"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kycbridge/kycbridge/internal/canary"
	"github.com/kycbridge/kycbridge/providers"
	"github.com/kycbridge/kycbridge/providers/auth"
	"github.com/kycbridge/kycbridge/providers/catalog"
)

// TestPlant: whoever looks for what leaks can rely on it that something was planted everywhere, that what is said
// to be proved gets in, and the rest does not.
func TestPlant(t *testing.T) {
	for _, v := range catalog.All() {
		fixtures, err := v.Fixtures()
		if err != nil {
			t.Fatal(err)
		}
		ways, err := Keyring{Lookup: func(string) (string, bool) { return "", false }, Dir: t.TempDir()}.Ways(v)
		if err != nil {
			t.Fatal(err)
		}
		for i, way := range ways {
			fixtures, few := fixtures, 40
			if i > 0 { // only the proofs differ
				fixtures, few = []providers.Fixture{Typical(v, fixtures)}, 20
			}
			s, err := NewSender(v, way, "http://ingest.invalid/hooks/"+way.Endpoint, 1, "")
			if err != nil {
				t.Fatal(err)
			}
			apis := NewFakeAPIs(catalog.All())
			kinds, places := map[string]bool{}, map[string]bool{}
			for p := range s.Plant(fixtures, 7, apis) {
				kinds[p.Kind], places[p.Where] = true, true
				if !sent(p) && !strings.HasPrefix(p.Where, "answer ") {
					t.Errorf("%s, %s: no %s in the request", way.Endpoint, p.Where, p.Kind)
				}
				if believed := way.believes(p.Delivery, s.url); believed == p.Unproved {
					t.Errorf("%s, %s with a %s: believed %v, and unproved is %v", way.Endpoint, p.Where, p.Kind, believed, p.Unproved)
				}
			}
			if len(kinds) != len(canary.All()) || len(places) < few {
				t.Errorf("%s: %d kinds at %d places: %v", way.Endpoint, len(kinds), len(places), slices.Sorted(maps.Keys(places)))
			}
		}
	}
}

// sent reports whether a canary is in a request.
func sent(p Planted) bool {
	address, _ := url.QueryUnescape(p.URL)
	all := [][]byte{p.Body, []byte(address)}
	for name, values := range p.Header {
		for _, value := range values {
			value, _ = url.QueryUnescape(value)
			all = append(all, []byte(name), []byte(value))
		}
		all = append(all, []byte(strings.Join(values, "")))
	}
	return p.In(bytes.Join(all, []byte("\n")))
}

// believes is what an endpoint that takes this way says: its own address, and every proof.
func (w Way) believes(d Delivery, address string) bool {
	path, _, _ := strings.Cut(d.URL, "?")
	rest, ok := strings.CutPrefix(path, address)
	r := auth.Request{Header: d.Header, Body: d.Body, Now: time.Now(), PathToken: strings.TrimPrefix(rest, "/")}
	if !ok || r.PathToken != "" && !w.own().Traits().Path {
		return false
	}
	for _, p := range w.proofs {
		scheme := p.Scheme
		if p.Traits().MakeKey != nil {
			public, err := auth.PublicKey(p.secret)
			if err != nil {
				return false
			}
			scheme = auth.Configured(scheme, auth.Settings{Issuer: devIssuer(w.vendor), Audience: devAudience(w.vendor), Keys: auth.StaticKeys{public}})
		}
		if _, err := scheme.Verify([]auth.Secret{p.secret}, r); err != nil {
			return false
		}
	}
	return true
}
