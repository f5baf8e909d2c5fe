package operate_test

import (
	"strings"
	"testing"

	"github.com/kycbridge/kycbridge/audit"
	"github.com/kycbridge/kycbridge/internal/operate"
	"github.com/kycbridge/kycbridge/internal/operate/operatetest"
	"github.com/kycbridge/kycbridge/normalize"
	"github.com/kycbridge/kycbridge/schemas"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
	"github.com/kycbridge/kycbridge/sink"
)

// skipTo is a skip of raw partition 1.
func skipTo(to int64) operate.SkipQuery {
	return operate.SkipQuery{Partition: 1, To: to, Reason: "test data of a load test", By: "alice"}
}

// waiting writes raw records from 3 on that the normaliser, which is away, has not come to.
func waiting(t *testing.T, n int) *operatetest.Broker {
	t.Helper()
	p := operatetest.Start(t)
	p.Sound() // 0 to 2
	for i := range n {
		p.Write(operatetest.Raw(3 + i))
	}
	return p
}

func committed(t *testing.T, p *operatetest.Broker) int64 {
	t.Helper()
	at, err := p.Reader.Committed(t.Context(), normalize.DefaultGroup, schemas.Raw)
	if err != nil {
		t.Fatal(err)
	}
	return at[1]
}

// join adds a member to the normaliser's group.
func join(t *testing.T, p *operatetest.Broker) {
	t.Helper()
	assigned := make(chan struct{}, 8)
	s, err := sink.OpenSession(t.Context(), p.Kafka, sink.SessionOptions{
		Group: normalize.DefaultGroup, TransactionalID: "test", Input: schemas.Raw,
		OnAssigned: func([]int32) { assigned <- struct{}{} },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	select {
	case <-assigned:
	case <-t.Context().Done():
		t.Fatal("the group never formed")
	}
}

// TestSkipIsAccountedFor: each skipped record has a dead letter that says who and why, and one disposition.
func TestSkipIsAccountedFor(t *testing.T) {
	t.Parallel()
	p := waiting(t, 4)
	q := skipTo(6)
	q.DryRun = true
	plan, err := operate.Skip(t.Context(), servers(p), q)
	if err != nil || plan.From != 3 || plan.To != 6 || plan.Skipped != 3 || plan.First.IsZero() || plan.Last.Before(plan.First) {
		t.Fatalf("planned %+v, %v; want 3 records from 3 on", plan, err)
	}
	if v := verified(t, p, operate.Window{}); v.Raw != 3 || v.Pending != 4 || committed(t, p) != 3 {
		t.Errorf("a dry run left %d judged, %d pending, committed %d", v.Raw, v.Pending, committed(t, p))
	}
	done, err := operate.Skip(t.Context(), servers(p), skipTo(6))
	if err != nil || done.Skipped != 3 || done.From != 3 || committed(t, p) != 6 {
		t.Fatalf("skipped %+v, %v; committed %d", done, err, committed(t, p))
	}
	v := verified(t, p, operate.Window{})
	if v.Violations() != 0 || v.Raw != 6 || v.Dead != 4 || v.Pending != 1 {
		t.Errorf("%d judged, %d dead, %d pending, found %q", v.Raw, v.Dead, v.Pending, violations(v))
	}
	story, err := operate.Trace(t.Context(), servers(p), operate.TraceQuery{ID: "1@4"})
	if err != nil || len(story.Deliveries) != 1 || len(story.Deliveries[0].Letters) != 1 {
		t.Fatalf("trace tells %+v, %v", story, err)
	}
	d := story.Deliveries[0]
	if l := d.Letters[0]; l.Reason != "SKIPPED_BY_OPERATOR" || l.Detail != "skipped by alice: test data of a load test" || l.Stage != "skip" || d.Dispositions[0].Stage != "NORMALIZE" {
		t.Errorf("trace tells %+v, %+v", l, d.Dispositions)
	}
	n := 0
	for l, err := range operate.DeadLetters(t.Context(), servers(p), audit.LetterQuery{Reasons: []string{"skipped_by_operator"}}) {
		if n++; err != nil || string(l.Record.Key) != operatetest.Key || l.Message.GetEnvelope().GetDeliveryId() == "" || l.Message.GetAttempts() != 0 {
			t.Errorf("letter %+v, %v", l, err)
		}
	}
	if n != 3 {
		t.Errorf("%d letters, want 3", n)
	}
	again, err := operate.Skip(t.Context(), servers(p), skipTo(6))
	if err != nil || again.Skipped != 0 || verified(t, p, operate.Window{}).Violations() != 0 {
		t.Errorf("again: %+v, %v", again, err)
	}
}

// TestSkipBeginsBehindWhatIsDisposedOf: whatever the group has committed, and whoever wrote the dispositions
// at the end of the topic.
func TestSkipBeginsBehindWhatIsDisposedOf(t *testing.T) {
	t.Parallel()
	for name, at := range map[string]int64{"behind": 1, "pushed forward": 6} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := waiting(t, 4)
			replayed := p.Disposed(0, operatetest.Emitted)
			d := replayed.Message.(*kycv1.Disposition)
			d.Stage, d.ReplayId, d.Raw.Offset = kycv1.Stage_STAGE_REPLAY, "r1", 5
			other := p.Disposed(6, operatetest.Dead)
			other.Message.(*kycv1.Disposition).RawTopicId = []byte(strings.Repeat("x", 16))
			p.Write(other)
			for range 300 {
				p.Write(replayed, replayed, replayed, replayed, replayed, replayed, replayed, replayed, replayed, replayed)
			}
			p.Processed(1, at)
			done, err := operate.Skip(t.Context(), servers(p), skipTo(5))
			if err != nil || done.From != 3 || done.Skipped != 2 || committed(t, p) != 5 {
				t.Errorf("%+v, %v, committed %d; want 2 from 3 on", done, err, committed(t, p))
			}
		})
	}
}

