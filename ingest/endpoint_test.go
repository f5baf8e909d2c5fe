package ingest

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/kycbridge/kycbridge/providers"
	"github.com/kycbridge/kycbridge/providers/auth"
)

// Nothing in the neighbourhood of a good path is redirected: a sender that
// follows none would lose its delivery, one that follows would turn it into GET.
func TestNeverRedirects(t *testing.T) {
	log := ackAll()
	server := serveTCP(t, newServer(t, testOptions(t, log)))
	for path, want := range map[string]string{
		"/hooks/one/":           "200", // a slash at the end is no token
		"/hooks/one/..":         "401",
		"/hooks//one":           "401",
		"/hooks/./one":          "401",
		"/hooks/two/../one":     "401",
		"/hooks/one%2f":         "200",
		"/hooks/one//":          "401",
		"/hooks/":               "401",
		"/hooks/ONE":            "401",
		"/hooks/" + unknownName: "401",
		"//hooks/one":           "404",
		"/./hooks/one":          "404",
		"/x/../hooks/one":       "404",
		"/hooks":                "404",
		"/":                     "404",
		"*":                     "404",
		"/hooks/one?x=/../":     "200",
		"http://x/hooks/one":    "200",
	} {
		for _, method := range []string{"POST", "GET", "OPTIONS", "CONNECT"} {
			got := rawExchange(t, server, method, path, signed(t, "one", "old", testBody).Header)
			if strings.HasPrefix(got, "3") {
				t.Errorf("%s %s is answered %s, a redirect", method, path, got)
			}
			if method == "POST" && got != want {
				t.Errorf("%s %s is answered %s, want %s", method, path, got, want)
			}
			if method != "POST" && (got == "200" || got == "401") {
				t.Errorf("%s %s is answered %s", method, path, got)
			}
		}
	}
	if n := len(log.all()); n != 4 {
		t.Errorf("%d appends, want one for each POST that was answered 200", n)
	}
}

// rawExchange sends a request line as it stands and returns the status.
func rawExchange(t *testing.T, server *httptest.Server, method, target string, h http.Header) string {
	t.Helper()
	c, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	request := method + " " + target + " HTTP/1.1\r\nHost: x\r\nContent-Length: 45\r\nConnection: close\r\n" +
		testHeader + ": " + h.Get(testHeader) + "\r\n\r\n" + testBody
	if _, err := c.Write([]byte(request)); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, 12)
	if _, err := c.Read(answer); err != nil {
		t.Fatal(err)
	}
	return string(answer[9:])
}

// One endpoint's secret opens no other.
func TestEndpointsDoNotShareSecrets(t *testing.T) {
	log := ackAll()
	o := testOptions(t, log)
	second := o.Endpoints[0]
	second.Name, second.Tenant, second.Proofs = "two", "other", proofs(testScheme, testSecret(t, "second"))
	o.Endpoints = append(o.Endpoints, second)
	s := newServer(t, o)
	for _, tc := range []struct {
		endpoint, secret string
		want             int
	}{
		{"one", "old", 200}, {"one", "second", 401}, {"two", "second", 200}, {"two", "old", 401}, {"two", "new", 401},
	} {
		if w := serve(s, signed(t, tc.endpoint, tc.secret, testBody)); w.Code != tc.want {
			t.Errorf("secret %s at %s is answered %d, want %d", tc.secret, tc.endpoint, w.Code, tc.want)
		}
	}
	for i, want := range []string{"default one old", "other two second"} {
		e := log.all()[i].envelope
		if got := e.GetTenant() + " " + e.GetEndpoint() + " " + e.GetSecretId(); got != want {
			t.Errorf("record %d is of %q, want %q", i, got, want)
		}
	}
}

// Forged proofs: nothing reaches the log.
func TestForgeries(t *testing.T) {
	log := ackAll()
	s := newServer(t, testOptions(t, log))
	good := signed(t, "one", "old", testBody).Header.Get(testHeader)
	for name, values := range map[string][]string{
		"none": nil, "empty": {""}, "truncated": {good[:len(good)-2]}, "longer": {good + "00"},
		"doubled": {good, good}, "good then bad": {good, strings.Repeat("0", 64)}, "bad then good": {strings.Repeat("0", 64), good},
		"joined": {good + "," + good}, "not hex": {strings.Repeat("g", 64)}, "huge": {strings.Repeat("0", 1<<20)},
	} {
		r := signed(t, "one", "old", testBody)
		r.Header[http.CanonicalHeaderKey(testHeader)] = values
		if w := serve(s, r); w.Code != 401 {
			t.Errorf("%s is answered %d, want 401", name, w.Code)
		}
	}
	for i := range len(testBody) {
		r := signed(t, "one", "old", testBody)
		flipped := []byte(testBody)
		flipped[i] ^= 1
		r.Body = http.NoBody
		r = withBody(r, string(flipped))
		if w := serve(s, r); w.Code != 401 {
			t.Errorf("byte %d flipped is answered %d, want 401", i, w.Code)
		}
	}
	if n := len(log.all()); n != 0 {
		t.Errorf("%d appends, want none", n)
	}
}

