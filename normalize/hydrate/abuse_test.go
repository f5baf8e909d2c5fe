package hydrate

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kycbridge/kycbridge/internal/secret"
	"github.com/kycbridge/kycbridge/providers"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// TestForgedIdsStayWithinTheRate: whoever can send to an endpoint can make up ids that the vendor's API does not
// know. However many there are, the API is asked as often as its rate allows, once for an id; real ones among them
// get their turn, and those of another customer do not wait for any.
func TestForgedIdsStayWithinTheRate(t *testing.T) {
	const forged, rate = 300, 10
	inRig(t, func(t *testing.T, r *rig) {
		r.api = func(id string) (int, string) {
			if strings.HasPrefix(id, "forged") {
				return http.StatusNotFound, ""
			}
			return http.StatusOK, `{}`
		}
		var polled []*kgo.Record
		add := func(id, endpoint string) *kgo.Record {
			task := r.task(id)
			task.Envelope.Endpoint = endpoint
			polled = append(polled, r.record(task))
			return polled[len(polled)-1]
		}
		for i := range forged {
			add(fmt.Sprintf("forged-%d", i), "endpoint")
			add("forged-again", "endpoint")
		}
		mine, others := add("real", "endpoint"), add("others", "other")
		began := time.Now()
		for ; r.of(mine).as != "stored"; polled = nil {
			r.step(polled...)
			time.Sleep(100 * time.Millisecond)
			synctest.Wait()
			if most := int(rate*time.Since(began).Seconds()) + rate + 1; r.askedFor("forged") > most {
				t.Fatalf("%d requests for forged ids after %s, want at most %d", r.askedFor("forged"), time.Since(began), most)
			}
			if time.Since(began) == time.Second {
				are(t, []became{r.of(others)}, "stored")
			}
			if time.Since(began) > 2*forged/rate*time.Second {
				t.Fatalf("the real one is %s after %s", r.of(mine).as, time.Since(began))
			}
		}
		if n := r.askedFor("forged"); n > forged+2 {
			t.Errorf("%d requests for %d forged ids, want one each", n, forged+1)
		}
	}, func(o *Options) {
		o.Rate = rate
		o.Endpoints = append(o.Endpoints, Endpoint{Name: "other", Provider: required(), Credentials: Credentials{Key: secret.Of("another-customer")}})
	})
}

// askedFor is how often the API was asked for ids that begin so.
func (r *rig) askedFor(prefix string) (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, id := range r.asked {
		if strings.HasPrefix(id, prefix) {
			n++
		}
	}
	return n
}

// TestNamesThatChangeLeadNowhere: a name that is public when somebody looks and private when it is dialled is
// refused, in every spelling of a private address.
func TestNamesThatChangeLeadNowhere(t *testing.T) {
	for _, inside := range []string{
		"127.0.0.1", "169.254.169.254", "10.0.0.1", "100.100.100.200", "0.0.0.0", "::1", "fd00:ec2::254", "fe80::1", "64:ff9b::a9fe:a9fe",
	} {
		t.Run(inside, func(t *testing.T) {
			dns := newNameServer(t, net.ParseIP("8.8.8.8"), net.ParseIP(inside))
			if looked, err := dns.LookupHost(t.Context(), "api.example.com"); err != nil || len(looked) != 1 || looked[0] != "8.8.8.8" {
				t.Fatalf("a check before finds %v, %v", looked, err)
			}
			a := testAccount(t, Endpoint{BaseURL: "https://api.example.com", Credentials: Credentials{Key: secret.Of("k")}}, Options{Resolver: dns, Timeout: 5 * time.Second})
			if got := fetchThing(a, "a"); got.failed == nil || got.failed.label != labelAddress {
				t.Errorf("answer %+v %+v", got, got.failed)
			}
		})
	}
}

// TestRedirectsShowCredentialsToNobody: neither an object's address nor that of tokens leads to a metadata service
// or anywhere else, whatever the status says, and nothing that was sent is sent there.
func TestRedirectsShowCredentialsToNobody(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("asked: %s %s with %q", r.Method, r.URL, r.Header.Get("Authorization"))
	}))
	defer elsewhere.Close()
	for _, status := range []int{300, 301, 302, 303, 305, 307, 308} {
		for _, to := range []string{elsewhere.URL + "/latest/meta-data/", "http://169.254.169.254/", "//" + strings.TrimPrefix(elsewhere.URL, "http://"), "file:///etc/passwd", "gopher://x"} {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", to)
				w.WriteHeader(status)
			}))
			for name, c := range map[string]Credentials{
				"object": {Key: secret.Of("k")}, "token": {Scheme: providers.APIClientCredentials, ClientID: "c", ClientSecret: secret.Of("s")},
			} {
				a := testAccount(t, Endpoint{BaseURL: server.URL, TokenURL: server.URL + "/token", Internal: true, Credentials: c}, Options{})
				if got := fetchThing(a, "a"); got.failed == nil || got.failed.label != labelRedirect {
					t.Errorf("%s, %d to %s: answer %+v", name, status, to, got)
				}
			}
			server.Close()
		}
	}
}

