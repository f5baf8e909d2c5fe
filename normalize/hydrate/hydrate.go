// Package hydrate asks vendors' APIs for what their webhooks do not say. It reads tasks that the
// normaliser wrote, fetches the objects outside of any transaction, stores every answer as a record of
// its own, and then maps, claims and publishes as the normaliser does, with the normaliser's worker.
//
// A task that has to wait, for its time or for its vendor's API, stays where it is in the log; what is kept of it
// in memory is small and bounded. Later tasks pass it, so a slow vendor holds up nobody: the group's offset
// stays before the first task that is open, and what lies behind that and is done with is passed over when it is
// read again. So a task is written once more for its answer and not for its failures, however many those are.
//
// The wait topic is of earlier releases, which wrote waiting tasks there. What is in it is put back.
//
// The task topic holds earlier copies of each task. When they are read again they are passed over where the
// raw record has its final disposition: nobody is asked, nothing is written, the offsets advance.
//
// It judges no sender, knows no vendor (package providers does), and asks for nothing that no task names.
package hydrate

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"github.com/kycbridge/kycbridge/internal/secret"
	"github.com/kycbridge/kycbridge/normalize"
	"github.com/kycbridge/kycbridge/providers"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// DefaultGroup is the consumer group of the stage, for both of its topics.
const DefaultGroup = "kycbridge-hydrate"

// waitSuffix goes into the transactional ids of the workers that read the wait topic.
const waitSuffix = "-wait"

// Endpoint is one endpoint whose vendor's API may be asked.
type Endpoint struct {
	Name              string
	Provider          providers.Provider // with Hydration
	Environment       kycv1.Environment
	BaseURL, TokenURL string // "": the vendor's
	Internal          bool   // private addresses are allowed
	Credentials       Credentials
}

// Credentials authenticate us at an API; which ones depends on the scheme.
type Credentials struct {
	Scheme       providers.APIScheme
	Key          secret.Value
	User         string
	Password     secret.Value
	ClientID     string
	ClientSecret secret.Value
}

// Options configures a Hydrator. Zero values take the defaults.
type Options struct {
	// Stage is what the workers need as any stage does; its Sessions open gathering ones over the task
	// topic. Group, ID, Stage, Source and Metrics are set here.
	Stage normalize.Options
	// Wait opens sessions over the wait topic.
	Wait normalize.Sessions
	// Tasks reads committed records of one partition of the task topic again, from an offset on, until fn
	// wants no more. Safe for concurrent use.
	Tasks func(ctx context.Context, partition int32, from int64, fn func(*kgo.Record) (more bool)) error

	Endpoints   []Endpoint
	Concurrency int           // requests under way at once to one endpoint's API; 4
	Rate        float64       // requests a second to one endpoint's API; 10
	Timeout     time.Duration // of one request; 10 s
	GiveUpAfter time.Duration // age of a delivery from which it goes without its object; 6 h
	MaxResponse int64         // bytes of one answer; 1 MiB

	RetryFirst    time.Duration // pause after the first failure, doubled with each further one; 1 s
	AskAgainAfter time.Duration // what an API is given that may lag behind its own webhook; 5 s

	Resolver *net.Resolver // nil: the system's
}

func (o Options) withDefaults() Options {
	o.Concurrency = positive(o.Concurrency, 4)
	o.Rate = positive(o.Rate, 10)
	o.Timeout = positive(o.Timeout, 10*time.Second)
	o.GiveUpAfter = positive(o.GiveUpAfter, 6*time.Hour)
	o.MaxResponse = positive(o.MaxResponse, 1<<20)
	o.RetryFirst = positive(o.RetryFirst, time.Second)
	o.AskAgainAfter = positive(o.AskAgainAfter, 5*time.Second)
	o.Stage.Batch = positive(o.Stage.Batch, defaultBatch)
	if o.Stage.Logger == nil {
		o.Stage.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Stage.Registerer == nil {
		o.Stage.Registerer = prometheus.NewRegistry()
	}
	return o
}

func positive[N int | int64 | float64 | time.Duration](n, otherwise N) N {
	if n > 0 {
		return n
	}
	return otherwise
}

// CheckEndpoints finds what is wrong with addresses and credentials, without touching the network.
func CheckEndpoints(all []Endpoint) error {
	var errs []error
	for _, e := range all {
		_, err := newAccount(e, Options{}.withDefaults())
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// Hydrator is the workers of one process.
type Hydrator struct {
	tasks, waits *normalize.Normalizer
	asker        *asker
}

// New makes a Hydrator without touching the network.
func New(o Options) (*Hydrator, error) {
	o = o.withDefaults()
	if o.Wait == nil || o.Tasks == nil {
		return nil, errors.New("hydrate: Wait and Tasks are required")
	}
	if o.Stage.Validator == nil || o.Stage.Claims == nil {
		return nil, errors.New("hydrate: Claims and Validator are required")
	}
	metrics, err := newMetrics(o.Stage.Registerer)
	if err != nil {
		return nil, fmt.Errorf("hydrate: metrics: %w", err)
	}
	a, err := newAsker(o, metrics)
	if err != nil {
		return nil, err
	}
	h := &Hydrator{asker: a}
	stage := o.Stage
	stage.Group, stage.ID, stage.Metrics = DefaultGroup, DefaultGroup, namespace
	stage.Stage = kycv1.Stage_STAGE_HYDRATE
	stage.Source = func(int) normalize.Source { return newSource(o, a, metrics) }
	if h.tasks, err = normalize.New(stage); err != nil {
		return nil, err
	}
	stage.ID, stage.Metrics, stage.Slots = DefaultGroup+waitSuffix, namespace+"_wait", 1
	stage.Sessions, stage.Log = o.Wait, nil
	stage.Claims, stage.Attempts, stage.Health, stage.Kept = nil, nil, nil, nil
	stage.Source = func(int) normalize.Source { return &returning{batch: waitBatch} }
	if h.waits, err = normalize.New(stage); err != nil {
		return nil, err
	}
	return h, nil
}

// Run works until ctx ends. It returns an error only for what waiting cannot cure.
func (h *Hydrator) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	defer h.asker.close()
	group.Go(func() error { return h.tasks.Run(ctx) })
	group.Go(func() error { return h.waits.Run(ctx) })
	return group.Wait()
}

// Ready is what is down; nil when every worker can work. A vendor's API that is down is no reason to
// be unready: its tasks wait.
func (h *Hydrator) Ready() error { return errors.Join(h.tasks.Ready(), h.waits.Ready()) }
