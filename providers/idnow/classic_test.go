package idnow

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/kycbridge/kycbridge/providers"
)

// TestClassic: what the classic products send is a dead letter that names them, with the key of its identification,
// in whatever form it is let in.
func TestClassic(t *testing.T) {
	v := newVendor(t, ecKey(), "ES256")
	for _, f := range fixtures(t) {
		if !strings.HasPrefix(f.Name, "bad_classic_") {
			continue
		}
		want, field := see(plain(f.Body)), firstName(t, f.Body)
		for name, tc := range map[string]struct {
			d    *providers.Delivery
			path string // to what was found
		}{
			"JSON alone":                  {plain(f.Body), ""},
			"JSON in other bytes":         {plain([]byte("\xef\xbb\xbf\r\n " + string(f.Body) + "\n")), ""},
			"beside an empty header":      {beside(plain(f.Body), ""), ""},
			"as the data of a token":      {v.send(v.body, f.Body), "data."},
			"as the data in the header":   {v.send(v.head, f.Body), "data."},
			"as the claims of a token":    {v.claims(t, string(f.Body)), ""},
			"as claims, without an event": {v.claims(t, `{"data":null,`+string(f.Body[1:])), ""},
		} {
			t.Run(f.Name+" "+name, func(t *testing.T) {
				got := see(tc.d)
				var p *providers.Problem
				if !errors.As(got.err, &p) || !errors.Is(p, providers.ErrUnmapped) || p.Field != tc.path+field || !strings.Contains(p.Detail, "classic products") {
					t.Fatalf("%v; want it unmapped, at %s, as one of the classic products", got.err, tc.path+field)
				}
				if got.notice == nil || got.key != want.key || got.notice.Type != want.notice.Type || !slices.Equal(got.notice.Identity, want.notice.Identity) {
					t.Errorf("key %q, %+v; want key %q, %+v", got.key, got.notice, want.key, want.notice)
				}
				if said := got.err.Error() + got.notice.Type; strings.Contains(strings.ToUpper(said), "CANARY") {
					t.Errorf("personal data are in %s", said)
				}
			})
		}
	}
}

// plain is a body without a token, as an endpoint lets it in that only has a header to prove the sender.
func plain(body []byte) *providers.Delivery {
	return &providers.Delivery{Endpoint: "idnow", Headers: http.Header{}, Body: body}
}

// beside puts a token into the header, as envelopes of before have it.
func beside(d *providers.Delivery, token string) *providers.Delivery {
	d.Headers.Set(signatureHeader, token)
	return d
}

// firstName is by what a fixture is known.
func firstName(t *testing.T, body []byte) string {
	t.Helper()
	var members map[string]json.RawMessage
	if err := json.Unmarshal(body, &members); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{classicObject, classicList} {
		if members[name] != nil {
			return name
		}
	}
	t.Fatalf("the fixture has neither %s nor %s", classicObject, classicList)
	return ""
}

// TestClassicBesideAnEvent: a token that says something counts, and nothing that stands beside or in it takes its
// place. What is broken or only looks alike is no delivery of anybody's.
func TestClassicBesideAnEvent(t *testing.T) {
	v := newVendor(t, ecKey(), "ES256")
	body, created := fixture(t, "bad_classic_success"), fixture(t, "session_created")
	token := func(data []byte) string { return string(v.send(v.body, data).Body) }
	mixed := slices.Concat(created[:len(created)-1], []byte(","), body[1:])
	of := see(v.send(v.body, created))
	for name, tc := range map[string]struct {
		d   *providers.Delivery
		err error // nil: it is session_created
	}{
		"the body beside an event's token":        {beside(plain(body), token(created)), nil},
		"in the data of an event":                 {v.send(v.body, mixed), nil},
		"in the data of an event without a name":  {v.send(v.body, edited(t, mixed, `"eventName":"session.created"`, `"eventName":" "`)), nil},
		"in the data of an event of another name": {v.send(v.body, edited(t, mixed, `"session.created"`, `"session.made"`)), nil},
		"in the claims beside an event":           {v.claims(t, `{"data":`+string(created)+`,`+string(body[1:])), nil},
		"the body beside a token without data":    {beside(plain(body), token([]byte("null"))), providers.ErrMalformed},
		"the body beside two headers":             {&providers.Delivery{Body: body, Headers: http.Header{signatureHeader: {"a", "b"}}}, providers.ErrMismatch},
		"broken off":                              {plain(body[:len(body)-1]), providers.ErrMalformed},
		"two of them":                             {plain(slices.Concat(body, body)), providers.ErrMalformed},
		"a list of them":                          {plain([]byte("[" + string(body) + "]")), providers.ErrMalformed},
		"texts of these names":                    {plain(fixture(t, "bad_not_classic")), providers.ErrMalformed},
		"an event without a token":                {plain(mixed), providers.ErrUnmapped},
	} {
		t.Run(name, func(t *testing.T) {
			s := see(tc.d)
			if !errors.Is(s.err, tc.err) {
				t.Fatalf("%v, want %v", s.err, tc.err)
			}
			if tc.err == nil && (s.key != of.key || s.notice.ID != of.notice.ID) {
				t.Errorf("read as the event %q with key %q, want %q with %q", s.notice.ID, s.key, of.notice.ID, of.key)
			}
			if s.notice == nil && s.key != "" && !errors.Is(s.err, providers.ErrMismatch) {
				t.Errorf("key %q of what cannot be read", s.key)
			}
		})
	}
}

// TestClassicIsTold: the record's key and the disposition, which stands for a year, say which identification it was
// only to who knows its id, which opens the customer's page. Of the results they say the vendor's own.
func TestClassicIsTold(t *testing.T) {
	gate := providers.NewGate([]byte("a synthetic pepper"))
	d := plain(fixture(t, "bad_classic_success"))
	s := see(d)
	if key := string(Provider.RecordKey(d)); s.key != "DMB-KXQPA" || key != "idnow/"+providers.Digest("DMB-KXQPA") {
		t.Errorf("the key is made of %q and is %s; want the digest of the identification's id", s.key, key)
	}
	if again := plain(fixture(t, "bad_classic_canceled")); string(Provider.RecordKey(again)) != string(Provider.RecordKey(d)) {
		t.Error("two deliveries of one identification have two keys")
	}
	for _, typ := range append(classicTypes(), s.notice.Type) {
		if got := gate.Type(&Provider, typ); got != typ {
			t.Errorf("the disposition says %s for %s", got, typ)
		}
	}
	odd := see(plain(edited(t, d.Body, "SUCCESS_DATA_CHANGED", "KRANICH0K"))).notice.Type
	if got := gate.Type(&Provider, odd); odd != "identification.KRANICH0K" || strings.Contains(got, "KRANICH0K") {
		t.Errorf("%q is said as %q; want a result that nobody knows hashed", odd, got)
	}
}
