package replay

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/kycbridge/kycbridge/internal/contract"
	"github.com/kycbridge/kycbridge/internal/record"
	"github.com/kycbridge/kycbridge/normalize"
	"github.com/kycbridge/kycbridge/normalize/dedupe"
	"github.com/kycbridge/kycbridge/schemas"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// far is how many dispositions are read over before a new place is gone to: as much as an answer of Kafka holds.
const far = 8192

// history is the past of a stretch of one raw partition. It is read once, from where its first record was disposed
// of, and then read on as the topic grows. It takes 8 bytes for each offset of the stretch, 16 for each of its
// spans, and what a page takes, however many dispositions there are.
type history struct {
	p     *partition
	spans []span
	at    []int64 // index in fates of each span's first offset
	fates []fate
	next  int64 // of the disposition topic: what lies before is taken up
	// ends are the offsets after the last disposition of each stage: up to there its marks must be.
	ends    map[kycv1.Stage]int64
	highest int64 // raw offset that the normaliser has disposed of

	upto    int            // the page's end, an index in fates
	details map[int64]past // of the page, by place; nil: not read yet
}

// newHistory returns a history in which nothing has happened.
func (p *partition) newHistory(spans []span) *history {
	h := &history{p: p, spans: spans, at: make([]int64, len(spans)), ends: map[kycv1.Stage]int64{}, highest: -1}
	n := int64(0)
	for i, s := range spans {
		h.at[i] = n
		n += s.to - s.from
	}
	h.fates = make([]fate, n)
	return h
}

// index is where the fate of a raw offset is; -1: it is not in the stretch.
func (h *history) index(offset int64) int {
	i := spanOf(h.spans, offset)
	if i < 0 {
		return -1
	}
	return int(h.at[i] + offset - h.spans[i].from)
}

