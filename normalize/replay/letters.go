package replay

import (
	"cmp"
	"context"
	"slices"
	"time"

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

// witness is what the dispositions say beside the past of single records: which identities were told by which
// record. Marks end two days after raw records do, and letters live longer, so Redis does not know it all.
type witness struct {
	told map[dedupe.Key]int64 // the raw offset that was let through under a key; -1: none was seen
}

// note takes a disposition up.
func (w *witness) note(d *kycv1.Disposition) {
	if w == nil || len(d.GetDedupeKey()) != dedupe.KeySize {
		return
	}
	switch d.GetKind() {
	case kycv1.DispositionKind_DISPOSITION_KIND_EMITTED, kycv1.DispositionKind_DISPOSITION_KIND_HYDRATING:
		if _, wanted := w.told[dedupe.Key(d.GetDedupeKey())]; wanted {
			w.told[dedupe.Key(d.GetDedupeKey())] = d.GetRaw().GetOffset()
		}
	}
}

// letters works off what only the dead letters still hold, from where an earlier attempt stopped.
func (p *partition) letters(ctx context.Context) error {
	left := slices.DeleteFunc(byOffset(p.o.Letters[p.number]), func(l Letter) bool { return l.Offset < p.next })
	defer func() { p.witness, p.tasks = nil, nil }()
	for len(left) > 0 {
		n := 1
		for n < len(left) && left[n].Offset-left[0].Offset < p.o.Stretch {
			n++
		}
		if err := p.lettersOf(ctx, left[:n]); err != nil {
			return err
		}
		left = left[n:]
	}
	return nil
}

// lettersOf works off the letters of a stretch.
func (p *partition) lettersOf(ctx context.Context, letters []Letter) (err error) {
	records := make([]normalize.RawRecord, len(letters))
	since := time.Time{}
	p.witness = &witness{told: map[dedupe.Key]int64{}}
	for i, l := range letters {
		if records[i], err = l.raw(p.number); err != nil {
			return err
		}
		keys, err := p.keysOf(records[i])
		if err != nil {
			return err
		}
		for _, key := range keys {
			p.witness.told[key] = -1
		}
		if at := records[i].Time; i == 0 || at.Before(since) {
			since = at
		}
	}
	s := span{letters[0].Offset, letters[len(letters)-1].Offset + 1}
	// A copy may have been told before, for as long as a mark would have lived.
	first := normalize.RawRecord{Time: since.Add(-p.o.StaleAfter)}
	if p.history, err = p.readHistory(ctx, p.number, s, first); err != nil {
		return err
	}
	for _, r := range records {
		if ctx.Err() != nil {
			return ErrInterrupted
		}
		if err := p.take(ctx, r); err != nil {
			return err
		}
	}
	return p.flush(ctx)
}

// keysOf are the keys that a record may be told under, as it is read now.
func (p *partition) keysOf(r normalize.RawRecord) ([]dedupe.Key, error) {
	r.Topic, r.TopicID = p.o.Topics.RawName, p.o.Topics.RawID
	read, err := p.gaps.Interpret(r)
	if err != nil {
		return nil, err
	}
	item := read.Item(p.keys)
	if !item.Identified {
		return nil, nil
	}
	return []dedupe.Key{item.Key, item.Key.Variant(item.Hash)}, nil
}

// spent says why a letter is left alone; "" where it is not. What its raw record was is only believed where the
// disposition agrees, since a raw topic that was recreated has the same offsets. The vendor's API is not asked:
// what it would say may have been told by others, longer ago than marks live.
func (p *partition) spent(c *chosen) (Outcome, error) {
	const dead = kycv1.DispositionKind_DISPOSITION_KIND_DEAD_LETTERED
	switch {
	case p.witness == nil:
		return "", nil
	case c.past.last != dead || c.past.hydrating || !c.past.received.Equal(c.raw.Time):
		return NoGap, nil
	case c.past.claimed >= 0:
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
