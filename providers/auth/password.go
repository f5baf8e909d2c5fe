package auth

import (
	"bytes"
	"cmp"
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

// Header is a secret that is the whole value of a header. Without a name it is a
// pattern: the customer chooses the header.
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

// someUser is the user of a sender that was only told a password.
const someUser = "dev"

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
func (b Basic) Sign(s Secret, r *Request) {
	if s.key != nil {
		r.Header.Set(authorization, "Basic "+base64.StdEncoding.EncodeToString(s.key().value))
	}
}

// Traits: the body may be anything.
func (b Basic) Traits() Traits {
	return Traits{
		Kind: KindBasic, Setting: "basic", Header: authorization, Check: checkBasic, FromPassword: withUser,
		Description: "`basic`: user and password, HTTP Basic",
		Prompt:      "basic ",
	}
}

// withUser puts a user in front of a password that has none.
func withUser(password string) string {
	if strings.Contains(password, ":") {
		return password
	}
	return someUser + ":" + password
}

// checkBasic wants a user and a password.
func checkBasic(s Secret) error {
	_, password, ok := bytes.Cut(s.key().value, []byte(":"))
	switch {
	case !ok:
		return fmt.Errorf("auth: secret %q has no colon; for Basic it is user:password", s.ID)
	case len(password) < MinPassword:
		return fmt.Errorf("auth: secret %q has a password of too few bytes after the first colon, want at least %d", s.ID, MinPassword)
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
func (b Bearer) Sign(s Secret, r *Request) {
	if s.key != nil {
		r.Header.Set(authorization, "Bearer "+string(s.key().value))
	}
}

// Traits: the body may be anything.
func (b Bearer) Traits() Traits {
	return Traits{
		Kind: KindBearer, Setting: "bearer", Header: authorization, Check: checkHeaderValue,
		Description: "`bearer`: a token in the header `Authorization`",
		Prompt:      "bearer ",
	}
}

// Verify compares the whole value.
func (c Header) Verify(secrets []Secret, r Request) (string, error) {
	given, err := one(r.Header, c.Name)
	if err != nil {
		return "", err
	}
	return compare(secrets, r, place{header: c.Name}, []byte(given))
}

// Sign sets the header. A zero Secret signs nothing.
func (c Header) Sign(s Secret, r *Request) {
	if s.key != nil {
		r.Header.Set(c.Name, string(s.key().value))
	}
}

// Traits: the body may be anything; a name that the vendor does not fix is the
// customer's choice.
func (c Header) Traits() Traits {
	t := Traits{Kind: KindHeader, Setting: "headers", Header: c.Name, Check: checkHeaderValue, Configure: c.configure, Prompt: c.Name + ": "}
	t.Description = "`headers`: secrets in headers of your choice"
	if c.Name != "" {
		t.Description = "`headers`: a secret in the header `" + c.Name + "`"
	}
	return t
}

func (c Header) configure(s Settings) Scheme { return Header{Name: cmp.Or(c.Name, s.Header)} }

// Verify compares the token.
func (p PathToken) Verify(secrets []Secret, r Request) (string, error) {
	if r.PathToken == "" {
		return "", fmt.Errorf("%w: the address ends with the endpoint's name, without a token", ErrUnsigned)
	}
	return compare(secrets, r, place{phrase: "the token in the address"}, []byte(r.PathToken))
}

// Sign sets the token. A zero Secret signs nothing.
func (p PathToken) Sign(s Secret, r *Request) {
	if s.key != nil {
		r.PathToken = string(s.key().value)
	}
}

// Traits: the body may be anything.
func (p PathToken) Traits() Traits {
	return Traits{
		Kind: KindPathToken, Setting: "path_tokens", Path: true, Check: checkPathToken,
		Description: "`path_tokens`: a secret as the last part of the address, `/hooks/NAME/TOKEN`",
		Prompt:      "followed by /",
	}
}

// checkPathToken wants characters that stand for themselves in every address.
func checkPathToken(s Secret) error {
	for _, c := range s.key().value {
		if !unreserved(c) {
			return fmt.Errorf("auth: secret %q goes into an address; use A-Z, a-z, 0-9 and - . _ ~ only", s.ID)
		}
	}
	return nil
}

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

// checkHeaderValue wants what a header can carry.
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
