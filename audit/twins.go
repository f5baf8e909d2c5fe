package audit

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/kycbridge/kycbridge/internal/record"
	"github.com/kycbridge/kycbridge/schemas"
)

// twinEdge is how far apart, in time, an event and its JSON may be: both are of one transaction.
const twinEdge = time.Minute

// twinCheck compares a topic's events with their JSON, in one partition or, where the topics have not as many, in
// all. Where both topics are whole, every difference is found. Otherwise a difference counts between the first and the
// last event of a partition that has its JSON: what is before or after may be of a time without topics.json, and of
// what retention or a window of time has cut off, a minute's worth beside the cut is left out.
type twinCheck struct {
	f            *findings
	events, twin Topic
	since        time.Time
	ids          map[outputID]*copies
	labels       []string // of replays, by their number less one

	eventsFrom, twinFrom cutOff
}

// copies are what was read of one event, or of one that a replay wrote again.
type copies struct {
	events, twins int
	event, twin   record.Position // the first of each
	at            time.Time       // of the first
}

// cutOff is from when on what was read is whole.
type cutOff struct {
	read bool // anything was
	at   time.Time
}

// begin takes the first record of a partition.
func (c *cutOff) begin(r record.Record, windowed bool) {
	c.read = true
	if at := r.Time.Add(twinEdge); (windowed || r.Offset > 0) && at.After(c.at) {
		c.at = at
	}
}

// compareTwins judges every topic of events that has a twin.
func (in *Evidence) compareTwins(ctx context.Context, f *findings) error {
	since := in.since()
	for _, twin := range in.Twins {
		known, _ := schemas.TopicNamed("", twin.Base)
		n := slices.IndexFunc(in.Domain, func(t Topic) bool { return t.Base == known.TwinOf })
		if n < 0 {
			continue
		}
		lanes := [][2]partitionRange{{{0, in.Domain[n].Partitions}, {0, twin.Partitions}}}
		if in.Domain[n].Partitions == twin.Partitions {
			lanes = nil
			for p := range twin.Partitions {
				lanes = append(lanes, [2]partitionRange{{p, p + 1}, {p, p + 1}})
			}
		}
		for _, lane := range lanes {
			c := &twinCheck{f: f, events: in.Domain[n], twin: twin, since: since, ids: map[outputID]*copies{}}
			if err := c.run(ctx, lane[0], lane[1]); err != nil {
				return err
			}
			c.judge()
		}
	}
	return nil
}

// partitionRange are the partitions from one number up to another.
type partitionRange struct{ from, to int32 }

// since is the time from which on topics are read for all of the spans; zero: from their start.
func (in *Evidence) since() (since time.Time) {
	for n, p := range in.partitions() {
		if s := in.Spans[p].Since; n == 0 || s.Before(since) {
			since = s
		}
	}
	return since
}

// run reads the events, then their JSON, then the events that came meanwhile.
func (c *twinCheck) run(ctx context.Context, events, twins partitionRange) error {
	ends := map[int32]int64{}
	for p := events.from; p < events.to; p++ {
		next, err := c.events.scan(ctx, p, record.ScanFrom{Time: c.since}, c.f.told(c.events, c.each(&c.eventsFrom, c.event)))
		if err != nil {
			return err
		}
		ends[p] = next
	}
	for p := twins.from; p < twins.to; p++ {
		if _, err := c.twin.scan(ctx, p, record.ScanFrom{Time: c.since}, c.f.told(c.twin, c.each(&c.twinFrom, c.json))); err != nil {
			return err
		}
	}
	for p, next := range ends {
		if _, err := c.events.scan(ctx, p, record.ScanFrom{Offset: next}, c.f.told(c.events, c.late)); err != nil {
			return err
		}
	}
	return nil
}

// each notes where a partition begins.
func (c *twinCheck) each(from *cutOff, fn func(record.Record) error) func(record.Record) error {
	last := int32(-1)
	return func(r record.Record) error {
		if r.Partition != last {
			last = r.Partition
			from.begin(r, !c.since.IsZero())
		}
		return fn(r)
	}
}

