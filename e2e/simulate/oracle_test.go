package simulate

import (
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/proto"

	"github.com/kycbridge/kycbridge/schemas"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
	"github.com/kycbridge/kycbridge/sink"
)

// judgement is what the oracle found wrong, by check: "lost" (O1), "doubled" (O2), "let in" (O3),
// "unaccounted" (O4), "out of order" (O5); and "mistaken": a dead letter nobody deserves, a flag that admits
// a doubt nobody had, a duplicate of nothing.
type judgement struct {
	found map[string][]string
	seen  effort
}

func (j *judgement) say(check, format string, args ...any) {
	j.found[check] = append(j.found[check], fmt.Sprintf(format, args...))
}

// place is a raw record.
type place struct {
	partition int32
	offset    int64
}

func placeOf(p *kycv1.RawPosition) place { return place{p.GetPartition(), p.GetOffset()} }

// books is what stands in the topics.
type books struct {
	raw          map[place]bool
	dispositions map[place][]*kycv1.Disposition
	letters      map[place]int
	events       []event
}

type event struct {
	record *kgo.Record
	about  *kycv1.EventMetadata
}

// read reads everything that is committed.
func (w *world) read() (books, error) {
	b := books{raw: map[place]bool{}, dispositions: map[place][]*kycv1.Disposition{}, letters: map[place]int{}}
	for _, topic := range schemas.Topics() {
		for p := range int32(partitions) {
			if _, err := w.reader.Scan(w.ctx, topic.Base, p, sink.Start{}, func(r *kgo.Record) error { return b.add(topic, r) }); err != nil {
				return b, err
			}
		}
	}
	return b, nil
}

func (b *books) add(topic schemas.Topic, r *kgo.Record) error {
	m := topic.Message.ProtoReflect().New().Interface()
	if err := proto.Unmarshal(r.Value, m); err != nil {
		return err
	}
	switch m := m.(type) {
	case *kycv1.RawEnvelope:
		b.raw[place{r.Partition, r.Offset}] = true
	case *kycv1.Disposition:
		b.dispositions[placeOf(m.GetRaw())] = append(b.dispositions[placeOf(m.GetRaw())], m)
	case *kycv1.DeadLetter:
		b.letters[placeOf(m.GetRaw())]++
	case schemas.DomainEvent:
		b.events = append(b.events, event{r, m.GetMetadata()})
	}
	return nil
}

// audit holds what stands in the topics against what the vendors were told.
func (v *vendors) audit(b books) *judgement {
	j := &judgement{found: map[string][]string{}}
	arrived, times := map[string]bool{}, map[string]int{}
	for _, e := range b.events {
		arrived[e.about.GetVendorEventId()] = true
		times[e.about.GetEventId()]++
		for _, h := range e.record.Headers {
			if h.Key == "dedupe" {
				j.say("mistaken", "event %s is flagged %s", e.about.GetEventId(), h.Value)
			}
		}
	}
	for id, n := range times {
		if n > 1 {
			j.say("doubled", "event %s stands %d times", id, n)
		}
	}
	j.accounted(b, arrived, times)
	for id := range v.accepted {
		if !arrived[id] {
			j.say("lost", "%s was accepted and is in no topic", id)
		}
	}
	for id := range v.forged {
		if arrived[id] {
			j.say("let in", "%s was forged", id)
		}
	}
	j.ordered(b)
	j.seen = effort{Accepted: len(v.accepted), Raw: len(b.raw), Events: len(b.events)}
	return j
}

// accounted checks that every raw record has exactly one disposition, which is true.
func (j *judgement) accounted(b books, arrived map[string]bool, times map[string]int) {
	letters := map[string]int{}
	for at, all := range b.dispositions {
		if !b.raw[at] {
			j.say("unaccounted", "a disposition of %v, where no raw record is", at)
		}
		for _, d := range all {
			switch d.GetKind() {
			case kycv1.DispositionKind_DISPOSITION_KIND_DEAD_LETTERED:
				arrived[d.GetVendorEventId()] = true
				letters[d.GetVendorEventId()]++
				j.letter(b, at, d)
			case kycv1.DispositionKind_DISPOSITION_KIND_DUPLICATE:
				if of := placeOf(d.GetDuplicateOf()); of.partition != at.partition || of.offset >= at.offset || !b.stands(of) {
					j.say("mistaken", "%v was dropped as a duplicate of %v", at, of)
				}
			}
			for _, id := range d.GetEventIds() {
				if times[id] == 0 {
					j.say("unaccounted", "the disposition of %v names event %s, which is in no topic", at, id)
				}
			}
		}
	}
	for at := range b.raw {
		if n := len(b.dispositions[at]); n != 1 {
			j.say("unaccounted", "raw record %v has %d dispositions", at, n)
		}
	}
	for id, n := range letters {
		if n > 1 {
			j.say("doubled", "%s is a dead letter %d times", id, n)
		}
	}
}

// letter checks one dead letter: only what the mappings do not know deserves to be one.
func (j *judgement) letter(b books, at place, d *kycv1.Disposition) {
	if n := b.letters[at]; n != 1 {
		j.say("unaccounted", "%v was dead-lettered, and has %d dead letters", at, n)
	}
	if d.GetVendorEventType() != unknownType {
		j.say("mistaken", "%s of type %s is a dead letter: %s", d.GetVendorEventId(), d.GetVendorEventType(), d.GetReason())
	}
}

// stands says whether a raw record was let through.
func (b books) stands(at place) bool {
	return slices.ContainsFunc(b.dispositions[at], func(d *kycv1.Disposition) bool {
		return d.GetKind() != kycv1.DispositionKind_DISPOSITION_KIND_DUPLICATE
	})
}

// ordered checks that the events of a key stand in the order of their raw records.
func (j *judgement) ordered(b books) {
	last := map[string]*kycv1.RawPosition{}
	slices.SortStableFunc(b.events, func(x, y event) int { return int(x.record.Offset - y.record.Offset) })
	for _, e := range b.events {
		key := e.record.Topic + " " + string(e.record.Key)
		raw := e.about.GetRaw()
		if before := last[key]; before != nil && (before.GetPartition() != raw.GetPartition() || before.GetOffset() > raw.GetOffset()) {
			j.say("out of order", "%s: raw record %v stands before %v", key, placeOf(before), placeOf(raw))
		}
		last[key] = raw
	}
}