// TestSkipWhereNothingWasDisposedOf: the group's offset counts, and where there is none the log's start.
func TestSkipWhereNothingWasDisposedOf(t *testing.T) {
	t.Parallel()
	p := operatetest.Start(t)
	p.Write(operatetest.Raw(0), operatetest.Raw(1), operatetest.Raw(2))
	if err := p.Cluster.DeleteRecords("kyc.raw.v1", 1, 1); err != nil {
		t.Fatal(err)
	}
	q := skipTo(2)
	q.DryRun = true
	if plan, err := operate.Skip(t.Context(), servers(p), q); err != nil || plan.From != 1 || plan.Skipped != 1 {
		t.Errorf("from the start: %+v, %v", plan, err)
	}
	p.Processed(1, 2)
	if plan, err := operate.Skip(t.Context(), servers(p), q); err != nil || plan.From != 2 || plan.Skipped != 0 {
		t.Errorf("from the group's offset: %+v, %v", plan, err)
	}
}

// TestSkipRefusesBesideANormaliser: at the beginning, and at the last moment of each transaction.
func TestSkipRefusesBesideANormaliser(t *testing.T) {
	t.Parallel()
	p := waiting(t, 250)
	q := skipTo(253)
	q.Progress = func(done, total int64) {
		if done == 200 && total == 250 {
			join(t, p)
		}
	}
	report, err := operate.Skip(t.Context(), servers(p), q)
	if err == nil || !strings.Contains(err.Error(), "skipped up to offset 203") || !strings.Contains(err.Error(), "kycbridge-normalize has 1 member(s): stop every process that normalizes") || report.Skipped != 200 {
		t.Errorf("a normaliser that came in between: %+v, %v", report, err)
	}
	letters := 0
	for _, err := range operate.DeadLetters(t.Context(), servers(p), audit.LetterQuery{Reasons: []string{"skipped_by_operator"}}) {
		if letters++; err != nil {
			t.Fatal(err)
		}
	}
	if letters != 200 {
		t.Errorf("%d letters, want those of the first transaction", letters)
	}
	if report, err := operate.Skip(t.Context(), servers(p), skipTo(253)); report != nil || err == nil || !strings.Contains(err.Error(), "has 1 member(s)") {
		t.Errorf("beside a normaliser: %+v, %v", report, err)
	}
	q = skipTo(253)
	q.DryRun = true
	if plan, err := operate.Skip(t.Context(), servers(p), q); err != nil || plan.Members != 1 || plan.Skipped != 50 {
		t.Errorf("a dry run beside a normaliser: %+v, %v", plan, err)
	}
}

// TestSkipTakesWhatIsNoEnvelope: a record that cannot be read has its value in the letter.
func TestSkipTakesWhatIsNoEnvelope(t *testing.T) {
	t.Parallel()
	p := waiting(t, 0)
	p.Write(operatetest.Record{Message: &kycv1.RawEnvelope{}, Value: []byte("\xff no envelope")})
	if done, err := operate.Skip(t.Context(), servers(p), skipTo(4)); err != nil || done.Skipped != 1 {
		t.Fatalf("%+v, %v", done, err)
	}
	for l, err := range operate.DeadLetters(t.Context(), servers(p), audit.LetterQuery{IDs: []string{"1@3"}}) {
		if err != nil || l.Message.GetReason() != operate.SkipReason || string(l.Message.GetEnvelope().GetBody()) != "\xff no envelope" {
			t.Errorf("letter %+v, %v", l.Message, err)
		}
	}
	if v := verified(t, p, operate.Window{}); v.Violations() != 0 {
		t.Error(violations(v))
	}
}

func TestSkipRefuses(t *testing.T) {
	t.Parallel()
	p := waiting(t, 2)
	for want, change := range map[string]func(*operate.SkipQuery){
		"partition is -1":                    func(q *operate.SkipQuery) { q.Partition = -1 },
		"the topic has 0 to 1":               func(q *operate.SkipQuery) { q.Partition = 2 },
		"expected 1 or more":                 func(q *operate.SkipQuery) { q.To = 0 },
		"all before 3 is disposed of":        func(q *operate.SkipQuery) { q.To = 2 },
		"ends at offset 5, and 6 is beyond":  func(q *operate.SkipQuery) { q.To = 6 },
		"the reason is empty":                func(q *operate.SkipQuery) { q.Reason = " " },
		"the reason has 501 bytes":           func(q *operate.SkipQuery) { q.Reason = strings.Repeat("x", 501) },
		"the reason holds characters":        func(q *operate.SkipQuery) { q.Reason = "two\nlines" },
		"who decides is empty":               func(q *operate.SkipQuery) { q.By = "" },
		"who decides has 65 bytes":           func(q *operate.SkipQuery) { q.By = strings.Repeat("x", 65) },
		"who decides holds characters that ": func(q *operate.SkipQuery) { q.By = "al\x1bice" },
	} {
		q := skipTo(4)
		change(&q)
		if report, err := operate.Skip(t.Context(), servers(p), q); report != nil || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %+v, %v; want %q", q, report, err, want)
		}
	}
	if n := committed(t, p); n != 3 {
		t.Errorf("committed %d, want 3", n)
	}
}
