package hydrate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/kycbridge/kycbridge/internal/secret"
	"github.com/kycbridge/kycbridge/providers"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

func TestOutside(t *testing.T) {
	for address, allowed := range map[string]bool{
		"8.8.8.8:443": true, "[2606:4700::1111]:443": true,
		"127.0.0.1:443": false, "127.9.9.9:443": false, "[::1]:443": false, "10.1.2.3:443": false, "172.16.0.1:443": false,
		"192.168.1.1:443": false, "169.254.169.254:80": false, "[fe80::1%eth0]:443": false, "[fd00:ec2::254]:80": false,
		"100.100.100.200:80": false, "168.63.129.16:80": false, "0.0.0.0:443": false, "[::]:443": false,
		"[::ffff:127.0.0.1]:443": false, "[::ffff:169.254.169.254]:80": false, "[64:ff9b::7f00:1]:443": false,
		"[2002:7f00:1::]:443": false, "224.0.0.1:443": false, "255.255.255.255:443": false, "198.18.0.1:443": false, "": false,
	} {
		if err := outside(address); (err == nil) != allowed {
			t.Errorf("%s: %v, expected allowed = %v", address, err, allowed)
		} else if err != nil && !errors.Is(err, errAddress) {
			t.Errorf("%s: %v is no errAddress", address, err)
		}
	}
}

// vendor has one kind of object below an address.
func vendor() providers.Provider {
	return providers.Provider{Name: "v", Title: "V", Hydration: &providers.Hydration{
		BaseURL: "https://api.v.invalid", Objects: map[string]providers.APIObject{"thing": {Path: "/things/{id}"}},
	}}
}

func testAccount(t testing.TB, e Endpoint, o Options) *account {
	t.Helper()
	e.Name, e.Provider = "endpoint", vendor()
	a, err := newAccount(e, o.withDefaults())
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func fetchThing(a *account, id string) answer {
	return a.fetch(context.Background(), providers.Target{Kind: "thing", ID: id})
}

// Every id goes to the configured host and path, or nowhere.
func TestIdsCannotLeadAway(t *testing.T) {
	var asked []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.RequestURI)
		_, _ = w.Write([]byte(`{}`))
	}))
	defer server.Close()
	a := testAccount(t, Endpoint{BaseURL: server.URL, Internal: true, Credentials: Credentials{Key: secret.Of("k")}}, Options{})
	for _, id := range []string{
		"", "..", "../admin", "%2e%2e", "a/b", "a?x", "?x", "@host", "a@host", "a#b", "a\r\nX: y", "a b", strings.Repeat("a", 10_000),
		"[::1]", "a..b", ".a", "-a", "a\x00", "ä", "a\\b", "http://evil.invalid/", "a:b", "a;b",
	} {
		if got := fetchThing(a, id); got.failed == nil || len(asked) > 0 {
			t.Errorf("id %.20q: answer %+v, requests %q", id, got, asked)
		}
	}
	for _, id := range []string{"a", "A-9_.z", "65f0374b31a23efc272a56f5", "ua3-ams-prd-1692971978.15306111"} {
		asked = nil
		if got := fetchThing(a, id); got.failed != nil || len(asked) != 1 || asked[0] != "/things/"+id {
			t.Errorf("id %q: answer %+v, requests %q", id, got, asked)
		}
	}
}

func TestNoRedirectIsFollowed(t *testing.T) {
	inside := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the redirect was followed") }))
	defer inside.Close()
	server := httptest.NewServer(http.RedirectHandler(inside.URL+"/latest/meta-data", http.StatusTemporaryRedirect))
	defer server.Close()
	a := testAccount(t, Endpoint{BaseURL: server.URL, Internal: true, Credentials: Credentials{Key: secret.Of("k")}}, Options{})
	if got := fetchThing(a, "a"); got.failed == nil || got.failed.label != labelRedirect {
		t.Errorf("answer %+v", got)
	}
}

// A name that leads inside is refused when it is dialled, whatever a check before would have seen; and
// no proxy takes the request elsewhere.
func TestNamesThatLeadInside(t *testing.T) {
	dns := newNameServer(t, net.IPv4(127, 0, 0, 1))
	proxy := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a proxy was asked") }))
	defer proxy.Close()
	for _, name := range []string{"HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"} {
		t.Setenv(name, proxy.URL)
	}
	a := testAccount(t, Endpoint{BaseURL: "https://api.example.com", Credentials: Credentials{Key: secret.Of("k")}}, Options{Resolver: dns, Timeout: 5 * time.Second})
	if got := fetchThing(a, "a"); got.failed == nil || got.failed.label != labelAddress {
		t.Errorf("answer %+v %+v", got, got.failed)
	}
}

