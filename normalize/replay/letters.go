package replay

import (
	"cmp"
	"context"
	"math"
	"slices"

	"github.com/kycbridge/kycbridge/internal/contract"
	"github.com/kycbridge/kycbridge/normalize"
	"github.com/kycbridge/kycbridge/normalize/dedupe"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// Letter is a dead letter that outlived its raw record and holds all of it.
type Letter struct {
	Offset   int64 // of the raw record
	Key      []byte
	Envelope *kycv1.RawEnvelope
}

// byOffset sorts letters by raw offset; the last one of a record stands for all of them.
func byOffset(letters []Letter) []Letter {
	sorted := slices.Clone(letters)
	slices.Reverse(sorted)
	slices.SortStableFunc(sorted, func(a, b Letter) int { return cmp.Compare(a.Offset, b.Offset) })
	return slices.CompactFunc(sorted, func(a, b Letter) bool { return a.Offset == b.Offset })
}

// raw is the record that a letter was written for. Its own time is that of arrival: ingest writes it at once.
func (l Letter) raw(partition int32) (normalize.RawRecord, error) {
	value, err := contract.Marshal(l.Envelope)
	return normalize.RawRecord{Partition: partition, Offset: l.Offset, Time: l.Envelope.GetReceivedAt().AsTime(), Key: l.Key, Value: value}, err
}

// spansOf are the offsets of letters.
func spansOf(letters []Letter) []span {
	spans := make([]span, len(letters))
	for i, l := range letters {
		spans[i] = span{l.Offset, l.Offset + 1}
	}
	return spans
}

// witness is what the dispositions say beside the fates of single records: which identities were told by which
// record. Marks end two days after raw records do, and letters live longer, so Redis does not know it all. It
// holds two keys for a letter, and two more for each former topic.
type witness struct {
	letters []Letter             // by offset
	told    map[dedupe.Key]int64 // the raw offset that was let through under a key; -1: none was seen
}

// elsewhere stands for the offset of a record in another topic.
const elsewhere = math.MaxInt64

// note takes a disposition up, of the record at a raw offset.
func (w *witness) note(d *kycv1.Disposition, offset int64) {
	if w == nil || len(d.GetDedupeKey()) != dedupe.KeySize {
		return
	}
	switch d.GetKind() {
	case kycv1.DispositionKind_DISPOSITION_KIND_EMITTED, kycv1.DispositionKind_DISPOSITION_KIND_HYDRATING:
		if _, wanted := w.told[dedupe.Key(d.GetDedupeKey())]; wanted {
			w.told[dedupe.Key(d.GetDedupeKey())] = offset
		}
	}
}

// agrees reports whether a disposition is of a letter, and of the delivery that the letter holds: a raw topic that
// was recreated has the same offsets.
func (w *witness) agrees(d *kycv1.Disposition) bool {
	if w == nil {
		return false
	}
	i, found := slices.BinarySearchFunc(w.letters, d.GetRaw().GetOffset(), func(l Letter, o int64) int { return cmp.Compare(l.Offset, o) })
	return found && d.GetReceivedAt().AsTime().Equal(w.letters[i].Envelope.GetReceivedAt().AsTime())
}

// letters works off the letters of a stretch, in offset order.
func (p *partition) letters(ctx context.Context, letters []Letter) error {
	if len(letters) == 0 {
		return nil
	}
	p.witness = &witness{letters: letters, told: map[dedupe.Key]int64{}}
	since := letters[0].Envelope.GetReceivedAt().AsTime()
	for _, l := range letters {
		r, err := l.raw(p.number)
		if err != nil {
			return err
		}
		keys, err := p.keysOf(r)
		if err != nil {
			return err
		}
		for _, key := range keys {
			p.witness.told[key] = -1
		}
		if r.Time.Before(since) {
			since = r.Time
		}
	}
	// A copy may have been told before, for as long as a mark would have lived.
	if err := p.history.begin(ctx, since.Add(-p.o.StaleAfter-skew)); err != nil {
		return err
	}
	if err := p.history.read(ctx); err != nil {
		return err
	}
	for _, l := range letters {
		if ctx.Err() != nil {
			return ErrInterrupted
		}
		r, err := l.raw(p.number)
		if err != nil {
			return err
		}
		if err := p.take(ctx, r); err != nil {
			return err
		}
	}
	err := p.flush(ctx)
	p.witness = nil
	return err
}

// keysOf are the keys that a record may be told under, as it is read now.
func (p *partition) keysOf(r normalize.RawRecord) ([]dedupe.Key, error) {
	r.Topic, r.TopicID = p.o.Topics.RawName, p.o.Topics.RawID
	read, err := p.gaps.Interpret(r)
	if err != nil {
		return nil, err
	}
	return keysOf(read.Item(p.keys[kycv1.Stage_STAGE_NORMALIZE])), nil
}

// keysOf are the keys that an item may have been decided under, in former topics too.
func keysOf(item dedupe.Item) (keys []dedupe.Key) {
	if !item.Identified {
		return nil
	}
	for _, key := range append([]dedupe.Key{item.Key}, item.Former...) {
		keys = append(keys, key, key.Variant(item.Hash))
	}
	return keys
}

// spent says why a letter is left alone; "" where it is not. What its raw record was is only believed where the
// disposition agrees. The vendor's API is not asked:
// what it would say may have been told by others, longer ago than marks live.
func (p *partition) spent(c *chosen) (Outcome, error) {
	const dead = kycv1.DispositionKind_DISPOSITION_KIND_DEAD_LETTERED
	switch {
	case p.witness == nil:
		return "", nil
	case c.past.last != dead || c.past.hydrating || !c.past.agrees:
		return NoGap, nil
	case c.past.tasked:
		return ObjectGone, nil
	}
	keys, err := p.keysOf(c.raw)
	if err != nil {
		return "", err
	}
	for _, key := range keys {
		if at := p.witness.told[key]; at >= 0 && at != c.raw.Offset {
			return NoGap, nil
		}
	}
	if read, err := p.gaps.Interpret(c.raw); err != nil || read.Fetches() {
		return NeedsAPI, err
	}
	return "", nil
}
