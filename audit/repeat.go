package audit

import (
	"context"
	"fmt"

	"github.com/kycbridge/kycbridge/internal/record"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// print is what is remembered of the dedupe keys of one record: a byte of its key, which tells it from 253 of
// 254 others.
type print uint8

const (
	unprinted print = 0   // no key is known
	several   print = 255 // more than one is, as after a change of a mapping
)

func printOf(key []byte) print {
	if len(key) == 0 {
		return unprinted
	}
	return print(key[0]%254 + 1)
}

// with adds a key.
func (p print) with(other print) print {
	switch {
	case p == unprinted || p == other:
		return other
	case other == unprinted:
		return p
	}
	return several
}

// fits reports whether both may be of one key.
func (p print) fits(other print) bool {
	return p == unprinted || other == unprinted || p == several || p == other
}

// drop is a record that was dropped as the duplicate of another. The other one must have been let through under
// the same key; and it must come first, unless a replay dropped the record, which comes out of turn. Anything
// else is a delivery that was lost: a mark in Redis named a record that Kafka does not have.
type drop struct {
	raw, of record.Position
	own     int64 // the place in the log of `of`: the raw record's, or its task's
	task    bool  // of is an offset of the task topic
	replay  bool
	print   print
	key     string
}

// String names what is said to be repeated.
func (d drop) String() string {
	if d.task {
		return fmt.Sprintf("task %d of the hydrate stage", d.of.Offset)
	}
	return "raw record " + d.of.String()
}

// hollow is a key under which a record was dropped as the duplicate of nothing.
type hollow struct {
	mended bool // a later record was let through under it: the delivery came again, or was replayed
}

const hollowAdvice = "records were dropped as duplicates of records that are not there: Kafka probably went back to an earlier copy while Redis kept its marks; " +
	"run `kycbridge marks discard`, and have the vendors send again what came since that copy was made"

// note takes up what a disposition says of its partition beyond the fate of one record.
func (l *lane) note(d *kycv1.Disposition, raw record.Position) {
	p := l.parts[raw.Partition]
	if p == nil {
		return
	}
	p.gone.note(d)
	if d.GetKind() == duplicate {
		return
	}
	if h := l.hollow[string(d.GetDedupeKey())]; h != nil {
		h.mended = true
	}
	key := printOf(d.GetDedupeKey())
	if c := d.GetClaimed(); c != nil {
		p.tasks[c.GetOffset()] = p.tasks[c.GetOffset()].with(key)
	} else if at := raw.Offset - p.span.First; at >= 0 && at < int64(len(p.prints)) {
		p.prints[at] = p.prints[at].with(key)
	}
}

// dropped looks at what a duplicate is said to repeat.
func (l *lane) dropped(d *kycv1.Disposition, raw record.Position, replay bool) {
	one := drop{
		raw: raw, of: positionOf(d.GetDuplicateOf()), own: raw.Offset, replay: replay,
		print: printOf(d.GetDedupeKey()), key: string(d.GetDedupeKey()),
	}
	if c := d.GetClaimed(); c != nil {
		one.task, one.own = true, c.GetOffset()
	}
	p := l.parts[raw.Partition]
	elsewhere := one.of.Partition != raw.Partition
	topic := d.GetDuplicateOfTopicId()
	switch {
	case len(topic) > 0 && !l.in.former(topic): // of another cluster's topic, which was not copied as it is
		l.f.v.Older++
		return
	case !elsewhere && !one.backwards():
	case !elsewhere && p.resolves(one):
		return
	case elsewhere && (one.task || !l.beyond(one.of)), !elsewhere && !one.task && one.of.Offset < p.span.First:
		l.f.v.Older++
		return
	}
	p.drops = append(p.drops, one)
	if one.key != "" && l.hollow[one.key] == nil {
		l.hollow[one.key] = &hollow{}
	}
}

// backwards reports whether what is repeated, in the same log, is before the record as it must be.
func (d drop) backwards() bool {
	return d.of.Offset < d.own || d.replay && d.of.Offset > d.own
}

// beyond reports whether a raw position lay past the end of its log when the check began.
func (l *lane) beyond(at record.Position) bool {
	s, known := l.in.Spans[at.Partition]
	return known && s.End > 0 && at.Offset >= s.End
}

// resolves reports whether what a duplicate repeats was let through, under its key.
func (p *part) resolves(d drop) bool {
	if !p.let(d) {
		return false
	}
	if d.task {
		return p.tasks[d.of.Offset].fits(d.print)
	}
	return p.prints[d.of.Offset-p.span.First].fits(d.print)
}

// let reports whether what a duplicate repeats was let through, under any key.
func (p *part) let(d drop) bool {
	if d.task {
		_, let := p.tasks[d.of.Offset]
		return let
	}
	at := d.of.Offset - p.span.First
	return at >= 0 && at < int64(len(p.fates)) && p.fates[at].stands()
}

// repeats judges the duplicates of a partition whose originals were not there when they were read.
func (l *lane) repeats(ctx context.Context, partition int32, p *part) error {
	for _, d := range p.drops {
		what, err := l.unresolved(ctx, partition, p, d)
		if err != nil {
			return err
		}
		switch {
		case what == "":
		case l.hollow[d.key] != nil && l.hollow[d.key].mended:
			l.f.v.Mended++
		default:
			l.f.hollow = true
			l.f.violate(o4, d.raw, "dropped as a duplicate of "+d.String()+", which "+what)
		}
	}
	return nil
}

// unresolved says what is wrong with the original of a duplicate; "" where nothing is.
func (l *lane) unresolved(ctx context.Context, partition int32, p *part, d drop) (string, error) {
	here := d.of.Partition == partition
	outside := !d.task && (!here || d.of.Offset >= p.span.end())
	switch {
	case here && !d.backwards():
		return "is not before it", nil
	case here && p.resolves(d):
		return "", nil
	case outside && l.beyond(d.of):
		there, err := l.in.Raw.holds(ctx, d.of)
		if err != nil || !there {
			return "is past the end of the log", err
		}
	case !outside && p.let(d):
		return "was let through as another delivery", nil
	case !outside && (!d.task || p.span.Since.IsZero()):
		return "was never let through", nil
	}
	l.f.v.Older++
	return "", nil
}

// holds reports whether a topic has a record at a position or after it.
func (t Topic) holds(ctx context.Context, at record.Position) (there bool, err error) {
	_, err = t.scan(ctx, at.Partition, record.ScanFrom{Offset: at.Offset}, func(record.Record) error {
		there = true
		return errEnough
	})
	return there, err
}
