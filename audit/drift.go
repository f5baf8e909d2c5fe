package audit

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kycbridge/kycbridge/internal/record"
)

// DefaultMaxEntries is how many different things one report lists.
const DefaultMaxEntries = 1000

// DriftOptions narrow a report.
type DriftOptions struct {
	Vendors    []string // only these; empty: all
	MaxEntries int      // 0: DefaultMaxEntries
	// Progress, when set, is called after every record.
	Progress func(Progress)
}

// Progress is how far a report is.
type Progress struct {
	Source                string
	Partition, Partitions int32
	Records               int64 // of all sources so far
}

// DriftReport is what vendors sent that the mappings do not know. Its size is
// bounded by MaxEntries, however much was read.
type DriftReport struct {
	Entries []DriftEntry // by vendor, the most frequent first
	Records int64        // read, of the vendors asked for
	Drifted int64        // of these, the ones with anything new
	Unread  int64        // records that are not deliveries; they are dead letters
	// Unlisted counts what was seen when the list was full and is not in it.
	Unlisted int64
}

// DriftEntry is one thing that is new to us.
type DriftEntry struct {
	Vendor string    `json:"vendor"`
	Kind   string    `json:"kind"`
	Word   string    `json:"word"`       // "" where it was left out
	Count  int64     `json:"count"`      // records in which it stood
	First  time.Time `json:"first_seen"` // when the first of them arrived
	Last   time.Time `json:"last_seen"`
	Sample Sample    `json:"sample"` // the last of them
}

// Drift reads the sources to their ends, one partition after the other. With an
// error, and when ctx ends, the report holds what was read before.
func Drift(ctx context.Context, sources []Source, o DriftOptions) (*DriftReport, error) {
	if o.MaxEntries <= 0 {
		o.MaxEntries = DefaultMaxEntries
	}
	c := &collector{o: o, entries: map[entryKey]*DriftEntry{}}
	for _, s := range sources {
		for p := range s.Partitions {
			err := s.Scan(ctx, p, func(r record.Record) error {
				o, err := s.Observe(r)
				if err != nil {
					return err
				}
				c.add(o)
				c.tell(Progress{Source: s.Name, Partition: p, Partitions: s.Partitions})
				return ctx.Err()
			})
			if err != nil {
				return c.finish(), fmt.Errorf("topic %s partition %d: %w", s.Name, p, err)
			}
		}
	}
	return c.finish(), nil
}

type entryKey struct{ vendor, kind, word string }

// collector makes the report, record by record.
type collector struct {
	o       DriftOptions
	read    int64
	report  DriftReport
	entries map[entryKey]*DriftEntry
}

func (c *collector) tell(p Progress) {
	c.read++
	if c.o.Progress != nil {
		p.Records = c.read
		c.o.Progress(p)
	}
}

func (c *collector) add(r Observation) {
	switch {
	case r.Skip:
		return
	case r.Vendor == "":
		c.report.Unread++
		return
	case len(c.o.Vendors) > 0 && !slices.Contains(c.o.Vendors, r.Vendor):
		return
	}
	c.report.Records++
	// A delivery with the same news in ten places counts once.
	seen := map[entryKey]bool{}
	for _, n := range r.News {
		key := entryKey{r.Vendor, n.Kind, showable(n.Word)}
		if !seen[key] && !slices.Contains(r.Told, n) {
			seen[key] = true
			c.note(key, r)
		}
	}
	if len(seen) > 0 {
		c.report.Drifted++
	}
}

func (c *collector) note(key entryKey, r Observation) {
	e, ok := c.entries[key]
	if !ok {
		if len(c.entries) >= c.o.MaxEntries {
			c.report.Unlisted++
			return
		}
		// Strings of an observation may be slices of a whole body: copy them, or the body stays.
		key = entryKey{strings.Clone(key.vendor), strings.Clone(key.kind), strings.Clone(key.word)}
		e = &DriftEntry{Vendor: key.vendor, Kind: key.kind, Word: key.word, First: r.ReceivedAt, Last: r.ReceivedAt}
		c.entries[key] = e
	}
	e.Count++
	if r.ReceivedAt.Before(e.First) {
		e.First = r.ReceivedAt
	}
	if e.Count == 1 || r.ReceivedAt.After(e.Last) {
		e.Last, e.Sample = r.ReceivedAt, r.Sample
		e.Sample.Topic, e.Sample.Delivery = strings.Clone(r.Sample.Topic), strings.Clone(r.Sample.Delivery)
	}
}

func (c *collector) finish() *DriftReport {
	for _, e := range c.entries {
		c.report.Entries = append(c.report.Entries, *e)
	}
	slices.SortFunc(c.report.Entries, func(a, b DriftEntry) int {
		return cmp.Or(cmp.Compare(a.Vendor, b.Vendor), cmp.Compare(b.Count, a.Count),
			cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Word, b.Word))
	})
	return &c.report
}
