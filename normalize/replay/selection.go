package replay

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kycbridge/kycbridge/providers"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// skew is how far the clocks of those who write records may differ.
const skew = 10 * time.Minute

// ahead is how far the times of raw records may be ahead of those that come after them: Kafka refuses a record whose
// time is more than an hour ahead of its own clock, unless it is told otherwise.
const ahead = time.Hour + skew

// Selection chooses raw records: those that pass everything that is set.
type Selection struct {
	Since, Until time.Time // of the raw record's own time; Until itself is out
	Ranges       []Range   // any of them; none: all there is
	Endpoints    []string
	Vendors      []string
	IDs          []string // a delivery's id, the vendor's event id, or an event's id; any of them
	// PoisonPills: also records that processes died over. They may kill this process, too.
	PoisonPills bool
}

// Range is raw offsets of one partition, both ends included. A negative To is the end.
type Range struct {
	Partition int32
	From, To  int64
}

// ParseRange reads "3@100-200", "3@100-" (to the end), "3@100" (one record) and "3" (the partition).
func ParseRange(text string) (Range, error) {
	bad := fmt.Errorf("%q is not a range of raw offsets: expected PARTITION@FROM-TO such as 3@100-200, 3@100- to the end, 3@100 for one record, or 3 for the partition", text)
	number, offsets, some := strings.Cut(text, "@")
	p, err := strconv.ParseInt(number, 10, 32)
	if err != nil || p < 0 {
		return Range{}, bad
	}
	r := Range{Partition: int32(p), To: -1}
	if !some {
		return r, nil
	}
	from, to, isRange := strings.Cut(offsets, "-")
	if r.From, err = strconv.ParseInt(from, 10, 64); err != nil || r.From < 0 {
		return Range{}, bad
	}
	switch {
	case !isRange:
		r.To = r.From
	case to != "":
		if r.To, err = strconv.ParseInt(to, 10, 64); err != nil || r.To < r.From {
			return Range{}, bad
		}
	}
	return r, nil
}

// String is the form that ParseRange reads.
func (r Range) String() string {
	switch {
	case r.To < 0 && r.From == 0:
		return fmt.Sprint(r.Partition)
	case r.To < 0:
		return fmt.Sprintf("%d@%d-", r.Partition, r.From)
	case r.To == r.From:
		return fmt.Sprintf("%d@%d", r.Partition, r.From)
	}
	return fmt.Sprintf("%d@%d-%d", r.Partition, r.From, r.To)
}

// Validate finds what can hold nothing.
func (s Selection) Validate() error {
	if !s.Since.IsZero() && !s.Until.IsZero() && !s.Since.Before(s.Until) {
		return fmt.Errorf("the time range is empty: it begins at %s and ends at %s", s.Since.Format(time.RFC3339), s.Until.Format(time.RFC3339))
	}
	return nil
}

// span is raw offsets of one partition, to excluded.
type span struct{ from, to int64 }

func width(spans []span) (n int64) {
	for _, s := range spans {
		n += s.to - s.from
	}
	return n
}

// plan finds the offsets of each partition that the selection may hold. Nothing at or behind the
// normaliser's offset is in it: that is the normaliser's.
func (r *run) plan(ctx context.Context) (map[int32][]span, error) {
	t, s := r.o.Topics, r.o.Select
	committed, err1 := t.Committed(ctx)
	starts, err2 := t.Starts(ctx)
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	lower, upper := starts, committed
	if !s.Since.IsZero() {
		at, err := t.After(ctx, s.Since.Add(-skew))
		if err != nil {
			return nil, err
		}
		lower = at
	}
	if !s.Until.IsZero() {
		at, err := t.After(ctx, s.Until.Add(ahead))
		if err != nil {
			return nil, err
		}
		upper = at
	}
	ranges := s.Ranges
	if len(ranges) == 0 {
		for p := range t.Partitions {
			ranges = append(ranges, Range{Partition: p, To: -1})
		}
	}
	plan := map[int32][]span{}
	for _, g := range ranges {
		if g.Partition >= t.Partitions {
			return nil, fmt.Errorf("range %s: the raw topic has partitions 0 to %d", g, t.Partitions-1)
		}
		p, to := g.Partition, committed[g.Partition]
		if g.To >= 0 {
			r.report.Later += max(0, g.To+1-max(g.From, to))
			r.report.Gone += max(0, min(g.To+1, starts[p])-g.From)
			to = min(to, g.To+1)
		}
		cut := span{max(g.From, lower[p], starts[p]), min(to, upper[p])}
		if cut.from < cut.to {
			plan[p] = append(plan[p], cut)
		}
	}
	for p := range plan {
		plan[p] = merge(plan[p])
	}
	return plan, nil
}

