package simulate

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/kycbridge/kycbridge/ingest"
	"github.com/kycbridge/kycbridge/normalize"
	"github.com/kycbridge/kycbridge/normalize/dedupe"
	"github.com/kycbridge/kycbridge/normalize/normalizetest"
	"github.com/kycbridge/kycbridge/providers"
	"github.com/kycbridge/kycbridge/providers/auth"
	"github.com/kycbridge/kycbridge/providers/complycube"
	"github.com/kycbridge/kycbridge/schemas"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
	"github.com/kycbridge/kycbridge/sink"
)

// claimTTL is how long claims are kept: 14 days, as by default.
const claimTTL = 14 * 24 * time.Hour

// redisAddress is a number, since the client asks the resolver for a name, which is outside of the bubble.
const redisAddress = "127.0.0.1:6379"

// process is one life of an ingest or a normaliser.
type process struct {
	name  string
	kafka *normalizetest.Line
	redis *normalizetest.Line
	front *wires // of an ingest: its vendors
	toKfk *wires
	toRds *wires

	cancel context.CancelFunc
	over   chan struct{} // it is dead, or has ended; what a dead one still does reaches nobody
	once   sync.Once
	err    error

	mu    sync.Mutex
	clock time.Duration // how far its wall clock is off
}

func (p *process) end(err error) {
	p.once.Do(func() { p.err = err; close(p.over) })
}

var errKilled = errors.New("killed")

// kill ends it at once: nothing it still wants to say arrives.
func (p *process) kill() {
	p.kafka.Cut()
	p.redis.Cut()
	if p.front != nil {
		p.front.drop()
	}
	p.cancel()
	p.end(errKilled)
}

func (p *process) freeze(frozen bool) {
	p.kafka.Freeze(frozen)
	p.redis.Freeze(frozen)
}

func (p *process) now() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return time.Now().Add(p.clock)
}

// newProcess makes the lines of a new life.
func (w *world) newProcess(name string) (*process, context.Context) {
	w.mu.Lock()
	w.lives++
	life := w.lives
	w.mu.Unlock()
	p := &process{name: fmt.Sprintf("%s.%d", name, life), over: make(chan struct{})}
	p.toKfk = newWires(w.plan.seed+uint64(life)<<8, 8*time.Millisecond)
	p.toRds = newWires(w.plan.seed+uint64(life)<<8+1, 8*time.Millisecond)
	p.kafka = w.undertaker.LineOver(p.toKfk.over(w.dialKafka), p.name)
	p.redis = normalizetest.LineOver(p.toRds.over(w.redis.dial))
	ctx, cancel := context.WithCancel(w.ctx)
	p.cancel = cancel
	return p, ctx
}

// startNormalizer opens what the command opens and runs it.
func (w *world) startNormalizer(instance int) (*process, error) {
	p, ctx := w.newProcess(hostName(instance))
	kafka := w.kafkaOptions(p.name, p.kafka.Dial)
	store, err := dedupe.NewStore(dedupe.StoreOptions{Addresses: []string{redisAddress}, TTL: claimTTL, EvictionChecked: true, Dialer: p.redis.Dial})
	if err != nil {
		return nil, err
	}
	reader, err := openBoth(ctx, store, kafka)
	if err != nil {
		p.kill()
		return nil, errors.Join(err, store.Close())
	}
	n, err := normalize.New(w.normalizeOptions(instance, kafka, store, reader))
	if err != nil {
		return nil, err
	}
	w.wg.Go(func() {
		err := n.Run(ctx)
		reader.Close()
		p.end(errors.Join(err, store.Close()))
	})
	return p, nil
}

// openBoth asks both servers for a sign of life before any slot does. It also spares the slots the first
// connection to Redis, during which the client holds a lock that would hold the bubble's clock.
func openBoth(ctx context.Context, store *dedupe.Store, kafka sink.Options) (*sink.Reader, error) {
	limited, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	for {
		err := store.Check(limited)
		if err == nil {
			return sink.OpenReader(ctx, kafka)
		}
		if !wait(limited, time.Second) {
			return nil, err
		}
	}
}

func (w *world) normalizeOptions(instance int, kafka sink.Options, store *dedupe.Store, reader *sink.Reader) normalize.Options {
	o := normalize.Options{
		Instance: instance, Slots: w.plan.slots, TTL: claimTTL, Rule: w.rule,
		Claims: store, Health: store, Providers: []providers.Provider{complycube.Provider}, Validator: w.rules,
		Log:    normalizetest.Log{Reader: reader, Group: normalize.DefaultGroup, Base: schemas.Raw},
		Logger: kafka.Logger,
		Sessions: normalizetest.Opens(func(ctx context.Context, id string, watch normalize.Watch) (normalize.Slot, error) {
			_, dispositions, err := reader.Partitions(ctx, schemas.DispositionTopic)
			if err != nil {
				return normalize.Slot{}, err
			}
			so := sink.SessionOptions{Group: normalize.DefaultGroup, Input: schemas.Raw}
			return normalizetest.OpenSlot(ctx, kafka, so, id, watch, normalize.Slot{DispositionID: dispositions})
		}),
	}
	if w.plan.slots == 1 { // see the package comment
		o.Attempts = store
	}
	return o
}

// startIngest opens what the command opens and serves.
func (w *world) startIngest(number int) (*process, error) {
	p, ctx := w.newProcess(hostName(normalizers + number))
	p.front = w.front[number]
	listener, err := w.network.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", ingestPort+number))
	if err != nil {
		return nil, err
	}
	kafka := w.kafkaOptions(p.name, p.kafka.Dial)
	log, err := sink.OpenRawLog(ctx, kafka, sink.RawLogOptions{DeliveryTimeout: complycube.Provider.Ack.Budget() + time.Second})
	if err != nil {
		p.kill()
		return nil, errors.Join(err, listener.Close())
	}
	server, err := ingest.New(ingest.Options{
		Log: log, Now: p.now, Logger: kafka.Logger,
		Endpoints: []ingest.Endpoint{{
			Name: endpointName, Tenant: "default", Environment: kycv1.Environment_ENVIRONMENT_LIVE, Provider: complycube.Provider,
			Proofs: auth.Proofs{{Scheme: complycube.Provider.Scheme, Secrets: []auth.Secret{w.vendors.secret}}},
		}},
	})
	if err != nil {
		return nil, err
	}
	w.wg.Go(func() { // a dead process's port is free at once
		<-p.over
		_ = listener.Close()
	})
	w.wg.Go(func() { p.end(server.Run(ctx, listener)) })
	return p, nil
}
