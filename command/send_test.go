package command

import (
	"crypto/sha256"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kycbridge/kycbridge/providers/auth"
	"github.com/kycbridge/kycbridge/providers/catalog"
)

// receiver verifies what it gets as the endpoint of `dev` would, and counts.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	bodies map[[32]byte]int
	posts  int
	fail   func(n int) int // status for the n-th post, 0 to judge it
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	vendor, ok := catalog.Find("complycube")
	if !ok {
		t.Fatal("no complycube in the catalogue")
	}
	secret, err := auth.NewSecret("dev", []byte("dev-secret-complycube"), time.Time{}, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	r := &receiver{bodies: map[[32]byte]int{}}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		body, _ := io.ReadAll(q.Body)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.posts++
		r.bodies[sha256.Sum256(body)]++
		if r.fail != nil {
			if status := r.fail(r.posts); status != 0 {
				w.WriteHeader(status)
				return
			}
		}
		if _, err := vendor.Scheme.Verify([]auth.Secret{secret}, auth.Request{Header: q.Header, Body: body, Now: time.Now()}); err != nil {
			w.WriteHeader(http.StatusUnauthorized)
		}
	}))
	t.Cleanup(r.Close)
	return r
}

func TestSend(t *testing.T) {
	for _, tc := range []struct {
		name      string
		args      []string
		variables map[string]string
		fail      func(int) int
		posts     int
		different int
		code      int
		out       string
		err       string
	}{
		{name: "one", posts: 1, different: 1, out: "1 × 200 OK"},
		{name: "copies are the same bytes", args: []string{"--duplicate", "10"}, posts: 10, different: 1, out: "10 × 200 OK"},
		{name: "a count is fresh deliveries", args: []string{"--count", "300"}, posts: 300, different: 300, out: "300 × 200 OK"},
		{name: "both", args: []string{"--count", "5", "--duplicate", "3"}, posts: 15, different: 5, out: "15 × 200 OK"},
		{name: "a rate", args: []string{"--count", "20", "--rate", "5000"}, posts: 20, different: 20, out: "20 × 200 OK"},
		{name: "a case that becomes a dead letter", args: []string{"--case", "bad_truncated"}, posts: 1, different: 1, out: "1 × 200 OK"},
		{name: "a changed body", args: []string{"--corrupt", "--count", "4"}, posts: 4, different: 4, out: "4 × 401 Unauthorized"},
		{name: "a changed body that is accepted", args: []string{"--corrupt"}, fail: func(int) int { return 200 }, posts: 1, different: 1, code: 1, err: "0 of 1 posts were answered 401"},
		{name: "another secret", variables: map[string]string{"KYCBRIDGE_SECRET_COMPLYCUBE": "another-secret-altogether"}, posts: 1, different: 1, code: 1, out: "1 × 401", err: "KYCBRIDGE_SECRET_<VENDOR>"},
		{name: "some are refused", args: []string{"--count", "10"}, fail: func(n int) int { return 503 * (n % 2) }, posts: 10, different: 10, code: 1, out: "5 × 503 Service Unavailable", err: "5 of 10 posts were answered 200"},
		{name: "a redirect is not followed", fail: func(int) int { return 302 }, posts: 1, different: 1, code: 1, out: "1 × 302", err: "0 of 1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := newReceiver(t)
			r.fail = tc.fail
			out, errs, code := call(t, tc.variables, append([]string{"send", "complycube", "--to", r.URL + "/hooks/complycube"}, tc.args...)...)
			if code != tc.code || !strings.Contains(out, tc.out) || !strings.Contains(errs, tc.err) || (tc.err == "") != (errs == "") {
				t.Errorf("code %d, want %d\nout: %swant: %s\nerr: %swant: %s", code, tc.code, out, tc.out, errs, tc.err)
			}
			if r.posts != tc.posts || len(r.bodies) != tc.different {
				t.Errorf("%d posts of %d bodies, want %d of %d", r.posts, len(r.bodies), tc.posts, tc.different)
			}
		})
	}
}

// TestSendHidesWhatIsSecretOfAnAddress: answered, not answered, and no address at all.
func TestSendHidesWhatIsSecretOfAnAddress(t *testing.T) {
	answers, away := newReceiver(t), newReceiver(t)
	away.Close()
	for _, to := range []string{answers.URL, away.URL, "ftp://v.invalid", "http://%zz"} {
		to = strings.Replace(to, "://", "://me:hunter2@", 1) + "/hooks/complycube?token=hunter2"
		out, errs, _ := call(t, nil, "send", "complycube", "--to", to)
		if strings.Contains(out+errs, "hunter2") || out+errs == "" {
			t.Errorf("%s: out %q, err %q", to, out, errs)
		}
	}
}

// TestSendIsFreshEachRun: two runs are two deliveries, not a duplicate.
func TestSendIsFreshEachRun(t *testing.T) {
	r := newReceiver(t)
	for range 2 {
		if _, errs, code := call(t, nil, "send", "complycube", "--to", r.URL+"/hooks/complycube"); code != 0 {
			t.Fatal(errs)
		}
	}
	if len(r.bodies) != 2 {
		t.Errorf("%d different bodies, want 2", len(r.bodies))
	}
}

// TestSendNotesAnUnknownObject: without a dev that plays the API, an id alone leads nowhere.
func TestSendNotesAnUnknownObject(t *testing.T) {
	vendor, _ := catalog.Find("proofme")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(vendor.Ack.Code()) }))
	defer server.Close()
	for admin, want := range map[string]string{"http://127.0.0.1:1": "note: no `kycbridge dev` at --admin http://127.0.0.1:1", "": ""} {
		_, errs, code := call(t, nil, "send", "proofme", "--to", server.URL+"/hooks/proofme", "--admin", admin)
		if code != 0 || !strings.HasPrefix(errs, want) || (want == "") != (errs == "") {
			t.Errorf("--admin %q: code %d: %s", admin, code, errs)
		}
	}
}

func TestSendFaults(t *testing.T) {
	for _, tc := range []struct {
		name string
		args []string
		want string
	}{
		{"nothing listens", []string{"complycube", "--to", "http://127.0.0.1:1/hooks/complycube", "--count", "100000"}, "start `kycbridge dev`"},
		{"no vendor", nil, "complycube"},
		{"unknown vendor", []string{"complycub"}, "complycube"},
		{"unknown case", []string{"complycube", "--case", "nope"}, "--list"},
		{"count of nothing", []string{"complycube", "--count", "0"}, "--count"},
		{"duplicate of nothing", []string{"complycube", "--duplicate", "-1"}, "--duplicate"},
		{"rate below nothing", []string{"complycube", "--rate", "-1"}, "--rate"},
		{"no path", []string{"complycube", "--to", "http://127.0.0.1:8080/"}, "write it like http://127.0.0.1:8080/hooks/complycube"},
		{"no wait", []string{"complycube", "--wait=-1s"}, "--wait"},
		{"a wait for too many", []string{"complycube", "--wait", "--duplicate", "21"}, "up to 20 posts, and these are 21"},
		{"no address", []string{"complycube", "--to", "localhost:8080"}, "--to"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, errs, code := call(t, nil, append([]string{"send"}, tc.args...)...)
			if code == 0 || strings.Count(errs, "\n") != 1 || !strings.Contains(errs, tc.want) {
				t.Errorf("code %d, want another and one line with %q:\n%s", code, tc.want, errs)
			}
		})
	}
	if out, errs, code := call(t, nil, "send", "complycube", "--list"); code != 0 || !strings.Contains(out, "check_completed_clear\n") {
		t.Errorf("--list: code %d\n%s%s", code, out, errs)
	}
}
