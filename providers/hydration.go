package providers

import (
	"regexp"
	"strings"
	"time"

	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// Hydration describes the API of a vendor whose webhooks say less than it. It is data:
// when to ask, and what to do about failures, is up to the hydrate stage.
type Hydration struct {
	// Required: without the object there is no event at all, and an endpoint of
	// this vendor must be configured for its API.
	Required bool
	// BaseURL is the vendor's own API, for live; a configuration may name another.
	BaseURL string
	// SandboxURL is the same for sandbox; "" where it is BaseURL.
	SandboxURL string
	// Auth is how credentials are presented.
	Auth APIAuth
	// Environments are the vendor's words for "{environment}" in a path. nil:
	// "live" and "sandbox".
	Environments map[kycv1.Environment]string
	// Objects are the kinds of object that can be asked for.
	Objects map[string]APIObject
	// Needs names the object that a delivery needs; false: it needs none.
	Needs func(d *Delivery, n *Notice) (Target, bool)
	// Check reports whether a successful answer, a JSON object, is the object that
	// was asked for; nil believes any. What is refused is asked for again. The
	// error never quotes the answer.
	Check func(t Target, body []byte) error
	// Interval is the least time between two requests to one account; 0: none.
	Interval time.Duration
	// AskAgain: a 404, or a state that was emitted before, is asked for once more
	// before it is believed, since the API may lag behind the webhook.
	AskAgain bool
}

// Target names one object of a vendor's API.
type Target struct {
	Kind string // a key of Hydration.Objects
	ID   string // from the delivery, so from outside; see ValidObjectID
}

// APIObject is where objects of one kind are.
type APIObject struct {
	// Path is appended to the base address; "{id}" stands for the escaped id and
	// "{environment}" for the vendor's word, see Hydration.Environments.
	Path string
	// OrElse is the kind under which an id that is unknown here is asked for next.
	OrElse string
}

// APIAuth is a way to present credentials to an API.
type APIAuth struct {
	// Scheme is one of the constants below.
	Scheme APIScheme
	// TokenURL is where client credentials are exchanged for a token; the same for
	// sandbox in SandboxTokenURL.
	TokenURL, SandboxTokenURL string
}

// APIScheme names a way to present credentials.
type APIScheme uint8

const (
	// APIKey: the key alone in the header Authorization.
	APIKey APIScheme = iota
	// APIBearer: "Bearer" and the key.
	APIBearer
	// APIBasic: HTTP Basic of a user and a password.
	APIBasic
	// APIClientCredentials: OAuth 2 client credentials, then a bearer token.
	APIClientCredentials
)

// Fetched is how asking the vendor's API for an object ended.
type Fetched struct {
	Result kycv1.FetchResult // FETCHED, NOT_FOUND, GONE or GAVE_UP
	Kind   string            // of the object, as in Hydration.Objects
	Body   []byte            // the vendor's answer, byte for byte; set on FETCHED
	At     time.Time         // when the API gave its last answer
}

// unusable is the problem of a delivery that says nothing without its object; nil
// where there is something to map, or where nobody has asked yet.
func (f *Fetched) unusable(title string) error {
	switch {
	case f == nil:
		return nil
	case f.Result == kycv1.FetchResult_FETCH_RESULT_NOT_FOUND:
		return &Problem{Detail: "the API of " + title + " does not know the object", Err: ErrHydrationFailed}
	case f.Result == kycv1.FetchResult_FETCH_RESULT_GAVE_UP:
		return &Problem{Detail: "the API of " + title + " gave no usable answer in the time there was", Err: ErrHydrationFailed}
	}
	return nil
}

// Environment is the vendor's word for an environment.
func (h *Hydration) Environment(e kycv1.Environment) string {
	if word := h.Environments[e]; word != "" {
		return word
	}
	if e == kycv1.Environment_ENVIRONMENT_LIVE {
		return "live"
	}
	return "sandbox"
}

var objectID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$`)

// ValidObjectID reports whether an id from outside may go into a URL: escaping
// alone does not stop "..".
func ValidObjectID(id string) bool { return objectID.MatchString(id) && !strings.Contains(id, "..") }
