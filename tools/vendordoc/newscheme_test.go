package main

import (
	"strings"
	"testing"

	"github.com/kycbridge/kycbridge/providers"
	"github.com/kycbridge/kycbridge/providers/auth/authtest"
)

// TestNewScheme: the page has a scheme's own words for one that this package does not know.
func TestNewScheme(t *testing.T) {
	provider, root := toy()
	provider.Scheme = authtest.Reversed{}
	all, err := documents([]providers.Provider{provider}, root)
	page := whole(all)
	if want := "\n* `secrets`: HMAC-SHA256 of the raw body read backwards\n"; err != nil || !strings.Contains(page, want) {
		t.Errorf("error %v, and the page does not contain %q", err, want)
	}
}
