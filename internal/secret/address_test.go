package secret

import (
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

func TestAddress(t *testing.T) {
	for address, want := range map[string]string{
		"https://v.invalid/jwks.json":                  "https://v.invalid/jwks.json",
		"https://v.invalid:8443/a%2Fb/%E2%80%AE":       "https://v.invalid:8443/a%2Fb/%E2%80%AE",
		"https://v.invalid/k?token=" + hunter:          "https://v.invalid/k",
		"https://v.invalid/k?" + hunter + "#" + hunter: "https://v.invalid/k",
		"https://" + hunter + "@v.invalid/k":           "https://v.invalid/k",
		"https://user:" + hunter + "@v.invalid":        "https://v.invalid",
		"http://[::1]:80/?token=" + hunter:             "http://[::1]:80/",
		"https://v.invalid/%zz?token=" + hunter:        "(no address)",
		"https://v.invalid/\n?token=" + hunter:         "(no address)",
		"mailto:" + hunter:                             "(no address)",
		hunter:                                         "(no address)",
		"":                                             "(no address)",
	} {
		if got := Address(address); got != want {
			t.Errorf("%q shows as %q, want %q", address, got, want)
		}
	}
}

// TestFailure: what net/http says of a request shows neither its address nor what an answer repeats of it, and is
// still what it was for those who ask.
func TestFailure(t *testing.T) {
	repeats := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", "https://v.invalid/%zz?"+r.URL.RawQuery) // is quoted, since it cannot be read
		w.WriteHeader(http.StatusFound)
	}))
	defer repeats.Close()
	closed := httptest.NewServer(nil)
	closed.Close()
	for name, address := range map[string]string{
		"an answer that repeats it": repeats.URL + "/k?token=" + hunter,
		"nobody there":              closed.URL + "/k?token=" + hunter,
		"no such protocol":          "gopher://v.invalid/" + hunter + "?token=" + hunter,
		"no address":                "http://v.invalid/%zz" + hunter,
		"with a password":           "http://user:" + hunter + "@" + closed.Listener.Addr().String(),
	} {
		_, err := http.Get(address)
		if err == nil {
			t.Fatalf("%s: no error", name)
		}
		got := Failure(err, address)
		if strings.Contains(got.Error(), hunter) || got.Error() == "" {
			t.Errorf("%s: %v", name, got)
		}
		var wanted, found *net.OpError
		if errors.As(err, &wanted) != errors.As(got, &found) {
			t.Errorf("%s: %v is no longer what %v was", name, got, err)
		}
		if asked := (*url.Error)(nil); errors.As(got, &asked) {
			t.Errorf("%s: the error with the address can still be had", name)
		}
	}
	if Failure(nil, "x") != nil {
		t.Error("no failure became one")
	}
}

// TestShortValuesStay: an error is still to be read where a query holds short values.
func TestShortValuesStay(t *testing.T) {
	if got := without("dial 127.0.0.1:1: "+hunter, "https://v.invalid/?v=1&token="+hunter); got != "dial 127.0.0.1:1: "+Mask {
		t.Errorf("got %q", got)
	}
}
