package simulate

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kycbridge/kycbridge/audit"
	"github.com/kycbridge/kycbridge/internal/contract"
	"github.com/kycbridge/kycbridge/internal/record"
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
		j.say("mistaken", "%d events are flagged %s", n, word)
	}
	if verdict.Unread+verdict.Pending+verdict.Waiting > 0 {
		j.say("unread", "%d records cannot be read, %d were not processed, %d wait", verdict.Unread, verdict.Pending, verdict.Waiting)
	}
	w.letters(j, evidence.Dispositions)
	j.seen = effort{Accepted: len(evidence.Ledger.Accepted), Raw: int(verdict.Raw), Events: int(verdict.Events)}
	return j
}

// letters checks that only what the mappings do not know became a dead letter.
func (w *world) letters(j *judgement, dispositions audit.Topic) {
	for p := range dispositions.Partitions {
		_, err := dispositions.Scan(w.ctx, p, record.ScanFrom{}, func(r record.Record) error {
			d := &kycv1.Disposition{}
			if err := contract.Unmarshal(r.Value, d); err != nil {
				return err
			}
			if d.GetKind() == kycv1.DispositionKind_DISPOSITION_KIND_DEAD_LETTERED && d.GetVendorEventType() != unknownType {
				j.say("mistaken", "%s of type %s is a dead letter: %s", d.GetVendorEventId(), d.GetVendorEventType(), d.GetReason())
			}
			return nil
		})
		if err != nil {
			j.say("unread", "%v", err)
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
