package audit

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/kycbridge/kycbridge/internal/record"
	"github.com/kycbridge/kycbridge/schemas"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// lane is what Verify remembers of the raw partitions that are read together.
type lane struct {
	in      *Evidence
	f       *findings
	parts   map[int32]*part
	since   time.Time // the earliest of the parts
	outputs map[outputID]output
	order   order
	waiting map[record.Position]bool // raw records that wait for the vendor's API
	hollow  map[string]*hollow       // by dedupe key: see drop
	late    bool                     // dispositions that come now were written while the check ran
}

// part is one raw partition.
type part struct {
	span   Span
	fates  []fate          // of each raw record, from span.First on
	prints []print         // of the keys that each raw record was let through under
	tasks  map[int64]print // the same of the tasks in whose name the hydrate stage wrote something
	drops  []drop          // duplicates that cannot be judged before all is read
	gone   *gone           // what is known of the records before span.First; nil: they are not looked at
}

// fate is what was read of one raw record.
type fate uint8

const (
	asked    fate = 1 << iota // handed to the hydrate stage
	ended                     // has a final disposition
	repeated                  // which says DUPLICATE
	again                     // has a second one
	filled                    // a replay dealt with it
)

// stands reports whether a duplicate may point at the record: the normaliser let it through.
func (f fate) stands() bool { return f&(asked|filled) != 0 || f&ended != 0 && f&repeated == 0 }

// outputID names an event, by its id, or a dead letter or replayed record, by its raw position.
type outputID struct {
	id     [16]byte
	replay uint16
}

// output is what was read of one event or dead letter.
type output struct {
	offset    int64 // of the raw record
	partition int32
	named     bool  // by a disposition
	promised  bool  // by one that was read before the output's topic: it must be there
	seen      uint8 // times, at most 2
	flagged   bool  // stands under a flag that admits a double
}

// there reports whether an output stands in its topic.
func (o output) there() bool { return o.seen > 0 || o.flagged }

func newLane(in *Evidence, f *findings, partitions []int32) *lane {
	l := &lane{in: in, f: f, parts: map[int32]*part{}, outputs: map[outputID]output{}, waiting: map[record.Position]bool{}, hollow: map[string]*hollow{}}
	for n, p := range partitions {
		span := in.Spans[p]
		records := span.end() - span.First
		l.parts[p] = &part{span: span, fates: make([]fate, records), prints: make([]print, records), tasks: map[int64]print{}, gone: newGone(span)}
		if n == 0 || span.Since.Before(l.since) {
			l.since = span.Since
		}
	}
	return l
}

// fate finds the record at a raw position; nil where it is not judged.
func (l *lane) fate(at record.Position) *fate {
	p, ok := l.parts[at.Partition]
	if !ok || at.Offset < p.span.First || at.Offset >= p.span.end() {
		return nil
	}
	return &p.fates[at.Offset-p.span.First]
}

// kinds of output that have no id of their own. An event id is a UUID of version 5, so the zeros
// that follow the kind make it none.
const (
	kindLetter = 1
	kindReplay = 2
)

func positioned(kind byte, raw record.Position, replay uint16) outputID {
	id := outputID{replay: replay}
	id.id[0] = kind
	binary.BigEndian.PutUint32(id.id[2:], uint32(raw.Partition))
	binary.BigEndian.PutUint64(id.id[8:], uint64(raw.Offset))
	return id
}

// of reports whether an output is of a kind that has no id of its own.
func (id outputID) of(kind byte) bool { return id.id[0] == kind && id.id[1] == 0 && id.id[6] == 0 }

func eventID(text string, replay uint16) outputID {
	id, err := uuid.Parse(text)
	if err != nil { // breaks the contract; still one thing
		sum := sha256.Sum256([]byte(text))
		copy(id[:], sum[:])
	}
	return outputID{id: id, replay: replay}
}

// String names an output in a violation.
func (id outputID) String() string {
	switch {
	case id.of(kindLetter):
		return "the dead letter"
	case id.of(kindReplay):
		return "the replayed record"
	}
	return "event " + uuid.UUID(id.id).String()
}

// name notes that a disposition promises an output.
func (l *lane) name(id outputID, raw record.Position, promised bool) {
	o := l.outputs[id]
	o.named = true
	o.promised = o.promised || promised && !l.late
	o.partition, o.offset = raw.Partition, raw.Offset
	l.outputs[id] = o
}

// meet notes that an output stands in its topic.
func (l *lane) meet(id outputID, raw record.Position, r record.Record, flagged bool) {
	o := l.outputs[id]
	if !o.named {
		o.partition, o.offset = raw.Partition, raw.Offset
	}
	if flagged {
		o.flagged = true
	} else {
		o.seen = min(o.seen+1, 2)
		if l.f.v.Checks[o2].Looked++; o.seen == 2 {
			l.f.violate(o2, raw, fmt.Sprintf("%s is there twice, again at %s %d@%d", id, r.Topic, r.Partition, r.Offset))
		}
	}
	l.outputs[id] = o
}

// event reads a record of a domain topic.
func (l *lane) event(t Topic, r record.Record) error {
	e, ok := message[schemas.DomainEvent](t, r)
	if !ok {
		l.f.v.Unread++
		return nil
	}
	md := e.GetMetadata()
	raw := positionOf(md.GetRaw())
	if l.strays(raw) {
		return errWide
	}
	if l.fate(raw) == nil {
		return nil
	}
	dedupe, replay := flagOf(md, "dedupe"), l.f.replay(flagOf(md, "replay"))
	id := eventID(md.GetEventId(), replay)
	l.f.arrived(md.GetVendorEventId())
	l.f.delivered(md.GetVendorEventId(), raw, id.String())
	if dedupe != "" {
		l.f.v.Flagged[dedupe]++
	}
	l.meet(id, raw, r, dedupe != "")
	if replay > 0 {
		l.f.replays[replay-1].Events++
		return nil
	}
	l.f.v.Events++
	l.f.v.Checks[o5].Looked++
	if wrong := l.order.check(r, md); wrong != "" {
		l.f.violate(o5, raw, wrong)
	}
	return nil
}

// strays reports whether a raw record belongs to another lane.
func (l *lane) strays(raw record.Position) bool {
	_, ours := l.parts[raw.Partition]
	_, known := l.in.Spans[raw.Partition]
	return known && !ours
}

// letter reads a dead letter.
func (l *lane) letter(r record.Record) error {
	d, ok := message[*kycv1.DeadLetter](l.in.DeadLetters, r)
	if !ok {
		l.f.v.Unread++
		return nil
	}
	raw := positionOf(d.GetRaw())
	if l.strays(raw) { // that of a record without a key, say
		return errWide
	}
	if l.fate(raw) != nil {
		l.meet(positioned(kindLetter, raw, l.f.replay(r.Header("replay"))), raw, r, false)
	}
	return nil
}

// task reads what waits in a topic of the hydrate stage.
func (l *lane) task(t Topic, r record.Record) error {
	task, ok := message[*kycv1.HydrateTask](t, r)
	if !ok {
		l.f.v.Unread++
		return nil
	}
	if raw := positionOf(task.GetRaw()); l.fate(raw) != nil {
		l.waiting[raw] = true
	}
	return nil
}

// flagOf gives the value of a flag, "" where the event has none of that name.
func flagOf(md *kycv1.EventMetadata, name string) string {
	for _, f := range md.GetFlags() {
		if value, ok := strings.CutPrefix(f, name+"="); ok {
			return value
		}
	}
	return ""
}
