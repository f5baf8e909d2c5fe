package audit

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/proto"

	"github.com/kycbridge/kycbridge/internal/record"
)

// Archive is what Trace searches. The topics other than Raw may be narrowed to a window of time by
// whoever makes them: a start of zero is where the window begins.
type Archive struct {
	Topics
	// Pending is, per raw partition, what the normaliser has committed: records from there on have
	// no disposition yet and are looked at themselves.
	Pending map[int32]int64
	// PartitionOf is the partition, of so many, that a record key goes to.
	PartitionOf func(key string, partitions int32) int32
	// Describe puts what an event says into words; nothing of its metadata.
	Describe func(event proto.Message) []string
	// Forms are all that an id may stand as in keys, dispositions and events: hashed, where it
	// has not the shape of one. nil: only as it is.
	Forms func(id string) []string
	// Progress, when set, is called after every record, never concurrently.
	Progress func(Progress)
}

// The bounds of a trace.
const (
	// MaxDeliveries is how many deliveries one trace shows.
	MaxDeliveries = 1000
	// readers is how many partitions are read at a time.
	readers = 4
)

var coordinate = regexp.MustCompile(`^([0-9]{1,9})@([0-9]{1,18})$`)

// Story is what Trace found.
type Story struct {
	Deliveries []Delivery // those of one partition together, in its order
	Searched   []string   // what was looked through, in words
	More       bool       // there are more than MaxDeliveries
	// Held is the part of its partition that the raw topic holds, where the id is a place there without a delivery.
	Held    *record.Extent
	Earlier int64 // dispositions that name the id and belong to an earlier raw topic of the same name
}

// PlaceOf reads an id as the place of a raw record: 3@17.
func PlaceOf(id string) (at record.Position, ok bool) {
	m := coordinate.FindStringSubmatch(id)
	if m == nil {
		return at, false
	}
	partition, _ := strconv.ParseInt(m[1], 10, 32) // so many digits fit
	offset, _ := strconv.ParseInt(m[2], 10, 64)
	return record.Position{Partition: int32(partition), Offset: offset}, true
}

// Delivery is one accepted delivery, and what became of it. It holds ids, and nothing about a person.
type Delivery struct {
	Raw          record.Position   `json:"raw"`
	Topic        string            `json:"raw_topic"`
	Kept         bool              `json:"raw_kept"`              // the raw topic still has it
	Pending      bool              `json:"pending"`               // not yet processed
	ID           string            `json:"delivery_id,omitempty"` // ours
	Key          string            `json:"key"`
	Provider     string            `json:"provider,omitempty"`
	Endpoint     string            `json:"endpoint,omitempty"`
	Tenant       string            `json:"tenant,omitempty"`
	VendorID     string            `json:"vendor_event_id,omitempty"`
	VendorType   string            `json:"vendor_event_type,omitempty"`
	ReceivedAt   time.Time         `json:"received_at,omitzero"`
	Dispositions []Disposition     `json:"dispositions"` // in the order they were written
	Events       []Event           `json:"events"`
	Letters      []DeadLetter      `json:"dead_letters"`
	RepeatedBy   []record.Position `json:"repeated_by"` // deliveries that were dropped as duplicates of it
}

// Disposition is one disposition of a delivery, as a trace shows it.
type Disposition struct {
	At          time.Time        `json:"decided_at"`
	Kind        string           `json:"kind"`  // EMITTED, DUPLICATE, DEAD_LETTERED, HYDRATING
	Stage       string           `json:"stage"` // NORMALIZE, HYDRATE, REPLAY
	DuplicateOf *record.Position `json:"duplicate_of,omitempty"`
	Reason      string           `json:"reason,omitempty"`
	Mapper      string           `json:"mapper_version,omitempty"`
	Replay      string           `json:"replay_id,omitempty"`
	EventIDs    []string         `json:"event_ids,omitempty"`
	Flag        string           `json:"dedupe,omitempty"` // as in the header of its events: conflict, unconfirmed, unverified
	// task is where duplicate_of is a task of the hydrate stage.
	task bool
}

