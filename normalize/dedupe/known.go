package dedupe

import (
	"context"
	"errors"
	"fmt"

	"github.com/kycbridge/kycbridge/internal/record"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// cursor is a place in a disposition partition: every disposition of raw offsets up to covered was
// read before next. It lets a long second pass (offsets were reset, or expired) join raw records with
// their dispositions batch by batch, in one pass and without holding them all.
type cursor struct {
	open    bool
	next    int64
	covered int64
}

// nearEnough is how many dispositions are rather read than halved once more in search of a raw offset.
const nearEnough = 1000

var errPassed = errors.New("passed the batch")

// known finds the records whose own disposition is committed already: below the highest offset ever
// disposed of, records are being read a second time. Claims alone would not do there: a copy would
// be disposed of twice, and a record without identity published twice. Tasks are not looked up here:
// the stage that reads them asked Disposed before it did anything for them.
func (l *Ledger) known(ctx context.Context, items []Item, verdicts []Verdict) error {
	behind := make(map[int32]map[int64]int)
	for i, item := range items {
		if item.Origin != nil || item.Offset > l.parts[item.Partition].state.highest {
			continue
		}
		if behind[item.Partition] == nil {
			behind[item.Partition] = make(map[int64]int)
		}
		behind[item.Partition][item.Offset] = i
	}
	for p, batch := range behind {
		if err := l.join(ctx, p, batch, items, verdicts); err != nil {
			return fmt.Errorf("looking up dispositions of raw partition %d: %w", p, err)
		}
	}
	return nil
}

// join runs the cursor over the dispositions of one partition's batch. A stage's dispositions come in the
// order of raw offsets, so the first one past the batch ends it.
func (l *Ledger) join(ctx context.Context, p int32, batch map[int64]int, items []Item, verdicts []Verdict) error {
	part := l.parts[p]
	first, last := span(batch)
	from := part.cursor.next
	if !part.cursor.open || first <= part.cursor.covered {
		var err error
		if from, err = l.find(ctx, p, first); err != nil {
			return err
		}
	}
	var reading brief
	next, err := l.o.History(ctx, p, record.ScanFrom{Offset: from}, func(_ int64, value []byte) error {
		d := reading.read(value)
		if !l.o.ours(d) {
			return nil
		}
		at := claimedAt(d).GetOffset()
		if at > last && d.GetStage() == l.o.Stage {
			return errPassed
		}
		if i, ok := batch[at]; ok && sameRecord(items[i], d) {
			verdicts[i] = Verdict{Action: Nothing, Step: Skip}
		}
		return nil
	})
	if err != nil && !errors.Is(err, errPassed) {
		return err
	}
	part.cursor = cursor{open: true, next: next, covered: last}
	return nil
}

// find is an offset at or shortly before the stage's first disposition of an offset of its topic or a later one.
func (l *Ledger) find(ctx context.Context, p int32, raw int64) (int64, error) {
	return l.o.find(ctx, p, raw, func(d *kycv1.Disposition) (int64, bool) {
		return claimedAt(d).GetOffset(), l.o.ours(d) && d.GetStage() == l.o.Stage
	})
}

// find is an offset at or shortly before the first disposition that of gives the raw offset for, or a later one, by
// halving: raw offsets only grow, whatever the clocks were that stamped the records. Dispositions that of refuses
// are passed over.
func (o LedgerOptions) find(ctx context.Context, p int32, raw int64, of func(*kycv1.Disposition) (int64, bool)) (int64, error) {
	if o.Bounds == nil {
		return 0, nil
	}
	bounds, err := o.Bounds(ctx, p)
	if err != nil {
		return 0, err
	}
	var reading brief
	low, high := max(bounds.Dispositions.Start, 0), bounds.Dispositions.End
	for high-low > nearEnough {
		middle := low + (high-low)/2
		at, reached := int64(-1), high
		_, err := o.History(ctx, p, record.ScanFrom{Offset: middle}, func(offset int64, value []byte) error {
			if offset >= high {
				return errPassed
			}
			if found, ok := of(reading.read(value)); ok {
				at, reached = found, offset
				return errPassed
			}
			return nil
		})
		switch {
		case err != nil && !errors.Is(err, errPassed):
			return 0, err
		case at >= 0 && at < raw:
			low = reached + 1
		default:
			high = middle
		}
	}
	return low, nil
}

func span(batch map[int64]int) (first, last int64) {
	first = int64(1<<63 - 1)
	for offset := range batch {
		first, last = min(first, offset), max(last, offset)
	}
	return first, last
}

// sameRecord reports whether a disposition at the record's offset is really this record's, whatever pepper
// and mapping were when it was made: a log that lost its tail may hold another record at the same offset,
// which arrived at another time.
func sameRecord(item Item, d *kycv1.Disposition) bool {
	return d.GetEndpoint() == item.Endpoint && d.GetReceivedAt().AsTime().Equal(item.ReceivedAt)
}
