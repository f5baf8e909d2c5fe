// Package providers says what a vendor is: how its deliveries are recognised,
// where the id of their partition key stands, what makes two of them the same,
// and how they turn into domain events. A vendor is one value of type Provider,
// in a folder of its own; see README.md for how to add one.
//
// It is not a framework: nothing here reads a clock, a network or a file, keeps
// anything from one delivery to the next, or names a topic. It does not judge
// who sent a delivery (package auth does) nor whether it came before (the
// normaliser does, with the Identity made here).
package providers

import (
	"io/fs"
	"net/http"
	"regexp"
	"slices"
	"time"

	"github.com/kycbridge/kycbridge/providers/auth"
	"github.com/kycbridge/kycbridge/schemas"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// Delivery is one webhook as the raw envelope keeps it.
type Delivery struct {
	Endpoint    string // name of the configured endpoint
	Tenant      string
	Environment kycv1.Environment
	ContentType string
	Headers     http.Header // the kept ones, canonical names
	Body        []byte      // byte for byte what arrived, or the value of the EventHeader
	ReceivedAt  time.Time
	Fetched     *Fetched // how asking the vendor's API ended; nil while it was not asked
	// ReferenceAsIs: the endpoint lets the customer's own reference leave as it came, in
	// subject.customer_reference. Mappers need not look: Map sees to it.
	ReferenceAsIs bool
}

// Provider is one vendor. Everything about it is data, except for the few pure
// functions that read its format. All functions may be called concurrently, keep
// no reference to the delivery, and answer the same for the same bytes.
type Provider struct {
	// Name is the vendor in lower case: folder, configuration, metadata.provider.
	Name string
	// Title is the vendor as people write it.
	Title string
	// MapperVersion is "<name>/<n>"; n grows when equal deliveries give other events.
	MapperVersion string
	// Scheme is the vendor's own signature, what the secrets of an endpoint are for;
	// nil where the vendor has none.
	Scheme auth.Scheme
	// Proofs are the other ways in which an endpoint may have its sender proved. They
	// are patterns: a configuration fills in what is the customer's choice, such as
	// the name of a Header or the keys of a JWT.
	Proofs []auth.Scheme
	// Ack is what the vendor wants to hear, and how soon.
	Ack Ack
	// Limits bound a body, and what it may become.
	Limits Limits
	// KeepHeaders is the allow-list of headers that go into the raw envelope,
	// canonical names. Never one that holds a credential.
	KeepHeaders []string
	// Key returns the id in the partition key, read by a token scan: what Parse
	// would find at the same place. "" when it cannot be read, AccountLevel for a
	// notice that has no subject.
	Key func(d *Delivery) string
	// Parse reads a delivery as far as all of its types share. It returns a
	// *Problem: ErrMalformed, ErrRejectedContent, ErrMismatch, ErrInvalid, or ErrUnmapped
	// where it alone can say what came.
	Parse func(d *Delivery) (*Notice, error)
	// Maps holds one function for each event type, by Notice.MapAs.
	Maps map[string]MapFunc
	// Hydration says which object of the vendor's API a delivery needs and how it
	// is asked for. nil: the webhook carries all there is.
	Hydration *Hydration
	// Verdicts are the paths of the words a verdict is read from, such as
	// "payload.outcome". The conformance suite puts unknown words there.
	Verdicts []string
	// IDs is the shape of the vendor's ids as it documents them, anchored at both ends,
	// where they are neither UUIDs nor hex digits: see Gate. nil: there are no others.
	IDs *regexp.Regexp
	// Spellings are the names of events, as the vendor documents them, that are no key of
	// Maps in another case or with other blanks: older ones, and misspelled ones.
	Spellings []string
	// Words are those of the vendor's words, as it documents them, that have blanks and are
	// not names of events: see KnowsWord.
	Words []string
	// Vary makes a fresh delivery out of a fixture: the same n gives the same
	// new event and object ids, another n gives others.
	Vary func(body []byte, n uint64) []byte
	// Testdata is the embedded folder "testdata": one folder for each fixture.
	Testdata fs.FS
	// Stories is the embedded folder "stories": one file for each Story, which the
	// simulator tells. nil: it sends the fixtures.
	Stories fs.FS
}

// Ways are all in which a sender can be proved, the vendor's own first.
func (p *Provider) Ways() []auth.Scheme {
	if p.Scheme == nil {
		return p.Proofs
	}
	return append([]auth.Scheme{p.Scheme}, p.Proofs...)
}

// EventHeader is the header, canonical, in which the event may come instead of the body; ""
// where there is none.
func (p *Provider) EventHeader() string {
	for _, way := range p.Ways() {
		if t := way.Traits(); t.IsEvent {
			return http.CanonicalHeaderKey(t.Header)
		}
	}
	return ""
}

// FixtureEnvironment is that of an endpoint which takes fixtures and stories: those that
// name one say sandbox, since what is made up must not look like somebody.
const FixtureEnvironment = kycv1.Environment_ENVIRONMENT_SANDBOX

// Ack is a vendor's rule for the answer.
type Ack struct {
	// Success is the status code that stops retries; 0 means 200.
	Success int
	// Limit is how long the vendor waits for it; 0 where it does not say.
	Limit time.Duration
	// RetryFor is how long after the first attempt the vendor still tries again, by
	// the shortest it says; 0 where it does not say. An outage beyond it loses
	// deliveries.
	RetryFor time.Duration
	// FinalStatuses are those after which the vendor does not try again.
	FinalStatuses []StatusRange
}

// StatusRange is a range of HTTP status codes, both ends included.
type StatusRange struct{ From, To int }

// Final reports whether the vendor gives up after an answer with this status.
func (a Ack) Final(status int) bool {
	return slices.ContainsFunc(a.FinalStatuses, func(r StatusRange) bool {
		return r.From <= status && status <= r.To
	})
}

// The vendor's limit counts from its side, so some of it is lost on the way.
const (
	ackMargin        = 2 * time.Second
	ackBudgetUnknown = 3 * time.Second
)

// Budget is how long our own work on one delivery may take.
func (a Ack) Budget() time.Duration {
	if a.Limit <= ackMargin {
		return ackBudgetUnknown
	}
	return a.Limit - ackMargin
}

// Code is the status code of a success.
func (a Ack) Code() int {
	if a.Success == 0 {
		return http.StatusOK
	}
	return a.Success
}

// Notice is a delivery after Parse.
type Notice struct {
	// ID is the vendor's id of the event, at most 128 characters; "" without one.
	ID string
	// Type is the vendor's event type in its own spelling, as Word leaves it.
	Type string
	// MapAs is the key of Provider.Maps. A type without an entry is unmapped.
	MapAs string
	// Identity is what makes two deliveries the same. Empty: nothing is claimed,
	// every delivery is one of its own.
	Identity Identity
	// Content is the canonical form of what is said: see Canonical.
	Content []byte
	// Doc is the parsed body.
	Doc *Value

	hash   [32]byte // of hashed, which is Content once ContentHash was asked
	hashed []byte
}

// MapFunc turns a parsed delivery into events. It is pure. It returns a *Problem
// (ErrInvalid, ErrMismatch) for a delivery that must not become an event.
type MapFunc func(d *Delivery, n *Notice) (Mapping, error)

// Mapping is what a delivery means.
type Mapping struct {
	// Events in a fixed order; at least one. A mapper sets in their metadata only
	// subject, occurred_at, vendor_sequence, flow_id, flow_version and
	// vendor_attributes; Complete fills the rest.
	Events []schemas.DomainEvent
	// Incomplete: the vendor's API knows more than this delivery.
	Incomplete bool
	// Drift is what was new to us, at most maxDrift entries.
	Drift []Drift

	references map[string]string // that left as their digests, by those
}

// Drift is something a vendor sent that the mapping does not know.
type Drift struct {
	// Kind is ours and from a small set: "outcome", "status", "field" and so on.
	// It may label a metric.
	Kind string `json:"kind"`
	// Word is the vendor's, bounded and on one line. It never labels a metric.
	Word string `json:"word,omitempty"`
}

// maxDrift bounds what one delivery can report.
const maxDrift = 32

// Note records drift, each once. Notes beyond the limit are dropped.
func (m *Mapping) Note(kind, word string) {
	if d := (Drift{Kind: kind, Word: Word(word)}); len(m.Drift) < maxDrift && !slices.Contains(m.Drift, d) {
		m.Drift = append(m.Drift, d)
	}
}

// Add appends an event.
func (m *Mapping) Add(e schemas.DomainEvent) { m.Events = append(m.Events, e) }

// Map applies the mapper of the notice's type; ErrUnmapped where there is none,
// ErrHydrationFailed where the vendor's object is required and cannot be had. The
// customer's reference is as the endpoint wants it.
func (p *Provider) Map(d *Delivery, n *Notice) (Mapping, error) {
	if p.Hydration != nil && p.Hydration.Required {
		if err := d.Fetched.unusable(p.Title); err != nil {
			return Mapping{}, err
		}
	}
	f, ok := p.Maps[n.MapAs]
	if !ok {
		return Mapping{}, &Problem{Field: "type", Detail: "no mapping for this event type; if it is new at " + p.Title + ", add it to Maps", Err: ErrUnmapped}
	}
	m, err := f(d, n)
	if err == nil && d.ReferenceAsIs {
		m.asIs()
	}
	return m, err
}

// Needs names the object that would complete a mapping of the webhook alone;
// false where none would.
func (p *Provider) Needs(d *Delivery, n *Notice, m Mapping) (Target, bool) {
	if p.Hydration == nil || !m.Incomplete {
		return Target{}, false
	}
	return p.Hydration.Needs(d, n)
}
