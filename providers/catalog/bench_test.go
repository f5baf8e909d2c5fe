package catalog

import (
	"cmp"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/kycbridge/kycbridge/providers"
	"github.com/kycbridge/kycbridge/providers/auth"
)

// benchNow is when every delivery arrives, and when its token was made.
var benchNow = time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)

// BenchmarkVerify is the check of each way a vendor offers, over the bodies of its fixtures. A
// forged delivery is well made, with a secret that the endpoint does not have.
func BenchmarkVerify(b *testing.B) {
	for _, p := range All() {
		for _, way := range waysOf(b, p) {
			accepted, forged := way.requests(b, p, 0), way.requests(b, p, 1)
			name := p.Name + "/" + way.name
			b.Run(name+"/accepted", func(b *testing.B) { benchmarkVerify(b, way.proofs, accepted, true) })
			b.Run(name+"/forged", func(b *testing.B) { benchmarkVerify(b, way.proofs, forged, false) })
		}
	}
}

func benchmarkVerify(b *testing.B, proofs auth.Proofs, requests []auth.Request, good bool) {
	b.SetBytes(average(requests, func(r auth.Request) int { return len(r.Body) }))
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, err := proofs.Verify(requests[i%len(requests)]); (err == nil) != good {
			b.Fatal(err)
		}
	}
}

// BenchmarkKey is the vendor's share of ingest: the id in the partition key.
func BenchmarkKey(b *testing.B) {
	eachVendor(b, func(b *testing.B, p *providers.Provider, all []*providers.Delivery) {
		for i := 0; b.Loop(); i++ {
			p.Key(all[i%len(all)])
		}
	})
}

// BenchmarkParse reads a body as far as the identity that copies share; BenchmarkMap makes events
// of what was read.
func BenchmarkParse(b *testing.B) {
	eachVendor(b, func(b *testing.B, p *providers.Provider, all []*providers.Delivery) {
		for i := 0; b.Loop(); i++ {
			if _, err := p.Parse(all[i%len(all)]); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkMap(b *testing.B) {
	eachVendor(b, func(b *testing.B, p *providers.Provider, all []*providers.Delivery) {
		notices := make([]*providers.Notice, len(all))
		for i, d := range all {
			var err error
			if notices[i], err = p.Parse(d); err != nil {
				b.Fatal(err)
			}
		}
		for i := 0; b.Loop(); i++ {
			if _, err := p.Map(all[i%len(all)], notices[i%len(all)]); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// eachVendor runs a benchmark over the sound fixtures of each vendor, with the API's answers where
// there are any; one operation is one delivery.
func eachVendor(b *testing.B, run func(*testing.B, *providers.Provider, []*providers.Delivery)) {
	for _, p := range All() {
		way := waysOf(b, p)[0]
		requests, fixtures := way.requests(b, p, 0), sound(b, p)
		all := make([]*providers.Delivery, len(requests))
		for i, r := range requests {
			all[i] = &providers.Delivery{
				Endpoint: p.Name, Tenant: "default", Environment: p.FixtureEnvironment(), Headers: fixtures[i].Headers,
				Body: r.Body, ReceivedAt: benchNow, Fetched: fixtures[i].Fetched,
			}
		}
		b.Run(p.Name, func(b *testing.B) {
			b.SetBytes(average(all, func(d *providers.Delivery) int { return len(d.Body) }))
			b.ReportAllocs()
			run(b, &p, all)
		})
	}
}

func average[T any](all []T, size func(T) int) int64 {
	sum := 0
	for _, v := range all {
		sum += size(v)
	}
	return int64(sum / len(all))
}

func sound(b *testing.B, p providers.Provider) []providers.Fixture {
	b.Helper()
	good, err := p.GoodFixtures()
	if err != nil {
		b.Fatal(err)
	}
	return good
}

// A benchWay is a way to prove a sender as an endpoint would be configured with it, with the
// secret of the endpoint and another of the same form.
type benchWay struct {
	name    string
	scheme  auth.Scheme
	secrets [2]auth.Secret
	proofs  auth.Proofs
}

func waysOf(b *testing.B, p providers.Provider) []benchWay {
	b.Helper()
	var all []benchWay
	for _, scheme := range p.Ways() {
		switch pattern := scheme.(type) {
		case auth.JWT:
			for _, algorithm := range auth.Algorithms() {
				pattern.Algorithms = []string{algorithm}
				all = append(all, tokenWay(b, pattern))
			}
		case auth.Header:
			pattern.Name = cmp.Or(pattern.Name, "X-Bench-Token")
			all = append(all, secretWay(b, pattern))
		default:
			all = append(all, secretWay(b, scheme))
		}
	}
	return all
}

func secretWay(b *testing.B, scheme auth.Scheme) benchWay {
	b.Helper()
	w := benchWay{name: auth.Kind(scheme), scheme: scheme}
	for n := range w.secrets {
		w.secrets[n] = benchSecret(b, fmt.Appendf(nil, "user:a-synthetic-secret-%d", n))
		if scheme == (auth.PathToken{}) {
			w.secrets[n] = benchSecret(b, fmt.Appendf(nil, "a-synthetic-secret-%d", n))
		}
	}
	proof, err := auth.NewProof(scheme, w.secrets[0])
	if err != nil {
		b.Fatal(err)
	}
	w.proofs = auth.Proofs{proof}
	return w
}

func tokenWay(b *testing.B, scheme auth.JWT) benchWay {
	b.Helper()
	scheme.Issuer, scheme.Audience, scheme.IssuedAt = "https://issuer.invalid", "https://hooks.invalid", benchNow
	w := benchWay{name: "jwt_body_" + scheme.Algorithms[0]}
	if scheme.Header != "" {
		w.name = "jwt_header_" + scheme.Algorithms[0]
	}
	for n := range w.secrets {
		w.secrets[n] = benchSecret(b, benchKey(b, scheme.Algorithms[0]))
	}
	public, err := auth.PublicKey(w.secrets[0])
	if err != nil {
		b.Fatal(err)
	}
	scheme.Keys = auth.StaticKeys{public}
	w.scheme, w.proofs = scheme, auth.Proofs{{Scheme: scheme}}
	return w
}

func benchSecret(b *testing.B, value []byte) auth.Secret {
	b.Helper()
	s, err := auth.NewSecret("bench", value, time.Time{}, time.Time{})
	if err != nil {
		b.Fatal(err)
	}
	return s
}

// benchKey makes a private key in PEM for an algorithm.
func benchKey(b *testing.B, algorithm string) []byte {
	b.Helper()
	var key any
	var err error
	if strings.HasPrefix(algorithm, "ES") {
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	} else {
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	}
	if err != nil {
		b.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		b.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// requests are the vendor's sound fixtures as they arrive, proved with the n-th secret.
func (w benchWay) requests(b *testing.B, p providers.Provider, n int) []auth.Request {
	b.Helper()
	var all []auth.Request
	for _, f := range sound(b, p) {
		h := http.Header{}
		body := auth.Deliver(w.scheme, w.secrets[n], f.Body, h)
		all = append(all, auth.Request{Header: h, Body: body, Now: benchNow, PathToken: strings.TrimPrefix(auth.Path(w.scheme, w.secrets[n]), "/")})
	}
	return all
}
