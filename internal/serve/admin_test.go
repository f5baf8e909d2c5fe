package serve

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// TestAdminAddressAndBrowsers: probes and scrapes are answered under any name, and nothing
// changes for a web page or under a name that somebody's DNS points here.
func TestAdminAddressAndBrowsers(t *testing.T) {
	s := &service{health: &health{}, registry: newRegistry()}
	changed := 0
	s.AdminRoutes = func(mux *http.ServeMux) {
		mux.HandleFunc("PUT /thing", func(http.ResponseWriter, *http.Request) { changed++ })
	}
	h := s.adminHandler()
	for name, tc := range map[string]struct {
		method, path, host, origin string
		want                       int
	}{
		"a probe by address":        {"GET", "/livez", "10.1.2.3:9090", "", 200},
		"readiness by address":      {"GET", "/readyz", "[2001:db8::7]:9090", "", 200},
		"a scrape by name":          {"GET", "/metrics", "normalize-0.kyc.svc:9090", "", 200},
		"a change by address":       {"PUT", "/thing", "10.1.2.3:9090", "", 200},
		"a change by a page":        {"PUT", "/thing", "10.1.2.3:9090", "https://example.invalid", 403},
		"a change by its own page":  {"PUT", "/thing", "10.1.2.3:9090", "http://10.1.2.3:9090", 403},
		"a change by a rebound one": {"PUT", "/thing", "rebound.example.invalid:9090", "", 421},
		"a preflight":               {"OPTIONS", "/thing", "10.1.2.3:9090", "https://example.invalid", 403},
	} {
		changed = 0
		r := httptest.NewRequestWithContext(t.Context(), tc.method, tc.path, nil)
		if r.Host = tc.host; tc.origin != "" {
			r.Header.Set("Origin", tc.origin)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != tc.want || (changed == 1) != (tc.method == "PUT" && tc.want == 200) {
			t.Errorf("%s: answered %d and changed %d things, want %d", name, w.Code, changed, tc.want)
		}
	}
}