// withBody is the same request around another body.
func withBody(r *http.Request, body string) *http.Request {
	changed := httptest.NewRequest(r.Method, r.URL.Path, strings.NewReader(body))
	changed.Header = r.Header
	return changed
}

// scheme is a Scheme that answers what a test wants to see handled.
type scheme struct {
	auth.HMAC
	verify func() (string, error)
}

func (s scheme) Verify([]auth.Secret, auth.Request) (string, error) { return s.verify() }

func TestSchemeThatCannotDecide(t *testing.T) {
	for name, verify := range map[string]func() (string, error){
		"unknown error": func() (string, error) { return "", errTest },
		"panic":         func() (string, error) { panic("synthetic") },
		"nil pointer":   func() (string, error) { var s *auth.Secret; return s.ID, nil },
	} {
		log := ackAll()
		o := testOptions(t, log)
		o.Endpoints[0].Proofs[0].Scheme = scheme{testScheme, verify}
		s := newServer(t, o)
		for _, endpoint := range []string{"one", "none"} {
			if w := serve(s, signed(t, endpoint, "old", testBody)); w.Code != 503 || len(log.all()) != 0 {
				t.Errorf("%s at %s: answered %d with %d appends, want 503 and none", name, endpoint, w.Code, len(log.all()))
			}
		}
	}
}

// A scheme that lets everybody in opens no endpoint that is not there.
func TestDecoyLetsNobodyIn(t *testing.T) {
	log := ackAll()
	o := testOptions(t, log)
	o.Endpoints[0].Proofs[0].Scheme = scheme{testScheme, func() (string, error) { return "", nil }}
	if w := serve(newServer(t, o), signed(t, "none", "old", testBody)); w.Code != 401 || len(log.all()) != 0 {
		t.Errorf("answered %d with %d appends, want 401 and none", w.Code, len(log.all()))
	}
}

// The decoy does what the endpoint would: the same scheme over the same
// bytes with as many secrets, so that time tells no more than the answer does.
func TestDecoyDoesTheSameWork(t *testing.T) {
	var calls []string
	o := testOptions(t, ackAll())
	o.Endpoints[0].Proofs[0].Scheme = watched{testScheme, func(secrets []auth.Secret, r auth.Request) {
		calls = append(calls, fmt.Sprint(len(secrets), len(r.Body)))
	}}
	s := newServer(t, o)
	serve(s, signed(t, "one", "other", testBody))
	serve(s, signed(t, "none", "other", testBody))
	if len(calls) != 2 || calls[0] != calls[1] || calls[0] != fmt.Sprint(2, len(testBody)) {
		t.Errorf("verified (secrets, bytes): %q, want twice the same", calls)
	}
}

// watched is a scheme that tells the test what it was asked.
type watched struct {
	auth.HMAC
	saw func([]auth.Secret, auth.Request)
}

func (w watched) Verify(secrets []auth.Secret, r auth.Request) (string, error) {
	w.saw(secrets, r)
	return w.HMAC.Verify(secrets, r)
}

// A broken key rule costs no delivery: it goes under the hash of its body.
func TestKeyRulePanics(t *testing.T) {
	sum := sha256.Sum256([]byte(testBody))
	hash := "one/" + hex.EncodeToString(sum[:])
	for name, tc := range map[string]struct {
		key  func(*providers.Delivery) string
		want string
	}{
		"id":      {func(*providers.Delivery) string { return "id-1" }, "one/id-1"},
		"name":    {func(*providers.Delivery) string { return "Kanarienvogt" }, "one/" + providers.Digest("Kanarienvogt")},
		"no id":   {func(*providers.Delivery) string { return "" }, hash},
		"account": {func(*providers.Delivery) string { return providers.AccountLevel }, "one/"},
		"panic":   {func(*providers.Delivery) string { panic(testBody) }, hash},
		"runtime": {func(d *providers.Delivery) string { return string(d.Body[len(d.Body)]) }, hash},
	} {
		log := ackAll()
		o := testOptions(t, log)
		o.Endpoints[0].Provider.Key = tc.key
		w := serve(newServer(t, o), signed(t, "one", "old", testBody))
		if w.Code != 200 || string(log.all()[0].key) != tc.want {
			t.Errorf("%s: answered %d under key %q, want 200 under %q", name, w.Code, log.all()[0].key, tc.want)
		}
	}
}

