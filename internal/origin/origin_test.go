package origin

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestGuard(t *testing.T) {
	machine := Guard{Names: []string{"kyc.example.invalid", "198.51.100.9"}, ThisMachine: true, Advice: ": do this"}
	anyName := Guard{}
	for name, tc := range map[string]struct {
		guard        Guard
		method, host string
		header       string // "Name: value", more of them by "; "
		want         int
	}{
		"a client by address":               {machine, "POST", "127.0.0.1:8080", "", 200},
		"another loopback address":          {machine, "GET", "127.8.8.8", "", 200},
		"IPv6":                              {machine, "PUT", "[::1]:9090", "", 200},
		"IPv6 that is IPv4":                 {machine, "PUT", "[::ffff:127.0.0.1]:9090", "", 200},
		"localhost, as it may be written":   {machine, "PUT", "LocalHost.:9090", "", 200},
		"a name below localhost":            {machine, "PUT", "dev.localhost", "", 200},
		"no Host":                           {machine, "PUT", "", "", 200},
		"a name that was allowed":           {machine, "POST", "KYC.example.invalid:443", "", 200},
		"an address that was allowed":       {machine, "POST", "198.51.100.9", "", 200},
		"the address it came in on":         {machine, "POST", "192.0.2.7:8080", "", 200},
		"another address":                   {machine, "POST", "192.0.2.8:8080", "", 421},
		"a rebound name":                    {machine, "GET", "rebound.example.invalid:9090", "", 421},
		"a rebound name, of its own origin": {machine, "PUT", "rebound.example.invalid:9090", "Origin: http://rebound.example.invalid:9090; Sec-Fetch-Site: same-origin", 421},
		"a name that ends like one of ours": {machine, "GET", "notlocalhost", "", 421},
		"a name that begins like one":       {machine, "GET", "127.0.0.1.example.invalid", "", 421},
		"a number":                          {machine, "GET", "2130706433", "", 421},
		"a page posts":                      {machine, "POST", "127.0.0.1:8080", "Origin: https://example.invalid; Sec-Fetch-Site: cross-site", 403},
		"an old browser's page posts":       {machine, "POST", "127.0.0.1:8080", "Origin: https://example.invalid", 403},
		"a page without an origin":          {machine, "POST", "127.0.0.1:8080", "Origin: null", 403},
		"a page on another port":            {machine, "PUT", "127.0.0.1:9090", "Origin: http://127.0.0.1:3000; Sec-Fetch-Site: same-site", 403},
		"a preflight":                       {machine, "OPTIONS", "127.0.0.1:9090", "Origin: https://example.invalid; Access-Control-Request-Method: PUT", 403},
		"a page deletes":                    {machine, "DELETE", "127.0.0.1:9090", "Sec-Fetch-Site: cross-site", 403},
		"a page of ours, which none is":     {machine, "PUT", "127.0.0.1:9090", "Origin: http://127.0.0.1:9090; Sec-Fetch-Site: same-origin", 403},
		"a page reads":                      {machine, "GET", "127.0.0.1:9090", "Sec-Fetch-Site: cross-site", 403},
		"a page reads, with an origin":      {machine, "GET", "127.0.0.1:9090", "Origin: https://example.invalid", 403},
		"one origin after another":          {machine, "GET", "127.0.0.1:9090", "Origin: http://127.0.0.1:9090; Origin: https://example.invalid", 403},
		"an address somebody typed":         {machine, "GET", "127.0.0.1:9090", "Sec-Fetch-Site: none", 200},
		"a probe by address":                {anyName, "GET", "10.1.2.3:9090", "", 200},
		"a scrape by name":                  {anyName, "GET", "normalize-0.kyc.svc:9090", "", 200},
		"HEAD by name":                      {anyName, "HEAD", "normalize-0.kyc.svc:9090", "", 200},
		"a change by address":               {anyName, "PUT", "10.1.2.3:9090", "", 200},
		"a change by a rebound name":        {anyName, "PUT", "rebound.example.invalid:9090", "", 421},
		"a change by a page":                {anyName, "PUT", "10.1.2.3:9090", "Origin: https://example.invalid", 403},
		"a change by a page that is typed":  {anyName, "POST", "10.1.2.3:9090", "Sec-Fetch-Site: none", 403},
	} {
		t.Run(name, func(t *testing.T) {
			asked := false
			h := tc.guard.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked = true }))
			at := &net.TCPAddr{IP: net.IPv4(192, 0, 2, 7), Port: 8080}
			r := httptest.NewRequestWithContext(context.WithValue(t.Context(), http.LocalAddrContextKey, at), tc.method, "/x", nil)
			r.Host = tc.host
			for field := range strings.SplitSeq(tc.header, "; ") {
				if name, value, ok := strings.Cut(field, ": "); ok {
					r.Header.Add(name, value)
				}
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code != tc.want || asked != (tc.want == 200) {
				t.Errorf("answered %d, want %d; handler asked: %v", w.Code, tc.want, asked)
			}
			if body := w.Body.String(); w.Code == 421 && (tc.guard.Advice != "" && !strings.Contains(body, tc.guard.Advice) || strings.Contains(body, "rebound")) {
				t.Errorf("the refusal does not say what to do, or repeats the name: %s", body)
			}
		})
	}
}
