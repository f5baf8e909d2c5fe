package auth

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// The schemes here send the secret itself. They say nothing about the body, and
// whoever reads one request can make others: they need TLS and deduplication.
//
// Comparing needs the same time for a right and a wrong value of any length: the
// SHA-256 of both is compared, and that of the secret was taken beforehand.

// Basic is HTTP Basic. The secret is "user:password".
type Basic struct{}

// Bearer is a token after the word Bearer in the header Authorization.
type Bearer struct{}

// Header is a secret that is the whole value of a header of the customer's choice.
type Header struct{ Name string }

// PathToken is a secret that is the last part of the address, after the
// endpoint's name. It takes the characters of a URL that are never escaped.
type PathToken struct{}

var (
	_ Scheme = Basic{}
	_ Scheme = Bearer{}
	_ Scheme = Header{}
	_ Scheme = PathToken{}
)

const authorization = "Authorization"

// MinPassword is the length in bytes of the part of a Basic secret that is
// secret, below which it is refused.
const MinPassword = 8

// Verify compares user and password, both always.
func (b Basic) Verify(secrets []Secret, r Request) (string, error) {
	encoded, err := credentials(r.Header, "Basic")
	if err != nil {
		return "", err
	}
	given, err := base64.StdEncoding.Strict().DecodeString(encoded)
	if err != nil || !bytes.Contains(given, []byte(":")) {
		return "", fmt.Errorf("%w: header %s holds no user and password in base64", ErrMismatch, authorization)
	}
	// The user ends at the first colon on both sides, so equal texts are equal
	// users with equal passwords.
	return compare(secrets, r, place{phrase: "user and password"}, given)
}

// Sign sets the header. A zero Secret signs nothing.
func (b Basic) Sign(s Secret, _ []byte, h http.Header) {
	if s.key != nil {
		h.Set(authorization, "Basic "+base64.StdEncoding.EncodeToString(s.key().value))
	}
}

// Check wants a user and a password.
func (b Basic) Check(s Secret) error {
	_, password, ok := bytes.Cut(s.key().value, []byte(":"))
	switch {
	case !ok:
		return fmt.Errorf("auth: secret %q has no colon; for Basic it is user:password", s.ID)
	case len(password) < MinPassword:
		return fmt.Errorf("auth: secret %q has a password of %d bytes after the first colon, want at least %d", s.ID, len(password), MinPassword)
	}
	return nil
}

// Verify compares the token.
func (b Bearer) Verify(secrets []Secret, r Request) (string, error) {
	token, err := credentials(r.Header, "Bearer")
	if err != nil {
		return "", err
	}
	return compare(secrets, r, place{phrase: "the bearer token"}, []byte(token))
}

// Sign sets the header. A zero Secret signs nothing.
func (b Bearer) Sign(s Secret, _ []byte, h http.Header) {
	if s.key != nil {
		h.Set(authorization, "Bearer "+string(s.key().value))
	}
}

// Check wants what a header can carry.
func (b Bearer) Check(s Secret) error { return checkHeaderValue(s) }

// Verify compares the whole value.
func (c Header) Verify(secrets []Secret, r Request) (string, error) {
	given, err := one(r.Header, c.Name)
	if err != nil {
		return "", err
	}
	return compare(secrets, r, place{header: c.Name}, []byte(given))
}

// Sign sets the header. A zero Secret signs nothing.
func (c Header) Sign(s Secret, _ []byte, h http.Header) {
	if s.key != nil {
		h.Set(c.Name, string(s.key().value))
	}
}

// Check wants what a header can carry.
func (c Header) Check(s Secret) error { return checkHeaderValue(s) }

// Verify compares the token.
func (p PathToken) Verify(secrets []Secret, r Request) (string, error) {
	if r.PathToken == "" {
		return "", fmt.Errorf("%w: the address ends with the endpoint's name, without a token", ErrUnsigned)
	}
	return compare(secrets, r, place{phrase: "the token in the address"}, []byte(r.PathToken))
}

// Sign does nothing: the proof is in the address, see Path.
func (p PathToken) Sign(Secret, []byte, http.Header) {}

// Path is what a sender appends to the endpoint's address.
func (p PathToken) Path(s Secret) string {
	if s.key == nil {
		return ""
	}
	return "/" + string(s.key().value)
}

// Check wants characters that stand for themselves in every address.
func (p PathToken) Check(s Secret) error {
	for _, c := range s.key().value {
		if !unreserved(c) {
			return fmt.Errorf("auth: secret %q goes into an address; use A-Z, a-z, 0-9 and - . _ ~ only", s.ID)
		}
	}
	return nil
}

// BindsBody is false for each of these: the body may be anything.
func (b Basic) BindsBody() bool { return false }

// BindsBody is false: the body may be anything.
func (b Bearer) BindsBody() bool { return false }

// BindsBody is false: the body may be anything.
func (c Header) BindsBody() bool { return false }

// BindsBody is false: the body may be anything.
func (p PathToken) BindsBody() bool { return false }

// Kind is KindBasic.
func (b Basic) Kind() string { return KindBasic }

// Kind is KindBearer.
func (b Bearer) Kind() string { return KindBearer }

// Kind is KindHeader.
func (c Header) Kind() string { return KindHeader }

// Kind is KindPathToken.
func (p PathToken) Kind() string { return KindPathToken }

// HeaderName is Authorization.
func (b Basic) HeaderName() string { return authorization }

// HeaderName is Authorization.
func (b Bearer) HeaderName() string { return authorization }

// HeaderName is the name.
func (c Header) HeaderName() string { return c.Name }

// credentials reads what follows the scheme's word, which is compared without
// case, in the header Authorization.
func credentials(h http.Header, word string) (string, error) {
	value, err := one(h, authorization)
	if err != nil {
		return "", err
	}
	given, rest, _ := strings.Cut(value, " ")
	if !strings.EqualFold(given, word) {
		return "", fmt.Errorf("%w: header %s is of another scheme than %s", ErrMismatch, authorization, word)
	}
	return strings.TrimLeft(rest, " "), nil
}

func compare(secrets []Secret, r Request, what place, given []byte) (string, error) {
	sum := sha256.Sum256(given)
	return try(secrets, r.Now, what, func(k *key) bool {
		return subtle.ConstantTimeCompare(k.sum[:], sum[:]) == 1
	})
}

var errHeaderValue = errors.New("goes into a header; use printable ASCII without spaces at its ends")

func checkHeaderValue(s Secret) error {
	value := s.key().value
	for i, c := range value {
		if c < ' ' || c > '~' || c == ' ' && (i == 0 || i == len(value)-1) {
			return fmt.Errorf("auth: secret %q %w", s.ID, errHeaderValue)
		}
	}
	return nil
}

func unreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '.' || c == '_' || c == '~'
}
