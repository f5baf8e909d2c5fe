package hydrate

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kycbridge/kycbridge/normalize"
	"github.com/kycbridge/kycbridge/normalize/dedupe"
	"github.com/kycbridge/kycbridge/schemas"
)

const waitBatch = 200

// waiting is the wait topic. It holds one batch until each of its tasks is due or has lain long enough,
// puts the due ones back and writes the others again.
type waiting struct {
	batch int
	// reappend is how long a task that is not due lies in the topic before it is written there again:
	// often enough that offsets advance, seldom enough that it costs little.
	reappend time.Duration
}

// Begin implements normalize.Source.
func (w *waiting) Begin() normalize.Poll { return normalize.Poll{Max: w.batch} }

// Take implements normalize.Source: it holds and sorts a batch.
func (w *waiting) Take(ctx context.Context, in normalize.Input, polled []*kgo.Record) (normalize.Next, error) {
	if len(polled) == 0 {
		return normalize.Idle{}, nil
	}
	entries := make([]*entry, len(polled))
	until := time.Time{}
	for i, r := range polled {
		entries[i] = newEntry(in, r)
		until = later(until, earlier(entries[i].task.GetNotBefore().AsTime(), r.Timestamp.Add(w.reappend)))
	}
	passCopies(entries)
	_ = dedupe.Sleep(ctx, min(time.Until(until), w.reappend)) // clocks of writers may be ahead
	if ctx.Err() != nil {
		return normalize.Idle{}, nil // the batch was not committed: whoever comes next reads it again
	}
	readings := make([]*normalize.Reading, len(entries))
	for i, e := range entries {
		var err error
		if readings[i], err = w.reading(e, time.Now()); err != nil {
			return nil, err
		}
	}
	return normalize.Process{Readings: readings}, nil
}

// reading is what becomes of a task whose batch is over.
func (w *waiting) reading(e *entry, now time.Time) (*normalize.Reading, error) {
	switch {
	case e.state == unread:
		return skip("unreadable", e), nil
	case e.state == passed:
		return skip(e.why, e), nil
	case now.Before(e.task.GetNotBefore().AsTime()):
		return forward("waiting", schemas.HydrateWait, e)
	}
	return forward("due", schemas.Hydrate, e)
}