// of finds what is known of an id under a replay's label.
func (c *twinCheck) of(id, label string) *copies {
	replay := uint16(0)
	if label != "" {
		n := slices.Index(c.labels, label)
		if n < 0 {
			n, c.labels = len(c.labels), append(c.labels, label)
		}
		replay = uint16(n + 1)
	}
	key := eventID(id, replay)
	if c.ids[key] == nil {
		c.ids[key] = &copies{}
	}
	return c.ids[key]
}

func (c *twinCheck) event(r record.Record) error {
	if o := c.read(c.events, r); o != nil {
		if o.events++; o.events == 1 {
			o.event, o.at = record.Position{Partition: r.Partition, Offset: r.Offset}, r.Time
		}
	}
	return nil
}

func (c *twinCheck) json(r record.Record) error {
	if o := c.read(c.twin, r); o != nil {
		if o.twins++; o.twins == 1 {
			o.twin = record.Position{Partition: r.Partition, Offset: r.Offset}
		}
		if o.events == 0 {
			o.at = r.Time
		}
	} else {
		c.f.v.Unread++
	}
	return nil
}

// late reads an event that came after the others were read: it is one where its JSON was read already.
func (c *twinCheck) late(r record.Record) error {
	if o := c.read(c.events, r); o != nil && o.twins > o.events {
		o.events++
	}
	return nil
}

// read finds what is known of a record's event; nil where it is none. That of JSON is read whole.
func (c *twinCheck) read(t Topic, r record.Record) *copies {
	id := r.Header("ce_id")
	if id != "" && t.Base != c.twin.Base {
		return c.of(id, r.Header("replay"))
	}
	e, ok := message[schemas.DomainEvent](t, r)
	if !ok || id != "" && e.GetMetadata().GetEventId() != id {
		return nil
	}
	return c.of(e.GetMetadata().GetEventId(), flagOf(e.GetMetadata(), "replay"))
}

// judge compares.
func (c *twinCheck) judge() {
	first, last := map[int32]int64{}, map[int32]int64{}
	for _, o := range c.ids {
		if o.events == 0 || o.twins == 0 {
			continue
		}
		p := o.event.Partition
		if at, ok := first[p]; !ok || o.event.Offset < at {
			first[p] = o.event.Offset
		}
		last[p] = max(last[p], o.event.Offset)
	}
	for id, o := range c.ids {
		at, begun := first[o.event.Partition]
		within := begun && o.event.Offset > at && o.event.Offset < last[o.event.Partition]
		if what := c.wrong(id, o, within); what != "" {
			c.f.violate(o6, record.Position{Partition: -1, Offset: -1}, what)
		}
	}
}

// wrong says what is wrong with an event's copies; "" if nothing is. within: events before and after it have theirs.
func (c *twinCheck) wrong(id outputID, o *copies, within bool) string {
	c.f.v.Checks[o6].Looked += int64(min(o.events, 1))
	switch {
	case o.events == o.twins:
		return ""
	case o.events == 0 && (!c.eventsFrom.read || o.at.Before(c.eventsFrom.at)):
		return ""
	case o.events == 0:
		return fmt.Sprintf("%s is at %s %s, and there is no such event on %s", id, c.twin.Name, o.twin, c.events.Name)
	case o.twins == 0 && (!within || o.at.Before(c.twinFrom.at)):
		c.f.v.Alone++
		return ""
	case o.twins == 0 && c.again(id):
		return ""
	case o.twins == 0:
		return fmt.Sprintf("%s at %s %s is not on %s, as those before and after it are", id, c.events.Name, o.event, c.twin.Name)
	}
	return fmt.Sprintf("%s is %d times on %s, first at %s, and %d times on %s, first at %s", id, o.events, c.events.Name, o.event, o.twins, c.twin.Name, o.twin)
}

// again reports whether an event's JSON was written at another time, as by a replay that emitted it once more.
func (c *twinCheck) again(id outputID) bool {
	for n := range len(c.labels) + 1 {
		id.replay = uint16(n)
		if o := c.ids[id]; o != nil && o.twins > 0 {
			return true
		}
	}
	return false
}
