package audit

import (
	"fmt"
	"slices"
	"time"

	"github.com/kycbridge/kycbridge/internal/record"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

const expiredAdvice = "retention removed raw records before they were processed, so these deliveries are lost here: have the vendors send that time again, and raise the retention of the raw topic"

// maxGaps bounds how many gaps of a partition are told apart; later ones are counted with the last.
const maxGaps = 10_000

// gone follows what became of the raw records that retention has removed, as far as the dispositions that
// are read say it. The normaliser's own come in the order of raw offsets: what lies between two of them
// and has none was never processed.
type gone struct {
	known  Gone
	before int64     // the first offset that is left
	next   int64     // the offset after the last one disposed of in turn; -1: none was seen
	last   time.Time // when that one arrived
	gaps   []*gap    // in the order of their offsets
}

// gap is raw offsets that were passed over.
type gap struct {
	from, to      int64
	left          int64     // how many of them have no disposition
	filled        []uint64  // a bit for each that has one; none before the first
	after, before time.Time // the arrivals of their neighbours; zero: not known
}

func newGone(s Span) *gone {
	if s.Gone == nil {
		return nil
	}
	return &gone{known: *s.Gone, before: s.First, next: -1}
}

// note takes a disposition up, in the order of the topic.
func (g *gone) note(d *kycv1.Disposition) {
	if g == nil {
		return
	}
	at := d.GetRaw().GetOffset()
	inTurn := d.GetStage() == kycv1.Stage_STAGE_NORMALIZE
	switch {
	case !inTurn, at < g.next:
		g.fill(at)
		return
	case g.next >= 0 || g.known.Whole:
		g.open(max(g.next, 0), min(at, g.before), arrived(d))
	}
	g.next, g.last = at+1, arrived(d)
}

// arrived is when a disposition's delivery came; where that is not known, when it was decided about.
func arrived(d *kycv1.Disposition) time.Time {
	if d.GetReceivedAt() != nil {
		return d.GetReceivedAt().AsTime()
	}
	return d.GetDecidedAt().AsTime()
}

// open notes that offsets were passed over; to is excluded.
func (g *gone) open(from, to int64, before time.Time) {
	if from >= to {
		return
	}
	if n := len(g.gaps); n >= maxGaps {
		last := g.gaps[n-1]
		for at := last.to; at < from; at++ {
			last.mark(at)
		}
		last.to, last.before, last.left = to, before, last.left+to-from
		return
	}
	g.gaps = append(g.gaps, &gap{from: from, to: to, left: to - from, after: g.last, before: before})
}

// fill notes that a record was disposed of out of turn.
func (g *gone) fill(at int64) {
	n, _ := slices.BinarySearchFunc(g.gaps, at, func(one *gap, at int64) int { return int(min(max(one.to-1-at, -1), 1)) })
	if n < len(g.gaps) && at >= g.gaps[n].from && g.gaps[n].mark(at) {
		g.gaps[n].left--
	}
}

// mark sets the bit of an offset, and reports whether it was not set.
func (one *gap) mark(at int64) bool {
	word, bit := (at-one.from)/64, uint64(1)<<((at-one.from)%64)
	for int64(len(one.filled)) <= word {
		one.filled = append(one.filled, 0)
	}
	was := one.filled[word]&bit != 0
	one.filled[word] |= bit
	return !was
}

// expired judges the records before a partition's first one.
func (l *lane) expired(partition int32, p *part) {
	g := p.gone
	if g == nil {
		return
	}
	switch {
	case g.next < 0 && !g.known.Whole:
		l.f.v.Notes = append(l.f.v.Notes, fmt.Sprintf("nothing is known of the %d raw records of partition %d that have expired: their dispositions have, too", g.before, partition))
	case g.next < g.before:
		g.open(max(g.next, 0), g.before, g.known.Oldest)
	}
	for _, one := range g.gaps {
		if one.left == 0 {
			continue
		}
		l.f.v.Unprocessed += one.left
		last := record.Position{Partition: partition, Offset: one.to - 1}
		l.f.violate(o4, record.Position{Partition: partition, Offset: one.from},
			fmt.Sprintf("%d raw records from here to %s expired before they were processed%s", one.left, last, one.when()))
	}
}

// when says when the records of a gap arrived, as far as their neighbours tell.
func (one *gap) when() string {
	after, before := one.after.UTC().Format(time.RFC3339), one.before.UTC().Format(time.RFC3339)
	switch {
	case one.after.IsZero() && one.before.IsZero():
		return ""
	case one.after.IsZero():
		return ", received before " + before
	case one.before.IsZero():
		return ", received after " + after
	}
	return ", received between " + after + " and " + before
}
