package ingest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/textproto"
	"regexp"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/kycbridge/kycbridge/internal/record"
	"github.com/kycbridge/kycbridge/providers"
	"github.com/kycbridge/kycbridge/providers/auth"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// What an Options field left at zero becomes.
const (
	DefaultMaxBody         = 1 << 20  // bytes of one body
	DefaultMaxRequests     = 5000     // proved deliveries that wait for their answers at a time
	DefaultMaxWaitingBytes = 64 << 20 // bytes of their bodies held at a time
	// DefaultMaxUnprovedBytes is the least of what strangers may hold. It is more where bodies may be larger.
	DefaultMaxUnprovedBytes = 32 << 20
	DefaultMaxHeaderBytes   = 16 << 10 // as many as other servers take; a token in a header has half of it
	DefaultEventsPerSecond  = 2000     // of one endpoint; an eighth of what one normaliser does

	DefaultReadHeaderTimeout = 5 * time.Second
	DefaultReadTimeout       = 15 * time.Second
	DefaultIdleTimeout       = 120 * time.Second // longer than senders and load balancers keep a connection, so that they close it, not we
	DefaultDrainDelay        = 5 * time.Second
	DefaultFlushTimeout      = 5 * time.Second
	DefaultRetryAfter        = 5 * time.Second
)

// answerTime is what an answer may take on its way out once it is decided.
const answerTime = time.Second

// A rawLog keeps deliveries. Append never blocks; it calls done exactly once,
// with nil only after the record is durable, possibly before it returns and
// possibly long after the request was answered; the envelope, encoded, is the
// log's until then. Down says why the log cannot be written to at the moment. Close
// writes what is buffered, within ctx.
type rawLog interface {
	Append(key, envelope []byte, headers []record.Header, done func(error))
	Down() error
	Close(ctx context.Context) error
}

// An Endpoint is one address that one account of one vendor sends to.
type Endpoint struct {
	Name        string // last part of the path, [a-z0-9-]{1,63}; part of every event's identity
	Tenant      string
	Environment kycv1.Environment
	Provider    providers.Provider
	Proofs      auth.Proofs // every one must pass
	MaxBody     int64       // bytes; 0 means DefaultMaxBody

	// EventsPerSecond is about how much work it may bring, see quota; 0 means DefaultEventsPerSecond.
	EventsPerSecond int

	// AllowUnauthenticated takes deliveries without any proof of who sent them.
	// Without it Proofs must hold one.
	AllowUnauthenticated bool
}

// Options is what New needs. Endpoints and Log are required; every number at
// zero takes its default.
type Options struct {
	Endpoints []Endpoint
	Log       rawLog

	TLS            *TLS           // nil: plain HTTP
	TrustedProxies []netip.Prefix // whose X-Forwarded-For is believed

	MaxRequests      int   // proved deliveries that wait for the raw log; more are answered 503 at once
	MaxWaitingBytes  int64 // bytes of their bodies; beyond, 503 at once
	MaxUnprovedBytes int64 // what connections hold before their senders are proved, see room
	MaxHeaderBytes   int

	// MaxUnprovedConnections is how many connections may be there whose senders are not
	// proved; 0: as many as MaxUnprovedBytes allows.
	MaxUnprovedConnections int

	ReadHeaderTimeout time.Duration
	ReadTimeout       time.Duration
	IdleTimeout       time.Duration
	DrainDelay        time.Duration // unready but still serving before the listener closes; negative means none
	FlushTimeout      time.Duration // for the raw log's last writes
	RetryAfter        time.Duration // sent with every 503, in whole seconds

	// UnreadyWhileLogDown takes the process out of rotation during a Kafka
	// outage. Off, it stays in and answers 503 with Retry-After. With an empty
	// rotation, the load balancer would decide what vendors are answered.
	UnreadyWhileLogDown bool

	// Guard, where it is not nil, stands before the handler and may refuse requests.
	Guard func(http.Handler) http.Handler

	Logger     *slog.Logger          // nil: nothing is logged
	Registerer prometheus.Registerer // nil: nothing is registered
	Now        func() time.Time      // wall clock for received_at and signatures; nil means time.Now
}

// Grace is how long a graceful shutdown may take, from the end of Run's context to its
// return. The orchestrator's grace period must be longer.
func (o Options) Grace() time.Duration {
	o = o.withDefaults()
	return max(o.DrainDelay, 0) + o.largestBudget() + answerTime + o.FlushTimeout
}

func (o Options) largestBudget() time.Duration {
	var largest time.Duration
	for _, e := range o.Endpoints {
		largest = max(largest, e.Provider.Ack.Budget())
	}
	return largest
}

func (o Options) largestBody() (largest int64) {
	for _, e := range o.Endpoints {
		largest = max(largest, cmp.Or(e.MaxBody, DefaultMaxBody))
	}
	return largest
}

// leastShare is room for one body that grows, twice for a moment, and for its connection.
func leastShare(largestBody int64) int64 { return 2*largestBody + 2*placeCost }

// strangerShare is what one source may hold of the room: half of it, or what the largest body takes.
func strangerShare(room, largestBody int64) int64 { return max(room/2, leastShare(largestBody)) }

