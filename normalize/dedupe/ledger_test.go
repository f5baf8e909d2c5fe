package dedupe

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/kycbridge/kycbridge/internal/record"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

var (
	rawTopic  = [16]byte{1}
	dispTopic = [16]byte{2}
)

// journal is a disposition topic in memory.
type journal struct{ parts map[int32][][]byte }

func (j *journal) append(p int32, d *kycv1.Disposition) int64 {
	value, err := proto.Marshal(d)
	if err != nil {
		panic(err)
	}
	j.parts[p] = append(j.parts[p], value)
	return int64(len(j.parts[p]) - 1)
}

func (j *journal) read(_ context.Context, p int32, from record.ScanFrom, fn func(int64, []byte) error) (int64, error) {
	for offset := from.Offset; offset < int64(len(j.parts[p])); offset++ {
		if err := fn(offset, j.parts[p][offset]); err != nil {
			return offset, err
		}
	}
	return int64(len(j.parts[p])), nil
}

// bench is a ledger with its surroundings.
type bench struct {
	t       *testing.T
	ctx     context.Context
	redis   *miniredis.Miniredis
	journal *journal
	ledger  *Ledger
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{t: t, ctx: testContext(t), redis: miniredis.RunT(t), journal: &journal{parts: map[int32][][]byte{}}}
	b.ledger = b.another(patient(t, b.redis.Addr()))
	return b
}

// another is the ledger of another process.
func (b *bench) another(store backend) *Ledger {
	return NewLedger(store, LedgerOptions{
		Group: "g", TopicID: rawTopic, DispositionID: dispTopic, TTL: time.Hour, Wait: time.Millisecond, History: b.journal.read,
	})
}

func (b *bench) repair(l *Ledger, parts ...int32) {
	b.t.Helper()
	for _, p := range parts {
		if _, err := l.Repair(b.ctx, p); err != nil {
			b.t.Fatal(err)
		}
	}
}

func item(p int32, offset int64, id, text byte) Item {
	return Item{Partition: p, Offset: offset, Identified: true, Key: Key{id}, Hash: [32]byte{text}}
}

// commit writes what the verdicts ask for and settles.
func (b *bench) commit(l *Ledger, items []Item, verdicts []Verdict) {
	offsets := make([]int64, len(items))
	for i, v := range verdicts {
		offsets[i] = -1
		if v.Action == Nothing {
			continue
		}
		kind := kycv1.DispositionKind_DISPOSITION_KIND_EMITTED
		if v.Action == Duplicate {
			kind = kycv1.DispositionKind_DISPOSITION_KIND_DUPLICATE
		}
		d := &kycv1.Disposition{
			Raw: &kycv1.RawPosition{Partition: items[i].Partition, Offset: items[i].Offset}, RawTopicId: rawTopic[:],
			Stage: kycv1.Stage_STAGE_NORMALIZE, Kind: kind, ContentHash: items[i].Hash[:], DecidedAt: timestamppb.Now(),
			Endpoint: items[i].Endpoint, ReceivedAt: timestamppb.New(items[i].ReceivedAt),
		}
		if v.Keyed {
			d.DedupeKey = v.Key[:]
		}
		offsets[i] = b.journal.append(items[i].Partition, d)
	}
	l.Settle(items, verdicts, offsets)
}

// take claims and commits, and tells each action in a letter: publish, duplicate, nothing.
func (b *bench) take(l *Ledger, items ...Item) string {
	b.t.Helper()
	verdicts, err := l.Claim(b.ctx, items)
	if err != nil {
		b.t.Fatal(err)
	}
	b.commit(l, items, verdicts)
	return letters(verdicts)
}

func letters(verdicts []Verdict) string {
	text := ""
	for _, v := range verdicts {
		text += string("?PDN"[v.Action])
		switch v.Flag {
		case Conflict:
			text += "c"
		case Unconfirmed:
			text += "u"
		}
	}
	return text
}

