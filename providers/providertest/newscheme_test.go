package providertest

import (
	"strings"
	"testing"

	"github.com/kycbridge/kycbridge/providers/auth"
	"github.com/kycbridge/kycbridge/providers/auth/authtest"
)

// TestNewScheme: the suite tries a scheme of which it knows only what that says of itself,
// and notices when it says what is not so.
func TestNewScheme(t *testing.T) {
	p := toy()
	p.Scheme = authtest.Reversed{}
	if got := complaints(t, p); got != "" {
		t.Errorf("the suite complains about a sound vendor:\n%s", got)
	}
	p.Scheme = saying{p.Scheme, func(t *auth.Traits) { t.BindsBody = false }}
	if got, want := complaints(t, p), "reversed_hmac, a body with one byte more: Verify gives"; !strings.Contains(got, want) {
		t.Errorf("the suite says %q, want %q", got, want)
	}
}
