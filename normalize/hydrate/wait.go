package hydrate

import (
	"context"
	"time"

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

// Next holds and sorts a batch; see normalize.Source.
func (w *waiting) Next(ctx context.Context, in normalize.Input) ([]*normalize.Reading, error) {
	records, err := in.Poll(ctx, in.Limit, w.batch)
	if err != nil || len(records) == 0 {
		return nil, err
	}
	entries := make([]*entry, len(records))
	until := time.Time{}
	for i, r := range records {
		entries[i] = newEntry(in, r)
		until = later(until, earlier(entries[i].task.GetNotBefore().AsTime(), r.Timestamp.Add(w.reappend)))
	}
	passCopies(entries)
	_ = dedupe.Sleep(ctx, min(time.Until(until), w.reappend)) // clocks of writers may be ahead
	if ctx.Err() != nil {
		return nil, nil // the batch was not committed: whoever comes next reads it again
	}
	now := time.Now()
	readings := make([]*normalize.Reading, len(entries))
	for i, e := range entries {
		switch {
		case e.stand == unread:
			readings[i] = skip("unreadable", e)
		case e.stand == passed:
			readings[i] = skip(e.why, e)
		case now.Before(e.task.GetNotBefore().AsTime()):
			readings[i] = pass("waiting", schemas.HydrateWait, e)
		default:
			readings[i] = pass("due", schemas.Hydrate, e)
		}
	}
	return readings, nil
}
