package dev

import (
	"bytes"
	"regexp"
	"testing"

	"github.com/kycbridge/kycbridge/internal/simulate"
	"github.com/kycbridge/kycbridge/providers"
	"github.com/kycbridge/kycbridge/providers/catalog"
)

// TestByHand: what is sent by hand has nothing odd in it, and says it all by itself where the vendor has such a sample.
func TestByHand(t *testing.T) {
	blank := regexp.MustCompile(`"(\\[tnr]|\s)*"`)
	for _, v := range catalog.All() {
		good, err := v.GoodFixtures()
		if err != nil {
			t.Fatal(err)
		}
		whole := byHand(good)
		f := simulate.Typical(v, whole)
		if odd := f.Fetched != nil || bytes.Contains(f.Body, []byte("CANARY")); odd && len(whole) < len(good) || blank.Match(f.Body) {
			t.Errorf("%s: %s is %s", v.Name, f.Name, f.Body)
		}
	}
	only := []providers.Fixture{{Name: "only", Body: []byte(`"CANARY"`)}}
	if got := byHand(only); len(got) != 1 {
		t.Errorf("without another there is %v", got)
	}
}

func TestQuoteAndDialable(t *testing.T) {
	if got := quote(`a'b"c`); got != `'a'\''b"c'` {
		t.Errorf("quoted as %s", got)
	}
	for in, want := range map[string]string{
		"0.0.0.0:80": "127.0.0.1:80", "[::]:80": "127.0.0.1:80", ":80": "127.0.0.1:80", "127.0.0.2:80": "127.0.0.2:80", "host:80": "host:80", "odd": "odd",
	} {
		if got := dialable(in); got != want {
			t.Errorf("dialable(%q) is %q, want %q", in, got, want)
		}
	}
}