// TestAnswersOfAnAPIAreBounded: what never ends is given up at the limit, and a packed answer is not opened.
func TestAnswersOfAnAPIAreBounded(t *testing.T) {
	var accepted string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		accepted = r.Header.Get("Accept-Encoding")
		for line := []byte(strings.Repeat(" ", 1<<16)); ; {
			if _, err := w.Write(line); err != nil {
				return // the reader has had enough
			}
		}
	}))
	defer server.Close()
	for name, c := range map[string]Credentials{
		labelTooLarge: {Key: secret.Of("k")}, labelGarbage: {Scheme: providers.APIClientCredentials, ClientID: "c", ClientSecret: secret.Of("s")},
	} {
		a := testAccount(t, Endpoint{BaseURL: server.URL, TokenURL: server.URL, Internal: true, Credentials: c}, Options{MaxResponse: 1 << 20})
		if got := fetchThing(a, "a"); got.failed == nil || got.failed.label != name {
			t.Errorf("answer %+v, want %s", got.failed, name)
		}
	}
	if accepted != "" {
		t.Errorf("encodings %q are asked for, want none", accepted)
	}
}

// FuzzObjectAddress: an id from outside leads to its own path below the configured address, or nowhere.
func FuzzObjectAddress(f *testing.F) {
	for _, id := range []string{"a", "A-9_.z", "..", "%2e%2e", "a/b", "?x", "@host", "a\r\nX: y", "[::1]", strings.Repeat("a", 200), "ä"} {
		f.Add(id)
	}
	a := testAccount(f, Endpoint{Environment: kycv1.Environment_ENVIRONMENT_LIVE, Credentials: Credentials{Key: secret.Of("k")}}, Options{})
	asked := make(chan *http.Request, 1)
	a.client.Transport = transport(func(r *http.Request) (*http.Response, error) {
		asked <- r
		return nil, errAddress
	})
	f.Fuzz(func(t *testing.T, id string) {
		fetchThing(a, id)
		select {
		case r := <-asked:
			if got := r.URL.String(); got != "https://api.v.invalid/things/"+id || r.Host != "api.v.invalid" || r.URL.Path != "/things/"+id || r.URL.RawQuery != "" {
				t.Errorf("id %q leads to %s at %s", id, got, r.Host)
			}
		default:
			if providers.ValidObjectID(id) {
				t.Errorf("id %q leads nowhere", id)
			}
		}
	})
}

// transport is an http.RoundTripper.
type transport func(*http.Request) (*http.Response, error)

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) { return t(r) }

// FuzzAnswer: whatever an API or its token endpoint says, it is an object, a token or a failure.
func FuzzAnswer(f *testing.F) {
	f.Add(200, "", []byte(`{}`))
	f.Add(200, "", []byte(`{"access_token":"t","expires_in":1e300}`))
	f.Add(429, "99999999999", []byte(nil))
	f.Add(302, "-1", []byte(`{"access_token":"a\nb"}`))
	f.Fuzz(func(t *testing.T, status int, after string, body []byte) {
		if status < 200 || status > 599 {
			return
		}
		for _, c := range []Credentials{{Key: secret.Of("k")}, {Scheme: providers.APIClientCredentials, ClientID: "c", ClientSecret: secret.Of("s")}} {
			a := testAccount(t, Endpoint{TokenURL: "https://api.v.invalid/token", Credentials: c}, Options{MaxResponse: 1 << 12, Rate: 1e6})
			a.client.Transport = transport(func(r *http.Request) (*http.Response, error) {
				w := httptest.NewRecorder()
				w.Header().Set("Retry-After", after)
				w.WriteHeader(status)
				_, _ = w.Write(body)
				return w.Result(), nil
			})
			got := fetchThing(a, "a")
			switch {
			case got.failed == nil && got.result == kycv1.FetchResult_FETCH_RESULT_FETCHED:
				if _, err := providers.ReadObject(got.body); err != nil || len(got.body) > 1<<12 {
					t.Errorf("%d bytes are an object: %v", len(got.body), err)
				}
			case got.failed != nil && (got.failed.after < 0 || got.failed.after > retryLast):
				t.Errorf("the API may make us wait %s", got.failed.after)
			}
		}
	})
}
