package simulate

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/kycbridge/kycbridge/ingest"
	"github.com/kycbridge/kycbridge/internal/secret"
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

// The right pepper, and one that somebody configured by mistake.
const pepper, wrongPepper = "pepper of the deployment", "pepper of another one"

// process is one life of an ingest, a normaliser or a replay.
type process struct {
	name  string
	kafka *normalizetest.Line
	redis *normalizetest.Line
	front *wires // of an ingest: its vendors
	toKfk *wires
	toRds *wires

	base   time.Duration // how far its wall clock is off
	pepper string
	older  bool // it has the mappings of an earlier version

	cancel context.CancelFunc
	over   chan struct{} // it is dead, or has ended; what a dead one still does reaches nobody
	once   sync.Once
	err    error

	mu    sync.Mutex
	clock time.Duration // how far its wall clock jumped, beside base
	skip  int           // so many records are passed over
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

// newProcess makes the lines of a new life.
func (w *world) newProcess(name string) (*process, context.Context) {
	w.mu.Lock()
	w.lives++
	life := w.lives
	w.mu.Unlock()
	p := &process{name: fmt.Sprintf("%s.%d", name, life), over: make(chan struct{})}
	p.base, p.pepper, p.older = w.plan.clockOf(name), pepper, w.elapsed() < w.plan.older
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
	kafka := w.kafkaOf(p)
	p.pepper = w.hosts[instance].nextPepper()
	store, err := w.openStore(p)
	if err != nil {
		return nil, err
	}
	reader, err := openBoth(ctx, store, kafka)
	if err != nil {
		p.kill()
		return nil, errors.Join(err, store.Close())
	}
	n, err := normalize.New(w.normalizeOptions(p, instance, kafka, store, reader))
	if err != nil {
		return nil, err
	}
	w.wg.Go(func() {
		err := n.Run(ctx)
		w.notePepper(p, err)
		reader.Close()
		p.end(errors.Join(err, store.Close()))
	})
	return p, nil
}

func (w *world) openStore(p *process) (*dedupe.Store, error) {
	return dedupe.NewStore(dedupe.StoreOptions{Addresses: []string{redisAddress}, TTL: claimTTL, EvictionChecked: true, Dialer: p.redis.Dial})
}

// notePepper notes who was refused for its pepper.
func (w *world) notePepper(p *process, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case !errors.Is(err, dedupe.ErrPepper):
	case p.pepper == pepper:
		w.wrong = append(w.wrong, fmt.Sprintf("%s was refused: %v", p.name, err))
	default:
		w.refused++
	}
}

// mappings are what a process knows of its vendor.
func (p *process) mappings() []providers.Provider {
	if !p.older {
		return []providers.Provider{complycube.Provider}
	}
	old := complycube.Provider
	old.MapperVersion = "complycube/0"
	old.Maps = maps.Clone(old.Maps)
	delete(old.Maps, lateType)
	return []providers.Provider{old}
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

func (w *world) normalizeOptions(p *process, instance int, kafka sink.Options, store *dedupe.Store, reader *sink.Reader) normalize.Options {
	o := normalize.Options{
		Instance: instance, Slots: w.plan.slots, TTL: claimTTL, Rule: w.mutant.rule, Now: p.now, Pepper: secret.Of(p.pepper),
		Claims: store, Health: store, Providers: p.mappings(), Validator: w.rules,
		Log:    normalizetest.Log{Reader: reader, Group: normalize.DefaultGroup, Base: schemas.Raw},
		Logger: kafka.Logger,
		Sessions: normalizetest.Opens(func(ctx context.Context, id string, watch normalize.Watch) (normalize.Slot, error) {
			_, dispositions, err := reader.Partitions(ctx, schemas.DispositionTopic)
			if err != nil {
				return normalize.Slot{}, err
			}
			so := sink.SessionOptions{Group: normalize.DefaultGroup, Input: schemas.Raw, Gather: true}
			slot, err := normalizetest.OpenSlot(ctx, kafka, so, id, watch, normalize.Slot{DispositionID: dispositions})
			if err == nil {
				slot.Session = &session{slot.Session.(*sink.Session), w, p}
			}
			return slot, err
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
	kafka := w.kafkaOf(p)
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
