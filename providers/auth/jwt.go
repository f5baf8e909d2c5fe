package auth

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// JWT is a signed token: the whole body, or in a header beside it. The keys are
// the vendor's public ones, so an endpoint needs no secret for it.
//
// A token in a header does not bind the body. Whoever reads such a delivery must
// read the token's claims (see Claims), not the body.
//
// exp must be there, and it alone bounds a token's age. iat and nbf may be missing;
// where they are given they must not be of the future.
type JWT struct {
	Header     string        // name of the header with the token; "" when the body is the token
	Claim      string        // claim that holds the event; "" for none. Whether it is there proves nothing
	Keys       Keys          // where the vendor's keys are
	Issuer     string        // exactly the claim iss
	Audience   string        // exactly the claim aud, or one of its items
	Algorithms []string      // of RS256, PS256, ES256; empty means RS256
	Leeway     time.Duration // for exp, nbf and iat; at most MaxLeeway
}

var _ Scheme = JWT{}

// JWTSecretID is the secret id of a request that a token proved. No configured
// secret can have it.
const JWTSecretID = "_jwt"

// Limits of a token and of the keys that sign it.
const (
	MaxLeeway      = time.Minute
	maxTokenHeader = 4 << 10 // bytes of its first part
	maxHeaderToken = 8 << 10 // bytes of a token in a header
	maxKeyID       = 128
	minRSABits     = 2048
	maxRSABits     = 8192
)

// Algorithms are those a JWT may be configured with, each with one type of key.
func Algorithms() []string { return []string{"RS256", "PS256", "ES256"} }

// Keys finds a vendor's public key.
type Keys interface {
	// Key returns the key with that id. The error wraps ErrMismatch when there is
	// none, and ErrUndecided when that cannot be known at the moment. Keys that can
	// be out of date also have a method Ready() bool.
	Key(id string) (Key, error)
}

// Key is a public key of a vendor.
type Key struct {
	ID        string
	Algorithm string // the only one it is for; "" for any that fits its type
	Public    crypto.PublicKey
}

// StaticKeys are keys that do not change.
type StaticKeys []Key

// Key returns the first key with that id.
func (s StaticKeys) Key(id string) (Key, error) {
	if i := slices.IndexFunc(s, func(k Key) bool { return k.ID == id }); i >= 0 {
		return s[i], nil
	}
	return Key{}, fmt.Errorf("%w: none of %d keys has the token's key id", ErrMismatch, len(s))
}

// Verify checks the token; it needs no secrets and ignores them.
func (j JWT) Verify(_ []Secret, r Request) (string, error) {
	if j.Keys == nil || j.Issuer == "" || j.Audience == "" {
		return "", fmt.Errorf("%w: keys, issuer or audience of the token are not configured", ErrUndecided)
	}
	token, err := j.token(r)
	if err != nil {
		return "", err
	}
	payload, err := j.signed(token)
	if err != nil {
		return "", err
	}
	if err := j.judge(payload, r.Now); err != nil {
		return "", err
	}
	return JWTSecretID, nil
}

// token finds the token and refuses what is none before anything is decoded.
func (j JWT) token(r Request) (string, error) {
	token, where := string(Bare(r.Body)), "the body"
	if j.Header != "" {
		var err error
		if token, err = one(r.Header, j.Header); err != nil {
			return "", err
		}
		where = "header " + j.Header
		if len(token) > maxHeaderToken {
			return "", fmt.Errorf("%w: %s has %d bytes, want at most %d", ErrMismatch, where, len(token), maxHeaderToken)
		}
	}
	if token == "" {
		return "", fmt.Errorf("%w: %s is empty", ErrUnsigned, where)
	}
	header, _, ok := parts(token)
	switch {
	case !ok:
		return "", fmt.Errorf("%w: %s is no token of three parts", ErrMismatch, where)
	case len(header) > maxTokenHeader:
		return "", fmt.Errorf("%w: the token's first part has %d bytes, want at most %d", ErrMismatch, len(header), maxTokenHeader)
	}
	return token, nil
}

