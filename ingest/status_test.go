package ingest

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/uuid"
)

func TestAnswersTable(t *testing.T) {
	seen := map[string]bool{}
	for o := range outcomes {
		a := answers[o]
		if a.label == "" || seen[a.label] {
			t.Errorf("outcome %d has label %q: each needs one of its own", o, a.label)
		}
		seen[a.label] = true
		switch a.status {
		case 200, 401, 403, 404, 405, 413, 429, 503:
		default:
			t.Errorf("%s: status %d is not one a sender may see", a.label, a.status)
		}
		if (a.status == 503 || a.status == 429) != (a.extra == tryAgain) {
			t.Errorf("%s: status %d with header %q; exactly 429 and 503 have Retry-After", a.label, a.status, a.extra)
		}
		if (a.status == 405) != (a.extra == onlyPost) {
			t.Errorf("%s: status %d with header %q; exactly 405 has Allow", a.label, a.status, a.extra)
		}
	}
	for _, o := range []outcome{unsigned, mismatch, stale} {
		want := answers[unknownEndpoint]
		want.label = answers[o].label
		if answers[o] != want {
			t.Errorf("%s is answered %+v, want as %s, so that nobody can tell them apart", o, answers[o], unknownEndpoint)
		}
	}
}

func TestStatus(t *testing.T) {
	for _, tc := range []struct {
		name    string
		request func(t *testing.T) *http.Request
		log     func() *heldLog
		tune    func(*Server)
		want    outcome
	}{
		{name: "accepted", want: accepted},
		{name: "second secret", request: func(t *testing.T) *http.Request { return signed(t, "one", "new", testBody) }, want: accepted},
		{name: "not JSON", request: func(t *testing.T) *http.Request { return signed(t, "one", "old", "\x00{") }, want: accepted},
		{name: "empty body", request: func(t *testing.T) *http.Request { return signed(t, "one", "old", "") }, want: accepted},
		{name: "no content type", request: edited(func(r *http.Request) { r.Header.Del("Content-Type") }), want: accepted},
		{name: "content type with junk", request: edited(func(r *http.Request) { r.Header.Set("Content-Type", "Application/JSON; charset=\"") }), want: accepted},
		{name: "identity encoding", request: edited(func(r *http.Request) { r.Header.Set("Content-Encoding", "identity") }), want: accepted},
		{name: "query", request: edited(func(r *http.Request) { r.URL.RawQuery = "a=b;c=d" }), want: accepted},
		{name: "elsewhere", request: edited(func(r *http.Request) { r.URL.Path = "/" }), want: notFound},
		{name: "no such endpoint", request: func(t *testing.T) *http.Request { return signed(t, "two", "old", testBody) }, want: unknownEndpoint},
		{name: "no signature", request: edited(func(r *http.Request) { r.Header.Del(testHeader) }), want: unsigned},
		{name: "another secret", request: func(t *testing.T) *http.Request { return signed(t, "one", "other", testBody) }, want: mismatch},
		{name: "GET", request: edited(func(r *http.Request) { r.Method = http.MethodGet }), want: wrongMethod},
		{name: "HEAD", request: edited(func(r *http.Request) { r.Method = http.MethodHead }), want: wrongMethod},
		{name: "OPTIONS", request: edited(func(r *http.Request) { r.Method = http.MethodOptions }), want: wrongMethod},
		{name: "form", request: edited(func(r *http.Request) { r.Header.Set("Content-Type", "multipart/form-data; boundary=x") }), want: accepted},
		{name: "gzip", request: edited(func(r *http.Request) { r.Header.Set("Content-Encoding", "gzip") }), want: accepted},
		{name: "two encodings", request: edited(func(r *http.Request) { r.Header["Content-Encoding"] = []string{"identity", "gzip"} }), want: accepted},
		{name: "over the limit", request: func(t *testing.T) *http.Request {
			return signed(t, "one", "old", strings.Repeat("a", DefaultMaxBody+1))
		}, want: oversize},
		{name: "too many requests", tune: func(s *Server) { s.gate.requests.Store(DefaultMaxRequests) }, want: overloaded},
		{name: "too many bytes", tune: func(s *Server) { s.gate.bytes.Store(DefaultMaxWaitingBytes) }, want: bodiesFull},
		{name: "over its quota", tune: func(s *Server) { s.directory.byName["one"].quota.take(1 << 40) }, want: overQuota},
		{name: "log says no", log: func() *heldLog { return &heldLog{reply: func(done func(error)) { done(errTest) }} }, want: refused},
		{name: "going away", tune: func(s *Server) { s.phase.Store(closed) }, want: closing},
	} {
		t.Run(tc.name, func(t *testing.T) {
			log := ackAll()
			if tc.log != nil {
				log = tc.log()
			}
			s := newServer(t, testOptions(t, log))
			if tc.tune != nil {
				tc.tune(s)
			}
			request := signed(t, "one", "old", testBody)
			if tc.request != nil {
				request = tc.request(t)
			}
			checkAnswer(t, serve(s, request), tc.want, request.Method)
			appends := len(log.all())
			if stored := tc.want == accepted || tc.want == refused; stored != (appends == 1) {
				t.Errorf("%d appends for %s", appends, tc.want)
			}
		})
	}
}

