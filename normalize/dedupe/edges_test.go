package dedupe

import (
	"context"
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/kycbridge/kycbridge/internal/record"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// bounded gives ledgers the bounds of the journal; rawEnd is the end of each raw partition.
func (b *bench) bounded(rawEnd int64, change func(*LedgerOptions)) *Ledger {
	l := b.another(patient(b.t, b.redis.Addr()))
	l.o.Bounds = func(_ context.Context, p int32) (Bounds, error) {
		end := int64(len(b.journal.parts[p]))
		return Bounds{Raw: Extent{Start: 0, End: rawEnd}, Dispositions: Extent{Start: 0, End: end}, Stable: end}, nil
	}
	if change != nil {
		change(&l.o)
	}
	return l
}

func (b *bench) lateClaim(l *ReplayLedger, items ...Item) ([]ReplayItem, []Verdict) {
	b.t.Helper()
	all := make([]ReplayItem, len(items))
	for i, item := range items {
		all[i].Item = item
	}
	verdicts, err := l.Claim(b.ctx, 0, 0, all)
	if err != nil {
		b.t.Fatal(err)
	}
	return all, verdicts
}

// A replay dies between its claim and its commit. What it claimed for has no other claimant: a later copy must
// not be dropped for it.
func TestClaimOfADeadReplayIsTakenOver(t *testing.T) {
	b := newBench(t)
	b.repair(b.ledger, 0)
	_, _ = b.lateClaim(b.late(), item(0, 5, 1, 1))
	if got := b.take(b.ledger, item(0, 20, 1, 1), item(0, 21, 1, 1)); got != "PuD" {
		t.Errorf("copies after a dead replay: %s, expected PuD", got)
	}
	if got := b.take(b.ledger, item(0, 22, 1, 1)); got != "D" {
		t.Errorf("a copy after that: %s, expected D", got)
	}
}

// The replay lives, and comes back after its claim was taken over: it must leave the record.
func TestReplayConfirmsItsClaims(t *testing.T) {
	b := newBench(t)
	b.repair(b.ledger, 0)
	late := b.late()
	items, verdicts := b.lateClaim(late, item(0, 5, 1, 1), item(0, 6, 2, 1), item(0, 7, 2, 2))
	if err := late.Confirm(b.ctx, items, verdicts); err != nil || lateLetters(verdicts) != "PPPc" {
		t.Fatalf("nobody came: %s, %v; expected PPPc", lateLetters(verdicts), err)
	}
	if _, err := b.ledger.Claim(b.ctx, []Item{item(0, 20, 2, 2)}); err != nil {
		t.Fatal(err)
	}
	if err := late.Confirm(b.ctx, items, verdicts); err != nil || lateLetters(verdicts) != "PPU" {
		t.Errorf("the third was taken over: %s, %v; expected PPU", lateLetters(verdicts), err)
	}
	b.redis.FlushAll()
	if err := late.Confirm(b.ctx, items, verdicts); err != nil || lateLetters(verdicts) != "UUU" {
		t.Errorf("claims that are gone: %s, %v; expected UUU", lateLetters(verdicts), err)
	}
}

// What was taken over from a replay may have been committed by it: each attempt at it is flagged, and so is
// an earlier record that takes it over in turn.
func TestContestedClaimsStaySo(t *testing.T) {
	b := newBench(t)
	b.repair(b.ledger, 0)
	_, _ = b.lateClaim(b.late(), item(0, 5, 1, 1))
	for range 2 { // the first attempt is aborted
		verdicts, err := b.ledger.Claim(b.ctx, []Item{item(0, 20, 1, 1)})
		if err != nil || letters(verdicts) != "Pu" {
			t.Fatalf("%s, %v; expected Pu", letters(verdicts), err)
		}
	}
	if got := b.take(b.ledger, item(0, 15, 1, 1)); got != "Pu" {
		t.Errorf("an earlier record: %s, expected Pu", got)
	}
}

// The replay that comes after a dead one has its transactional id: nobody commits what the dead one claimed.
func TestClaimOfADeadReplayYieldsToTheNext(t *testing.T) {
	b := newBench(t)
	b.repair(b.ledger, 0)
	_, _ = b.lateClaim(b.late(), item(0, 5, 1, 1), item(0, 6, 3, 1))
	late := b.late()
	items, verdicts := b.lateClaim(late, item(0, 3, 1, 1), item(0, 5, 1, 1), item(0, 7, 3, 2))
	if lateLetters(verdicts) != "DPPc" {
		t.Fatalf("%s, expected DPPc", lateLetters(verdicts))
	}
	if err := late.Confirm(b.ctx, items, verdicts); err != nil || lateLetters(verdicts) != "DPPc" {
		t.Errorf("confirmed as %s, %v; expected DPPc", lateLetters(verdicts), err)
	}
	late = b.late() // which died too
	if _, verdicts := b.lateClaim(late, item(0, 4, 1, 1), item(0, 8, 1, 1)); lateLetters(verdicts) != "PD" {
		t.Errorf("other records than the dead ones': %s, expected PD", lateLetters(verdicts))
	}
}

// A replay that claims as live traffic does loses the delivery: what the tests above would see.
func TestReplayThatClaimsAsLiveTrafficLoses(t *testing.T) {
	b := newBench(t)
	b.repair(b.ledger, 0)
	late := b.late()
	late.o.Kind = Pending
	_, _ = b.lateClaim(late, item(0, 5, 1, 1))
	if got := b.take(b.ledger, item(0, 20, 1, 1)); got != "D" {
		t.Errorf("%s, expected D: the test of dead replays proves nothing", got)
	}
}

// Records that are read again are known by where they are, whatever pepper and mapping say by now.
func TestKnownByPosition(t *testing.T) {
	b := newBench(t)
	b.repair(b.ledger, 0)
	at := func(i Item, n int64) Item {
		i.Endpoint, i.ReceivedAt = "e", time.Unix(n, 0)
		return i
	}
	b.take(b.ledger, at(item(0, 1, 1, 1), 1), at(item(0, 2, 2, 1), 2), at(Item{Offset: 3}, 3))
	unidentified := at(Item{Offset: 2}, 2)
	if got := b.take(b.ledger, at(item(0, 1, 200, 200), 1), unidentified, at(item(0, 3, 201, 1), 3)); got != "NNN" {
		t.Errorf("other key, no key, a key at last: %s, expected NNN", got)
	}
	other := at(item(0, 1, 202, 1), 1)
	other.Endpoint = "f"
	if got := b.take(b.ledger, other); got != "P" {
		t.Errorf("a record of another endpoint: %s, expected P", got)
	}
}

// The disposition of a raw offset is found by halving: times are not asked.
func TestFindByOffset(t *testing.T) {
	b := newBench(t)
	const n = 40_000
	for i := range n {
		d := &kycv1.Disposition{
			Raw: &kycv1.RawPosition{Offset: int64(2 * i)}, RawTopicId: rawTopic[:], Stage: kycv1.Stage_STAGE_NORMALIZE,
			DecidedAt: timestamppb.Now(),
		}
		if i%3 == 0 { // another stage's, and a replay's of something old
			d.Stage = kycv1.Stage_STAGE_HYDRATE + kycv1.Stage(i%2)
			d.Raw.Offset = 1
		}
		b.journal.append(0, d)
	}
	l := b.bounded(2*n, nil)
	read := 0
	l.o.History = func(ctx context.Context, p int32, from record.ScanFrom, fn func(int64, []byte) error) (int64, error) {
		return b.journal.read(ctx, p, from, func(o int64, v []byte) error { read++; return fn(o, v) })
	}
	for _, raw := range []int64{0, 2, 19_999, 20_000, 39_998, 2*n - 2, 2 * n} {
		read = 0
		at, err := l.find(b.ctx, 0, raw)
		if err != nil {
			t.Fatal(err)
		}
		if want := (raw + 1) / 2; at > want || at < want-nearEnough {
			t.Errorf("raw offset %d: search begins at disposition %d, expected %d or up to %d before", raw, at, want, nearEnough)
		}
		if read > 60 {
			t.Errorf("raw offset %d: %d dispositions were read in search, expected a few for each halving", raw, read)
		}
	}
}

// The fingerprint of a pepper is one text, whether it comes from the configuration or from a disposition.
func TestPepperID(t *testing.T) {
	const want = "ec559ba1b2e56bc1" // it stands in watermarks: another form is another pepper to the next release
	keys := NewKeyer([]byte("pepper"))
	fingerprint := keys.Fingerprint()
	if got := keys.PepperID(); got != want || pepperID(fingerprint[:]) != want {
		t.Errorf("%s, and %s of a disposition, expected %s", got, pepperID(fingerprint[:]), want)
	}
	if got := pepperID(nil); got != "" {
		t.Errorf("none is %q, expected nothing", got)
	}
}

func TestAnotherPepperIsRefused(t *testing.T) {
	const mine, other = "1111111111111111", "2222222222222222"
	pepper := func(p string) func(*LedgerOptions) { return func(o *LedgerOptions) { o.Pepper = p } }
	b := newBench(t)
	first := b.bounded(100, pepper(other))
	b.repair(first, 0)
	l := b.bounded(100, pepper(mine))
	refused := func(what string) {
		t.Helper()
		_, err := l.Repair(b.ctx, 0)
		if !errors.Is(err, ErrPepper) || !strings.Contains(err.Error(), other) || !strings.Contains(err.Error(), "dedupe.accept_other_pepper") {
			t.Errorf("%s: %v, expected ErrPepper with the fingerprint and the way out", what, err)
		}
	}
	refused("the watermark of another pepper")
	if err := NewReplayLedger(patient(t, b.redis.Addr()), ReplayLedgerOptions{Group: "g", TopicID: rawTopic, DispositionID: dispTopic, Pepper: mine}).Await(b.ctx, 0, 0); !errors.Is(err, ErrPepper) {
		t.Errorf("a replay with another pepper: %v, expected ErrPepper", err)
	}
	d := disposition(1, Key{1})
	d.PepperId = []byte{0x22, 0x22, 0x22, 0x22, 0x22, 0x22, 0x22, 0x22}
	b.journal.append(0, d)
	b.redis.FlushAll()
	refused("redis is empty, the dispositions are of another pepper")
	refused("asked again")
	l.o.AnyPepper = true
	b.repair(l, 0)
	l.o.AnyPepper = false
	b.repair(l, 0) // accepted once is accepted
	b.repair(b.bounded(100, pepper("")), 0)
}

// Kafka's data were put back to an earlier copy, and Redis was not.
func TestKafkaWentBack(t *testing.T) {
	for _, c := range []struct {
		name string
		back func(b *bench) (rawEnd int64)
		want string
	}{
		{"dispositions are gone", func(b *bench) int64 { b.journal.parts[0] = b.journal.parts[0][:2]; return 100 }, "marks are written up to disposition 4, the partition ends at 2"},
		{"raw records are gone", func(*bench) int64 { return 3 }, "raw offset 3 was disposed of, the partition ends at 3"},
		{"both, and others came since", func(b *bench) int64 {
			b.journal.parts[0] = b.journal.parts[0][:2]
			for n := range 5 { // the hydrate stage was faster
				d := disposition(int64(n), Key{})
				d.Stage = kycv1.Stage_STAGE_HYDRATE
				b.journal.append(0, d)
			}
			return 100
		}, "where another record is now"},
	} {
		b := newBench(t)
		l := b.bounded(100, nil)
		b.repair(l, 0)
		if got := b.take(l, item(0, 0, 10, 1), item(0, 1, 11, 1), item(0, 2, 12, 1), item(0, 3, 13, 1)); got != "PPPP" {
			t.Fatal(got)
		}
		if err := l.Flush(b.ctx); err != nil {
			t.Fatal(err)
		}
		end := c.back(b)
		next := b.bounded(end, nil)
		before := snapshot(b.redis)
		if err := next.BeginRepair(0).Check(b.ctx); !errors.Is(err, ErrWentBack) || !strings.Contains(err.Error(), c.want) || !maps.Equal(snapshot(b.redis), before) {
			t.Errorf("%s: looked at alone, %v, expected ErrWentBack, and nothing written", c.name, err)
		}
		for range 2 { // it is no less so the second time
			if _, err := next.Repair(b.ctx, 0); !errors.Is(err, ErrWentBack) || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "kycbridge marks discard") {
				t.Errorf("%s: %v, expected ErrWentBack: %s", c.name, err, c.want)
			}
		}
		if err := patient(t, b.redis.Addr()).Discard(b.ctx, "g", rawTopic, dispTopic, 0); err != nil {
			t.Fatal(err)
		}
		var drift *DriftError
		if _, err := l.Claim(b.ctx, []Item{item(0, 50, 50, 1)}); !errors.As(err, &drift) {
			t.Errorf("%s: who has the partition goes on with %v, expected a DriftError", c.name, err)
		}
		b.repair(next, 0)
		want := "DDPP" // of the four, two are still held
		if len(b.journal.parts[0]) == 4 {
			want = "DDDD"
		}
		if got := b.take(next, item(0, 60, 10, 1), item(0, 61, 11, 1), item(0, 62, 12, 1), item(0, 63, 13, 1)); got != want {
			t.Errorf("%s: sent again after the marks were discarded: %s, expected %s", c.name, got, want)
		}
		if got := b.take(next, item(0, 70, 12, 1)); got != "D" {
			t.Errorf("%s: and once more: %s, expected D", c.name, got)
		}
		late := b.late()
		if _, verdicts := b.lateClaim(late, item(0, 4, 12, 1)); lateLetters(verdicts) != "D" {
			t.Errorf("%s: a replay finds %s, expected D", c.name, lateLetters(verdicts))
		}
	}
}

