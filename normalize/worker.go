package normalize

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/kycbridge/kycbridge/internal/record"
	"github.com/kycbridge/kycbridge/normalize/dedupe"
	"github.com/kycbridge/kycbridge/providers"
)

const (
	closeLimit   = 5 * time.Second // how long the group may take to let us go
	backoffFirst = 100 * time.Millisecond
	backoffLast  = 5 * time.Second
)

// worker is one slot: a sequential loop over one session after the other. Nothing of it but state,
// owned and progress is touched by another goroutine.
type worker struct {
	o        Options
	id       string // its transactional id
	log      *slog.Logger
	source   Source
	keys     dedupe.Keyer
	metrics  *metrics
	state    state
	owned    *ownership
	wakeup   Wakeup // ends a poll: partitions came or went, or a repair ended
	session  context.Context
	repairs  *repairs
	turns    chan struct{}            // see repairs
	writes   *dedupe.Queue            // of the process's repairs
	recalled map[int32]*dedupe.Recall // see recall
	aside    map[int32]bool           // partitions whose repair waits for a record of theirs
	ailing   map[int32]*ailing        // those that cannot be repaired
	begun    map[int32]*record.Place  // those of which it is decided where they are read from
	flowing  map[int32]bool           // those that are not held
	moving   bool                     // one of them could not be moved yet to where it is read from
	withheld map[int32]bool           // those that cannot be processed; see withhold
	progress progress
	polled   map[int32]int64 // per partition, the last record of this step
	inHand   int             // records of this step
	singly   map[int32]int64 // partitions that are polled record by record, up to this offset

	slot    Slot
	ledger  *dedupe.Ledger
	away    time.Time // since when the store has not answered; zero: it answers
	missed  time.Time // when it last did not
	retry   time.Time // when it is asked again while events go out without it
	pause   backoff   // between questions to the store
	refused backoff   // between transactions that Kafka does not take
	guard   guard
	size    size          // of batches
	shared  func()        // gives alone back; nil: it is not held
	alone   *sync.RWMutex // held for writing by the slot whose record must be alone in the process
}

func newWorker(o Options, slot int) *worker {
	w := &worker{
		o: o, id: TransactionalID(o.ID, o.Instance, slot), polled: map[int32]int64{}, singly: map[int32]int64{},
		log:  o.Logger.With("slot", slot),
		keys: dedupe.NewKeyer([]byte(o.Pepper.Reveal())).WithFormer(o.Former),
	}
	if o.Source != nil {
		w.source = o.Source(slot)
	} else {
		w.source = &rawSource{batch: growing{most: o.Batch, limits: o.Bounds}, reads: NewInterpreter(o.Providers, o.Validator, InterpreterOptions{
			StaleAfter: o.TTL, MaxRecordBytes: o.MaxRecordBytes, Hydrates: o.Hydrates, ReferenceAsIs: o.ReferenceAsIs, Forms: o.Forms,
			Gate: providers.NewGate([]byte(o.Pepper.Reveal())),
		})}
	}
	w.guard.store = o.Attempts
	w.state.set(errStarting)
	return w
}

// stopError is what a worker cannot cure by trying again.
type stopError struct{ error }

func (e stopError) Unwrap() error { return e.error }

// run opens sessions until ctx ends, each time with the same transactional id.
func (w *worker) run(ctx context.Context) error {
	pause := backoff{}
	for ctx.Err() == nil {
		worked, err := w.live(ctx)
		var stop stopError
		switch {
		case errors.As(err, &stop):
			w.state.set(err)
			return err
		case ctx.Err() != nil || err == nil:
			return nil
		}
		if worked {
			pause = backoff{}
		}
		w.state.set(&placed{topic: w.slot.Topic, err: fmt.Errorf("%w: %w", ErrSession, err)})
		w.log.Warn("Kafka session ended; opening a new one", "topic", w.slot.Topic, "error", err)
		w.metrics.reopened.Inc()
		_ = dedupe.Sleep(ctx, pause.next())
	}
	return nil
}