func TestClaimInOneBatch(t *testing.T) {
	for _, c := range []struct {
		name  string
		items []Item
		want  string
	}{
		{"copies", []Item{item(0, 1, 1, 1), item(0, 2, 1, 1), item(0, 3, 1, 1)}, "PDD"},
		{"two deliveries", []Item{item(0, 1, 1, 1), item(0, 2, 2, 1)}, "PP"},
		{"other content", []Item{item(0, 1, 1, 1), item(0, 2, 1, 2), item(0, 3, 1, 1), item(0, 4, 1, 2)}, "PPcDD"},
		{"three contents", []Item{item(0, 1, 1, 1), item(0, 2, 1, 2), item(0, 3, 1, 3), item(0, 4, 1, 3)}, "PPcPcD"},
		{"no identity", []Item{{Offset: 1}, {Offset: 2}}, "PP"},
		{"copies in two partitions, both in flight", []Item{item(0, 1, 1, 1), item(1, 1, 1, 1)}, "PPu"},
		{"nothing", nil, ""},
	} {
		b := newBench(t)
		b.repair(b.ledger, 0, 1)
		if got := b.take(b.ledger, c.items...); got != c.want {
			t.Errorf("%s: %s, expected %s", c.name, got, c.want)
		}
	}
}

func TestClaimAcrossBatchesAndOwners(t *testing.T) {
	b := newBench(t)
	b.repair(b.ledger, 0)
	steps := func(l *Ledger, want string, items ...Item) {
		t.Helper()
		if got := b.take(l, items...); got != want {
			t.Errorf("offset %d: %s, expected %s", items[0].Offset, got, want)
		}
	}
	steps(b.ledger, "P", item(0, 1, 1, 1))
	steps(b.ledger, "D", item(0, 2, 1, 1))
	steps(b.ledger, "Pc", item(0, 3, 1, 2))
	steps(b.ledger, "DD", item(0, 4, 1, 2), item(0, 5, 1, 1))
	steps(b.ledger, "P", item(0, 6, 2, 1))
	// The next owner comes before the last mark is written.
	next := b.another(patient(t, b.redis.Addr()))
	b.repair(next, 0)
	steps(next, "DD", item(0, 7, 2, 1), item(0, 8, 1, 2))
	// The old one wakes up: its watermark is not what it left, so it must not decide anything.
	var drift *DriftError
	if _, err := b.ledger.Claim(b.ctx, []Item{item(0, 9, 3, 1)}); !errors.As(err, &drift) {
		t.Errorf("the previous owner went on with %v, expected a DriftError", err)
	}
}

func TestAbortedBatchIsDecidedAgainTheSameWay(t *testing.T) {
	b := newBench(t)
	b.repair(b.ledger, 0)
	items := []Item{item(0, 1, 1, 1), item(0, 2, 1, 2), item(0, 3, 1, 1)}
	for range 3 {
		verdicts, err := b.ledger.Claim(b.ctx, items)
		if err != nil {
			t.Fatal(err)
		}
		if got := letters(verdicts); got != "PPcD" {
			t.Errorf("%s, expected PPcD: nothing was committed", got)
		}
	}
	if got := b.take(b.ledger, items...); got != "PPcD" {
		t.Errorf("%s, expected PPcD", got)
	}
}

// A claim of a later offset is left by an aborted pass that began further on.
func TestSmallerOffsetTakesTheClaimOver(t *testing.T) {
	b := newBench(t)
	b.repair(b.ledger, 0)
	if _, err := b.ledger.Claim(b.ctx, []Item{item(0, 9, 1, 1)}); err != nil {
		t.Fatal(err)
	}
	if got := b.take(b.ledger, item(0, 5, 1, 1)); got != "P" {
		t.Errorf("the smaller offset: %s, expected P", got)
	}
	if got := b.take(b.ledger, item(0, 9, 1, 1)); got != "D" {
		t.Errorf("the larger offset: %s, expected D", got)
	}
}