// A mark of a record that the partition does not hold yet tells the same, where the logs do not.
func TestMarkOfARecordToCome(t *testing.T) {
	b := newBench(t)
	b.repair(b.ledger, 0)
	future := Claim{State: Done, Offset: 900, Hash: [HashSize]byte{1}}
	if _, err := b.ledger.store.Exchange(b.ctx, Round{Marks: []Mark{{Key: Key{1}, Claim: future}}}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.ledger.Claim(b.ctx, []Item{item(0, 20, 1, 1)}); !errors.Is(err, ErrWentBack) {
		t.Errorf("%v, expected ErrWentBack", err)
	}
}

// A successor whose clock is ahead by more than the life of a mark.
func TestRepairWithAClockAhead(t *testing.T) {
	b := newBench(t)
	for n := range 10 {
		b.journal.append(0, disposition(int64(n), Key{1, byte(n)}))
	}
	var from record.ScanFrom
	l := b.bounded(100, func(o *LedgerOptions) {
		o.Now = func() time.Time { return time.Now().Add(3 * time.Hour) } // the marks live for one
		read := o.History
		o.History = func(ctx context.Context, p int32, f record.ScanFrom, fn func(int64, []byte) error) (int64, error) {
			from = f
			return read(ctx, p, f, fn)
		}
	})
	if marks, err := l.Repair(b.ctx, 0); err != nil || marks != 10 {
		t.Errorf("%d marks, %v; expected all 10", marks, err)
	}
	if ahead := time.Until(from.Time); ahead > -30*time.Minute {
		t.Errorf("dispositions were read from %s on, expected an hour before the newest", from.Time)
	}
	if _, err := l.Repair(b.ctx, 0); err != nil || from.Offset != 10 || from.Time.IsZero() {
		t.Errorf("the next repair read from %+v, %v; expected from disposition 10 on, and no older than a mark lives", from, err)
	}
}

// Frequent rebalances cut every repair off. It must end all the same, also where nothing has a mark.
func TestRepairThatIsCutOffGoesOn(t *testing.T) {
	b := newBench(t)
	foreign := disposition(1, Key{})
	foreign.Stage = kycv1.Stage_STAGE_HYDRATE
	for range 4*repairStride + 5 {
		b.journal.append(0, foreign)
	}
	cut := errors.New("cut off")
	for tries := 1; ; tries++ {
		l, read := b.bounded(100, nil), 0
		l.o.History = func(ctx context.Context, p int32, from record.ScanFrom, fn func(int64, []byte) error) (int64, error) {
			read = 0
			return b.journal.read(ctx, p, from, func(o int64, v []byte) error {
				if read++; !from.Time.IsZero() && read > 3*repairStride/2 {
					return cut
				}
				return fn(o, v)
			})
		}
		if _, err := l.Repair(b.ctx, 0); err == nil {
			return
		} else if !errors.Is(err, cut) || tries > 5 {
			t.Fatalf("after %d tries: %v", tries, err)
		}
	}
}

// A stage that has nothing to do follows what the others dispose of, and marks what a replay wrote.
func TestIdleStageFollows(t *testing.T) {
	b := newBench(t)
	now := time.Now()
	stable := int64(1 << 40)
	l := b.bounded(1<<40, func(o *LedgerOptions) {
		o.Stage, o.Now = kycv1.Stage_STAGE_HYDRATE, func() time.Time { return now }
		bounds := o.Bounds
		o.Bounds = func(ctx context.Context, p int32) (Bounds, error) {
			at, err := bounds(ctx, p)
			at.Stable = min(at.Stable, stable)
			return at, err
		}
	})
	b.repair(l, 0)
	for n := range 500 {
		b.journal.append(0, disposition(int64(n), Key{1, byte(n)})) // the normaliser's
	}
	replayed := disposition(7, Key{9})
	replayed.Stage = kycv1.Stage_STAGE_REPLAY
	b.journal.append(0, replayed)
	follow := func() {
		t.Helper()
		now = now.Add(2 * advanceEvery)
		if err := errors.Join(l.Advance(b.ctx), l.Flush(b.ctx)); err != nil {
			t.Fatal(err)
		}
	}
	stable = 3
	follow()
	if got := l.parts[0].state.next; got != 0 {
		t.Errorf("beside an open transaction the watermark is at %d, expected where it was", got)
	}
	stable = 1 << 40
	follow()
	read := 0
	next := b.bounded(1<<40, func(o *LedgerOptions) { *o = l.o })
	next.o.History = func(ctx context.Context, p int32, from record.ScanFrom, fn func(int64, []byte) error) (int64, error) {
		if !from.Time.IsZero() { // what repairs, as opposed to what looks for the newest
			return b.journal.read(ctx, p, from, func(o int64, v []byte) error { read++; return fn(o, v) })
		}
		return b.journal.read(ctx, p, from, fn)
	}
	b.repair(next, 0)
	if read != 0 {
		t.Errorf("the next owner read %d dispositions, expected none", read)
	}
	if found, err := patient(t, b.redis.Addr()).Peek(b.ctx, []Key{{9}, {1, 1}}); err != nil || found[0] == nil || found[1] != nil {
		t.Errorf("marks %v, %v; expected the replay's alone", found, err)
	}
}

// Redis lost everything while nothing came: a stage that has nothing to do notices.
func TestIdleStageNoticesALoss(t *testing.T) {
	b := newBench(t)
	now := time.Now()
	l := b.bounded(100, func(o *LedgerOptions) { o.Now = func() time.Time { return now } })
	b.repair(l, 0)
	b.redis.FlushAll()
	now = now.Add(2 * advanceEvery)
	var drift *DriftError
	if err := l.Advance(b.ctx); !errors.As(err, &drift) || l.Repaired(0) {
		t.Errorf("%v, expected a DriftError and a repair to come", err)
	}
}

// A replay that died between its commit and its marks: the next one must not take its claim for one of a replay
// that never committed.
func TestReplayLearnsWhatAnEarlierOneCommitted(t *testing.T) {
	for _, learns := range []bool{true, false} {
		b := newBench(t)
		b.repair(b.ledger, 0)
		_, _ = b.lateClaim(b.late(), item(0, 5, 1, 1))
		committed := disposition(5, Key{1})
		committed.Stage, committed.ContentHash = kycv1.Stage_STAGE_REPLAY, append([]byte{1}, make([]byte, 31)...)
		late, want := b.late(), "P" // what happens without
		late.o.TTL = time.Hour
		if learns {
			want = "D"
			if err := late.Learn(b.ctx, 0, committed); err != nil {
				t.Fatal(err)
			}
		}
		if _, verdicts := b.lateClaim(late, item(0, 8, 1, 1)); lateLetters(verdicts) != want {
			t.Errorf("learns %v: the copy is %s, expected %s", learns, lateLetters(verdicts), want)
		}
	}
}

// Redis lost marks and kept the watermark, as when it evicts.
func TestDistrustedWatermark(t *testing.T) {
	b := newBench(t)
	l := b.bounded(100, nil)
	b.repair(l, 0)
	b.take(l, item(0, 1, 1, 1), item(0, 2, 2, 1))
	if err := l.Flush(b.ctx); err != nil {
		t.Fatal(err)
	}
	b.redis.Del(patient(t, b.redis.Addr()).claimKey(Key{1}))
	l.Distrust(0)
	if l.Repaired(0) {
		t.Error("a distrusted partition counts as repaired")
	}
	if marks, err := l.Repair(b.ctx, 0); err != nil || marks != 2 {
		t.Errorf("%d marks, %v; expected both", marks, err)
	}
	if marks, err := l.Repair(b.ctx, 0); err != nil || marks != 0 {
		t.Errorf("and then %d marks, %v; expected none", marks, err)
	}
	if got := b.take(l, item(0, 3, 1, 1)); got != "D" {
		t.Errorf("a copy: %s, expected D", got)
	}
}

func TestNextIsBehindWhatIsDisposedOf(t *testing.T) {
	b := newBench(t)
	l := b.bounded(1000, nil)
	if got := l.Next(0); got != -1 {
		t.Errorf("before the repair: begins at %d, expected that it is not known", got)
	}
	for want, do := range []func(){
		func() { b.repair(l, 0) },
		func() { b.take(l, item(0, 0, 1, 1)) },
		func() { b.take(l, item(0, 1, 2, 1)); l = b.bounded(1000, nil); b.repair(l, 0) },
		func() { // older than any mark, and Redis is empty
			d := disposition(2, Key{3})
			d.DecidedAt = timestamppb.New(time.Now().Add(-100 * time.Hour)) // nothing marks it any more
			b.journal.parts[0] = nil
			b.journal.append(0, d)
			for range 300 {
				foreign := disposition(900, Key{4})
				foreign.Stage = kycv1.Stage_STAGE_HYDRATE
				b.journal.append(0, foreign)
			}
			b.redis.FlushAll()
			l = b.bounded(1000, nil)
			b.repair(l, 0)
		},
	} {
		do()
		if got := l.Next(0); got != int64(want) {
			t.Errorf("step %d: begins at %d, expected %d", want, got, want)
		}
	}
}
