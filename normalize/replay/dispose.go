package replay

import (
	"context"
	"fmt"
	"slices"

	"github.com/kycbridge/kycbridge/internal/record"
	"github.com/kycbridge/kycbridge/normalize/dedupe"
	"github.com/kycbridge/kycbridge/providers"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// dispose decides the batch in hand and writes it in one transaction, again where it was aborted. What live traffic
// took over since it was claimed stays out.
func (p *partition) dispose(ctx context.Context) error {
	verdicts, err := p.verdicts(ctx)
	if err != nil {
		return err
	}
	taken := make([]bool, len(p.held))
	for n := 1; ; n++ {
		if err := p.confirm(ctx, verdicts, taken); err != nil {
			return err
		}
		tallies := p.tallies(verdicts, taken)
		out, err := p.records(verdicts, tallies)
		if err != nil {
			return err
		}
		committed, err := p.commit(ctx, out)
		switch {
		case err != nil:
			return err
		case committed:
			p.settled(tallies)
			return p.marks(ctx, verdicts)
		case n == tries:
			return fmt.Errorf("kafka refuses the transaction: %w", p.writer.AbortReason())
		}
		if pause(ctx, n) != nil {
			return ErrInterrupted
		}
	}
}

// tallies are what the report says of the batch in hand once it is committed.
func (p *partition) tallies(verdicts []dedupe.Verdict, taken []bool) []tally {
	all := make([]tally, len(p.held))
	for i, c := range p.held {
		all[i] = tally{outcome: outcome(c, verdicts[i], p.o.Mode == FillGaps), vendor: c.vendor}
		if taken[i] {
			all[i].outcome = TakenOver
		}
		if all[i].outcome == Emitted {
			all[i].events = int64(len(c.read.Events()))
		}
	}
	return all
}

// records are what the batch in hand becomes.
func (p *partition) records(verdicts []dedupe.Verdict, tallies []tally) (out []record.Outgoing, err error) {
	clear(p.unsure)
	now := p.o.Now()
	for i, c := range p.held {
		if !tallies[i].outcome.Writes() {
			continue
		}
		written, err := c.read.Records(verdicts[i], now)
		if err != nil {
			return nil, err
		}
		out = append(out, written...)
		p.unsure[c.raw.Offset] = tallies[i]
	}
	return out, nil
}

// settled reports what is committed.
func (p *partition) settled(tallies []tally) {
	clear(p.unsure)
	for _, t := range tallies {
		p.report.add(t)
	}
	p.safe(p.seen) // whatever becomes of the marks: repair writes them, too
}

// stillDead reports whether a record has a dead letter for the same reason already. It is not written
// again: it holds personal data, and each replay would extend how long that is kept.
func stillDead(c *chosen) bool {
	letter := c.read.Letter()
	return letter != nil && c.past.last == kycv1.DispositionKind_DISPOSITION_KIND_DEAD_LETTERED && c.past.reason == letter.GetReason()
}

// outcome names what becomes of a record.
func outcome(c *chosen, v dedupe.Verdict, fills bool) Outcome {
	switch {
	case c.past.hydrating && !c.anew:
		return WithHydrate
	case c.read == nil:
		return ObjectGone
	case c.anew:
		return Asked
	case c.read.Fetches() && !fills:
		return NeedsAPI
	case stillDead(c):
		return StillDead
	case v.Action == dedupe.Undecided:
		return Contended
	case v.Action == dedupe.Nothing:
		return NoGap
	case v.Action == dedupe.Duplicate && c.past.last == kycv1.DispositionKind_DISPOSITION_KIND_DUPLICATE:
		return NoGap // another record was told in place of the one that it was dropped for
	case v.Action == dedupe.Duplicate:
		return Duplicate
	case c.read.Letter() != nil:
		return DeadLettered
	case c.read.Fetches():
		return Asked
	}
	return Emitted
}

// verdicts decides the batch in hand: what is emitted again needs no claim, what fills a gap does.
func (p *partition) verdicts(ctx context.Context) ([]dedupe.Verdict, error) {
	verdicts := make([]dedupe.Verdict, len(p.held)) // what is rewritten has claimed before
	if p.o.Mode == ReEmit {
		for i, c := range p.held {
			if c.read != nil {
				verdicts[i] = p.repeat(c)
			}
		}
		return verdicts, nil
	}
	for i, c := range p.held {
		if c.anew {
			verdicts[i] = dedupe.Verdict{Action: dedupe.Publish}
		}
	}
	for stage, late := range p.ledgers {
		items, at := p.items(stage)
		if len(items) == 0 {
			continue
		}
		before := p.history.ends[stage]
		if err := late.Await(ctx, p.number, before); err != nil {
			return nil, err
		}
		decided, err := late.Claim(ctx, p.number, before, items)
		if err != nil {
			return nil, err
		}
		if err := p.believe(ctx, stage, at, decided); err != nil {
			return nil, err
		}
		for n, i := range at {
			verdicts[i] = decided[n]
		}
	}
	return verdicts, nil
}

// confirm looks at the claims once more, right before the batch is committed: a live copy takes over what takes too
// long. A duplicate of a record that is left is left as well.
func (p *partition) confirm(ctx context.Context, verdicts []dedupe.Verdict, taken []bool) error {
	if p.writer == nil {
		return nil
	}
	for stage, late := range p.ledgers {
		items, at := p.items(stage)
		decided := pick(verdicts, at)
		if err := late.Confirm(ctx, items, decided); err != nil {
			return err
		}
		left := map[int64]bool{}
		for n, i := range at {
			if decided[n].Action == dedupe.Undecided && verdicts[i].Action == dedupe.Publish {
				verdicts[i], taken[i] = decided[n], true
			}
			if taken[i] {
				left[items[n].Offset] = true
			}
		}
		for _, i := range at {
			if v := &verdicts[i]; v.Action == dedupe.Duplicate && v.Owner.State != dedupe.Done && left[v.Owner.Offset] {
				v.Action, taken[i] = dedupe.Undecided, true
			}
		}
	}
	return nil
}

// pick takes the verdicts at some places.
func pick(verdicts []dedupe.Verdict, at []int) []dedupe.Verdict {
	picked := make([]dedupe.Verdict, len(at))
	for n, i := range at {
		picked[n] = verdicts[i]
	}
	return picked
}

// believe returns dedupe.ErrWentBack where a mark stands for what no disposition says: it is written after the commit.
// Tasks come and go beside the offsets that are known here.
func (p *partition) believe(ctx context.Context, stage kycv1.Stage, at []int, decided []dedupe.Verdict) error {
	if stage != kycv1.Stage_STAGE_NORMALIZE {
		return nil
	}
	fresh := false
	for n, i := range at {
		v, offset := decided[n], p.held[i].raw.Offset
		switch {
		case v.CommittedIn(p.number):
			offset = v.Owner.Offset
		case v.Action != dedupe.Nothing:
			continue
		}
		if !p.history.told(offset) && !fresh {
			if err := p.history.read(ctx); err != nil {
				return err
			}
			fresh = true
		}
		if !p.history.told(offset) {
			return dedupe.WentBack("a mark says that raw offset %d was disposed of, and no disposition does", offset)
		}
	}
	return nil
}

// items are the records of the batch in hand that a stage would claim.
func (p *partition) items(stage kycv1.Stage) (items []dedupe.ReplayItem, at []int) {
	for i, c := range p.held {
		if c.read == nil || c.anew || stillDead(c) || stageOf(c) != stage {
			continue
		}
		dead := c.past.last == kycv1.DispositionKind_DISPOSITION_KIND_DEAD_LETTERED
		items = append(items, dedupe.ReplayItem{Item: c.read.Item(p.keys[stage]), Dead: dead})
		at = append(at, i)
	}
	return items, at
}

func stageOf(c *chosen) kycv1.Stage {
	if c.past.claimed >= 0 {
		return kycv1.Stage_STAGE_HYDRATE
	}
	return kycv1.Stage_STAGE_NORMALIZE
}

// repeat is the verdict about a record that was emitted: the same, under the key that was claimed then and with the
// flag of then. Older dispositions do not tell the flag; a conflict's key does.
func (p *partition) repeat(c *chosen) dedupe.Verdict {
	v := dedupe.Verdict{Action: dedupe.Publish, Keyed: c.past.keyed, Key: c.past.key, Flag: c.past.flag}
	item := c.read.Item(p.keys[stageOf(c)])
	for n, key := range keysOf(item) {
		if v.Keyed && v.Key == key && n%2 == 1 { // that of its own content
			v.Flag = dedupe.Conflict
		}
	}
	return v
}

// commit writes the transaction, if there is anything to write: (false, nil): it was aborted.
func (p *partition) commit(ctx context.Context, out []record.Outgoing) (bool, error) {
	if p.writer == nil || len(out) == 0 {
		return true, nil
	}
	committed, err := p.writer.Commit(ctx, out)
	if err != nil {
		return false, &unknownError{err}
	}
	if committed {
		p.report.Transactions++
	}
	return committed, nil
}

// marks writes the marks of what is committed. Until then the claims hold copies off.
func (p *partition) marks(ctx context.Context, verdicts []dedupe.Verdict) error {
	for stage, late := range p.ledgers {
		items, at := p.items(stage)
		decided := pick(verdicts, at)
		for n := 1; ; n++ {
			err := late.Done(ctx, items, decided)
			if err == nil {
				break
			}
			if n == tries || pause(ctx, n) != nil {
				return err
			}
		}
	}
	return nil
}

// vendorOf is a name for the report: only of vendors we know.
func vendorOf(e *kycv1.RawEnvelope, all []providers.Provider) string {
	if slices.ContainsFunc(all, func(p providers.Provider) bool { return p.Name == e.GetProvider() }) {
		return e.GetProvider()
	}
	return ""
}