// newNameServer answers the first look-up with the first address, and so on; all further ones with the last.
func newNameServer(t *testing.T, addresses ...net.IP) *net.Resolver {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	go func() {
		buf := make([]byte, 1500)
		asked := map[byte]int{} // for each of A and AAAA
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			q := buf[:n]
			end := 12 + bytes.IndexByte(q[12:], 0) + 5
			reply := append([]byte(nil), q[:end]...)
			reply[2], reply[3] = 0x81, 0x80
			reply[7], reply[9], reply[11] = 0, 0, 0
			kind := q[end-3]
			ip := addresses[min(asked[kind], len(addresses)-1)]
			asked[kind]++
			four := ip.To4()
			switch {
			case kind == 1 && four != nil: // A
				reply[7] = 1
				reply = append(reply, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4)
				reply = append(reply, four...)
			case kind == 28 && four == nil: // AAAA
				reply[7] = 1
				reply = append(reply, 0xc0, 12, 0, 28, 0, 1, 0, 0, 0, 0, 0, 16)
				reply = append(reply, ip...)
			}
			_, _ = conn.WriteTo(reply, from)
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}

func TestCredentials(t *testing.T) {
	var got string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r.Header.Get("Authorization")
		_, _ = w.Write([]byte(`{}`))
	}))
	defer server.Close()
	for want, c := range map[string]Credentials{
		"secret-key":         {Scheme: providers.APIKey, Key: secret.Of("secret-key")},
		"Bearer secret-key":  {Scheme: providers.APIBearer, Key: secret.Of("secret-key")},
		"Basic dTpzZWNyZXQ=": {Scheme: providers.APIBasic, User: "u", Password: secret.Of("secret")},
	} {
		fetchThing(testAccount(t, Endpoint{BaseURL: server.URL, Internal: true, Credentials: c}, Options{}), "a")
		if got != want {
			t.Errorf("Authorization %q, expected %q", got, want)
		}
		if text := fmt.Sprintf("%v %+v %#v", c, c, c); strings.Contains(text, "secret-key") || !strings.Contains(text, secret.Mask) {
			t.Errorf("credentials print as %s", text)
		}
	}
}

func TestTokensAreKeptAndRenewed(t *testing.T) {
	tokens, objects, valid := 0, 0, "t1"
	mux := http.NewServeMux()
	mux.HandleFunc("POST /token", func(w http.ResponseWriter, r *http.Request) {
		tokens++
		if r.FormValue("grant_type") != "client_credentials" || r.FormValue("client_id") != "c" || r.FormValue("client_secret") != "s" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		_, _ = fmt.Fprintf(w, `{"access_token":"t%d","expires_in":86400}`, tokens)
	})
	mux.HandleFunc("GET /things/a", func(w http.ResponseWriter, r *http.Request) {
		objects++
		if r.Header.Get("Authorization") != "Bearer "+valid {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_, _ = w.Write([]byte(`{}`))
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	a := testAccount(t, Endpoint{
		BaseURL: server.URL, TokenURL: server.URL + "/token", Internal: true,
		Credentials: Credentials{Scheme: providers.APIClientCredentials, ClientID: "c", ClientSecret: secret.Of("s")},
	}, Options{})
	for range 3 {
		if got := fetchThing(a, "a"); got.failed != nil {
			t.Fatalf("answer %+v", got.failed)
		}
	}
	if tokens != 1 {
		t.Errorf("%d tokens for three fetches, expected 1", tokens)
	}
	valid = "t2" // the first was revoked
	if got := fetchThing(a, "a"); got.failed != nil || tokens != 2 {
		t.Errorf("answer %+v after %d tokens, expected a second token", got, tokens)
	}
	valid = "none"
	if got := fetchThing(a, "a"); got.failed == nil || got.failed.label != labelRefused || tokens != 3 {
		t.Errorf("answer %+v after %d tokens, expected one more try and then refusal", got, tokens)
	}
}

func TestBreaker(t *testing.T) {
	a := testAccount(t, Endpoint{Credentials: Credentials{Key: secret.Of("k")}}, Options{Rate: 10000})
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	admit := func() bool {
		t.Helper()
		ok, _ := a.admit(now)
		return ok
	}
	for i := range breakerFailures {
		if !admit() {
			t.Fatalf("closed after %d failures", i)
		}
		a.settle(now, &failure{label: labelStatus, status: 500})
	}
	if admit() {
		t.Error("admitted while the breaker is open")
	}
	now = now.Add(breakerFirst)
	if !admit() || admit() {
		t.Error("after a while one request is tried, and only one")
	}
	a.settle(now, &failure{label: labelTimeout})
	now = now.Add(breakerFirst)
	if admit() {
		t.Error("a second pause is no longer than the first")
	}
	now = now.Add(breakerLast)
	if !admit() {
		t.Error("never tried again")
	}
	a.settle(now, nil)
	for range 2 {
		if !admit() {
			t.Error("not closed after an answer")
		}
	}
	a.settle(now, &failure{label: labelRefused, status: 401})
	if admit() {
		t.Error("refused credentials are shown again at once")
	}
}

// What an API has against one object holds up no other: not a refusal to show it, nor a dislike of its id.
func TestAnObjectThatIsKeptFromUsOpensNoBreaker(t *testing.T) {
	a := testAccount(t, Endpoint{Credentials: Credentials{Key: secret.Of("k")}}, Options{Rate: 10000})
	now := time.Now()
	for _, status := range []int{403, 400, 422} {
		f := failedStatus(&http.Response{StatusCode: status})
		for range 3 * breakerFailures {
			if ok, why := a.admit(now); !ok {
				t.Fatalf("status %d: not admitted because of %q", status, why)
			}
			a.settle(now, f)
		}
	}
	if f := failedStatus(&http.Response{StatusCode: 403}); f.label != labelForbidden {
		t.Errorf("a 403 is %q, expected %q", f.label, labelForbidden)
	}
	for _, status := range []int{401, 408, 429, 500} {
		if failedStatus(&http.Response{StatusCode: status}).aboutObject() {
			t.Errorf("status %d is taken for an answer about one object", status)
		}
	}
}

// The rate counts requests: one fetch may need several.
func TestFurtherRequestsWaitForTheRate(t *testing.T) {
	asked := 0
	ctx, cancel := context.WithCancel(t.Context())
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		cancel()
		http.NotFound(w, r)
	}))
	defer api.Close()
	a := testAccount(t, Endpoint{BaseURL: api.URL, Internal: true, Credentials: Credentials{Key: secret.Of("k")}}, Options{Rate: 0.001})
	a.Provider.Hydration.Objects["thing"] = providers.APIObject{Path: "/things/{id}", OrElse: "other"}
	a.Provider.Hydration.Objects["other"] = providers.APIObject{Path: "/others/{id}"}
	if ok, _ := a.admit(time.Now()); !ok {
		t.Fatal("the first request waits")
	}
	got := a.fetch(ctx, providers.Target{Kind: "thing", ID: "a"})
	if got.failed == nil || asked != 1 {
		t.Errorf("answer %+v after %d requests, expected the second to wait", got, asked)
	}
}

