package ingest

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/protobuf/proto"

	"github.com/kycbridge/kycbridge/internal/contract"
	"github.com/kycbridge/kycbridge/internal/record"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// An instantLog acknowledges at once.
type instantLog struct{ *heldLog }

func (instantLog) Append(_, _ []byte, _ []record.Header, done func(error)) { done(nil) }

// nowhere is a ResponseWriter without a recorder's own work.
type nowhere struct{ header http.Header }

func (w nowhere) Header() http.Header         { return w.header }
func (w nowhere) Write(p []byte) (int, error) { return len(p), nil }
func (w nowhere) WriteHeader(int)             {}

// BenchmarkHandler is all our work on one delivery, without the network.
func BenchmarkHandler(b *testing.B) {
	for _, size := range []int{500, 2_000, 64_000, 1 << 20} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			o := testOptions(b, instantLog{})
			o.Endpoints[0].Proofs = proofs(testScheme, testSecret(b, "old"))
			o.Registerer = prometheus.NewRegistry()
			h := newServer(b, o).Handler()
			body := bytes.Repeat([]byte("a"), size)
			r := signed(b, "one", "old", string(body))
			w := nowhere{http.Header{}}
			reader := bytes.NewReader(body)
			r.Body = io.NopCloser(reader)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				reader.Reset(body)
				clear(w.header)
				h.ServeHTTP(w, r)
			}
		})
	}
}

// BenchmarkForged is what a stranger can make us do with one request: less than BenchmarkHandler.
func BenchmarkForged(b *testing.B) {
	for _, endpoint := range []string{"one", "nobody"} {
		b.Run(endpoint, func(b *testing.B) {
			o := testOptions(b, instantLog{})
			o.Endpoints[0].Proofs = proofs(testScheme, testSecret(b, "old"))
			h := newServer(b, o).Handler()
			body := bytes.Repeat([]byte("a"), 2_000)
			r := signed(b, endpoint, "new", string(body))
			reader := bytes.NewReader(body)
			r.Body = io.NopCloser(reader)
			w := nowhere{http.Header{}}
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				reader.Reset(body)
				clear(w.header)
				h.ServeHTTP(w, r)
			}
		})
	}
}

// BenchmarkSeal is the envelope of an accepted delivery with its record key, and its encoding.
func BenchmarkSeal(b *testing.B) {
	e := newServer(b, testOptions(b, instantLog{})).directory.byName["one"]
	body := bytes.Repeat([]byte("a"), 2_000)
	r := signed(b, "one", "old", string(body))
	r.Header.Set("X-Test-Kind", "kind")
	id := newID()
	d := &delivery{id: id, idText: id.String(), receivedAt: time.Now(), endpoint: e, secretIDs: []string{"old"}}
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		envelope, _ := e.seal(r, d, body)
		if _, err := contract.Marshal(envelope); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkFloor is the least that any receiver of signed deliveries must do
// with one: read it, check one signature, marshal it once.
func BenchmarkFloor(b *testing.B) {
	for _, size := range []int{500, 2_000, 64_000, 1 << 20} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			body := bytes.Repeat([]byte("a"), size)
			reader := bytes.NewReader(body)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				reader.Reset(body)
				read := make([]byte, size)
				_, _ = io.ReadFull(reader, read)
				mac := hmac.New(sha256.New, []byte("synthetic-secret"))
				mac.Write(read)
				mac.Sum(nil)
				_, _ = proto.Marshal(&kycv1.RawEnvelope{Body: read})
			}
		})
	}
}

// BenchmarkHTTP is a delivery over a real connection, and BenchmarkHTTPFloor a
// handler that only reads: the difference is ours.
func BenchmarkHTTP(b *testing.B) {
	benchmarkHTTP(b, newServer(b, testOptions(b, instantLog{})).Handler())
}

func BenchmarkHTTPFloor(b *testing.B) {
	benchmarkHTTP(b, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusOK)
	}))
}

func benchmarkHTTP(b *testing.B, h http.Handler) {
	server := httptest.NewServer(h)
	defer server.Close()
	body := bytes.Repeat([]byte("a"), 2_000)
	header := signed(b, "one", "old", string(body)).Header
	b.ReportAllocs()
	for b.Loop() {
		r, err := http.NewRequest(http.MethodPost, server.URL+"/hooks/one", bytes.NewReader(body))
		if err != nil {
			b.Fatal(err)
		}
		r.Header = header
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			b.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, response.Body)
		_ = response.Body.Close()
		if response.StatusCode != 200 {
			b.Fatal(response.Status)
		}
	}
}
