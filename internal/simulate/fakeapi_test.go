package simulate

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/kycbridge/kycbridge/providers/catalog"
)

// ask asks the admin side or an API and returns status and body.
func ask(t *testing.T, method, url, body string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "dev-key")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

func TestFakeAPIs(t *testing.T) {
	fakes := NewFakeAPIs(catalog.All())
	url, stop, err := fakes.Start(t.Context(), slog.New(slog.DiscardHandler), func(h http.Handler) http.Handler { return h })
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	}()
	mux := http.NewServeMux()
	fakes.Routes(mux)
	admin := httptest.NewServer(mux)
	defer admin.Close()
	api, dev := url+"/complycube", admin.URL+"/dev/vendors/"
	for _, tc := range []struct {
		what, method, url, body string
		status                  int
		answer                  string
	}{
		{"an object nobody gave", "GET", api + "/v1/checks/c1", "", 404, "Not Found"},
		{"giving one", "PUT", dev + "complycube/c1", `{"id":"c1"}`, 204, ""},
		{"and asking for it", "GET", api + "/v1/checks/c1", "", 200, `{"id":"c1"}`},
		{"under whatever kind", "GET", api + "/v1/workflowSessions/c1", "", 200, `{"id":"c1"}`},
		{"but on no other path", "GET", api + "/v2/checks/c1", "", 404, ""},
		{"one of a kind", "PUT", dev + "complycube/c2?kind=check", `{"id":"c2"}`, 204, ""},
		{"not under another", "GET", api + "/v1/workflowSessions/c2", "", 404, ""},
		{"another status", "PUT", dev + "complycube/c1?status=410", "", 204, ""},
		{"is answered", "GET", api + "/v1/checks/c1", "", 410, ""},
		{"taking it back", "DELETE", dev + "complycube/c1", "", 204, ""},
		{"leaves it unknown", "GET", api + "/v1/checks/c1", "", 404, ""},
		{"no JSON", "PUT", dev + "complycube/c1", "no", 400, "JSON"},
		{"no status", "PUT", dev + "complycube/c1?status=9", "{}", 400, "status"},
		{"no kind", "PUT", dev + "complycube/c1?kind=x", "{}", 400, "kind"},
		{"no vendor", "PUT", dev + "nobody/c1", "{}", 404, "vendor"},
	} {
		if status, answer := ask(t, tc.method, tc.url, tc.body); status != tc.status || !strings.Contains(answer, tc.answer) {
			t.Errorf("%s: %d %q, want %d with %q", tc.what, status, answer, tc.status, tc.answer)
		}
	}
}

// What `send` and the simulation post is known under its fresh ids.
func TestSampleObjectsFollowTheirDeliveries(t *testing.T) {
	seen := 0
	for _, v := range catalog.All() {
		fixtures, err := v.Fixtures()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range fixtures {
			own, before, ok := sampleAnswer(v, f, nil)
			if !ok || before.status != http.StatusOK {
				continue
			}
			varied := f
			varied.Body = v.Vary(f.Body, 7)
			d := unsigned(v, varied)
			id, a, ok := sampleAnswer(v, f, &d)
			if !ok || id == own || !json.Valid(a.body) || strings.Contains(string(a.body), `"`+own+`"`) {
				t.Errorf("%s %s: object %s of a delivery about %s", v.Name, f.Name, a.body, id)
			}
			seen++
		}
	}
	if seen == 0 {
		t.Error("no fixture has an object")
	}
}
