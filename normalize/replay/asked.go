package replay

import (
	"context"
	"fmt"
	"slices"

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

// findTasks finds out which records of the stretch the hydrate stage was to have in hand, and has not. Only what is
// HYDRATING in the history is looked for. The history was read before the stage's offsets, and these before the
// topics, so whatever is not found now was disposed of meanwhile, which the history tells when it is read on, and
// the stage passes a copy over; or it is lost. What is handed over later is not looked for.
func (p *partition) findTasks(ctx context.Context) error {
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
	p.history.loseTasks()
	for i, base := range bases {
		err := p.o.Topics.Scan(ctx, base, p.number, record.ScanFrom{Offset: from[i]}, func(r normalize.RawRecord) error {
			task := &kycv1.HydrateTask{}
			if err := contract.Unmarshal(r.Value, task); err == nil {
				p.history.foundTask(task.GetRaw().GetOffset())
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("what the hydrate stage has in hand: %w", err)
		}
	}
	return nil
}

// anyHydrating reports whether the hydrate stage may have a record of the stretch in hand.
func (h *history) anyHydrating() bool {
	return slices.ContainsFunc(h.fates, func(f fate) bool { return f.is(fateHydrating) })
}

// loseTasks takes every task for lost that is not found hereafter.
func (h *history) loseTasks() {
	for i, f := range h.fates {
		if f.is(fateHydrating) {
			h.fates[i] |= fateLost
		}
	}
}

// foundTask notes that the task of a raw record is in hand.
func (h *history) foundTask(raw int64) {
	if i := h.index(raw); i >= 0 {
		h.fates[i] &^= fateLost
	}
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
