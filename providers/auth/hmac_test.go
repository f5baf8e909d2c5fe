package auth

import (
	"crypto"
	"crypto/hmac"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

func newSecret(t testing.TB, id, value string) Secret {
	t.Helper()
	s, err := NewSecret(id, []byte(value), time.Time{}, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func header(name string, values ...string) http.Header {
	h := http.Header{}
	for _, v := range values {
		h.Add(name, v)
	}
	return h
}

// signed is a request around body, with the proof of its sender.
func signed(scheme Scheme, s Secret, body []byte) Request {
	r := Request{Header: http.Header{}, Body: body, Now: noon}
	scheme.Sign(s, &r)
	return r
}

// The vectors of two vendors' own material, and RFC 4231 for SHA-512 (case 2 with
// its short key is out of reach of NewSecret, so case 1).
var vectors = []struct {
	name        string
	scheme      HMAC
	secret      string
	body, proof string
}{
	{"ComplyCube, its SDK's unit test", HMAC{Header: "Complycube-Signature", Hash: crypto.SHA256}, "a_webhook_signature",
		`{"id":"value"}`, "bc00414fa4d54277a3ed01e5ee258d9800a918a7791c7cda16d38b82f38f2150"},
	{"ComplyCube, its documented sample", HMAC{Header: "Complycube-Signature", Hash: crypto.SHA256}, "a_webhook_signature",
		`{"id":"5ed170fe99c81a0007b9a3d3","type":"check.completed.clear","resourceType":"check","payload":{"id":"5ed3918fbf06f30008e552c9","outcome":"clear","status":"complete","createdAt":"2020-01-01T11:14:23.964Z","updatedAt":"2020-01-01T11:14:23.964Z"},"createdAt":"2020-01-01T11:14:23.964Z"}`,
		"55c8aaeac9b144e1491b3fd3877fbf086a6ab8d765c3cb8354393d035abf03ea"},
	{"SHA-512, RFC 4231 case 1", HMAC{Header: "X-Signature", Hash: crypto.SHA512}, strings.Repeat("\x0b", 20),
		"Hi There", "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cdedaa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854"},
	{"base64 with a prefix", HMAC{Header: "X-Signature", Hash: crypto.SHA256, Encoding: Base64, Prefix: "sha256="}, "a_webhook_signature",
		`{"id":"value"}`, "sha256=vABBT6TVQnej7QHl7iWNmACpGKd5HHzaFtOLgvOPIVA="},
}

func TestVectors(t *testing.T) {
	for _, v := range vectors {
		t.Run(v.name, func(t *testing.T) {
			s := newSecret(t, "one", v.secret)
			if got := signed(v.scheme, s, []byte(v.body)).Header.Get(v.scheme.Header); got != v.proof {
				t.Errorf("Sign gives %s, want %s", got, v.proof)
			}
			id, err := v.scheme.Verify([]Secret{s}, Request{Header: header(v.scheme.Header, v.proof), Body: []byte(v.body), Now: noon})
			if err != nil || id != "one" {
				t.Errorf("Verify gives %q, %v", id, err)
			}
		})
	}
}

func TestVerify(t *testing.T) {
	scheme := HMAC{Header: "X-Signature", Hash: crypto.SHA256}
	body := []byte(`{"id":"value"}`)
	one, two := newSecret(t, "one", "the first secret value"), newSecret(t, "two", "the second secret value")
	limited := func(notBefore, notAfter time.Time) Secret {
		s, err := NewSecret("one", []byte("the first secret value"), notBefore, notAfter)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	proof := signed(scheme, one, body).Header.Get("X-Signature")
	for _, tc := range []struct {
		name    string
		secrets []Secret
		values  []string
		id      string
		err     error
	}{
		{"lower case", []Secret{one}, []string{proof}, "one", nil},
		{"upper case", []Secret{one}, []string{strings.ToUpper(proof)}, "one", nil},
		{"second of two", []Secret{two, one}, []string{proof}, "one", nil},
		{"from its first instant on", []Secret{limited(noon, time.Time{})}, []string{proof}, "one", nil},
		{"not yet", []Secret{limited(noon.Add(1), time.Time{})}, []string{proof}, "", ErrStale},
		{"no longer", []Secret{limited(time.Time{}, noon)}, []string{proof}, "", ErrStale},
		{"expired beside a live one", []Secret{limited(time.Time{}, noon), two}, []string{proof}, "", ErrStale},
		{"expired beside the same, live", []Secret{limited(time.Time{}, noon), one}, []string{proof}, "one", nil},
		{"another secret", []Secret{two}, []string{proof}, "", ErrMismatch},
		{"a zero secret", []Secret{{}}, []string{proof}, "", ErrMismatch},
		{"no header", []Secret{one}, nil, "", ErrUnsigned},
		{"an empty header", []Secret{one}, []string{""}, "", ErrUnsigned},
		{"two headers", []Secret{one}, []string{proof, proof}, "", ErrMismatch},
		{"two in one header", []Secret{one}, []string{proof + "," + proof}, "", ErrMismatch},
		{"one digit short", []Secret{one}, []string{proof[1:]}, "", ErrMismatch},
		{"one byte short", []Secret{one}, []string{proof[2:]}, "", ErrMismatch},
		{"a space in front", []Secret{one}, []string{" " + proof}, "", ErrMismatch},
		{"a versioned form", []Secret{one}, []string{"t=1,v1=" + proof}, "", ErrMismatch},
	} {
		t.Run(tc.name, func(t *testing.T) {
			id, err := scheme.Verify(tc.secrets, Request{Header: header("x-signature", tc.values...), Body: body, Now: noon})
			if id != tc.id || !errors.Is(err, tc.err) {
				t.Errorf("Verify gives %q, %v; want %q, %v", id, err, tc.id, tc.err)
			}
		})
	}
}

// An HMAC under an empty key computes without complaint, so nothing may get that
// far: a zero Secret signs nothing and proves nothing.
func TestEmptyKey(t *testing.T) {
	scheme := HMAC{Header: "X-Signature", Hash: crypto.SHA256}
	if h := signed(scheme, Secret{}, []byte("body")).Header; len(h) != 0 {
		t.Errorf("a zero Secret signs: %v", h)
	}
	const underEmptyKey = "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad" // of ""
	id, err := scheme.Verify([]Secret{{}}, Request{Header: header("X-Signature", underEmptyKey), Now: noon})
	if id != "" || err == nil {
		t.Errorf("Verify gives %q, %v", id, err)
	}
}

func FuzzHMAC(f *testing.F) {
	for _, v := range vectors {
		f.Add(v.proof, []byte(v.body))
	}
	s := newSecret(f, "one", "a secret nobody signed with")
	scheme := HMAC{Header: "X-Signature", Hash: crypto.SHA256}
	f.Fuzz(func(t *testing.T, proof string, body []byte) {
		id, err := scheme.Verify([]Secret{s}, Request{Header: http.Header{"X-Signature": {proof}}, Body: body, Now: noon})
		want := signed(scheme, s, body).Header.Get("X-Signature")
		right := strings.EqualFold(want, proof) && len(proof) == hex.EncodedLen(scheme.Hash.Size())
		if right != (err == nil) || right != (id == "one") {
			t.Errorf("proof %q is right: %v; Verify gives %q, %v", proof, right, id, err)
		}
	})
}

// One secret may serve two hashes, and many requests at a time: what is kept for the next body must
// not leak from one into the other.
func TestHMACKeepsNothingOfABody(t *testing.T) {
	s, err := NewSecret("one", []byte("synthetic-secret-0123"), time.Time{}, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for i := range 8 {
		m := HMAC{Header: "X-Signature", Hash: []crypto.Hash{crypto.SHA256, crypto.SHA512}[i%2]}
		all.Go(func() {
			for n := range 200 {
				body := fmt.Appendf(nil, "body %d of %d", n, i)
				got := signed(m, s, body).Header.Get("X-Signature")
				mac := hmac.New(m.Hash.New, []byte("synthetic-secret-0123"))
				mac.Write(body)
				if got != hex.EncodeToString(mac.Sum(nil)) {
					t.Errorf("body %d of %d is signed %s", n, i, got)
				}
			}
		})
	}
	all.Wait()
}
