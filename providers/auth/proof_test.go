package auth

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"
)

// fixed is a scheme with one answer.
type fixed struct{ err error }

func (f fixed) Verify([]Secret, Request) (string, error) { return "one", f.err }
func (fixed) Sign(Secret, *Request)                      {}
func (fixed) Traits() Traits                             { return Traits{Kind: "fixed"} }

// Every check must pass, and the answer does not tell which one did not.
func TestProofs(t *testing.T) {
	some := []Secret{newSecret(t, "one", "a secret of the test")}
	foreseen := fmt.Errorf("wrapped: %w", ErrUndecided)
	other := errors.New("something else")
	allow := Networks{networks(t, "192.0.2.0/24")}
	for _, tc := range []struct {
		name    string
		schemes []Scheme
		want    error
	}{
		{"one", []Scheme{fixed{}}, nil},
		{"two", []Scheme{fixed{}, fixed{}}, nil},
		{"first fails", []Scheme{fixed{ErrMismatch}, fixed{}}, ErrMismatch},
		{"second fails", []Scheme{fixed{}, fixed{ErrMismatch}}, ErrMismatch},
		{"both fail: the first", []Scheme{fixed{ErrStale}, fixed{ErrUnsigned}}, ErrStale},
		{"undecided outweighs wrong", []Scheme{fixed{ErrMismatch}, fixed{foreseen}}, ErrUndecided},
		{"undecided outweighs right", []Scheme{fixed{foreseen}, fixed{}}, ErrUndecided},
		{"so does the unforeseen", []Scheme{fixed{other}, fixed{ErrMismatch}}, other},
		{"the address outweighs all", []Scheme{fixed{foreseen}, Networks{}, fixed{ErrMismatch}}, ErrForbidden},
		{"a right address helps nobody", []Scheme{allow, fixed{ErrMismatch}}, ErrMismatch},
		{"a right address and proof", []Scheme{allow, fixed{}}, nil},
		{"none", nil, ErrUndecided},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var ps Proofs
			want := []string{}
			for _, s := range tc.schemes {
				ps = append(ps, Proof{s, some})
				if s.Traits().Kind != KindNetworks {
					want = append(want, "one")
				}
			}
			ids, err := ps.Verify(Request{Client: netip.MustParseAddr("192.0.2.1"), Now: noon})
			if !errors.Is(err, tc.want) {
				t.Errorf("error is %v, want %v", err, tc.want)
			}
			if err != nil && ids != nil || err == nil && !slices.Equal(ids, want) {
				t.Errorf("ids are %q, error %v; want %q without one", ids, err, want)
			}
		})
	}
}

// Without a live secret nobody can be told to be wrong, but who brings no proof.
func TestNoLiveSecret(t *testing.T) {
	ended, err := NewSecret("ended", []byte("a secret of the test"), time.Time{}, noon)
	if err != nil {
		t.Fatal(err)
	}
	live := newSecret(t, "live", "another secret of the test")
	for _, tc := range []struct {
		name    string
		secrets []Secret
		value   string
		want    error
	}{
		{"ended, right", []Secret{ended}, "a secret of the test", ErrUndecided},
		{"ended, wrong", []Secret{ended}, "wrong", ErrUndecided},
		{"ended, none", []Secret{ended}, "", ErrUnsigned},
		{"no secret at all", nil, "wrong", ErrUndecided},
		{"ended beside a live one, right", []Secret{ended, live}, "a secret of the test", ErrStale},
		{"ended beside a live one, wrong", []Secret{ended, live}, "wrong", ErrMismatch},
	} {
		ps := Proofs{{Header{"X"}, tc.secrets}}
		if _, err := ps.Verify(Request{Header: header("X", tc.value), Now: noon}); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", tc.name, err, tc.want)
		}
	}
}

// keysOf are keys that may be away.
type keysOf struct {
	StaticKeys
	ready bool
}

func (k keysOf) Ready() bool { return k.ready }

