package sink

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/oauth"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

// The mechanisms of SASL, by the names Kafka has for them.
const (
	Plain       = "PLAIN"
	ScramSHA256 = "SCRAM-SHA-256"
	ScramSHA512 = "SCRAM-SHA-512"
	OAuthBearer = "OAUTHBEARER"
)

// SASL is how every connection authenticates; the zero value: not at all. It prints
// without its secrets.
type SASL struct {
	Mechanism string // one of the constants above
	Username  string // of PLAIN and SCRAM, with Password
	// Password gives the password that is valid now. It is asked for each
	// authentication.
	Password func() string
	// Token gives a token that is valid now, for OAUTHBEARER. It is asked for
	// each authentication, which brokers may want again from time to time.
	Token func(ctx context.Context) (string, error)
}

// Format serves every verb of fmt and shows no secret.
func (s SASL) Format(f fmt.State, _ rune) { _, _ = fmt.Fprintf(f, "[SASL %s]", s.Mechanism) }

// options gives the client's options for s.
func (s SASL) options() []kgo.Opt {
	if m := s.mechanism(); m != nil {
		return []kgo.Opt{kgo.SASL(m)}
	}
	return nil
}

func (s SASL) mechanism() sasl.Mechanism {
	switch s.Mechanism {
	case Plain:
		return plain.Plain(func(context.Context) (plain.Auth, error) {
			return plain.Auth{User: s.Username, Pass: s.Password()}, nil
		})
	case ScramSHA256:
		return scram.Sha256(s.scram)
	case ScramSHA512:
		return scram.Sha512(s.scram)
	case OAuthBearer:
		return oauth.Oauth(func(ctx context.Context) (oauth.Auth, error) {
			token, err := s.Token(ctx)
			if err != nil {
				return oauth.Auth{}, fmt.Errorf("%w: %w", ErrToken, err)
			}
			return oauth.Auth{Token: token}, nil
		})
	}
	return nil
}

func (s SASL) scram(context.Context) (scram.Auth, error) {
	return scram.Auth{User: s.Username, Pass: s.Password()}, nil
}

// validate checks what can be checked without a network.
func (s SASL) validate() error {
	switch {
	case s.Mechanism == "":
		return nil
	case s.Mechanism == OAuthBearer && s.Token != nil:
		return nil
	case s.Mechanism == OAuthBearer:
		return fmt.Errorf("kafka.sasl: %s needs a source of tokens", OAuthBearer)
	case s.mechanism() == nil:
		return fmt.Errorf("kafka.sasl: mechanism %q is unknown: use %s, %s, %s or %s", s.Mechanism, Plain, ScramSHA256, ScramSHA512, OAuthBearer)
	case s.Username == "" || s.Password == nil || s.Password() == "":
		return fmt.Errorf("kafka.sasl: %s needs a username and a password", s.Mechanism)
	}
	return nil
}