// Event is one event in a domain topic.
type Event struct {
	ID         string    `json:"event_id"`
	Topic      string    `json:"topic"`
	Partition  int32     `json:"partition"`
	Offset     int64     `json:"offset"`
	Says       []string  `json:"says"`
	OccurredAt time.Time `json:"occurred_at,omitzero"`
	FetchedAt  time.Time `json:"fetched_at,omitzero"`
	Flags      []string  `json:"flags,omitempty"`
	Twin       *Twin     `json:"json,omitempty"` // where it is as JSON
}

// replay is the label of the replay that wrote an event; "" where none did.
func (e *Event) replay() string {
	for _, f := range e.Flags {
		if label, ok := strings.CutPrefix(f, "replay="); ok {
			return label
		}
	}
	return ""
}

// Twin is the record that holds an event as JSON.
type Twin struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Offset    int64  `json:"offset"`
}

// DeadLetter is one record of the dead-letter topic.
type DeadLetter struct {
	Partition int32  `json:"partition"`
	Offset    int64  `json:"offset"`
	Reason    string `json:"reason"`
	Stage     string `json:"stage"`
	Field     string `json:"field,omitempty"`
	Detail    string `json:"detail,omitempty"`
	Replay    string `json:"replay_id,omitempty"`
}

// Trace finds every accepted delivery that an id concerns: a raw position "partition@offset", a
// record key "endpoint/id", or an id alone: of a session, check, client or other subject, of the vendor's
// event, of an event or of a delivery. Duplicates and what they repeat belong together.
//
// Where the id is a position or a key only the partitions of that key are read, else all, a few at a
// time. Memory grows with what is found, MaxDeliveries at most, and not with what is read.
func Trace(ctx context.Context, a Archive, id string) (*Story, error) {
	t := &tracer{Archive: a, id: id, forms: []string{id}, found: map[record.Position]*Delivery{}, tasks: map[record.Position]bool{}, taskOf: map[record.Position]record.Position{}}
	endpoint, rest, isKey := strings.Cut(id, "/")
	if a.Forms != nil {
		t.forms = a.Forms(id)
	}
	if a.Forms != nil && isKey {
		for _, form := range a.Forms(rest) {
			t.forms = append(t.forms, endpoint+"/"+form)
		}
	}
	if err := t.match(ctx); err != nil {
		return nil, err
	}
	if err := t.connect(ctx); err != nil {
		return nil, err
	}
	if err := t.complete(ctx); err != nil {
		return nil, err
	}
	return t.story(), nil
}

// tracer collects one story. Its lock is held by whoever looks at a record.
type tracer struct {
	Archive
	id    string
	forms []string // of the id, itself among them

	mu       sync.Mutex
	read     int64
	searched []string
	found    map[record.Position]*Delivery
	tasks    map[record.Position]bool            // tasks of the hydrate stage that belong to what was found
	taskOf   map[record.Position]record.Position // the raw records of such tasks
	more     bool
	earlier  int64
}

// match finds the deliveries that the id names.
func (t *tracer) match(ctx context.Context) error {
	if at, ok := PlaceOf(t.id); ok {
		if at.Partition >= t.Raw.Partitions {
			return fmt.Errorf("%s has no partition %d: it has %d, from 0 to %d", t.Raw.Name, at.Partition, t.Raw.Partitions, t.Raw.Partitions-1)
		}
		t.note(at)
		return nil
	}
	var jobs []job
	if strings.Contains(t.id, "/") {
		for _, p := range t.partitionsOfForms() {
			jobs = append(jobs, job{t.Dispositions, p, record.ScanFrom{}, t.matchDisposition}, job{t.Raw, p, record.ScanFrom{Offset: t.Pending[p]}, t.matchRaw})
		}
		return t.all(ctx, jobs)
	}
	for p := range t.Raw.Partitions {
		jobs = append(jobs, job{t.Dispositions, p, record.ScanFrom{}, t.matchDisposition}, job{t.Raw, p, record.ScanFrom{Offset: t.Pending[p]}, t.matchRaw})
	}
	for _, topic := range t.Domain {
		for p := range topic.Partitions {
			jobs = append(jobs, job{topic, p, record.ScanFrom{}, func(r record.Record) { t.matchEvent(topic, r) }})
		}
	}
	return t.all(ctx, jobs)
}

