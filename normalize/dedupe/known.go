package dedupe

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

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

// join runs the cursor over the dispositions of one partition's batch. Dispositions come in the
// order of raw offsets, so the first one past the batch ends it.
func (l *Ledger) join(ctx context.Context, p int32, batch map[int64]int, items []Item, verdicts []Verdict) error {
	part := l.parts[p]
	first, last := span(batch)
	from := record.ScanFrom{Offset: part.cursor.next}
	if !part.cursor.open || first <= part.cursor.covered {
		from = record.ScanFrom{Time: items[batch[first]].Time.Add(-l.o.Skew)}
		if !from.Time.After(time.Unix(0, 0)) {
			from = record.ScanFrom{}
		}
	}
	next, err := l.o.History(ctx, p, from, func(_ int64, value []byte) error {
		d, ok := l.own(value)
		if !ok {
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

func span(batch map[int64]int) (first, last int64) {
	first = int64(1<<63 - 1)
	for offset := range batch {
		first, last = min(first, offset), max(last, offset)
	}
	return first, last
}

// sameRecord reports whether a disposition at the record's offset is really this record's: a log that
// lost its tail may hold another record at the same offset.
func sameRecord(item Item, d *kycv1.Disposition) bool {
	hash := item.Hash[:]
	if item.Hash == [32]byte{} {
		hash = nil
	}
	if !bytes.Equal(d.GetContentHash(), hash) {
		return false
	}
	if !item.Identified {
		return len(d.GetDedupeKey()) == 0
	}
	variant := item.Key.Variant(item.Hash)
	return bytes.Equal(d.GetDedupeKey(), item.Key[:]) || bytes.Equal(d.GetDedupeKey(), variant[:])
}