// Endpoints that ask as the same customer share what the API allows it.
func TestEndpointsOfOneCustomerShareTheirLimits(t *testing.T) {
	endpoint := func(name, key string) Endpoint {
		return Endpoint{Name: name, Provider: vendor(), Credentials: Credentials{Key: secret.Of(key)}}
	}
	m, err := newMetrics(prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	a, err := newAsker(Options{Endpoints: []Endpoint{endpoint("a", "one"), endpoint("b", "one"), endpoint("c", "two")}}.withDefaults(), m)
	if err != nil {
		t.Fatal(err)
	}
	defer a.close()
	if a.accounts["a"].gate != a.accounts["b"].gate {
		t.Error("two endpoints with equal credentials have limits of their own")
	}
	if a.accounts["a"].gate == a.accounts["c"].gate {
		t.Error("two customers share one limit")
	}
}

func TestRateOfAVendor(t *testing.T) {
	p := vendor()
	p.Hydration.Interval = 2 * time.Second
	a, err := newAccount(Endpoint{Name: "e", Provider: p, Credentials: Credentials{Key: secret.Of("k")}}, Options{}.withDefaults())
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	if ok, _ := a.admit(now); !ok {
		t.Fatal("the first request waits")
	}
	for _, after := range []time.Duration{0, time.Second, 2*time.Second - 1} {
		if ok, why := a.admit(now.Add(after)); ok || why != waitTurn {
			t.Errorf("admitted %v after %v (%q), expected to wait for the turn", ok, after, why)
		}
	}
	if ok, _ := a.admit(now.Add(2 * time.Second)); !ok {
		t.Error("not admitted after the interval")
	}
}

func TestCheckEndpoints(t *testing.T) {
	thin := providers.Provider{Name: "x", Title: "X"}
	for want, e := range map[string]Endpoint{
		"":                         {BaseURL: "https://api.example.com", Credentials: Credentials{Key: secret.Of("k")}},
		"must be an https address": {BaseURL: "http://api.example.com", Credentials: Credentials{Key: secret.Of("k")}},
		"key is needed":            {},
		"username and password":    {Credentials: Credentials{Scheme: providers.APIBasic, User: "u"}},
		"client_id and":            {Credentials: Credentials{Scheme: providers.APIClientCredentials}},
		"token_url must be":        {Credentials: Credentials{Scheme: providers.APIClientCredentials, ClientID: "c", ClientSecret: secret.Of("s")}},
		"has no API":               {Provider: thin},
	} {
		if e.Provider.Name == "" {
			e.Provider = vendor()
		}
		e.Name, e.Environment = "shop", kycv1.Environment_ENVIRONMENT_LIVE
		err := CheckEndpoints([]Endpoint{e})
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "shop")) {
			t.Errorf("error is %v, want %q", err, want)
		}
	}
}

// No failure holds anything of the request: it goes into logs.
func TestFailuresQuoteNothing(t *testing.T) {
	err := &url.Error{Op: "Get", URL: "https://api/things/secret-id", Err: errors.New("refused for secret-id")}
	if f := failureOf(err); strings.Contains(fmt.Sprintf("%+v", f), "secret-id") {
		t.Errorf("failure %+v", f)
	}
}
