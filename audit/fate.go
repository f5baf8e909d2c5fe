package audit

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/kycbridge/kycbridge/internal/contract"
	"github.com/kycbridge/kycbridge/internal/record"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// disposition reads a record of the disposition topic.
func (l *lane) disposition(r record.Record) error {
	d, ok := message[*kycv1.Disposition](l.in.Dispositions, r)
	if !ok {
		l.f.v.Unread++
		return nil
	}
	raw := positionOf(d.GetRaw())
	if l.in.foreign(d) {
		l.names(d, raw, 0, false) // of an earlier topic of that name: its events are no strays
		return nil
	}
	if raw.Partition != r.Partition {
		if s, ok := l.in.Spans[raw.Partition]; ok && raw.Offset >= s.First && raw.Offset < s.end() {
			l.f.violate(o4, raw, fmt.Sprintf("its disposition is in partition %d, at offset %d", r.Partition, r.Offset))
		}
		return nil
	}
	f := l.fate(raw)
	switch {
	case f == nil:
	case d.GetReplayId() != "" && d.GetKind() == hydrating:
		*f |= asked
		l.f.replays[l.f.replay(d.GetReplayId())-1].Asked++
	case d.GetReplayId() != "":
		*f |= filled
		l.replayed(d, raw)
	default:
		l.disposed(d, raw, f)
	}
	return nil
}

// disposed reads what the normal course wrote of a record.
func (l *lane) disposed(d *kycv1.Disposition, raw record.Position, f *fate) {
	l.f.delivered(d.GetVendorEventId(), raw, "a raw record")
	if d.GetKind() == hydrating {
		switch {
		case *f&ended != 0:
			l.f.violate(o4, raw, "handed to the hydrate stage after its final disposition")
		case *f&asked != 0:
			l.f.violate(o4, raw, "handed to the hydrate stage more than once")
		}
		*f |= asked
		return
	}
	if *f&ended != 0 && *f&again == 0 {
		*f |= again
		l.f.violate(o4, raw, "more than one final disposition, the second one "+kindName(d.GetKind()))
	}
	*f |= ended
	switch d.GetKind() {
	case emitted:
		l.f.v.Emitted++
	case dead:
		l.f.v.Dead++
		l.f.arrived(d.GetVendorEventId())
	case duplicate:
		*f |= repeated
		l.f.v.Repeats++
		l.dropped(d, raw)
		return
	default:
		l.f.violate(o4, raw, "a disposition of no known kind")
		return
	}
	if c := d.GetClaimed(); c != nil {
		l.parts[raw.Partition].claims[c.GetOffset()] = true
	}
	l.names(d, raw, 0, true)
}

// names notes what a disposition promises.
func (l *lane) names(d *kycv1.Disposition, raw record.Position, replay uint16, promised bool) {
	for _, id := range d.GetEventIds() {
		l.name(eventID(id, replay), raw, promised)
	}
	if d.GetKind() == dead {
		l.name(positioned(kindLetter, raw, replay), raw, promised)
	}
}

// replayed reads what a replay wrote of a record: once, and counted for itself.
func (l *lane) replayed(d *kycv1.Disposition, raw record.Position) {
	n := l.f.replay(d.GetReplayId())
	tally := &l.f.replays[n-1]
	once := positioned(kindReplay, raw, n)
	if l.outputs[once].named {
		l.f.violate(o2, raw, fmt.Sprintf("replayed twice by %q", d.GetReplayId()))
	}
	l.name(once, raw, false)
	if c := d.GetClaimed(); c != nil && d.GetKind() != duplicate {
		l.parts[raw.Partition].claims[c.GetOffset()] = true
	}
	switch d.GetKind() {
	case emitted:
		tally.Emitted++
	case duplicate:
		tally.Duplicates++
	case dead:
		tally.DeadLettered++
		l.f.arrived(d.GetVendorEventId())
	}
	l.names(d, raw, n, true)
}

// dropped looks at what a duplicate is said to repeat: something that was let through. Pointing at
// nothing, it would be a delivery that was lost.
func (l *lane) dropped(d *kycv1.Disposition, raw record.Position) {
	of := positionOf(d.GetDuplicateOf())
	p := l.parts[raw.Partition]
	drop := drop{raw: raw.Offset, of: of.Offset, task: d.GetClaimed() != nil}
	switch {
	case of.Partition != raw.Partition:
		l.f.v.Older++
	case !l.resolves(p, drop):
		p.drops = append(p.drops, drop)
	}
}