// live is one session from open to close. It reports whether it got as far as committing.
func (w *worker) live(ctx context.Context) (worked bool, err error) {
	if w.o.Claims != nil {
		w.awaitStore(ctx)
	}
	w.state.set(&placed{topic: w.slot.Topic, err: errJoining})
	w.forgetAll()
	watch := w.owned
	w.slot, err = w.o.Sessions.Open(ctx, w.id, Watch{Assigned: watch.assigned, Revoked: watch.revoked, Placed: watch.placed})
	if err != nil {
		return false, w.judge(err)
	}
	defer w.close(w.slot)
	w.lose(nil)
	if w.slot.TopicID == [16]byte{} {
		w.slot.TopicID = w.slot.RawTopicID
	}
	w.ledger = w.newLedger()
	var end context.CancelFunc
	w.session, end = context.WithCancel(ctx)
	defer w.repairs.stop()
	defer end()
	work, cancel := Outlive(ctx, w.o.Grace)
	defer cancel()
	defer func() {
		if ctx.Err() != nil {
			w.guard.rest(context.WithoutCancel(ctx)) // a graceful shutdown is no death
		}
	}()
	for ctx.Err() == nil {
		ok, err := w.step(ctx, work)
		worked = worked || ok
		if err != nil {
			return worked, err
		}
	}
	if err := w.ledger.Flush(work); err != nil {
		w.log.Info("marks left for the next repair", "error", err)
	}
	return worked, nil
}

// forgetAll begins anew, as a session does.
func (w *worker) forgetAll() {
	w.owned, w.repairs = newOwnership(&w.wakeup), newRepairs(w.turns, &w.wakeup)
	w.aside, w.withheld, w.ailing = map[int32]bool{}, map[int32]bool{}, map[int32]*ailing{}
	w.begun, w.flowing = map[int32]*record.Place{}, map[int32]bool{}
	w.recalled = map[int32]*dedupe.Recall{}
	clear(w.singly)
	w.progress.reset()
	w.guard.alone = nil
}

// close leaves the group, but does not wait for ever for a group that does not answer: opening the
// next session under the same transactional id fences this one.
func (w *worker) close(slot Slot) {
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		slot.Close()
	}()
	timer := time.NewTimer(closeLimit)
	defer timer.Stop()
	select {
	case <-closed:
	case <-timer.C:
		w.log.Warn("the consumer group does not answer; leaving without its answer")
	}
}

func (w *worker) newLedger() *dedupe.Ledger {
	o := dedupe.LedgerOptions{
		Group: w.o.Group, Stage: w.o.Stage, TopicID: w.slot.TopicID, DispositionID: w.slot.DispositionID,
		TTL: w.o.TTL, Wait: w.o.Wait, Rule: w.o.Rule,
		Pepper: w.keys.PepperID(), AnyPepper: w.o.AnyPepper,
		Former: w.o.Former, Now: w.o.Now, Repairs: w.writes,
	}
	if w.o.Log != nil { // a worker that never decides has none
		o.History, o.Bounds = w.o.Log.History, w.o.Log.Bounds
	}
	return dedupe.NewLedger(timed{w.o.Claims, w.o.Kept, w.metrics.redis}, o)
}

// judge decides what an error of the session means for the worker.
func (w *worker) judge(err error) error {
	switch w.o.Sessions.Judge(err) {
	case Stop:
		return stopError{err}
	case Twin:
		return stopError{fmt.Errorf("fenced: another process runs with --instance %d (transactional id %s); give each process its own number: %w", w.o.Instance, w.id, err)}
	}
	return err
}

// Outlive returns a context that ends grace after ctx, so that the batch in hand can be finished.
func Outlive(ctx context.Context, grace time.Duration) (context.Context, context.CancelFunc) {
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		timer := time.AfterFunc(grace, cancel)
		context.AfterFunc(work, func() { timer.Stop() })
	})
	return work, func() { stop(); cancel() }
}

// backoff grows from backoffFirst to backoffLast.
type backoff struct{ last time.Duration }

func (b *backoff) next() time.Duration {
	b.last = min(max(2*b.last, backoffFirst), backoffLast)
	return b.last
}
