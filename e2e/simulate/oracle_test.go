package simulate

import (
	"context"
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kycbridge/kycbridge/audit"
	"github.com/kycbridge/kycbridge/internal/contract"
	"github.com/kycbridge/kycbridge/internal/record"
	"github.com/kycbridge/kycbridge/normalize/replay"
	"github.com/kycbridge/kycbridge/schemas"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// judgement is what was found wrong, under the words of wrongs; and "mistaken": a dead letter that nobody
// deserves, or a flag that admits a doubt nobody had.
type judgement struct {
	found map[string][]string
	seen  effort
}

// wrongs are the oracle's checks by what it is when one fails.
var wrongs = map[string]string{"O1": "lost", "O2": "doubled", "O3": "let in", "O4": "unaccounted", "O5": "out of order"}

func (j *judgement) say(wrong, format string, args ...any) {
	j.found[wrong] = append(j.found[wrong], fmt.Sprintf(format, args...))
}

// judge holds what stands in the topics against what the vendors were told.
func (w *world) judge() *judgement {
	j := &judgement{found: map[string][]string{}}
	evidence, err := w.evidence()
	if err != nil {
		j.say("unread", "%v", err)
		return j
	}
	verdict, err := audit.Verify(w.ctx, evidence, audit.VerifyOptions{MaxListed: 1 << 20})
	if err != nil {
		j.say("unread", "%v", err)
		return j
	}
	w.twice(j, evidence.Domain)
	for _, check := range verdict.Checks {
		for _, v := range check.First {
			if v.Raw.Offset < 0 {
				j.say(wrongs[check.ID], "%s", v.What)
				continue
			}
			j.say(wrongs[check.ID], "raw record %s: %s", v.Raw, v.What)
		}
		if check.Unchecked != "" {
			j.say("unread", "%s was not checked: %s", check.ID, check.Unchecked)
		}
	}
	for word, n := range verdict.Flagged {
		if word != "unconfirmed" || len(w.begun) == 0 { // a replay may be taken over, and commit all the same
			j.say("mistaken", "%d events are flagged %s", n, word)
		}
	}
	if verdict.Unread+verdict.Pending+verdict.Waiting > 0 {
		j.say("unread", "%d records cannot be read, %d were not processed, %d wait", verdict.Unread, verdict.Pending, verdict.Waiting)
	}
	w.dispositions(j, evidence.Dispositions)
	j.seen = effort{Filled: int(verdict.Filled), Unconfirmed: int(verdict.Flagged["unconfirmed"]), Accepted: len(evidence.Ledger.Accepted), Raw: int(verdict.Raw), Events: int(verdict.Events)}
	return j
}

// twice checks that no event is there a second time but flagged, or by a replay that was to emit it again: what
// fills a gap is told nowhere else.
func (w *world) twice(j *judgement, domain []audit.Topic) {
	told := map[string]string{}
	for _, t := range domain {
		for p := range t.Partitions {
			_, err := t.Scan(w.ctx, p, record.ScanFrom{}, func(r record.Record) error {
				topic, _ := schemas.TopicNamed(schemas.DefaultPrefix, r.Topic)
				m, err := contract.Decode(nil, topic, r.Value)
				if err != nil {
					return err
				}
				md := m.(schemas.DomainEvent).GetMetadata()
				label := r.Header("replay")
				if r.Header("dedupe") != "" || modeOf(label) == replay.ReEmit {
					return nil
				}
				at := fmt.Sprintf("%s %d@%d of %q", r.Topic, r.Partition, r.Offset, label)
				if first, again := told[md.GetEventId()]; again {
					j.say("doubled", "event %s of %s stands at %s and at %s", md.GetEventId(), md.GetVendorEventId(), first, at)
				}
				told[md.GetEventId()] = at
				return nil
			})
			if err != nil {
				j.say("unread", "%v", err)
			}
		}
	}
}

// dispositions checks what only their order tells: a record is dropped for one that was let through before it,
// and only what no mapping knows is a dead letter in the end.
func (w *world) dispositions(j *judgement, topic audit.Topic) {
	for p := range topic.Partitions {
		through, dead := map[int64]bool{}, map[int64]*kycv1.Disposition{}
		_, err := topic.Scan(w.ctx, p, record.ScanFrom{}, func(r record.Record) error {
			d := &kycv1.Disposition{}
			if err := contract.Unmarshal(r.Value, d); err != nil {
				return err
			}
			at := d.GetRaw().GetOffset()
			delete(dead, at)
			switch of := d.GetDuplicateOf(); {
			case d.GetKind() != kycv1.DispositionKind_DISPOSITION_KIND_DUPLICATE:
				through[at] = true
			case d.GetReplayId() != "": // may stand in front of its original, in one transaction
			case of.GetPartition() != p || !through[of.GetOffset()]:
				j.say("lost", "raw record %d@%d was dropped for %d@%d before that was let through", p, at, of.GetPartition(), of.GetOffset())
			}
			unknown := strings.Contains(d.GetVendorEventType(), "sha256:") // which leaves as a hash
			if d.GetKind() == kycv1.DispositionKind_DISPOSITION_KIND_DEAD_LETTERED && !unknown {
				dead[at] = d
			}
			return nil
		})
		if err != nil {
			j.say("unread", "%v", err)
		}
		for at, d := range dead {
			j.say("mistaken", "raw record %d@%d of type %s is a dead letter in the end: %s", p, at, d.GetVendorEventType(), d.GetReason())
		}
	}
}

// evidence is all topics, from their beginning to their end.
func (w *world) evidence() (audit.Evidence, error) {
	e := audit.Evidence{Spans: map[int32]audit.Span{}, Ledger: w.vendors.ledger()}
	ends, err := w.reader.Ends(w.ctx, schemas.Raw)
	if err != nil {
		return e, err
	}
	for p, end := range ends {
		e.Spans[p] = audit.Span{Next: end, Done: end}
	}
	for _, t := range schemas.Topics() {
		e.Put(audit.Topic{Base: t.Base, Name: t.Name(schemas.DefaultPrefix), Partitions: partitions, Scan: w.scan(t.Base)})
	}
	return e, nil
}

// scan reads a topic at read_committed.
func (w *world) scan(base string) func(context.Context, int32, record.ScanFrom, func(record.Record) error) (int64, error) {
	return func(ctx context.Context, p int32, from record.ScanFrom, fn func(record.Record) error) (int64, error) {
		return w.reader.Scan(ctx, base, p, record.ScanFrom(from), func(r *kgo.Record) error {
			out := record.Record{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Time: r.Timestamp, Key: r.Key, Value: r.Value}
			for _, h := range r.Headers {
				out.Headers = append(out.Headers, record.Header{Key: h.Key, Value: h.Value})
			}
			return fn(out)
		})
	}
}