// Every endpoint has a decoy, and one name always meets the same one.
func TestDecoys(t *testing.T) {
	o := testOptions(t, ackAll())
	second := o.Endpoints[0]
	second.Name, second.MaxBody = "two", 10
	o.Endpoints = append(o.Endpoints, second)
	d := newServer(t, o).directory
	seen := map[int64]int{}
	for _, c := range "abcdefghijklmnopqrstuvwxyz0123456789" {
		first, _, _ := d.find(hooksPrefix + string(c))
		again, _, _ := d.find(hooksPrefix + string(c) + "/token")
		if first != again || !first.isDecoy() {
			t.Fatalf("%c meets %p (decoy %t), then %p", c, first, first.isDecoy(), again)
		}
		seen[first.MaxBody]++
	}
	if len(seen) != 2 {
		t.Errorf("decoys by limit are %v, want some of each endpoint", seen)
	}
	proved := signed(t, "one", "old", testBody).Header
	for _, decoy := range d.decoys {
		if _, err := decoy.Proofs.Verify(auth.Request{Header: proved, Body: []byte(testBody)}); err == nil {
			t.Error("a decoy has a real secret")
		}
	}
}

func TestOptionsAreChecked(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*Options)
		want   string
	}{
		"no log":         {func(o *Options) { o.Log = nil }, "no raw log"},
		"no endpoint":    {func(o *Options) { o.Endpoints = nil }, "no endpoint"},
		"twice":          {func(o *Options) { o.Endpoints = append(o.Endpoints, o.Endpoints[0]) }, `two endpoints are named "one"`},
		"name":           {func(o *Options) { o.Endpoints[0].Name = "One/" }, "a-z, 0-9 and -"},
		"long name":      {func(o *Options) { o.Endpoints[0].Name = strings.Repeat("a", 64) }, "1 to 63"},
		"no proof":       {func(o *Options) { o.Endpoints[0].Proofs = nil }, "nothing authenticates its sender"},
		"address alone":  {func(o *Options) { o.Endpoints[0].Proofs = proofs(auth.Networks{}) }, "nothing authenticates its sender"},
		"proof and open": {func(o *Options) { o.Endpoints[0].AllowUnauthenticated = true }, "cannot allow anybody"},
		"negative body":  {func(o *Options) { o.Endpoints[0].MaxBody = -1 }, "body limit -1"},
		"negative limit": {func(o *Options) { o.MaxWaitingBytes = -1 }, "limit is negative"},
		"body over all":  {func(o *Options) { o.MaxWaitingBytes = DefaultMaxBody }, "more than half of the 1048576 bytes"},
		"gives up on 503": {func(o *Options) {
			o.Endpoints[0].Provider.Ack.FinalStatuses = []providers.StatusRange{{From: 400, To: 599}}
		}, "gives up after a 503"},
		"no certificate":  {func(o *Options) { o.TLS = &TLS{CertificateFile: "nowhere", KeyFile: "nowhere"} }, "nowhere"},
		"no key":          {func(o *Options) { o.Endpoints[0].Provider.Key = nil }, "no key rule"},
		"redirect":        {func(o *Options) { o.Endpoints[0].Provider.Ack.Success = 302 }, "success code 302"},
		"keeps a secret":  {func(o *Options) { o.Endpoints[0].Provider.KeepHeaders = []string{"authorization"} }, "keeps the header authorization"},
		"keeps a session": {func(o *Options) { o.Endpoints[0].Provider.KeepHeaders = []string{"Cookie"} }, "keeps the header Cookie"},
	} {
		o := testOptions(t, ackAll())
		tc.change(&o)
		if _, err := New(o); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: error is %v, want one with %q", name, err, tc.want)
		}
	}
}

// The grace period of an orchestrator is 30 s by habit: the defaults with the
// slowest vendor fit into it.
func TestGraceFitsThirtySeconds(t *testing.T) {
	o := testOptions(t, nil)
	o.Endpoints[0].Provider.Ack.Limit = 15e9
	if got := o.Grace(); got.Seconds() != 5+13+1+5 {
		t.Errorf("grace is %s, want 24s", got)
	}
	o.DrainDelay = -1
	if got := o.Grace(); got.Seconds() != 13+1+5 {
		t.Errorf("grace without delay is %s, want 19s", got)
	}
}