func TestReady(t *testing.T) {
	now := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	live, err := NewSecret("live", []byte("synthetic-secret-live"), time.Time{}, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	ended, err := NewSecret("ended", []byte("synthetic-secret-ended"), time.Time{}, now.Add(-time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	good := Proof{Scheme: Bearer{}, Secrets: []Secret{ended, live}}
	for name, tc := range map[string]struct {
		proofs Proofs
		want   bool
	}{
		"no check":            {nil, true},
		"a live secret":       {Proofs{good, {Scheme: Networks{}}}, true},
		"no live secret":      {Proofs{good, {Scheme: Bearer{}, Secrets: []Secret{ended}}}, false},
		"keys from a file":    {Proofs{{Scheme: JWT{Keys: StaticKeys{}}}}, true},
		"keys that are there": {Proofs{{Scheme: JWT{Keys: keysOf{ready: true}}}}, true},
		"keys that are away":  {Proofs{good, {Scheme: JWT{Keys: keysOf{}}}}, false},
		"no keys at all":      {Proofs{{Scheme: JWT{}}}, false},
	} {
		if got := tc.proofs.Ready(now); got != tc.want {
			t.Errorf("%s: ready is %v, want %v", name, got, tc.want)
		}
	}
}

func TestNewProof(t *testing.T) {
	if _, err := NewProof(Bearer{}); err == nil {
		t.Error("a check without a secret is taken")
	}
	if _, err := NewProof(Basic{}, newSecret(t, "one", "no colon in this one")); err == nil {
		t.Error("a secret that cannot satisfy the check is taken")
	}
	if _, err := NewProof(Networks{}); err != nil {
		t.Errorf("a check that needs no secret is refused: %v", err)
	}
	if _, err := NewProof(Networks{}, newSecret(t, "one", "nobody asks for this one")); err == nil {
		t.Error("a secret is taken that is never asked for")
	}
	addressed := Proofs{{Scheme: Networks{}}}
	if addressed.Prove() || !(append(addressed, Proof{Scheme: JWT{}}).Prove()) {
		t.Error("an address alone proves a sender, or a token does not")
	}
	all := Proofs{{Networks{}, nil}, {PathToken{}, []Secret{{ID: "a"}, {ID: "b"}}}, {JWT{}, nil}}
	if got := all.SecretIDs(); !slices.Equal(got, []string{"a", "b", JWTSecretID}) || !all.TakesPathToken() || addressed.TakesPathToken() {
		t.Errorf("secret ids are %q", got)
	}
}

// TestSecretHeaders: every header that holds a proof, but for a token that holds the event.
func TestSecretHeaders(t *testing.T) {
	secret := Proof{Scheme: Header{Name: "x-auth-token"}}
	event := Proof{Scheme: JWT{Header: "x-token", Claim: "data"}}
	for _, tc := range []struct {
		name string
		of   Proofs
		want []string
	}{
		{"none", nil, nil},
		{"a header, in one spelling", Proofs{secret}, []string{"X-Auth-Token"}},
		{"a signature", Proofs{{Scheme: HMAC{Header: "X-Signature"}}}, []string{"X-Signature"}},
		{"user and password, and a bearer token", Proofs{{Scheme: Basic{}}, {Scheme: Bearer{}}}, []string{"Authorization"}},
		{"what is in no header", Proofs{{Scheme: PathToken{}}, {Scheme: Networks{}}, {Scheme: JWT{Claim: "data"}}}, nil},
		{"a token beside the event", Proofs{{Scheme: JWT{Header: "x-token"}}}, []string{"X-Token"}},
		{"a token that is the event", Proofs{event}, nil},
		{"a secret where a token is the event", Proofs{event, {Scheme: Header{Name: "X-Token"}}, secret}, []string{"X-Auth-Token", "X-Token"}},
	} {
		if got := tc.of.SecretHeaders(); !slices.Equal(got, tc.want) {
			t.Errorf("%s: %q, want %q", tc.name, got, tc.want)
		}
	}
}
