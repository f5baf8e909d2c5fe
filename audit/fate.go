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
	l.note(d, raw)
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
		l.dropped(d, raw, false)
		return
	default:
		l.f.violate(o4, raw, "a disposition of no known kind")
		return
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
	switch d.GetKind() {
	case emitted:
		tally.Emitted++
	case duplicate:
		tally.Duplicates++
		l.dropped(d, raw, true)
	case dead:
		tally.DeadLettered++
		l.f.arrived(d.GetVendorEventId())
	}
	l.names(d, raw, n, true)
}

// close judges what is only known once everything is read.
func (l *lane) close(ctx context.Context) error {
	for partition, p := range l.parts {
		if err := l.repeats(ctx, partition, p); err != nil {
			return err
		}
		l.expired(partition, p)
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
		case o.promised && !o.there() && l.repeated(id):
			l.f.v.Republished++
		case o.promised && !o.there():
			l.f.violate(o4, raw, id.String()+" is named by its disposition and is in no topic")
		case !o.named:
			l.f.violate(o4, raw, id.String()+" is in a topic, and no disposition names it")
		}
	}
	return nil
}

// repeated reports whether an event that is not in its topic stands there as a replay published it again: the
// topic was made anew, and what it had held was re-emitted.
func (l *lane) repeated(id outputID) bool {
	if id.of(kindLetter) {
		return false
	}
	for n := range l.f.replays {
		if l.outputs[outputID{id: id.id, replay: uint16(n + 1)}].there() {
			return true
		}
	}
	return false
}

// near is how far apart two records without a disposition may be to be looked up in one scan.
const near = 1000

// missing looks up the raw records that have no disposition at all, to name their deliveries. Those that
// retention has removed meanwhile are known by their offsets alone.
func (l *lane) missing(ctx context.Context, partition int32, p *part) error {
	all := int64(len(p.fates))
	for at := p.undisposed(0); at >= 0; at = p.undisposed(at) {
		reached := at
		pass := func(to int64) {
			for ; reached < min(to, all); reached++ {
				l.vanished(p, record.Position{Partition: partition, Offset: p.span.First + reached})
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

// vanished judges a record that is gone. The normaliser's offset was past it before anything was read, so a
// disposition would have been found.
func (l *lane) vanished(p *part, raw record.Position) {
	if p.fates[raw.Offset-p.span.First] == 0 {
		l.f.v.Vanished++
		l.f.violate(o4, raw, "no disposition, and retention removed it while the check ran")
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