func (o Options) withDefaults() Options {
	orDefault(&o.MaxRequests, DefaultMaxRequests)
	orDefault(&o.MaxWaitingBytes, DefaultMaxWaitingBytes)
	orDefault(&o.MaxUnprovedBytes, max(DefaultMaxUnprovedBytes, 4*leastShare(o.largestBody())))
	orDefault(&o.MaxUnprovedConnections, max(1, int(o.MaxUnprovedBytes/placeCost)))
	orDefault(&o.MaxHeaderBytes, DefaultMaxHeaderBytes)
	orDefault(&o.ReadHeaderTimeout, DefaultReadHeaderTimeout)
	orDefault(&o.ReadTimeout, DefaultReadTimeout)
	orDefault(&o.IdleTimeout, DefaultIdleTimeout)
	orDefault(&o.DrainDelay, DefaultDrainDelay)
	orDefault(&o.FlushTimeout, DefaultFlushTimeout)
	orDefault(&o.RetryAfter, DefaultRetryAfter)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	o.Endpoints = slices.Clone(o.Endpoints)
	for i := range o.Endpoints {
		orDefault(&o.Endpoints[i].MaxBody, DefaultMaxBody)
	}
	return o
}

func orDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

var endpointName = regexp.MustCompile(`^[a-z0-9-]{1,63}$`)

// neverKept lists headers that carry secrets. No envelope may hold them, whatever a
// provider asks for.
var neverKept = []string{"Authorization", "Proxy-Authorization", "Cookie"}

// validate reports everything that is wrong at once.
func (o Options) validate() error {
	var problems []error
	if o.Log == nil {
		problems = append(problems, errors.New("ingest: no raw log"))
	}
	if len(o.Endpoints) == 0 {
		problems = append(problems, errors.New("ingest: no endpoint; configure at least one"))
	}
	problems = append(problems, o.CheckLimits())
	seen := map[string]bool{}
	for _, e := range o.Endpoints {
		if seen[e.Name] {
			problems = append(problems, fmt.Errorf("ingest: two endpoints are named %q; give each its own name", e.Name))
		}
		seen[e.Name] = true
		if err := e.validate(); err != nil {
			problems = append(problems, fmt.Errorf("ingest: endpoint %q: %w", e.Name, err))
		}
	}
	return errors.Join(problems...)
}

// CheckLimits reports which of the limits are out of range or do not fit each other.
func (o Options) CheckLimits() error {
	var problems []error
	if o.MaxRequests < 0 || o.MaxWaitingBytes < 0 || o.MaxUnprovedBytes < 0 || o.MaxUnprovedConnections < 0 || o.MaxHeaderBytes < 0 {
		problems = append(problems, fmt.Errorf("ingest: a limit is negative (requests %d, waiting bytes %d, unproved bytes %d, unproved connections %d, header bytes %d); leave it out for its default",
			o.MaxRequests, o.MaxWaitingBytes, o.MaxUnprovedBytes, o.MaxUnprovedConnections, o.MaxHeaderBytes))
	}
	if least := 2 * leastShare(o.largestBody()); o.MaxUnprovedBytes > 0 && o.MaxUnprovedBytes < least {
		problems = append(problems, fmt.Errorf("ingest: %d bytes before proof are not enough for two of the largest bodies, %d bytes; raise ingest.max_unproved_bytes to at least %d, or leave it out", o.MaxUnprovedBytes, o.largestBody(), least))
	}
	for _, e := range o.Endpoints {
		// A growing buffer exists twice for a moment.
		if limit := o.withDefaults().MaxWaitingBytes; cmp.Or(e.MaxBody, DefaultMaxBody) > limit/2 {
			problems = append(problems, fmt.Errorf("ingest: endpoint %q: body limit %d is more than half of the %d bytes that may wait; lower it, or raise ingest.max_waiting_body_bytes", e.Name, e.MaxBody, limit))
		}
	}
	return errors.Join(problems...)
}

func (e Endpoint) validate() error {
	switch p := e.Provider; {
	case !endpointName.MatchString(e.Name):
		return errors.New("the name must be 1 to 63 of a-z, 0-9 and -")
	case !e.Proofs.Prove() && !e.AllowUnauthenticated:
		return errors.New("nothing authenticates its sender, so anybody could post to it; configure a proof, or allow_unauthenticated: true")
	case e.Proofs.Prove() && e.AllowUnauthenticated:
		return errors.New("it authenticates its sender, so it cannot allow anybody as well")
	case e.MaxBody < 0:
		return fmt.Errorf("body limit %d is negative; leave it out for %d bytes", e.MaxBody, int64(DefaultMaxBody))
	case p.Key == nil:
		return fmt.Errorf("provider %q has no key rule", p.Name)
	case p.Ack.Final(http.StatusServiceUnavailable):
		return fmt.Errorf("provider %q gives up after a 503, the answer when something is down", p.Name)
	case p.Ack.Code() < 200 || p.Ack.Code() > 299:
		return fmt.Errorf("provider %q has success code %d; it must be 200 to 299", p.Name, p.Ack.Code())
	}
	for _, name := range e.Provider.KeepHeaders {
		if slices.Contains(neverKept, textproto.CanonicalMIMEHeaderKey(name)) {
			return fmt.Errorf("provider %q keeps the header %s, which may hold a secret", e.Provider.Name, name)
		}
	}
	return nil
}
