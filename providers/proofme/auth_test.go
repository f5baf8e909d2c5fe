package proofme

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/kycbridge/kycbridge/providers/auth"
)

// TestToken: the part of the address is all that a webhook of Proofme can be told
// by, so nothing else may stand for it.
func TestToken(t *testing.T) {
	const right, other = "a-token-nobody-can-guess-1", "a-token-nobody-can-guess-2"
	now := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	secret := func(id, value string, notAfter time.Time) auth.Secret {
		s, err := auth.NewSecret(id, []byte(value), time.Time{}, notAfter)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	proofs := func(secrets ...auth.Secret) auth.Proofs {
		p, err := auth.NewProof(Provider.Proofs[0], secrets...)
		if err != nil {
			t.Fatal(err)
		}
		return auth.Proofs{p}
	}
	one, two := secret("one", right, time.Time{}), secret("two", other, time.Time{})
	expired := secret("old", right, now)
	for _, tc := range []struct {
		name   string
		proofs auth.Proofs
		token  string
		id     string // "" where it is refused
		err    error
	}{
		{"right", proofs(one), right, "one", nil},
		{"second of two", proofs(two, one), right, "one", nil},
		{"none", proofs(one), "", "", auth.ErrUnsigned},
		{"another", proofs(one), other, "", auth.ErrMismatch},
		{"cut short", proofs(one), right[:len(right)-1], "", auth.ErrMismatch},
		{"longer", proofs(one), right + "1", "", auth.ErrMismatch},
		{"in capitals", proofs(one), strings.ToUpper(right), "", auth.ErrMismatch},
		{"with a slash", proofs(one), right + "/", "", auth.ErrMismatch},
		{"the secret's name", proofs(one), "one", "", auth.ErrMismatch},
		{"expired beside a live one", proofs(expired, two), right, "", auth.ErrStale},
	} {
		r := auth.Request{
			Header: http.Header{"Authorization": {"Bearer " + right}, "X-Token": {right}},
			Body:   []byte(`{"id":"a","token":"` + right + `"}`), Now: now, PathToken: tc.token,
		}
		ids, err := tc.proofs.Verify(r)
		if !errors.Is(err, tc.err) || (len(ids) == 1 && ids[0] == tc.id) != (tc.id != "") {
			t.Errorf("%s: %q, %v; want %q, %v", tc.name, ids, err, tc.id, tc.err)
		}
		if err != nil && strings.Contains(err.Error(), right) {
			t.Errorf("%s: the error quotes the token: %v", tc.name, err)
		}
	}
}
