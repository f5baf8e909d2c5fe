package dedupe

import (
	"errors"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// late claims on the bench, as the ledger's stage would.
func (b *bench) late() *ReplayLedger {
	return NewReplayLedger(patient(b.t, b.redis.Addr()), ReplayLedgerOptions{Group: "g", TopicID: rawTopic, DispositionID: dispTopic, Wait: time.Millisecond})
}

func lateLetters(verdicts []Verdict) string {
	for i, v := range verdicts {
		if v.Action == Undecided {
			return letters(verdicts[:i]) + "U" + lateLetters(verdicts[i+1:])
		}
	}
	return letters(verdicts)
}

// TestReplayLedgerDecides is the whole table, over a real round trip.
func TestReplayLedgerDecides(t *testing.T) {
	own := item(0, 5, 1, 1)
	for _, c := range []struct {
		name  string
		found *Claim
		dead  bool
		want  string
	}{
		{"nothing", nil, false, "P"},
		{"own mark of something emitted", &Claim{State: Done, Offset: 5, Hash: [HashSize]byte{1}}, false, "N"},
		{"own mark of a dead letter yields", &Claim{State: Done, Offset: 5, Hash: [HashSize]byte{1}}, true, "P"},
		{"earlier mark", &Claim{State: Done, Offset: 3, Hash: [HashSize]byte{1}}, true, "D"},
		{"later mark", &Claim{State: Done, Offset: 9, Hash: [HashSize]byte{1}}, true, "D"},
		{"own claim", &Claim{State: Pending, Offset: 5, Hash: [HashSize]byte{1}}, false, "P"},
		{"earlier claim, of nobody knows whom", &Claim{State: Pending, Offset: 3, Hash: [HashSize]byte{1}}, false, "U"},
		{"later claim", &Claim{State: Pending, Offset: 9, Hash: [HashSize]byte{1}}, true, "U"},
		{"other content", &Claim{State: Done, Offset: 3, Hash: [HashSize]byte{7}}, false, "Pc"},
	} {
		b := newBench(t)
		b.repair(b.ledger, 0)
		if c.found != nil {
			if _, err := b.ledger.store.Exchange(b.ctx, Round{Marks: []Mark{{Key: own.Key, Claim: *c.found}}}); err != nil {
				t.Fatal(err)
			}
		}
		verdicts, err := b.late().Claim(b.ctx, 0, 0, []ReplayItem{{own, c.dead}})
		if err != nil || lateLetters(verdicts) != c.want {
			t.Errorf("%s: %s, %v; expected %s", c.name, lateLetters(verdicts), err, c.want)
		}
	}
}

// TestReplayLedgerCopiesInOneBatch: the earlier of two copies counts, also on a second attempt.
func TestReplayLedgerCopiesInOneBatch(t *testing.T) {
	b := newBench(t)
	b.repair(b.ledger, 0)
	items := []ReplayItem{{item(0, 5, 1, 1), false}, {item(0, 6, 1, 1), true}, {item(0, 7, 1, 2), false}, {item(0, 8, 1, 2), false}, {Item{Offset: 9}, false}}
	for range 2 { // the first one is cut off
		late := b.late()
		verdicts, err := late.Claim(b.ctx, 0, 0, items)
		if err != nil || lateLetters(verdicts) != "PDPcDP" {
			t.Fatalf("%s, %v; expected PDPcDP", lateLetters(verdicts), err)
		}
		if got := verdicts[1].Owner.Offset; got != 5 {
			t.Errorf("the copy's owner is %d, expected 5", got)
		}
	}
	late := b.late()
	verdicts, err := late.Claim(b.ctx, 0, 0, items)
	if err != nil {
		t.Fatal(err)
	}
	if err := late.Done(b.ctx, items, verdicts); err != nil {
		t.Fatal(err)
	}
	// Live traffic finds the marks.
	if got := b.take(b.ledger, item(0, 20, 1, 1), item(0, 21, 1, 2)); got != "DD" {
		t.Errorf("live copies: %s, expected DD", got)
	}
	if got := b.ledger.Repaired(0); !got {
		t.Error("the ledger's watermark was touched: its partition needs a repair")
	}
}

// TestReplayLedgerTrustsCompleteMarksOnly: absent, lagging and vanished watermarks are no ground to claim on.
func TestReplayLedgerTrustsCompleteMarksOnly(t *testing.T) {
	b := newBench(t)
	late := b.late()
	if err := late.Await(b.ctx, 0, 0); !errors.Is(err, ErrIncomplete) {
		t.Errorf("no watermark: %v, expected ErrIncomplete", err)
	}
	b.repair(b.ledger, 0)
	b.take(b.ledger, item(0, 1, 1, 1)) // its mark is pending
	if err := late.Await(b.ctx, 0, 1); !errors.Is(err, ErrIncomplete) {
		t.Errorf("pending marks: %v, expected ErrIncomplete", err)
	}
	if _, err := late.Claim(b.ctx, 0, 1, nil); !errors.Is(err, ErrIncomplete) {
		t.Errorf("claiming beside pending marks: %v, expected ErrIncomplete", err)
	}
	if err := b.ledger.Flush(b.ctx); err != nil {
		t.Fatal(err)
	}
	if err := late.Await(b.ctx, 0, 1); err != nil {
		t.Errorf("complete marks: %v", err)
	}
	b.redis.FlushAll()
	if _, err := late.Claim(b.ctx, 0, 1, []ReplayItem{{item(0, 1, 1, 1), false}}); !errors.Is(err, ErrIncomplete) {
		t.Errorf("flushed: %v, expected ErrIncomplete", err)
	}
}

// TestRehearsalWritesNothing: the same verdicts as in earnest, and Redis as before.
func TestRehearsalWritesNothing(t *testing.T) {
	b := newBench(t)
	b.repair(b.ledger, 0)
	before := b.redis.Dump()
	late := NewReplayLedger(NewDryRunStore(patient(t, b.redis.Addr())), ReplayLedgerOptions{Group: "g", TopicID: rawTopic, DispositionID: dispTopic, Wait: time.Millisecond})
	first := []ReplayItem{{item(0, 5, 1, 1), false}, {item(0, 6, 1, 1), false}, {item(0, 7, 1, 2), false}}
	verdicts, err := late.Claim(b.ctx, 0, 0, first)
	if err != nil || lateLetters(verdicts) != "PDPc" {
		t.Fatalf("%s, %v; expected PDPc", lateLetters(verdicts), err)
	}
	if err := late.Done(b.ctx, first, verdicts); err != nil {
		t.Fatal(err)
	}
	verdicts, err = late.Claim(b.ctx, 0, 0, []ReplayItem{{item(0, 8, 1, 1), false}, {item(0, 9, 1, 2), false}})
	if err != nil || lateLetters(verdicts) != "DD" {
		t.Fatalf("%s, %v; expected DD", lateLetters(verdicts), err)
	}
	if after := b.redis.Dump(); after != before {
		t.Errorf("Redis holds\n%s\nexpected\n%s", after, before)
	}
}

// TestRepairCountsReplays: what a replay published is marked again by a repair, under both stages' names,
// and never taken for how far the stage has come.
func TestRepairCountsReplays(t *testing.T) {
	b := newBench(t)
	task := [16]byte{9}
	disposition := func(offset int64, id byte, kind kycv1.DispositionKind, claimed bool) {
		d := &kycv1.Disposition{
			Raw: &kycv1.RawPosition{Offset: offset}, RawTopicId: rawTopic[:], Stage: kycv1.Stage_STAGE_REPLAY, ReplayId: "r",
			Kind: kind, DedupeKey: append([]byte{id}, make([]byte, 15)...), ContentHash: append([]byte{1}, make([]byte, 31)...), DecidedAt: timestamppb.Now(),
		}
		if claimed {
			d.Claimed, d.ClaimedTopicId = &kycv1.RawPosition{Offset: offset + 1000}, task[:]
		}
		b.journal.append(0, d)
	}
	disposition(3, 1, kycv1.DispositionKind_DISPOSITION_KIND_EMITTED, false)
	disposition(4, 2, kycv1.DispositionKind_DISPOSITION_KIND_DUPLICATE, false)
	disposition(5, 3, kycv1.DispositionKind_DISPOSITION_KIND_DEAD_LETTERED, false)
	disposition(6, 4, kycv1.DispositionKind_DISPOSITION_KIND_EMITTED, true)
	b.repair(b.ledger, 0)
	if highest := b.ledger.parts[0].state.highest; highest != -1 {
		t.Errorf("the highest raw offset disposed of is %d, expected none: replays do not move it", highest)
	}
	// A copy of 3 is one; 4 was none's owner; the dead letter of 5 still counts; 6 claimed for hydrate.
	if got := b.take(b.ledger, item(0, 11, 1, 1), item(0, 12, 2, 1), item(0, 13, 3, 1), item(0, 14, 4, 1)); got != "DPDP" {
		t.Errorf("copies after a repair: %s, expected DPDP", got)
	}
	hydrate := NewLedger(patient(t, b.redis.Addr()), LedgerOptions{
		Group: "h", Stage: kycv1.Stage_STAGE_HYDRATE, TopicID: task, DispositionID: dispTopic, TTL: time.Hour, Wait: time.Millisecond, History: b.journal.read,
	})
	b.redis.FlushAll()
	b.repair(hydrate, 0)
	if got := b.take(hydrate, item(0, 2000, 1, 1), item(0, 2001, 4, 1)); got != "PD" {
		t.Errorf("copies at hydrate after a repair: %s, expected PD", got)
	}
}

// TestReplayOfAReadRecordIsKnown: offsets were reset, and the only disposition of a record is a replay's.
func TestReplayOfAReadRecordIsKnown(t *testing.T) {
	b := newBench(t)
	b.repair(b.ledger, 0)
	b.take(b.ledger, item(0, 0, 1, 1), item(0, 2, 2, 1)) // 1 was skipped
	late := b.late()
	if err := b.ledger.Flush(b.ctx); err != nil {
		t.Fatal(err)
	}
	gap := []ReplayItem{{item(0, 1, 3, 1), false}}
	verdicts, err := late.Claim(b.ctx, 0, 2, gap)
	if err != nil {
		t.Fatal(err)
	}
	d := &kycv1.Disposition{
		Raw: &kycv1.RawPosition{Offset: 1}, RawTopicId: rawTopic[:], Stage: kycv1.Stage_STAGE_REPLAY, ReplayId: "r",
		Kind: kycv1.DispositionKind_DISPOSITION_KIND_EMITTED, DedupeKey: verdicts[0].Key[:], ContentHash: gap[0].Hash[:], DecidedAt: timestamppb.Now(),
	}
	b.journal.append(0, d)
	for _, marked := range []bool{false, true} { // it died before it marked; or it did not
		if marked {
			if err := late.Done(b.ctx, gap, verdicts); err != nil {
				t.Fatal(err)
			}
		}
		again := b.another(patient(t, b.redis.Addr()))
		b.repair(again, 0)
		verdicts, err := again.Claim(b.ctx, []Item{item(0, 0, 1, 1), item(0, 1, 3, 1), item(0, 2, 2, 1)})
		if err != nil || letters(verdicts) != "NNN" {
			t.Errorf("read again, marked %v: %s, %v, expected NNN", marked, letters(verdicts), err)
		}
	}
}
