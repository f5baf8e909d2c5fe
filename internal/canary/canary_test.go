package canary_test

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/kycbridge/kycbridge/internal/canary"
)

// TestIn: each is found however it is written, and no other with it.
func TestIn(t *testing.T) {
	for _, c := range canary.All() {
		for form, text := range map[string]string{
			"as it is":    "before " + c.Text + " after",
			"upper case":  strings.ToUpper(c.Text),
			"quoted":      fmt.Sprintf("%q", c.Text),
			"in a URL":    "/hooks/x?q=" + url.QueryEscape(c.Text),
			"in a path":   "/hooks/" + url.PathEscape(c.Text),
			"in hex":      hex.EncodeToString([]byte("x" + c.Text)),
			"in base64":   base64.StdEncoding.EncodeToString([]byte(c.Text)),
			"in base64+1": base64.RawURLEncoding.EncodeToString([]byte("x" + c.Text + "yz")),
			"in base64+2": base64.RawURLEncoding.EncodeToString([]byte("xy" + c.Text + "z")),
			"cut off":     c.Text[:min(len(c.Text), 128)],
		} {
			if got := canary.Seen([]byte(text)); !slices.Equal(got, []string{c.Kind}) && !missed(c, form) {
				t.Errorf("%s %s: %q shows %v", c.Kind, form, text, got)
			}
		}
	}
	if got := canary.Seen([]byte("sha256:5994471abb01112afcc18159f6cc74b4f511b99806da59b3caf5a9c173cacfc5 level=INFO")); len(got) > 0 {
		t.Errorf("a digest shows %v", got)
	}
}

// missed: blanks in the middle of a core are written otherwise in a URL.
func missed(c canary.Canary, form string) bool {
	return c.Kind == "iban" && (form == "in a URL" || form == "in a path")
}

// TestSpots puts one canary at every place of a body, one at a time.
func TestSpots(t *testing.T) {
	const body = `{"a":{"b":["x",{"c":7}],"d":true},"e":"CANARY-NAME"}`
	c := canary.Of("document number")
	var got []string
	for s := range canary.Spots([]byte(body)) {
		if planted := s.With(c.Text); !c.In(planted) || !json.Valid(planted) {
			t.Errorf("%s: %s", s.Path, planted)
		}
		if s.Personal != (s.Path == "e") {
			t.Errorf("%s: personal is %v", s.Path, s.Personal)
		}
		got = append(got, s.Path)
	}
	want := []string{
		"a", "(name) a", "a.b", "(name) a.b", "a.b.", "a.b.", "a.b..c", "(name) a.b..c", "(more) a.b.",
		"a.d", "(name) a.d", "(more) a", "e", "(name) e", "(more) ",
	}
	if !slices.Equal(got, want) {
		t.Errorf("the spots are %q, want %q", got, want)
	}
	for s := range canary.Spots([]byte(body)) {
		s.With(c.Text)
		if again := s.With("CANARY-NAME"); c.In(again) {
			t.Errorf("%s: it is still there: %s", s.Path, again)
		}
	}
	for _, text := range []string{"", "no JSON", `"text"`, "null"} {
		for s := range canary.Spots([]byte(text)) {
			t.Errorf("%q has a spot %s", text, s.Path)
		}
	}
}