// signed checks the signature and returns the claims, which nobody reads before.
// Of the token's own header only alg and kid count; it may name keys or addresses
// of keys, and a stranger would.
func (j JWT) signed(token string) (payload, error) {
	parser := jwt.NewParser(jwt.WithValidMethods(j.algorithms()), jwt.WithStrictDecoding(), jwt.WithoutClaimsValidation())
	var claims payload
	_, err := parser.ParseWithClaims(token, &claims, j.key)
	switch {
	case err == nil:
		return claims, nil
	case errors.Is(err, ErrUndecided):
		return nil, fmt.Errorf("%w: the vendor's keys are not available", ErrUndecided)
	}
	return nil, fmt.Errorf("%w: the token's signature, algorithm or key is not right", ErrMismatch) // the library's text may quote the token
}

// judge checks the claims of a token whose signature is right. iss, aud and exp must
// be there; a missing iat is accepted, since exp alone bounds the age.
func (j JWT) judge(p payload, now time.Time) error {
	claims, err := readClaims(p)
	if err != nil {
		return fmt.Errorf("%w: the token's claims cannot be read: %w", ErrMismatch, err)
	}
	err = jwt.NewValidator(
		jwt.WithIssuer(j.Issuer), jwt.WithAudience(j.Audience), jwt.WithExpirationRequired(), jwt.WithIssuedAt(),
		jwt.WithLeeway(min(max(j.Leeway, 0), MaxLeeway)), jwt.WithTimeFunc(func() time.Time { return now }),
	).Validate(claims)
	switch {
	case errors.Is(err, jwt.ErrTokenInvalidIssuer), errors.Is(err, jwt.ErrTokenInvalidAudience), errors.Is(err, jwt.ErrTokenRequiredClaimMissing):
		return fmt.Errorf("%w: the token's iss, aud or exp is missing or of another receiver", ErrMismatch)
	case errors.Is(err, jwt.ErrTokenExpired), errors.Is(err, jwt.ErrTokenNotValidYet), errors.Is(err, jwt.ErrTokenUsedBeforeIssued):
		return fmt.Errorf("%w: the token is expired or of the future", ErrStale)
	case err != nil:
		return fmt.Errorf("%w: the token's claims are not right", ErrMismatch)
	}
	return nil
}

// key is called by the parser, after it has checked the algorithm.
func (j JWT) key(t *jwt.Token) (any, error) {
	id, ok := t.Header["kid"].(string)
	_, critical := t.Header["crit"]
	switch {
	case !ok || !validKeyID(id):
		return nil, fmt.Errorf("%w: the token names no key", ErrMismatch)
	case critical:
		return nil, fmt.Errorf("%w: the token wants extensions to be understood", ErrMismatch)
	}
	k, err := j.Keys.Key(id)
	if err != nil {
		return nil, err
	}
	if !k.fits(t.Method.Alg()) {
		return nil, fmt.Errorf("%w: the key is for another algorithm", ErrMismatch)
	}
	return k.Public, nil
}

// fits binds an algorithm to a type of key: one that serves two could be used in
// a way that its owner never meant.
func (k Key) fits(algorithm string) bool {
	if k.Algorithm != "" && k.Algorithm != algorithm {
		return false
	}
	switch p := k.Public.(type) {
	case *rsa.PublicKey:
		return (algorithm == "RS256" || algorithm == "PS256") && p.N.BitLen() >= minRSABits && p.N.BitLen() <= maxRSABits
	case *ecdsa.PublicKey:
		return algorithm == "ES256" && p.Curve == elliptic.P256()
	}
	return false
}

// Usable reports whether any algorithm fits the key.
func (k Key) Usable() bool {
	return validKeyID(k.ID) && slices.ContainsFunc(Algorithms(), k.fits)
}

// validKeyID bounds what is looked up. A key id is never a path or a query.
func validKeyID(id string) bool {
	for i := range len(id) {
		if id[i] <= ' ' || id[i] > '~' {
			return false
		}
	}
	return id != "" && len(id) <= maxKeyID
}

