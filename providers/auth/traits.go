package auth

import (
	"errors"
	"time"
)

// Kinds of the schemes of this package.
const (
	KindHMAC      = "hmac"
	KindBasic     = "basic"
	KindBearer    = "bearer"
	KindHeader    = "headers"
	KindPathToken = "path_tokens"
	KindJWT       = "jwt"
	KindNetworks  = "allow_from"
)

// Traits are what a scheme is, for those who handle schemes without knowing them:
// the configuration, `dev` and `send`, the suite of the vendors, the documents. They
// hold no secret.
type Traits struct {
	// Kind is the scheme's name, in errors and in the endpoints of `dev`.
	Kind string
	// Setting is the setting of an endpoint that asks for it: "secrets" for a vendor's
	// own signature. Where an endpoint also names a header there, that is Header.
	Setting string

	// Header is the header that holds the proof; "" where that is elsewhere, or in a
	// header of the customer's choice.
	Header string
	// IsEvent reports whether what Header holds is the delivery itself. The body beside it is
	// proved by nothing then, and the header, where another proof is asked for, neither.
	IsEvent bool
	// Path reports whether the proof is Request.PathToken.
	Path bool
	// BindsBody reports whether a changed body breaks the proof.
	BindsBody bool

	// Keyless reports whether the endpoint has no secret for it. SecretID is what its
	// Verify returns instead of the id of one.
	Keyless  bool
	SecretID string
	// SecondFactor reports whether it proves no sender and so cannot stand alone. Its
	// Verify returns no id.
	SecondFactor bool

	// Check returns what is wrong with a secret, without quoting it; nil for a scheme
	// that takes any. The function Check asks it.
	Check func(Secret) error
	// Ready reports whether a request can be judged at the moment; nil: always.
	Ready func() bool
	// Configure is the scheme with the customer's choices filled in; nil where there
	// are none. The function Configured asks it.
	Configure func(Settings) Scheme

	// FromPassword makes a secret of a password, such as "user:password"; nil where
	// the password is the secret. The method Value asks it.
	FromPassword func(password string) string
	// MakeKey makes a private key in PEM, for a scheme whose vendor signs with one;
	// nil where vendor and endpoint share the secret.
	MakeKey func() ([]byte, error)
	// Token makes a JWT of claims as they are, for tests of what must not be believed;
	// nil where the proof is no JWT. Claim is the one that holds the event; "" for none.
	Token func(s Secret, claims []byte) (string, error)
	Claim string

	// Description is its line on the vendor's page in docs/vendors: the setting, and what is proved how.
	Description string
	// Prompt stands in front of the secret, or of the key's file, where `dev` prints
	// what an endpoint wants.
	Prompt string
}

// Value is what a configuration has as the secret for a password.
func (t Traits) Value(password string) string {
	if t.FromPassword == nil {
		return password
	}
	return t.FromPassword(password)
}

// Settings are the choices a scheme may leave to the customer. Each scheme takes
// those that are its own.
type Settings struct {
	Header string // name of a header that the vendor lets the customer choose

	// What the claims and the key of a token must be, as in JWT.
	Issuer, Audience string
	Algorithms       []string
	Leeway           time.Duration
	Keys             Keys
}

// Configured is a vendor's scheme with the customer's choices filled in.
func Configured(pattern Scheme, s Settings) Scheme {
	if configure := pattern.Traits().Configure; configure != nil {
		return configure(s)
	}
	return pattern
}

// Check returns what is wrong with a secret for this scheme, without quoting it.
func Check(scheme Scheme, s Secret) error {
	if s.key == nil {
		return errors.New("auth: an empty secret")
	}
	if check := scheme.Traits().Check; check != nil {
		return check(s)
	}
	return nil
}