func (l *lane) resolves(p *part, d drop) bool {
	if d.task {
		return p.claims[d.of]
	}
	at := d.of - p.span.First
	return at >= 0 && at < int64(len(p.fates)) && p.fates[at].stands()
}

// close judges what is only known once everything is read.
func (l *lane) close(ctx context.Context) error {
	for partition, p := range l.parts {
		for _, d := range p.drops {
			l.unresolved(partition, p, d)
		}
		for n, f := range p.fates {
			raw := record.Position{Partition: partition, Offset: p.span.First + int64(n)}
			switch {
			case f&filled != 0 && f&ended == 0:
				l.f.v.Filled++
			case f&asked == 0 || f&ended != 0:
			case l.waiting[raw]:
				l.f.v.Waiting++
			default:
				l.f.violate(o4, raw, "handed to the hydrate stage, and neither waiting there nor finally disposed of")
			}
		}
		if err := l.missing(ctx, partition, p); err != nil {
			return err
		}
	}
	for id, o := range l.outputs {
		raw := record.Position{Partition: o.partition, Offset: o.offset}
		switch {
		case o.promised && o.seen == 0 && !o.flagged:
			l.f.violate(o4, raw, id.String()+" is named by its disposition and is in no topic")
		case !o.named:
			l.f.violate(o4, raw, id.String()+" is in a topic, and no disposition names it")
		}
	}
	return nil
}

// unresolved judges a duplicate whose original was not there when it was read.
func (l *lane) unresolved(partition int32, p *part, d drop) {
	outside := !d.task && (d.of < p.span.First || d.of >= p.span.end())
	switch {
	case l.resolves(p, d):
	case outside, d.task && !p.span.Since.IsZero():
		l.f.v.Older++
	default:
		what := "raw record " + record.Position{Partition: partition, Offset: d.of}.String()
		if d.task {
			what = fmt.Sprintf("task %d of the hydrate stage", d.of)
		}
		l.f.violate(o4, record.Position{Partition: partition, Offset: d.raw}, "dropped as a duplicate of "+what+", which was never let through")
	}
}

// near is how far apart two records without a disposition may be to be looked up in one scan.
const near = 1000

// missing looks up the raw records that have no disposition at all: what retention has removed
// meanwhile is not lost.
func (l *lane) missing(ctx context.Context, partition int32, p *part) error {
	all := int64(len(p.fates))
	for at := p.undisposed(0); at >= 0; at = p.undisposed(at) {
		reached := at
		pass := func(to int64) {
			for ; reached < min(to, all); reached++ {
				l.vanished(p.fates[reached])
			}
		}
		next, err := l.in.Raw.scan(ctx, partition, record.ScanFrom{Offset: p.span.First + at}, func(r record.Record) error {
			here := r.Offset - p.span.First
			if pass(here); here >= all {
				return errEnough
			}
			if reached = here + 1; p.fates[here] == 0 {
				l.f.violate(o4, record.Position{Partition: partition, Offset: r.Offset}, "no disposition"+received(r))
			}
			if n := p.undisposed(reached); n < 0 || n > reached+near {
				return errEnough
			}
			return nil
		})
		if err != nil {
			return err
		}
		if next >= p.span.end() || reached == at {
			pass(all) // the log has no more
		}
		at = reached
	}
	return nil
}

func (l *lane) vanished(f fate) {
	if f == 0 {
		l.f.v.Vanished++
		l.f.v.Raw--
	}
}

// undisposed finds the next raw record without a disposition, -1 where there is none.
func (p *part) undisposed(from int64) int64 {
	for n := from; n < int64(len(p.fates)); n++ {
		if p.fates[n] == 0 {
			return n
		}
	}
	return -1
}

// received names the delivery of a raw record.
func received(r record.Record) string {
	e := &kycv1.RawEnvelope{}
	if contract.Unmarshal(r.Value, e) != nil || e.GetDeliveryId() == "" {
		return ""
	}
	return fmt.Sprintf(" (delivery %s, received %s)", e.GetDeliveryId(), e.GetReceivedAt().AsTime().Format(time.RFC3339))
}

func kindName(k kycv1.DispositionKind) string {
	return strings.TrimPrefix(k.String(), "DISPOSITION_KIND_")
}