func (j JWT) algorithms() []string {
	known := Algorithms()
	if len(j.Algorithms) == 0 {
		return known[:1]
	}
	return slices.DeleteFunc(slices.Clone(j.Algorithms), func(a string) bool { return !slices.Contains(known, a) })
}

// Traits: a token covers the body where it is the body.
func (j JWT) Traits() Traits {
	t := Traits{
		Kind: KindJWT, Setting: "jwt", Header: j.Header, BindsBody: j.Header == "", Keyless: true, SecretID: JWTSecretID,
		Check: j.check, Ready: j.ready, Configure: j.configure, MakeKey: j.makeKey, Token: j.TokenOf, Claim: j.Claim,
		Description: "`jwt`: a token that the vendor signs with a key of its own, as the body",
		Prompt:      "token as body, key ",
	}
	if j.Header != "" {
		t.IsEvent = j.Claim != ""
		t.Description = "`jwt` with `header`: the same kind of token in the header `" + j.Header + "`"
		t.Prompt = "token in " + j.Header + ", key "
	}
	if j.Claim != "" {
		t.Description += "; the claim `" + j.Claim + "` holds the event"
	}
	return t
}

// configure takes what is a customer's own of a token. Where it is, and under which
// claim the event is, the vendor decides.
func (j JWT) configure(s Settings) Scheme {
	j.Issuer, j.Audience, j.Algorithms, j.Leeway, j.Keys = s.Issuer, s.Audience, s.Algorithms, s.Leeway, s.Keys
	return j
}

// ready reports whether the keys are there and up to date; true for keys that do not
// change.
func (j JWT) ready() bool {
	r, ok := j.Keys.(interface{ Ready() bool })
	return j.Keys != nil && (!ok || r.Ready())
}

// payload keeps the claims as they are until the signature has been checked.
type payload []byte

// UnmarshalJSON keeps the bytes, which the decoder has found to be JSON.
func (p *payload) UnmarshalJSON(b []byte) error {
	*p = bytes.Clone(b)
	return nil
}

// The parser asks its claims for these only to judge them, which it does not.
func (p *payload) GetExpirationTime() (*jwt.NumericDate, error) { return nil, nil }
func (p *payload) GetIssuedAt() (*jwt.NumericDate, error)       { return nil, nil }
func (p *payload) GetNotBefore() (*jwt.NumericDate, error)      { return nil, nil }
func (p *payload) GetIssuer() (string, error)                   { return "", nil }
func (p *payload) GetSubject() (string, error)                  { return "", nil }
func (p *payload) GetAudience() (jwt.ClaimStrings, error)       { return nil, nil }

// Bare is a text without what senders leave around it: white space, and a byte order mark in front.
func Bare(text []byte) []byte {
	return bytes.TrimSpace(bytes.TrimPrefix(text, []byte("\xef\xbb\xbf")))
}

// Claims decodes the claims of a token without judging it: for a reader of
// deliveries that were proved when they came. What Bare drops around it is dropped.
func Claims(token []byte) ([]byte, error) {
	_, claims, ok := parts(string(Bare(token)))
	if !ok {
		return nil, errors.New("auth: no token of three parts")
	}
	decoded, err := base64.RawURLEncoding.Strict().DecodeString(claims)
	if err != nil {
		return nil, errors.New("auth: the token's claims are not base64url")
	}
	return decoded, nil
}

// parts cuts a token at its two dots; false if there are other characters in it
// than a token has, line breaks, which decoders pass over, included.
func parts(token string) (header, claims string, ok bool) {
	var dots [2]int
	n := 0
	for i := range len(token) {
		switch c := token[i]; {
		case c == '.' && n < len(dots):
			dots[n] = i
			n++
		case c == '.' || c == '~' || !unreserved(c):
			return "", "", false
		}
	}
	if n < len(dots) {
		return "", "", false
	}
	return token[:dots[0]], token[dots[0]+1 : dots[1]], true
}