// partitionsOfForms are the raw partitions of the keys that the id may stand for.
func (t *tracer) partitionsOfForms() []int32 {
	at := map[int32]bool{}
	for _, form := range t.forms {
		if strings.Contains(form, "/") {
			at[t.PartitionOf(form, t.Raw.Partitions)] = true
		}
	}
	return slices.Sorted(maps.Keys(at))
}

// job is one partition to be read.
type job struct {
	topic     Topic
	partition int32
	from      record.ScanFrom
	fn        func(record.Record)
}

// all reads partitions, a few at a time. fn of one job is never called while that of another is.
func (t *tracer) all(ctx context.Context, jobs []job) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(readers)
	for _, j := range jobs {
		t.searchedIn(j)
		group.Go(func() error {
			_, err := j.topic.scan(ctx, j.partition, j.from, func(r record.Record) error {
				t.mu.Lock()
				defer t.mu.Unlock()
				j.fn(r)
				t.tell(j, r)
				return nil
			})
			return err
		})
	}
	return group.Wait()
}

func (t *tracer) tell(j job, r record.Record) {
	if t.read++; t.Progress != nil {
		t.Progress(Progress{Source: j.topic.Name, Partition: r.Partition, Partitions: j.topic.Partitions, Records: t.read})
	}
}

// searchedIn remembers which topics were looked through.
func (t *tracer) searchedIn(j job) {
	if !slices.Contains(t.searched, j.topic.Name) {
		t.searched = append(t.searched, j.topic.Name)
	}
}

// note adds a delivery to what was found.
func (t *tracer) note(raw record.Position) *Delivery {
	d, ok := t.found[raw]
	if !ok {
		if len(t.found) >= MaxDeliveries {
			t.more = true
			return nil
		}
		d = &Delivery{Raw: raw, Topic: t.Raw.Name, Dispositions: []Disposition{}, Events: []Event{}, Letters: []DeadLetter{}, RepeatedBy: []record.Position{}}
		t.found[raw] = d
	}
	return d
}

// partitionsFound are the raw partitions of what was found, in order.
func (t *tracer) partitionsFound() []int32 {
	seen := map[int32]bool{}
	for raw := range t.found {
		seen[raw.Partition] = true
	}
	return slices.Sorted(maps.Keys(seen))
}

func (t *tracer) story() *Story {
	s := &Story{Searched: t.searched, More: t.more, Earlier: t.earlier}
	for _, d := range t.found {
		t.link(d)
	}
	for _, d := range t.found {
		if !d.Kept && len(d.Dispositions) == 0 && len(d.Events) == 0 && len(d.Letters) == 0 {
			continue // a position that never was, or of which nothing is left
		}
		slices.SortFunc(d.RepeatedBy, comparePositions)
		d.Pending = len(d.Dispositions) == 0 && d.Raw.Offset >= t.Pending[d.Raw.Partition]
		s.Deliveries = append(s.Deliveries, *d)
	}
	first := map[int32]time.Time{}
	for _, d := range s.Deliveries {
		if at, ok := first[d.Raw.Partition]; !ok || d.ReceivedAt.Before(at) {
			first[d.Raw.Partition] = d.ReceivedAt
		}
	}
	slices.SortFunc(s.Deliveries, func(a, b Delivery) int {
		return cmp.Or(first[a.Raw.Partition].Compare(first[b.Raw.Partition]), comparePositions(a.Raw, b.Raw))
	})
	return s
}