func TestLostDataIsNoticedAndRepaired(t *testing.T) {
	for name, lose := range map[string]func(b *bench, before map[string]string){
		"flushed": func(b *bench, _ map[string]string) { b.redis.FlushAll() },
		"rolled back": func(b *bench, before map[string]string) {
			b.redis.FlushAll()
			for k, v := range before {
				_ = b.redis.Set(k, v)
			}
		},
	} {
		b := newBench(t)
		b.repair(b.ledger, 0, 1)
		b.take(b.ledger, item(0, 1, 1, 1), item(1, 1, 7, 1))
		before := snapshot(b.redis)
		b.take(b.ledger, item(0, 2, 2, 1), item(1, 2, 8, 1))
		if err := b.ledger.Flush(b.ctx); err != nil {
			t.Fatal(err)
		}
		lose(b, before)
		var drift *DriftError
		_, err := b.ledger.Claim(b.ctx, []Item{item(0, 3, 2, 1), item(1, 3, 8, 1)})
		if !errors.As(err, &drift) || !slices.Equal(drift.Partitions, []int32{0, 1}) {
			t.Errorf("%s: %v, expected a DriftError of both partitions", name, err)
			continue
		}
		if _, err := b.ledger.Claim(b.ctx, []Item{item(0, 3, 2, 1)}); !errors.Is(err, ErrUnrepaired) {
			t.Errorf("%s: %v, expected ErrUnrepaired until the repair", name, err)
		}
		b.repair(b.ledger, 0, 1)
		if got := b.take(b.ledger, item(0, 3, 2, 1), item(1, 3, 8, 1), item(1, 4, 7, 1)); got != "DDD" {
			t.Errorf("%s: after the repair %s, expected only duplicates", name, got)
		}
	}
}

func snapshot(m *miniredis.Miniredis) map[string]string {
	all := map[string]string{}
	for _, k := range m.Keys() {
		all[k], _ = m.Get(k)
	}
	return maps.Clone(all)
}

// hooked is a store that lets a test act before a call.
type hooked struct {
	backend
	calls  int
	before func(call int, r Round) error
}

func (h *hooked) Exchange(ctx context.Context, r Round) (Reply, error) {
	h.calls++
	if err := h.before(h.calls, r); err != nil {
		return Reply{}, err
	}
	return h.backend.Exchange(ctx, r)
}

// The second flush comes while the first is being repaired, between any two of its pipelines.
func TestFlushDuringRepairIsNoticed(t *testing.T) {
	b := newBench(t)
	b.repair(b.ledger, 0)
	for n := range 2500 {
		b.journal.append(0, disposition(int64(n), Key{1, byte(n), byte(n >> 8)}))
	}
	for at := 1; at <= 5; at++ {
		b.redis.FlushAll() // so that the repair reads everything: 5 pipelines
		h := &hooked{backend: patient(t, b.redis.Addr()), before: func(call int, _ Round) error {
			if call == at {
				b.redis.FlushAll()
			}
			return nil
		}}
		l := b.another(h)
		if _, err := l.Repair(b.ctx, 0); at > 2 && !errors.Is(err, ErrMoved) {
			t.Errorf("flush before pipeline %d: the repair says %v, expected %v", at, err, ErrMoved)
		}
		b.repair(l, 0)
		for _, n := range []int{0, 999, 1000, 2499} {
			copyOf := Item{Offset: int64(5000 + n), Identified: true, Key: Key{1, byte(n), byte(n >> 8)}, Hash: [32]byte{9}}
			verdicts, err := l.Claim(b.ctx, []Item{copyOf})
			if err != nil || letters(verdicts) != "D" {
				t.Errorf("flush before pipeline %d: a copy of record %d is %s, %v, expected D", at, n, letters(verdicts), err)
			}
		}
	}
}

func disposition(offset int64, key Key) *kycv1.Disposition {
	return &kycv1.Disposition{
		Raw: &kycv1.RawPosition{Offset: offset}, RawTopicId: rawTopic[:], Stage: kycv1.Stage_STAGE_NORMALIZE,
		Kind: kycv1.DispositionKind_DISPOSITION_KIND_EMITTED, DedupeKey: key[:], ContentHash: append([]byte{9}, make([]byte, 31)...),
		DecidedAt: timestamppb.Now(),
	}
}

