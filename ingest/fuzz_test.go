package ingest

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"google.golang.org/protobuf/proto"
)

// FuzzHandler: whatever comes, the answer is from the table, and a success code
// means exactly one append of exactly those bytes, provable by a real secret.
func FuzzHandler(f *testing.F) {
	f.Add("POST", "/hooks/one", []byte(testBody), "X-Test-Kind", "a", int64(0), true)
	f.Add("POST", "/hooks/one", []byte(nil), "Content-Encoding", "gzip", int64(0), true)
	f.Add("POST", "/hooks/none", []byte(testBody), "Content-Type", "text/plain", int64(0), true)
	f.Add("GET", "//hooks/../one", []byte("\xff"), testHeader, "00", int64(-1), false)
	f.Add("POST", "/hooks/one", bytes.Repeat([]byte("a"), 4097), "Content-Type", ";;;\xff", int64(5), true)
	f.Fuzz(func(t *testing.T, method, path string, body []byte, name, value string, lie int64, prove bool) {
		log := ackAll()
		o := testOptions(t, log)
		o.Endpoints[0].MaxBody = 4096
		s := newServer(t, o)
		r := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(body))
		r.Method, r.URL = method, &url.URL{Path: path}
		r.ContentLength = max(r.ContentLength+lie, -1)
		if prove {
			signInto(t, "old", body, r.Header)
		}
		r.Header[http.CanonicalHeaderKey(name)] = append(r.Header[http.CanonicalHeaderKey(name)], value)
		w := serve(s, r)
		records := log.all()
		if (w.Code == 200) != (len(records) == 1) || len(records) > 1 {
			t.Fatalf("answered %d with %d appends", w.Code, len(records))
		}
		if s.gate.requests.Load() != 0 || s.gate.bytes.Load() != 0 {
			t.Fatalf("%d requests and %d bytes left in the gate", s.gate.requests.Load(), s.gate.bytes.Load())
		}
		if w.Code != 200 {
			return
		}
		if !prove && name != testHeader || method != "POST" || path != "/hooks/one" || len(body) > 4096 {
			t.Fatalf("%s %s with %d bytes, proved %t, was let in", method, path, len(body), prove)
		}
		if !bytes.Equal(records[0].envelope.GetBody(), body) {
			t.Fatal("the stored body differs from the one sent")
		}
		if _, err := proto.Marshal(records[0].envelope); err != nil {
			t.Fatal(err)
		}
	})
}