// merge sorts spans and joins those that touch.
func merge(spans []span) []span {
	slices.SortFunc(spans, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	out := spans[:0:0]
	for _, s := range spans {
		if n := len(out); n > 0 && s.from <= out[n-1].to {
			out[n-1].to = max(out[n-1].to, s.to)
			continue
		}
		out = append(out, s)
	}
	return out
}

// near is how many offsets are read to spare a request.
const near = 500

// windows are the stretches to read for some spans, from an offset on and before another; spans nearer
// than near are read as one.
func windows(spans []span, from, before, near int64) []span {
	var out []span
	for _, s := range spans {
		s = span{max(s.from, from), min(s.to, before)}
		if s.from >= s.to {
			continue
		}
		if n := len(out); n > 0 && s.from-out[n-1].to < near {
			out[n-1].to = s.to
			continue
		}
		out = append(out, s)
	}
	return out
}

// holds reports whether an offset is in one of the sorted spans.
func holds(spans []span, offset int64) bool { return spanOf(spans, offset) >= 0 }

// spanOf is which of the sorted spans has an offset; -1: none.
func spanOf(spans []span, offset int64) int {
	i, found := slices.BinarySearchFunc(spans, offset, func(s span, o int64) int { return cmp.Compare(s.from, o) })
	if !found {
		i--
	}
	if i < 0 || offset >= spans[i].to {
		return -1
	}
	return i
}

// cut takes the first n offsets off some spans.
func cut(spans []span, n int64) (head, rest []span) {
	for i, s := range spans {
		if s.to-s.from >= n {
			head = append(slices.Clone(spans[:i]), span{s.from, s.from + n})
			return head, windows(spans[i:], s.from+n, 1<<62, 0)
		}
		n -= s.to - s.from
	}
	return spans, nil
}

// matcher is the part of a selection that only a record's content decides.
type matcher struct {
	Selection
	ids   map[string]bool   // whether it was found
	forms map[string]string // the ids by all that a disposition may have in their place
}

func newMatcher(s Selection, gate providers.Gate) *matcher {
	m := &matcher{Selection: s, ids: map[string]bool{}, forms: map[string]string{}}
	for _, id := range s.IDs {
		m.ids[id] = false
		for _, form := range gate.Forms(id) {
			m.forms[form] = id
		}
	}
	return m
}

// within reports whether a time is in the selection.
func (m *matcher) within(t time.Time) bool {
	return (m.Since.IsZero() || !t.Before(m.Since)) && (m.Until.IsZero() || t.Before(m.Until))
}

// names reports whether a disposition holds one of the ids.
func (m *matcher) names(d *kycv1.Disposition) bool {
	if len(m.ids) == 0 {
		return false
	}
	named := m.found(d.GetVendorEventId())
	for _, id := range d.GetEventIds() {
		named = m.found(id) || named
	}
	return named
}

// found notes that an id exists, if the selection has it.
func (m *matcher) found(form string) bool {
	id, ok := m.forms[form]
	if ok {
		m.ids[id] = true
	}
	return ok
}

// envelope reports whether a delivery is in the selection. named: its dispositions hold one of the ids. What is no
// envelope has neither endpoint nor vendor.
func (m *matcher) envelope(e *kycv1.RawEnvelope, named bool) bool {
	if len(m.Endpoints) > 0 && !slices.Contains(m.Endpoints, e.GetEndpoint()) ||
		len(m.Vendors) > 0 && !slices.Contains(m.Vendors, e.GetProvider()) {
		return false
	}
	return len(m.ids) == 0 || m.found(e.GetDeliveryId()) || named
}
