package replay

import (
	"context"
	"errors"
	"fmt"

	"github.com/kycbridge/kycbridge/internal/contract"
	"github.com/kycbridge/kycbridge/internal/record"
	"github.com/kycbridge/kycbridge/normalize"
	"github.com/kycbridge/kycbridge/schemas"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// What needs a vendor's API that nobody has asked, or that never answered, is handed to the hydrate stage:
// its task is written with a disposition HYDRATING, and the stage does the rest. A task that was lost is
// written again as it was, and the stage takes both for copies of one, should it not be lost after all. A
// task for a record that was done with carries the label of the replay, which makes it another one.

// findTasks finds out which records of the stretch the hydrate stage has in hand. Only what is HYDRATING in
// the history is looked for. The history was read before the stage's offsets, and these before the topics,
// so whatever is not found now was disposed of meanwhile, and the stage then passes a copy over; or lost.
func (p *partition) findTasks(ctx context.Context) error {
	p.tasks = nil
	if p.o.Mode != FillGaps || p.o.Topics.Waiting == nil || !p.history.anyHydrating() {
		return nil
	}
	bases := []string{schemas.Hydrate, schemas.HydrateWait}
	from := make([]int64, len(bases))
	for i, base := range bases {
		at, err := p.o.Topics.Waiting(ctx, base)
		if err != nil {
			return fmt.Errorf("what the hydrate stage has in hand: %w", err)
		}
		from[i] = at[p.number]
	}
	found := map[int64]bool{}
	for i, base := range bases {
		err := p.o.Topics.Scan(ctx, base, p.number, record.ScanFrom{Offset: from[i]}, func(r normalize.RawRecord) error {
			task := &kycv1.HydrateTask{}
			if err := contract.Unmarshal(r.Value, task); err == nil {
				found[task.GetRaw().GetOffset()] = true
			}
			return nil
		})
		if err != nil && !errors.Is(err, errEnough) {
			return fmt.Errorf("what the hydrate stage has in hand: %w", err)
		}
	}
	p.tasks = found
	return nil
}

func (h *history) anyHydrating() bool {
	for i := range h.all {
		if h.all[i].hydrating {
			return true
		}
	}
	return false
}

// unanswered reports whether a record became a dead letter of the hydrate stage though nothing is known of what
// the vendor's API says. With a claim of its own it stays one: the stage would take that claim for another
// record's.
func (p *partition) unanswered(c *chosen, in answered, kept bool) bool {
	open := c.read == nil || c.read.Letter() != nil
	return p.o.Mode == FillGaps && open && !c.past.hydrating && c.past.claimed >= 0 && !c.past.keyed &&
		(!kept || in.task.GetFetchResult() == kycv1.FetchResult_FETCH_RESULT_GAVE_UP)
}

// again takes a reading whose API is to be asked, and labels its task.
func (c *chosen) again(r *normalize.Reading, label string) {
	if f, ok := r.Outcome.(*normalize.Fetch); ok {
		f.Label = label
		c.read, c.anew = r, true
	}
}