// scan gives the dispositions of the partition from a place on, up to the end that the topic has now. What
// cannot be read is nobody's.
func (h *history) scan(ctx context.Context, from record.ScanFrom, fn func(at int64, d *kycv1.Disposition) error) error {
	err := h.p.o.Topics.Scan(ctx, schemas.DispositionTopic, h.p.number, from, func(r normalize.RawRecord) error {
		d := &kycv1.Disposition{}
		if err := contract.Unmarshal(r.Value, d); err != nil {
			return nil
		}
		return fn(r.Offset, d)
	})
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

// ours reports whether a disposition is of this life of the raw topic, or of one that its records were copied from
// with their offsets.
func (h *history) ours(d *kycv1.Disposition) bool {
	return dedupe.SameOffsets(h.p.o.Former, h.p.o.Topics.RawID, dedupe.TopicID(d.GetRawTopicId())) && d.GetRaw().GetPartition() == h.p.number
}

// formerly reports whether a disposition is of a raw topic that the deployment had in another cluster.
func (h *history) formerly(d *kycv1.Disposition) bool {
	return dedupe.IsFormer(h.p.o.Former, dedupe.TopicID(d.GetRawTopicId()))
}

// read takes up what is new in the disposition topic.
func (h *history) read(ctx context.Context) error {
	return h.scan(ctx, record.ScanFrom{Offset: h.next}, func(at int64, d *kycv1.Disposition) error {
		h.next = at + 1
		if !h.ours(d) {
			if h.formerly(d) {
				h.p.witness.note(d, elsewhere)
			}
			return nil
		}
		if d.GetStage() != kycv1.Stage_STAGE_REPLAY {
			h.ends[d.GetStage()] = at + 1
		}
		for _, late := range h.p.ledgers {
			if err := late.Learn(ctx, h.p.number, d); err != nil {
				return err
			}
		}
		h.p.witness.note(d, d.GetRaw().GetOffset())
		h.note(at, d)
		if d.GetStage() == kycv1.Stage_STAGE_NORMALIZE {
			h.highest = max(h.highest, d.GetRaw().GetOffset())
		}
		return nil
	})
}

// note takes a disposition up, where it is of the stretch.
func (h *history) note(at int64, d *kycv1.Disposition) {
	offset := d.GetRaw().GetOffset()
	i := h.index(offset)
	if i < 0 {
		return
	}
	f := h.fates[i]
	if d.GetKind() == kycv1.DispositionKind_DISPOSITION_KIND_HYDRATING {
		f = f.handed(at)
	} else {
		f = f.disposed(d, at)
		if h.p.witness.agrees(d) {
			f |= fateAgrees
		}
		if !f.is(fateTold) && h.orphaned(d) {
			f |= fateOrphan
		}
	}
	if d.GetReplayId() == h.p.o.ID {
		f |= fateDone
	}
	if h.p.match.names(d) {
		f |= fateNamed
	}
	h.fates[i] = f
}

// orphaned reports whether a raw record was dropped for one that nothing was told of before, as when Kafka lost its
// newest records and a mark in Redis outlived them.
func (h *history) orphaned(d *kycv1.Disposition) bool {
	owner := d.GetDuplicateOf()
	return d.GetKind() == kycv1.DispositionKind_DISPOSITION_KIND_DUPLICATE && d.GetClaimed() == nil && len(d.GetDuplicateOfTopicId()) == 0 &&
		owner.GetPartition() == h.p.number && !h.told(owner.GetOffset())
}

// told reports whether copies of a raw record may be dropped: it was disposed of as something else than a copy itself.
func (h *history) told(offset int64) bool {
	i := h.index(offset)
	if i < 0 {
		return offset <= h.highest
	}
	return h.fates[i].is(fateTold)
}

// past is what became of a raw record of the stretch, without details. Records are asked for in the order of
// their offsets.
func (h *history) past(ctx context.Context, offset int64) (past, error) {
	i := h.index(offset)
	if i >= h.upto {
		if err := h.read(ctx); err != nil {
			return past{}, err
		}
		h.upto, h.details = min(i+h.p.o.Page, len(h.fates)), nil
	}
	return h.fates[i].past(), nil
}

// detail fills in what only the dispositions themselves say, for a record that past was asked for last. It reads
// them for all that the rest of the page may need.
func (h *history) detail(ctx context.Context, offset int64, of *past) error {
	if !h.p.needs(*of) {
		return nil
	}
	i := h.index(offset)
	if h.details == nil {
		if err := h.look(ctx, h.fates[i:h.upto]); err != nil {
			return err
		}
	}
	place := h.fates[i].place()
	found, ok := h.details[place]
	if !ok {
		return fmt.Errorf("disposition %d, of raw offset %d, is gone since the replay began: expected dispositions to be kept longer than raw records; run the replay again", place, offset)
	}
	*of = found
	return nil
}

// look reads the details of fates.
func (h *history) look(ctx context.Context, fates []fate) error {
	wanted, places := map[int64]past{}, make([]span, 0, len(fates))
	for _, f := range fates {
		if past := f.past(); h.p.leave(past) == "" && h.p.needs(past) {
			wanted[f.place()] = past
			places = append(places, span{f.place(), f.place() + 1})
		}
	}
	h.details = make(map[int64]past, len(wanted))
	for _, w := range windows(merge(places), 0, 1<<62, far) {
		err := h.scan(ctx, record.ScanFrom{Offset: w.from}, func(at int64, d *kycv1.Disposition) error {
			if at >= w.to {
				return errEnough
			}
			if of, ok := wanted[at]; ok {
				of.add(d)
				h.details[at] = of
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("what dispositions say: %w", err)
		}
	}
	return nil
}

// needs reports whether a record is worked on with more than its fate tells.
func (p *partition) needs(of past) bool {
	return of.tasked || of.lost || of.keyed && p.o.Mode == ReEmit
}

// begin finds where to read from, so that no disposition of the stretch is before it, and none since a time.
func (h *history) begin(ctx context.Context, since time.Time) error {
	if err := h.locate(ctx, h.spans[0].from); err != nil {
		return err
	}
	// Records that offsets were once moved past, and back again, were disposed of after later ones: the time finds them.
	from := record.ScanFrom{Time: since}
	if since.Unix() <= 0 {
		from = record.ScanFrom{Offset: -1}
	}
	return h.scan(ctx, from, func(at int64, _ *kycv1.Disposition) error {
		h.next = min(h.next, at)
		return errEnough
	})
}

// locate searches for the place before which the normaliser has disposed of no raw offset from a given one on. It
// goes in the order of raw offsets, whatever clocks say.
func (h *history) locate(ctx context.Context, target int64) error {
	before, step, after := int64(-1), int64(far), int64(-1)
	err := h.scan(ctx, record.ScanFrom{Offset: -1}, func(at int64, _ *kycv1.Disposition) error {
		before = at
		return errEnough
	})
	if err != nil || before < 0 {
		return err
	}
	for after < 0 || after-before > far {
		middle := before + step
		if after >= 0 {
			middle = before + (after-before)/2
		}
		at, d, err := h.probe(ctx, middle, after)
		switch {
		case err != nil:
			return err
		case d == nil, h.ours(d) && d.GetRaw().GetOffset() >= target:
			after = middle
			continue
		case h.ours(d):
			h.ends[kycv1.Stage_STAGE_NORMALIZE], h.highest = at+1, d.GetRaw().GetOffset()
		}
		before, step = at+1, 2*step
	}
	h.next = before
	return nil
}

// probe finds the normaliser's first disposition from a place on, and before another one where that is not
// negative; of this raw topic, or of one that was there before it.
func (h *history) probe(ctx context.Context, from, before int64) (place int64, found *kycv1.Disposition, err error) {
	err = h.scan(ctx, record.ScanFrom{Offset: from}, func(at int64, d *kycv1.Disposition) error {
		switch {
		case before >= 0 && at >= before:
			return errEnough
		case d.GetStage() != kycv1.Stage_STAGE_NORMALIZE:
			return nil
		}
		place, found = at, d
		return errEnough
	})
	return place, found, err
}
