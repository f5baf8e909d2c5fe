package dev

import (
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/kycbridge/kycbridge/internal/simulate"
	"github.com/kycbridge/kycbridge/providers/catalog"
)

func TestCheckExposure(t *testing.T) {
	for addr, want := range map[string]bool{
		"127.0.0.1:0": true, "127.3.2.1:0": true, "[::1]:0": true, "localhost:0": true, "[::ffff:127.0.0.1]:0": true,
		"0.0.0.0:0": false, ":0": false, "[::]:0": false, "192.0.2.1:0": false, "[2001:db8::1]:0": false,
	} {
		for _, flag := range []string{"--listen", "--admin", "--kafka"} {
			o := Options{Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", Kafka: "127.0.0.1:0"}
			*map[string]*string{"--listen": &o.Listen, "--admin": &o.Admin, "--kafka": &o.Kafka}[flag] = addr
			err := o.checkExposure(t.Context())
			if (err == nil) != want {
				t.Errorf("%s %s: %v, expected success: %v", flag, addr, err, want)
			}
			if err != nil && (!strings.Contains(err.Error(), flag+" "+addr) || !strings.Contains(err.Error(), "--expose")) {
				t.Errorf("the error does not name the flag, the address and what to do: %v", err)
			}
			if o.Expose = true; o.checkExposure(t.Context()) != nil {
				t.Errorf("%s %s is refused with --expose", flag, addr)
			}
		}
	}
}

// TestPlayedAPIsAnswerNoWebPage: they are an address of `dev` as well.
func TestPlayedAPIsAnswerNoWebPage(t *testing.T) {
	url, stop, err := simulate.NewFakeAPIs(catalog.All()).Start(t.Context(), slog.New(slog.DiscardHandler), Options{}.guard().Handler)
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	for name, tc := range map[string]struct {
		host, header string
		want         int
	}{
		"the bridge":     {"", "", http.StatusNotFound}, // no such vendor
		"a rebound name": {"rebound.example.invalid", "", http.StatusMisdirectedRequest},
		"a page":         {"", "https://example.invalid", http.StatusForbidden},
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/nobody/x", nil)
		if err != nil {
			t.Fatal(err)
		}
		if r.Host = tc.host; tc.header != "" {
			r.Header.Set("Origin", tc.header)
		}
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(answer.Body)
		answer.Body.Close()
		if answer.StatusCode != tc.want {
			t.Errorf("%s: answered %d, want %d: %s", name, answer.StatusCode, tc.want, text)
		}
	}
}