func TestRepairOnlyMarksWhatIsOursAndAlive(t *testing.T) {
	b := newBench(t)
	old, foreign, duplicate, keyless, hydrate := disposition(1, Key{1}), disposition(2, Key{2}), disposition(3, Key{3}), disposition(4, Key{4}), disposition(5, Key{5})
	old.DecidedAt = timestamppb.New(time.Now().Add(-2 * time.Hour))
	foreign.RawTopicId = make([]byte, 16)
	duplicate.Kind = kycv1.DispositionKind_DISPOSITION_KIND_DUPLICATE
	keyless.DedupeKey = nil
	hydrate.Stage = kycv1.Stage_STAGE_HYDRATE
	for _, d := range []*kycv1.Disposition{old, foreign, duplicate, keyless, hydrate, disposition(6, Key{6})} {
		b.journal.append(0, d)
	}
	b.journal.parts[0] = append(b.journal.parts[0], []byte("\xff not one"))
	marks, err := b.ledger.Repair(b.ctx, 0)
	if err != nil || marks != 1 {
		t.Errorf("%d marks, %v, expected 1", marks, err)
	}
	if ttl := b.redis.TTL(patient(t, b.redis.Addr()).claimKey(Key{6})); ttl <= 0 || ttl > time.Hour {
		t.Errorf("the mark lives for %s, expected up to the rest of an hour", ttl)
	}
}

func TestKnownRecordsAreSkippedInOnePass(t *testing.T) {
	b := newBench(t)
	b.repair(b.ledger, 0)
	var all []Item
	for n := range 60 {
		i := item(0, int64(n), byte(n/2), 1)
		i.ReceivedAt = time.Unix(int64(n), 0)
		if n%5 == 0 {
			i.Identified, i.Key = false, Key{}
		}
		all = append(all, i)
	}
	b.take(b.ledger, all...)
	read := 0
	b.ledger.o.History = func(ctx context.Context, p int32, from record.ScanFrom, fn func(int64, []byte) error) (int64, error) {
		return b.journal.read(ctx, p, from, func(o int64, v []byte) error { read++; return fn(o, v) })
	}
	for from := 0; from < 60; from += 10 {
		if got := b.take(b.ledger, all[from:from+10]...); got != "NNNNNNNNNN" {
			t.Errorf("records from %d: %s, expected nothing to be done", from, got)
		}
	}
	if read > 60+6 {
		t.Errorf("%d dispositions were read for 60 records, expected one pass", read)
	}
	another := item(0, 59, 200, 7)
	another.ReceivedAt = time.Unix(1000, 0)
	// An unclean broker lost the tail, and another record stands at an offset disposed of.
	if got := b.take(b.ledger, another); got != "P" {
		t.Errorf("another record at a known offset: %s, expected P", got)
	}
}

func TestErrorsLeaveTheLedgerAsItWas(t *testing.T) {
	b := newBench(t)
	b.repair(b.ledger, 0)
	b.take(b.ledger, item(0, 1, 1, 1))
	b.redis.SetError("OOM command not allowed")
	if _, err := b.ledger.Claim(b.ctx, []Item{item(0, 2, 1, 1)}); !errors.Is(err, ErrUnavailable) {
		t.Errorf("%v, expected ErrUnavailable", err)
	}
	b.redis.SetError("")
	if !b.ledger.Pending() {
		t.Error("the marks of the first batch are forgotten")
	}
	if got := b.take(b.ledger, item(0, 2, 1, 1)); got != "D" {
		t.Errorf("%s, expected D", got)
	}
}

func TestWatermarkKeysAreDistinctAndNoClaims(t *testing.T) {
	seen := map[string]bool{}
	for _, group := range []string{"a", "b"} {
		for p := range int32(3) {
			k := watermarkKey(group, rawTopic, dispTopic, p)
			if seen[k] || len(k) <= len(keyPrefix)+KeySize {
				t.Errorf("watermark key %s", fmt.Sprintf("%q", k))
			}
			seen[k] = true
		}
	}
}
