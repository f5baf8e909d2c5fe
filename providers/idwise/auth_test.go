package idwise

import (
	"encoding/base64"
	"net/http"
	"testing"
	"time"

	"github.com/kycbridge/kycbridge/providers/auth"
)

// TestForged are the proofs of this vendor that must not be believed.
func TestForged(t *testing.T) {
	const basic, token = "synthetic-user:synthetic-password", "synthetic-token-value"
	own := auth.Header{Name: "X-Idwise-Token"}
	b64 := func(s string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(s)) }
	for _, tc := range []struct {
		name         string
		scheme       auth.Scheme
		secret       string
		header, sent string
		ok           bool
	}{
		{"basic", auth.Basic{}, basic, "Authorization", b64(basic), true},
		{"basic, wrong password", auth.Basic{}, basic, "Authorization", b64("synthetic-user:another-password"), false},
		{"basic, wrong user", auth.Basic{}, basic, "Authorization", b64("another-user:synthetic-password"), false},
		{"basic, missing", auth.Basic{}, basic, "", "", false},
		{"basic asked, bearer sent", auth.Basic{}, basic, "Authorization", "Bearer " + basic, false},
		{"bearer", auth.Bearer{}, token, "Authorization", "Bearer " + token, true},
		{"bearer, wrong", auth.Bearer{}, token, "Authorization", "Bearer synthetic-token-other", false},
		{"bearer, cut short", auth.Bearer{}, token, "Authorization", "Bearer synthetic-token", false},
		{"bearer, missing", auth.Bearer{}, token, "", "", false},
		{"custom header", own, token, "X-Idwise-Token", token, true},
		{"custom header, wrong", own, token, "X-Idwise-Token", "synthetic-token-other", false},
		{"custom header, missing", own, token, "", "", false},
		{"custom header, another one", own, token, "X-Idwise-Signature", token, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, err := auth.NewSecret("one", []byte(tc.secret), time.Time{}, time.Time{})
			if err != nil {
				t.Fatal(err)
			}
			proof, err := auth.NewProof(tc.scheme, s)
			if err != nil {
				t.Fatal(err)
			}
			h := http.Header{}
			if tc.header != "" {
				h.Set(tc.header, tc.sent)
			}
			ids, err := auth.Proofs{proof}.Verify(auth.Request{Header: h, Body: fixture(t, "finished_journey"), Now: time.Now()})
			if (err == nil) != tc.ok || (len(ids) == 1) != tc.ok {
				t.Errorf("Verify gives %q, %v", ids, err)
			}
		})
	}
}

// The ways that the vendor's dashboard offers, and no signature.
func TestWays(t *testing.T) {
	var kinds []string
	for _, way := range Provider.Ways() {
		kinds = append(kinds, way.Traits().Kind)
	}
	if len(kinds) != 3 || kinds[0] != auth.KindBasic || kinds[1] != auth.KindBearer || kinds[2] != auth.KindHeader || Provider.Scheme != nil {
		t.Errorf("the ways are %q", kinds)
	}
}
