package operate_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/kycbridge/kycbridge/audit"
	"github.com/kycbridge/kycbridge/internal/operate"
	"github.com/kycbridge/kycbridge/internal/operate/operatetest"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// violations are those of a verdict, one a line.
func violations(v *audit.Verdict) string {
	var out strings.Builder
	for _, check := range v.Checks {
		for _, one := range check.First {
			fmt.Fprintf(&out, "%s %s %s\n", check.ID, one.Raw, one.What)
		}
	}
	return out.String()
}

func verified(t *testing.T, p *operatetest.Broker, w operate.Window) *audit.Verdict {
	t.Helper()
	v, err := operate.Verify(t.Context(), servers(p), operate.VerifyQuery{Window: w})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestVerifyNamesWhatExpiredUnprocessed: retention removed raw records before the normaliser, which was away,
// came to them; it goes on at what is left.
func TestVerifyNamesWhatExpiredUnprocessed(t *testing.T) {
	t.Parallel()
	p := operatetest.Start(t)
	p.Sound() // 0 to 2
	for n := 3; n < 9; n++ {
		p.Write(operatetest.Raw(n))
	}
	if err := p.Cluster.DeleteRecords("kyc.raw.v1", 1, 7); err != nil {
		t.Fatal(err)
	}
	const lost = "O4 1@3 4 raw records from here to 1@6 expired before they were processed, received between 2026-01-02T12:00:02Z and "
	if v := verified(t, p, operate.Window{}); !strings.HasPrefix(violations(v), lost) || v.Violations() != 1 || v.Pending != 2 || v.Unprocessed != 4 {
		t.Errorf("before the normaliser is back: %d pending, %d unprocessed, found %q", v.Pending, v.Unprocessed, violations(v))
	}
	p.Write(p.Disposed(7, operatetest.Emitted), operatetest.Checked(7), p.Disposed(8, operatetest.Emitted), operatetest.Checked(8))
	p.Processed(1, 9)
	for name, w := range map[string]operate.Window{"all": {}, "from before": {From: time.Now().Add(-time.Hour)}} {
		if v := verified(t, p, w); violations(v) != lost+"2026-01-02T12:00:07Z\n" || v.Raw != 2 {
			t.Errorf("%s: %d judged, found %q", name, v.Raw, violations(v))
		}
	}
	if v := verified(t, p, operate.Window{From: time.Now().Add(time.Hour)}); v.Violations() != 0 {
		t.Errorf("a window after it: %q", violations(v))
	}
	if err := p.Cluster.DeleteRecords("kyc.raw.v1", 1, 9); err != nil {
		t.Fatal(err)
	}
	if v := verified(t, p, operate.Window{}); violations(v) != lost+"2026-01-02T12:00:07Z\n" {
		t.Errorf("when nothing is left: %q", violations(v))
	}
}

// TestVerifyLooksBehindALongSilence: the last disposition before the gap is older than the window.
func TestVerifyLooksBehindALongSilence(t *testing.T) {
	t.Parallel()
	p := operatetest.Start(t)
	now := time.Now()
	write := func(hours int, all ...operatetest.Record) {
		for _, r := range all {
			r.Time = now.Add(-time.Duration(hours) * time.Hour)
			p.Write(r)
		}
	}
	write(20, operatetest.Raw(0), p.Disposed(0, operatetest.Dead), operatetest.Buried(0), operatetest.Raw(1))
	write(2, operatetest.Raw(2), p.Disposed(2, operatetest.Dead), operatetest.Buried(2))
	p.Processed(1, 3)
	if err := p.Cluster.DeleteRecords("kyc.raw.v1", 1, 2); err != nil {
		t.Fatal(err)
	}
	if v := verified(t, p, operate.Window{From: now.Add(-5 * time.Hour)}); !strings.HasPrefix(violations(v), "O4 1@1 1 raw records") || v.Violations() != 1 {
		t.Errorf("found %q", violations(v))
	}
}

// TestVerifyKnowsWhatItCannotKnow: dispositions that are gone themselves accuse nobody.
func TestVerifyKnowsWhatItCannotKnow(t *testing.T) {
	t.Parallel()
	p := operatetest.Start(t)
	p.Sound()
	p.Write(operatetest.Raw(3), p.Disposed(3, operatetest.Emitted), operatetest.Checked(3))
	p.Processed(1, 4)
	for topic, offset := range map[string]int64{"kyc.raw.v1": 3, "kyc.disposition.v1": 3} {
		if err := p.Cluster.DeleteRecords(topic, 1, offset); err != nil {
			t.Fatal(err)
		}
	}
	if v := verified(t, p, operate.Window{}); v.Violations() != 0 || v.Raw != 1 || v.Unprocessed != 0 {
		t.Errorf("%d judged, found %q", v.Raw, violations(v))
	}
}

// TestVerifyAfterKafkaWentBack: a delivery was dropped as the duplicate of a record that Kafka lost.
func TestVerifyAfterKafkaWentBack(t *testing.T) {
	t.Parallel()
	p := operatetest.Start(t)
	p.Sound()
	hollow := p.Disposed(3, operatetest.Duplicate)
	hollow.Message.(*kycv1.Disposition).DuplicateOf.Offset = 40
	p.Write(operatetest.Raw(3), hollow)
	p.Processed(1, 4)
	v := verified(t, p, operate.Window{})
	if got := violations(v); got != "O4 1@3 dropped as a duplicate of raw record 1@40, which is not before it\n" || !strings.Contains(strings.Join(v.Notes, ""), "`kycbridge marks discard`") {
		t.Errorf("found %q, notes %q", got, v.Notes)
	}
}

// TestVerifyAcceptsADomainTopicMadeAnew: its events were published again by a replay.
func TestVerifyAcceptsADomainTopicMadeAnew(t *testing.T) {
	t.Parallel()
	p := operatetest.Start(t)
	p.Sound()
	if err := p.Cluster.DeleteRecords("kyc.check.v1", 1, 1); err != nil {
		t.Fatal(err)
	}
	if v := verified(t, p, operate.Window{}); v.Violations() != 1 {
		t.Errorf("an event that is gone: %q", violations(v))
	}
	event, disposed := operatetest.Checked(0), p.Disposed(0, operatetest.Emitted)
	event.Message.(*kycv1.CheckEvent).Metadata.Flags = []string{"replay=again"}
	disposed.Message.(*kycv1.Disposition).Stage, disposed.Message.(*kycv1.Disposition).ReplayId = kycv1.Stage_STAGE_REPLAY, "again"
	p.Write(event, disposed)
	if v := verified(t, p, operate.Window{}); v.Violations() != 0 || v.Republished != 1 {
		t.Errorf("re-emitted: %d, found %q", v.Republished, violations(v))
	}
}

// TestVerifyAfterAMove: the topics were copied from another cluster with their offsets, so the dispositions name
// the raw topic's id of there.
func TestVerifyAfterAMove(t *testing.T) {
	t.Parallel()
	p := operatetest.Start(t)
	there := [16]byte{15: 1}
	disposed := p.Disposed(0, operatetest.Dead)
	disposed.Message.(*kycv1.Disposition).RawTopicId = there[:]
	p.Write(operatetest.Raw(0), operatetest.Buried(0), disposed, operatetest.Raw(1))
	p.Processed(1, 1)
	if v := verified(t, p, operate.Window{}); v.Violations() == 0 {
		t.Error("dispositions of a topic that nobody named count")
	}
	s := servers(p)
	s.Former = [][16]byte{{15: 2}, there}
	v, err := operate.Verify(t.Context(), s, operate.VerifyQuery{})
	if err != nil || v.Violations() != 0 || v.Dead != 1 {
		t.Errorf("%d dead, %v, found %q", v.Dead, err, violations(v))
	}
	if story, err := operate.Trace(t.Context(), s, operate.TraceQuery{ID: "1@0"}); err != nil || len(story.Deliveries) != 1 || len(story.Deliveries[0].Dispositions) != 1 {
		t.Errorf("trace tells %+v, %v", story, err)
	}
	p.Processed(1, 0)
	if r, err := operate.Skip(t.Context(), s, skipTo(2)); err != nil || r.From != 1 || r.Skipped != 1 {
		t.Errorf("skipped %+v, %v; want from 1 on", r, err)
	}
}
