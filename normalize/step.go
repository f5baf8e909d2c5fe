package normalize

import (
	"context"

	"github.com/kycbridge/kycbridge/normalize/dedupe"
)

// step takes one batch through all of it, each step in the file of its name:
//
//	repair     partitions that came to us      a crash leaves a true watermark; the next owner goes on
//	poll                                       nothing happened yet
//	interpret  pure                            nothing happened yet
//	claim      one pipeline to Redis           claims that name real records; the retry knows its own
//	commit     events, dead letters,           all or nothing: readers at read_committed see none of
//	           dispositions, offsets           an aborted attempt, and the next owner reads again
//	mark       with the next batch's claims    dispositions without marks: the next repair writes them
//
// ctx ends polling; work ends what is under way, a grace later. It reports whether it committed.
func (w *worker) step(ctx, work context.Context) (bool, error) {
	if err := w.repair(ctx); err != nil || ctx.Err() != nil {
		return false, err
	}
	defer w.unshare()
	next, err := w.gather(ctx, work)
	if err != nil {
		return false, err
	}
	switch next := next.(type) {
	case Process:
		return w.process(ctx, work, next)
	case GiveBack:
		return false, w.giveBack(ctx, work, next)
	default:
		return false, w.mark(ctx)
	}
}

// gather polls for the source until it wants something else.
func (w *worker) gather(ctx, work context.Context) (Next, error) {
	clear(w.polled)
	w.inHand = 0
	in := Input{
		Slot: w.slot, PoisonPill: w.guard.isPoisonPill,
		Disposed: func(tasks []Task) ([]bool, error) { return w.disposed(work, tasks) },
	}
	var next Next = w.source.Begin()
	for {
		poll, more := next.(Poll)
		if !more {
			return next, nil
		}
		in.Singly = w.readsSingly()
		records, suspicious, err := w.poll(ctx, poll)
		switch {
		case err != nil:
			return nil, err
		case w.moved(records):
			return GiveBack{}, nil
		case suspicious: // before a record is looked at: it may be one that kills
			return GiveBack{}, nil
		}
		if next, err = w.source.Take(ctx, in, records); err != nil {
			return nil, stopError{err}
		}
	}
}

// process decides a batch and writes it.
func (w *worker) process(ctx, work context.Context, p Process) (bool, error) {
	readings := p.Readings
	w.progress.took(readings[0].In.Time)
	w.metrics.batch.Observe(float64(len(readings)))
	b := w.batch(readings)
	if len(b.items) > 0 {
		verdicts, err := w.claim(work, b.items)
		if err != nil {
			return false, w.giveBack(ctx, work, GiveBack{Cause: err})
		}
		b.decide(verdicts)
	}
	b.offsets = p.Offsets
	committed, err := w.commit(work, b)
	if err == nil && !committed {
		w.undo()
		w.aborted(ctx)
	}
	return committed, err
}

// batch is what a Source returned, on its way through a transaction.
type batch struct {
	readings []*Reading
	verdicts []dedupe.Verdict // one for each reading; of no meaning where nothing is decided
	items    []dedupe.Item    // the readings that are to be decided
	at       []int            // and which they are
	offsets  map[int32]int64  // see Process
}

func (w *worker) batch(readings []*Reading) *batch {
	b := &batch{
		readings: readings, verdicts: make([]dedupe.Verdict, len(readings)),
		items: make([]dedupe.Item, 0, len(readings)), at: make([]int, 0, len(readings)),
	}
	for i, r := range readings {
		if d, ok := r.Outcome.(*DeadLetter); ok && d.Stack != nil {
			w.log.Error("mapping a record panicked; it becomes a dead letter", "partition", r.In.Partition, "offset", r.In.Offset, "stack", string(d.Stack))
		}
		if r.decided() {
			b.items, b.at = append(b.items, r.Item(w.keys)), append(b.at, i)
		}
	}
	return b
}

func (b *batch) decide(verdicts []dedupe.Verdict) {
	for n, v := range verdicts {
		b.verdicts[b.at[n]] = v
	}
}

// giveBack returns a batch that could not be decided, and waits where waiting helps.
func (w *worker) giveBack(ctx, work context.Context, back GiveBack) error {
	if back.Singly {
		w.readSingly()
	}
	if err := w.slot.Session.Rewind(work); err != nil {
		return w.judge(err)
	}
	w.undo()
	return w.judgeStore(ctx, back.Cause)
}
