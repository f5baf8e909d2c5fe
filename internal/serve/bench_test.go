package serve

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/kycbridge/kycbridge/ingest"
	"github.com/kycbridge/kycbridge/internal/contract"
	"github.com/kycbridge/kycbridge/internal/record"
	"github.com/kycbridge/kycbridge/normalize"
	"github.com/kycbridge/kycbridge/normalize/dedupe"
	"github.com/kycbridge/kycbridge/providers"
	"github.com/kycbridge/kycbridge/providers/auth"
	"github.com/kycbridge/kycbridge/providers/catalog"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// The benchmarks here put together what no other package may: all vendors, with the code that
// serves them.

// BenchmarkInterpret is one raw record whole, of each vendor: decode, identify, map, validate.
func BenchmarkInterpret(b *testing.B) {
	reads := benchInterpreter(b)
	for _, p := range catalog.All() {
		records := rawRecords(b, p)
		b.Run(p.Name, func(b *testing.B) {
			b.SetBytes(averageSize(records))
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if r, err := reads.Interpret(records[i%len(records)]); err != nil || r.Letter() != nil {
					b.Fatal(r.Letter(), err)
				}
			}
		})
	}
}

// BenchmarkNormalize is all that the normaliser's worker does with one raw record of any vendor,
// from its bytes to those of what is written, except for talking to Kafka and Redis.
func BenchmarkNormalize(b *testing.B) {
	var records []normalize.RawRecord
	for _, p := range catalog.All() {
		records = append(records, rawRecords(b, p)...)
	}
	reads, keys, now := benchInterpreter(b), dedupe.NewKeyer([]byte("a synthetic pepper")), time.Now()
	b.SetBytes(averageSize(records))
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		r, err := reads.Interpret(records[i%len(records)])
		if err != nil {
			b.Fatal(err)
		}
		item := r.Item(keys)
		if _, err := r.Records(dedupe.Verdict{Action: dedupe.Publish, Keyed: item.Identified, Key: item.Key}, now); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkIngest is one delivery from its request to its answer, of each vendor, without the
// network: Kafka is a log that acknowledges at once. A forged one is refused.
func BenchmarkIngest(b *testing.B) {
	for _, p := range catalog.All() {
		scheme := benchScheme(p)
		proof, err := auth.NewProof(scheme, benchSecret(b, scheme, "right"))
		if err != nil {
			b.Fatal(err)
		}
		server, err := ingest.New(ingest.Options{Log: acknowledges{}, Logger: slog.New(slog.DiscardHandler), Endpoints: []ingest.Endpoint{{
			Name: p.Name, Tenant: "default", Environment: providers.FixtureEnvironment, Provider: p, Proofs: auth.Proofs{proof}, EventsPerSecond: 1 << 30,
		}}})
		if err != nil {
			b.Fatal(err)
		}
		for _, secret := range []string{"right", "wrong"} {
			b.Run(p.Name+"/"+secret, func(b *testing.B) { benchmarkIngest(b, server.Handler(), p, scheme, benchSecret(b, scheme, secret)) })
		}
	}
}

func benchmarkIngest(b *testing.B, h http.Handler, p providers.Provider, scheme auth.Scheme, s auth.Secret) {
	var requests []*http.Request
	bodies := soundFixtures(b, p)
	for _, f := range bodies {
		signed := auth.Request{Header: http.Header{"Content-Type": {"application/json"}}, Body: f.Body, Now: time.Now()}
		scheme.Sign(s, &signed)
		path := strings.TrimSuffix("/hooks/"+p.Name+"/"+signed.PathToken, "/")
		r, err := http.NewRequest(http.MethodPost, path, http.NoBody)
		if err != nil {
			b.Fatal(err)
		}
		r.RemoteAddr, r.ContentLength, r.Header = "192.0.2.1:4711", int64(len(f.Body)), signed.Header
		requests = append(requests, r)
	}
	want := p.Ack.Code()
	if s.ID == "wrong" {
		want = http.StatusUnauthorized
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		r := requests[i%len(requests)]
		r.Body = &bodyOf{bodies[i%len(requests)].Body}
		w := &answered{header: http.Header{}}
		if h.ServeHTTP(w, r); w.status != want {
			b.Fatal(w.status)
		}
	}
}

// acknowledges is a raw log that takes all it is given.
type acknowledges struct{}

func (acknowledges) Append(_, _ []byte, _ []record.Header, done func(error)) { done(nil) }
func (acknowledges) Down() error                                             { return nil }
func (acknowledges) Close(context.Context) error                             { return nil }

type bodyOf struct{ left []byte }

func (r *bodyOf) Read(p []byte) (int, error) {
	n := copy(p, r.left)
	if r.left = r.left[n:]; len(r.left) == 0 {
		return n, io.EOF
	}
	return n, nil
}
func (r *bodyOf) Close() error { return nil }

type answered struct {
	header http.Header
	status int
}

func (w *answered) Header() http.Header         { return w.header }
func (w *answered) Write(p []byte) (int, error) { return len(p), nil }
func (w *answered) WriteHeader(status int)      { w.status = status }

// benchScheme is the vendor's first way with a secret, filled in. The check of signed tokens alone
// is BenchmarkVerify of package catalog.
func benchScheme(p providers.Provider) auth.Scheme {
	ways := p.Ways()
	pattern := ways[slices.IndexFunc(ways, func(s auth.Scheme) bool { return !s.Traits().Keyless })]
	return auth.Configured(pattern, auth.Settings{Header: "X-Bench-Token"})
}

func benchSecret(b *testing.B, scheme auth.Scheme, id string) auth.Secret {
	b.Helper()
	s, err := auth.NewSecret(id, []byte(scheme.Traits().Value("a-synthetic-secret-"+id)), time.Time{}, time.Time{})
	if err != nil {
		b.Fatal(err)
	}
	return s
}

func benchInterpreter(b *testing.B) *normalize.Interpreter {
	b.Helper()
	validator := contract.NewValidator()
	return normalize.NewInterpreter(catalog.All(), validator, normalize.InterpreterOptions{StaleAfter: 30 * 24 * time.Hour, MaxRecordBytes: 4 << 20})
}

func soundFixtures(b *testing.B, p providers.Provider) []providers.Fixture {
	b.Helper()
	all, err := p.GoodFixtures()
	if err != nil {
		b.Fatal(err)
	}
	var good []providers.Fixture
	for _, f := range all {
		if f.Fetched == nil || p.Hydration.Required {
			f.Body = arrives(p, f.Body)
			good = append(good, f)
		}
	}
	return good
}

// arrives is the body of a fixture in the form in which the vendor sends it; its signature is not
// looked at again.
func arrives(p providers.Provider, body []byte) []byte {
	r := auth.Request{Header: http.Header{}, Body: body}
	p.Ways()[0].Sign(auth.Secret{}, &r)
	return r.Body
}

// rawRecords are the vendor's sound fixtures in the raw topic, without what the API answers.
func rawRecords(b *testing.B, p providers.Provider) []normalize.RawRecord {
	b.Helper()
	var all []normalize.RawRecord
	for i, f := range soundFixtures(b, p) {
		e := envelopeOf(p, f)
		d := &providers.Delivery{Endpoint: e.GetEndpoint(), Headers: f.Headers, Body: e.GetBody()}
		value, err := contract.Marshal(e)
		if err != nil {
			b.Fatal(err)
		}
		all = append(all, normalize.RawRecord{
			Topic: "kyc.raw.v1", TopicID: [16]byte{1}, Partition: int32(i % 12), Offset: int64(i),
			Key: providers.RawKey(e.GetEndpoint(), p.Key(d), e.GetBody()), Value: value,
		})
	}
	return all
}

func envelopeOf(p providers.Provider, f providers.Fixture) *kycv1.RawEnvelope {
	e := &kycv1.RawEnvelope{
		Provider: p.Name, Endpoint: p.Name, Tenant: "default", Environment: providers.FixtureEnvironment,
		ReceivedAt: timestamppb.New(time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)), Method: "POST",
		Body: f.Body, DeliveryId: "019b8a5e-5c00-7000-8000-000000000001",
	}
	for name, values := range f.Headers {
		e.Headers = append(e.Headers, &kycv1.HttpHeader{Name: name, Value: values[0]})
	}
	return e
}

func averageSize(records []normalize.RawRecord) int64 {
	sum := 0
	for _, r := range records {
		sum += len(r.Value)
	}
	return int64(sum / len(records))
}