// edited is a good request with one thing changed.
func edited(change func(*http.Request)) func(t *testing.T) *http.Request {
	return func(t *testing.T) *http.Request {
		r := signed(t, "one", "old", testBody)
		change(r)
		return r
	}
}

func checkAnswer(t *testing.T, w *httptest.ResponseRecorder, want outcome, method string) {
	t.Helper()
	a := answers[want]
	if w.Code != a.status || w.Body.String() != a.body {
		t.Errorf("%s answered %d %q, want %s: %d %q", method, w.Code, w.Body, want, a.status, a.body)
	}
	if a.extra[0] != "" && w.Header().Get(a.extra[0]) != a.extra[1] {
		t.Errorf("header %s is %q, want %q", a.extra[0], w.Header().Get(a.extra[0]), a.extra[1])
	}
	if id, err := uuid.Parse(w.Header().Get(deliveryIDHeader)); err != nil || id.Version() != 7 {
		t.Errorf("%s is %q, want a UUID version 7", deliveryIDHeader, w.Header().Get(deliveryIDHeader))
	}
}

func TestVendorsOwnSuccessCode(t *testing.T) {
	o := testOptions(t, ackAll())
	o.Endpoints[0].Provider.Ack.Success = http.StatusNoContent
	if w := serve(newServer(t, o), signed(t, "one", "old", testBody)); w.Code != http.StatusNoContent {
		t.Errorf("answered %d, want the vendor's 204", w.Code)
	}
}

// A stranger must not learn which endpoint names exist.
func TestUnknownEndpointLooksLikeWrongSecret(t *testing.T) {
	s := newServer(t, testOptions(t, ackAll()))
	big := strings.Repeat("a", DefaultMaxBody+1)
	for name, change := range map[string]func(*http.Request){
		"wrong secret":  func(*http.Request) {},
		"no signature":  func(r *http.Request) { r.Header.Del(testHeader) },
		"two":           func(r *http.Request) { r.Header.Add(testHeader, r.Header.Get(testHeader)) },
		"GET":           func(r *http.Request) { r.Method = http.MethodGet },
		"gzip":          func(r *http.Request) { r.Header.Set("Content-Encoding", "gzip") },
		"wrong type":    func(r *http.Request) { r.Header.Set("Content-Type", "text/html") },
		"over limit":    func(r *http.Request) { *r = *signed(t, strings.TrimPrefix(r.URL.Path, "/hooks/"), "other", big) },
		"odd signature": func(r *http.Request) { r.Header.Set(testHeader, "zz") },
	} {
		t.Run(name, func(t *testing.T) {
			known, unknown := signed(t, "one", "other", testBody), signed(t, "none", "other", testBody)
			change(known)
			change(unknown)
			got, want := serve(s, unknown), serve(s, known)
			got.Header().Del(deliveryIDHeader)
			want.Header().Del(deliveryIDHeader)
			var a, b bytes.Buffer
			_ = got.Header().Write(&a)
			_ = want.Header().Write(&b)
			if got.Code != want.Code || got.Body.String() != want.Body.String() || a.String() != b.String() {
				t.Errorf("unknown: %d %q %s\nknown: %d %q %s", got.Code, got.Body, &a, want.Code, want.Body, &b)
			}
		})
	}
}

func TestRetryAfterIsTheConfiguredOne(t *testing.T) {
	recorder := httptest.NewRecorder()
	closing.write(recorder, http.StatusOK, "120")
	if got := recorder.Header().Get("Retry-After"); recorder.Code != http.StatusServiceUnavailable || got != "120" {
		t.Errorf("status %d, Retry-After %q, want 503 and 120", recorder.Code, got)
	}
}
