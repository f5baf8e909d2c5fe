package idnow

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kycbridge/kycbridge/providers"
	"github.com/kycbridge/kycbridge/providers/auth"
	"github.com/kycbridge/kycbridge/schemas"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// now is when deliveries arrive, and when their tokens were made.
var now = time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)

const (
	issuer   = "https://issuer.example.test"
	audience = "https://hooks.example.test/v1/idnow"
)

// The keys of the vendor. Making an RSA key takes a while, so there is one; the
// elliptic one is for tests that sign often.
var (
	rsaKey = sync.OnceValue(func() []byte { return pemOf(newRSA()) })
	ecKey  = sync.OnceValue(func() []byte { return pemOf(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) })
)

func newRSA() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) }

func pemOf(key any, err error) []byte {
	if err != nil {
		panic(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		panic(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

func secretOf(t testing.TB, id string, value []byte) auth.Secret {
	t.Helper()
	s, err := auth.NewSecret(id, value, time.Time{}, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// vendor signs as the vendor does and is configured as its receiver would be.
type vendor struct {
	key  auth.Secret
	body auth.JWT // the token is the body
	head auth.JWT // the token is in the header
}

func newVendor(t testing.TB, pem []byte, algorithms ...string) vendor {
	t.Helper()
	v := vendor{key: secretOf(t, "2026-01", pem)}
	public, err := auth.PublicKey(v.key)
	if err != nil {
		t.Fatal(err)
	}
	for i, to := range []*auth.JWT{&v.body, &v.head} {
		*to = Provider.Proofs[i].(auth.JWT)
		to.Keys, to.Algorithms = auth.StaticKeys{public}, algorithms
		to.Issuer, to.Audience = issuer, audience
	}
	return v
}

// send returns a delivery of data as it arrives, with the headers that are kept.
func (v vendor) send(scheme auth.JWT, data []byte) *providers.Delivery {
	return v.sendAt(scheme, data, now)
}

// sendAt is send with a token of another time.
func (v vendor) sendAt(scheme auth.JWT, data []byte, signed time.Time) *providers.Delivery {
	r := auth.Request{Header: http.Header{}, Body: data, Now: signed}
	scheme.Sign(v.key, &r)
	return &providers.Delivery{
		Endpoint: "idnow", Tenant: "default", Environment: providers.FixtureEnvironment,
		ContentType: r.Header.Get("Content-Type"), Headers: kept(r.Header), Body: r.Body, ReceivedAt: now,
	}
}

// claims returns a delivery whose token holds exactly these claims.
func (v vendor) claims(t testing.TB, claims string) *providers.Delivery {
	t.Helper()
	token, err := v.body.TokenOf(v.key, []byte(claims))
	if err != nil {
		t.Fatal(err)
	}
	return &providers.Delivery{Endpoint: "idnow", Environment: providers.FixtureEnvironment, Body: []byte(token)}
}

func kept(h http.Header) http.Header {
	out := http.Header{}
	for name, values := range h {
		if slices.Contains(Provider.KeepHeaders, name) {
			out[name] = values
		}
	}
	return out
}

// seen is one delivery as the stages see it.
type seen struct {
	key     string
	notice  *providers.Notice
	eventID string // of the first event
	providers.Mapping
	err error
}

func see(d *providers.Delivery) seen {
	s := seen{key: Provider.Key(d)}
	if s.notice, s.err = Provider.Parse(d); s.err != nil {
		return s
	}
	if s.Mapping, s.err = Provider.Map(d, s.notice); s.err == nil {
		raw := providers.RawKey(d.Endpoint, s.key, d.Body)
		Provider.Complete(d, s.notice, raw, nil, s.Mapping)
		s.eventID = s.Events[0].GetMetadata().GetEventId()
	}
	return s
}

func fixtures(t testing.TB) []providers.Fixture {
	t.Helper()
	all, err := Provider.Fixtures()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func fixture(t testing.TB, name string) []byte {
	t.Helper()
	for _, f := range fixtures(t) {
		if f.Name == name {
			return f.Body
		}
	}
	t.Fatalf("no fixture %s", name)
	return nil
}

func approves(e schemas.DomainEvent) bool {
	s, ok := e.(*kycv1.SessionEvent)
	return ok && s.Decision == kycv1.Decision_DECISION_APPROVED
}

// edited is a text with one part replaced, which must be there.
func edited(t testing.TB, text []byte, old, new string) []byte {
	t.Helper()
	if !strings.Contains(string(text), old) {
		t.Fatalf("the fixture has no %s", old)
	}
	return []byte(strings.Replace(string(text), old, new, 1))
}
