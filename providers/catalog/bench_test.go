package catalog

import (
	"fmt"
	"net/http"
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
				Endpoint: p.Name, Tenant: "default", Environment: providers.FixtureEnvironment, Headers: fixtures[i].Headers,
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
	for _, pattern := range p.Ways() {
		if pattern.Traits().MakeKey == nil {
			all = append(all, secretWay(b, pattern))
			continue
		}
		for _, algorithm := range auth.Algorithms() {
			all = append(all, keyWay(b, pattern, algorithm))
		}
	}
	return all
}

// secretWay is a way with a secret that the vendor has too.
func secretWay(b *testing.B, pattern auth.Scheme) benchWay {
	b.Helper()
	scheme := auth.Configured(pattern, auth.Settings{Header: "X-Bench-Token"})
	w := benchWay{name: scheme.Traits().Kind, scheme: scheme}
	for n := range w.secrets {
		w.secrets[n] = benchSecret(b, scheme.Traits().Value(fmt.Sprintf("a-synthetic-secret-%d", n)))
	}
	proof, err := auth.NewProof(scheme, w.secrets[0])
	if err != nil {
		b.Fatal(err)
	}
	w.proofs = auth.Proofs{proof}
	return w
}

// keyWay is a way that the vendor signs with a key of its own.
func keyWay(b *testing.B, pattern auth.Scheme, algorithm string) benchWay {
	b.Helper()
	settings := auth.Settings{Issuer: "https://issuer.invalid", Audience: "https://hooks.invalid", Algorithms: []string{algorithm}}
	traits := auth.Configured(pattern, settings).Traits()
	w := benchWay{name: traits.Kind + "_body_" + algorithm}
	if traits.Header != "" {
		w.name = traits.Kind + "_header_" + algorithm
	}
	for n := range w.secrets {
		key, err := traits.MakeKey()
		if err != nil {
			b.Fatal(err)
		}
		w.secrets[n] = benchSecret(b, string(key))
	}
	public, err := auth.PublicKey(w.secrets[0])
	if err != nil {
		b.Fatal(err)
	}
	settings.Keys = auth.StaticKeys{public}
	w.scheme = auth.Configured(pattern, settings)
	w.proofs = auth.Proofs{{Scheme: w.scheme}}
	return w
}

func benchSecret(b *testing.B, value string) auth.Secret {
	b.Helper()
	s, err := auth.NewSecret("bench", []byte(value), time.Time{}, time.Time{})
	if err != nil {
		b.Fatal(err)
	}
	return s
}

// requests are the vendor's sound fixtures as they arrive, proved with the n-th secret.
func (w benchWay) requests(b *testing.B, p providers.Provider, n int) []auth.Request {
	b.Helper()
	var all []auth.Request
	for _, f := range sound(b, p) {
		r := auth.Request{Header: http.Header{}, Body: f.Body, Now: benchNow}
		w.scheme.Sign(w.secrets[n], &r)
		all = append(all, r)
	}
	return all
}
