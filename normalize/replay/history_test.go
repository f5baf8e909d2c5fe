package replay

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/kycbridge/kycbridge/internal/contract"
	"github.com/kycbridge/kycbridge/internal/record"
	"github.com/kycbridge/kycbridge/normalize"
	"github.com/kycbridge/kycbridge/normalize/dedupe"
	"github.com/kycbridge/kycbridge/providers"
	"github.com/kycbridge/kycbridge/schemas"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// dispositions is a disposition topic of one partition, made while it is read.
type dispositions struct {
	len   int64 // the end; offsets below may be missing
	at    func(offset int64) (value []byte, written time.Time)
	shown int64 // records given to readers
	scans int
}

func (d *dispositions) scan(_ context.Context, base string, _ int32, from record.ScanFrom, fn func(normalize.RawRecord) error) error {
	if base != schemas.DispositionTopic {
		return fmt.Errorf("%s is not faked", base)
	}
	d.scans++
	end := d.len
	for at := max(from.Offset, 0); at < end; at++ {
		value, written := d.at(at)
		if value == nil || written.Before(from.Time) {
			continue
		}
		d.shown++
		if err := fn(normalize.RawRecord{Offset: at, Value: value}); err != nil {
			return err
		}
	}
	return nil
}

// part is a partition that reads a faked topic.
func (d *dispositions) part(o Options) *partition {
	o = o.withDefaults()
	o.ID = "now"
	o.Topics = Topics{Partitions: 1, RawID: rawID, Scan: d.scan}
	return &partition{run: &run{o: o, match: newMatcher(o.Select, providers.Gate{})}}
}

var (
	rawID  = [16]byte{1}
	oldID  = [16]byte{2}
	taskID = [16]byte{3}
	noon   = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
)

func encode(tb testing.TB, d *kycv1.Disposition) []byte {
	tb.Helper()
	b, err := contract.Marshal(d)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// invented is the nth disposition that a run of the property test invents: all kinds and stages, also of another
// life of the raw topic and of another partition.
func invented(r *rand.Rand, n int, raw int64) *kycv1.Disposition {
	d := &kycv1.Disposition{
		Raw: &kycv1.RawPosition{Topic: "kyc.raw.v1", Offset: raw}, RawTopicId: rawID[:], Stage: kycv1.Stage(1 + r.IntN(3)), Kind: kycv1.DispositionKind(1 + r.IntN(4)),
		DecidedAt: timestamppb.New(noon), ReceivedAt: timestamppb.New(noon.Add(time.Duration(n) * time.Second)), VendorEventId: fmt.Sprint("id-", r.IntN(5)),
	}
	if r.IntN(4) > 0 {
		key := dedupe.Key{1: byte(n), 2: byte(n >> 8)}
		d.DedupeKey = key[:]
	}
	switch d.GetKind() {
	case kycv1.DispositionKind_DISPOSITION_KIND_EMITTED:
		d.EventIds, d.DedupeFlag = []string{"01900000-0000-7000-8000-000000000000"}, []string{"", "unconfirmed"}[n%2]
	case kycv1.DispositionKind_DISPOSITION_KIND_DUPLICATE:
		d.DuplicateOf = &kycv1.RawPosition{Topic: "kyc.raw.v1", Offset: 0}
	case kycv1.DispositionKind_DISPOSITION_KIND_DEAD_LETTERED:
		d.Reason = kycv1.DeadLetterReason(1 + r.IntN(7))
	}
	if d.GetStage() == kycv1.Stage_STAGE_HYDRATE || r.IntN(5) == 0 {
		d.Claimed, d.ClaimedTopicId = &kycv1.RawPosition{Topic: "kyc.hydrate.v1", Offset: int64(n)}, taskID[:]
	}
	if r.IntN(3) == 0 || d.GetStage() == kycv1.Stage_STAGE_REPLAY {
		d.ReplayId = []string{"now", "before"}[r.IntN(2)]
	}
	switch r.IntN(20) {
	case 0:
		d.RawTopicId = oldID[:]
	case 1:
		d.Raw.Partition = 1
	}
	return d
}

// expected is what a reader that keeps everything finds out about a raw record. Tasks were looked for when there
// were as many dispositions as looked, and the record's own was not found where lost is set.
func (p *partition) expected(all []*kycv1.Disposition, offset int64, looked int, lost bool) (past past) {
	past.claimed = -1
	for i, d := range all {
		if dedupe.TopicID(d.GetRawTopicId()) != rawID || d.GetRaw().GetPartition() != 0 || d.GetRaw().GetOffset() != offset {
			continue
		}
		past.done = past.done || d.GetReplayId() == "now"
		past.named = past.named || slices.Contains(p.match.IDs, d.GetVendorEventId())
		if d.GetKind() == kycv1.DispositionKind_DISPOSITION_KIND_HYDRATING {
			past.hydrating, past.lost, past.label = true, lost && i < looked, d.GetReplayId()
			continue
		}
		past.last, past.reason, past.hydrating, past.lost, past.label = d.GetKind(), d.GetReason(), false, false, ""
		past.tasked, past.keyed = d.GetClaimed() != nil, len(d.GetDedupeKey()) > 0
		past.claimed, past.key, past.flag = -1, dedupe.Key{}, dedupe.Flag(d.GetDedupeFlag())
		if past.tasked {
			past.claimed = d.GetClaimed().GetOffset()
		}
		if past.keyed {
			past.key = dedupe.Key(d.GetDedupeKey())
		}
	}
	return past
}

// undetailed leaves out what is only looked for where it is needed.
func (p *partition) undetailed(of past) past {
	of.orphan = false // has a test of its own
	if p.leave(of) != "" || !p.needs(of) || of.hydrating {
		of.claimed, of.key, of.flag = -1, dedupe.Key{}, ""
	}
	if p.leave(of) != "" || !of.lost {
		of.label = ""
	}
	return of
}

// TestHistoryIsWhatTheDispositionsSay compares the packed history with one that keeps everything, while the topic
// grows between two pages.
func TestHistoryIsWhatTheDispositionsSay(t *testing.T) {
	for seed := range uint64(100) {
		r := rand.New(rand.NewPCG(seed, 0))
		const raws = 120
		var all []*kycv1.Disposition
		topic := &dispositions{}
		topic.at = func(at int64) ([]byte, time.Time) { return encode(t, all[at]), noon }
		grow := func(n int) {
			for range n {
				all = append(all, invented(r, len(all), r.Int64N(raws)))
			}
			topic.len = int64(len(all))
		}
		grow(300)
		p := topic.part(Options{Mode: []Mode{ReEmit, FillGaps}[seed%2], Page: 1 + r.IntN(40), Select: Selection{IDs: []string{"id-3"}}})
		spans := merge([]span{{3, 9}, {20, 21}, {int64(22 + r.IntN(10)), 60}, {90, 118}})
		h := p.newHistory(spans)
		if err := h.read(t.Context()); err != nil {
			t.Fatal(err)
		}
		looked := len(all)
		h.loseTasks()
		for offset := int64(0); offset < raws; offset += 2 {
			h.foundTask(offset)
		}
		for offset := range int64(raws) {
			if !holds(spans, offset) {
				if h.index(offset) >= 0 {
					t.Fatalf("seed %d: offset %d has a fate and is in none of %v", seed, offset, spans)
				}
				continue
			}
			grow(max(0, r.IntN(6)-3))
			got, err := h.past(t.Context(), offset)
			if err == nil && p.leave(got) == "" {
				err = h.detail(t.Context(), offset, &got)
			}
			if err != nil {
				t.Fatalf("seed %d, offset %d: %v", seed, offset, err)
			}
			want := p.expected(all[:h.next], offset, looked, offset%2 == 1)
			if got, want = p.undetailed(got), p.undetailed(want); got != want {
				t.Fatalf("seed %d, offset %d: %+v, want %+v", seed, offset, got, want)
			}
		}
		if h.upto != len(h.fates) || h.next <= int64(looked) {
			t.Fatalf("seed %d: up to %d of %d, and dispositions up to %d, of which there were %d at first", seed, h.upto, len(h.fates), h.next, looked)
		}
	}
}

// steady is a topic in which the normaliser disposed of one raw offset after the other, and all was published.
func steady(tb testing.TB, n int64) *dispositions {
	key := dedupe.Key{}
	d := &kycv1.Disposition{
		Raw: &kycv1.RawPosition{Topic: "kyc.raw.v1"}, RawTopicId: rawID[:], Tenant: "default", Provider: "idenfy", Endpoint: "shop", Stage: kycv1.Stage_STAGE_NORMALIZE,
		Kind: kycv1.DispositionKind_DISPOSITION_KIND_EMITTED, DedupeKey: key[:], ContentHash: make([]byte, 32), EventIds: []string{"01900000-0000-7000-8000-000000000000"},
		VendorEventId: "0194f6a0-5d5e-7a33-8c3a-3f4b2f1f0a55", VendorEventType: "SESSION_APPROVED", MapperVersion: "idenfy/3", ReceivedAt: timestamppb.New(noon), DecidedAt: timestamppb.New(noon),
	}
	return &dispositions{len: n, at: func(at int64) ([]byte, time.Time) {
		d.Raw.Offset = at
		return encode(tb, d), noon.Add(time.Duration(at) * time.Millisecond)
	}}
}

// through takes a stretch's history from its beginning through every offset, with details, as a replay does.
func through(tb testing.TB, p *partition, spans []span, first time.Time) *history {
	h := p.newHistory(spans)
	if err := h.begin(tb.Context(), first.Add(-skew)); err != nil {
		tb.Fatal(err)
	}
	if err := h.read(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	for _, s := range spans {
		for offset := s.from; offset < s.to; offset++ {
			past, err := h.past(tb.Context(), offset)
			if err == nil && p.leave(past) == "" {
				err = h.detail(tb.Context(), offset, &past)
			}
			if err != nil {
				tb.Fatal(err)
			}
		}
	}
	return h
}

// TestHistoryIsReadOnce: however many pages there are, filling gaps shows each disposition once, and re-emitting
// twice, since it needs their keys; beyond that it is a few probes and the ends of pages.
func TestHistoryIsReadOnce(t *testing.T) {
	const n, pages = 100_000, 50
	for mode, times := range map[Mode]int64{FillGaps: 1, ReEmit: 2} {
		topic := steady(t, n)
		through(t, topic.part(Options{Mode: mode, Page: n / pages}), []span{{0, n}}, noon)
		if most := times*n + 200; topic.shown > most {
			t.Errorf("%s: %d dispositions shown of %d, want at most %d", mode, topic.shown, n, most)
		}
	}
}

// TestHistoryOfTheEndBeginsThere: what lies before a stretch is not read.
func TestHistoryOfTheEndBeginsThere(t *testing.T) {
	const n = 1 << 20
	topic := steady(t, n)
	h := through(t, topic.part(Options{Mode: FillGaps}), []span{{n - 1000, n}}, noon.Add((n-1000)*time.Millisecond+time.Hour))
	if h.fates[0].kind() != kycv1.DispositionKind_DISPOSITION_KIND_EMITTED || topic.shown > 1000+far+100 {
		t.Errorf("the first fate is %v, and %d dispositions were shown; want emitted, and at most %d", h.fates[0].kind(), topic.shown, 1000+far+100)
	}
}

// TestMarksOfWhatCameBefore: whatever the search for a stretch meets, marks are expected up to the last disposition.
func TestMarksOfWhatCameBefore(t *testing.T) {
	for n := int64(2*far - 2); n < 2*far+8; n++ {
		h := through(t, steady(t, n).part(Options{Mode: FillGaps}), []span{{4 * far, 4*far + 1}}, noon.Add(time.Hour))
		if got := h.ends[kycv1.Stage_STAGE_NORMALIZE]; got != n {
			t.Errorf("of %d dispositions, marks are expected before %d", n, got)
		}
	}
}

// TestResetOffsetsHideNoDisposition: offsets were moved past records and back again, so later ones were disposed of
// before earlier ones, which the search by raw offset does not expect.
func TestResetOffsetsHideNoDisposition(t *testing.T) {
	topic := steady(t, 70_000)
	inOrder := topic.at
	topic.at = func(at int64) ([]byte, time.Time) {
		raw := at
		switch {
		case at >= 20_000:
			raw = at - 10_000
		case at >= 10_000:
			raw = at + 50_000
		}
		value, _ := inOrder(raw)
		return value, noon.Add(time.Duration(at) * time.Millisecond)
	}
	h := through(t, topic.part(Options{Mode: ReEmit}), []span{{30_000, 65_000}}, noon)
	for i, f := range h.fates {
		if f.kind() != kycv1.DispositionKind_DISPOSITION_KIND_EMITTED {
			t.Fatalf("raw offset %d has no disposition", 30_000+i)
		}
	}
}

// TestHistoryIsSmall: it holds 8 bytes for each offset of the selection, and a page of details.
func TestHistoryIsSmall(t *testing.T) {
	const n = 200_000
	topic := steady(t, n)
	p := topic.part(Options{Mode: ReEmit})
	live := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := live()
	h := through(t, p, []span{{0, n / 2}, {n/2 + 1, n}}, noon)
	const perOffset, page = 8, 2 << 20
	if took := live() - before; took > perOffset*n+page {
		t.Errorf("the history of %d offsets takes %d bytes, want at most %d", n, took, perOffset*n+page)
	}
	runtime.KeepAlive(h)
}

// TestOrphans: a duplicate of what no disposition before it published is one of nothing.
func TestOrphans(t *testing.T) {
	const emitted, duplicate, dead, hydrating = kycv1.DispositionKind_DISPOSITION_KIND_EMITTED, kycv1.DispositionKind_DISPOSITION_KIND_DUPLICATE,
		kycv1.DispositionKind_DISPOSITION_KIND_DEAD_LETTERED, kycv1.DispositionKind_DISPOSITION_KIND_HYDRATING
	for _, c := range []struct {
		name  string
		kinds []kycv1.DispositionKind // of raw offsets from 100 on, the last one is the duplicate in question
		of    int64
		want  bool
	}{
		{"of one that was published", []kycv1.DispositionKind{emitted, duplicate}, 100, false},
		{"of a dead letter", []kycv1.DispositionKind{dead, duplicate}, 100, false},
		{"of one with the hydrate stage", []kycv1.DispositionKind{hydrating, duplicate}, 100, false},
		{"of a duplicate", []kycv1.DispositionKind{emitted, duplicate, duplicate}, 101, true},
		{"of itself", []kycv1.DispositionKind{emitted, duplicate}, 101, true},
		{"of a later one", []kycv1.DispositionKind{emitted, duplicate}, 104, true},
		{"of one past the selection", []kycv1.DispositionKind{emitted, duplicate}, 9999, true},
		{"of one before the selection", []kycv1.DispositionKind{emitted, duplicate}, 7, false},
	} {
		var all []*kycv1.Disposition
		for i, kind := range c.kinds {
			all = append(all, &kycv1.Disposition{
				Raw: &kycv1.RawPosition{Offset: int64(100 + i)}, RawTopicId: rawID[:], Stage: kycv1.Stage_STAGE_NORMALIZE, Kind: kind,
				DuplicateOf: &kycv1.RawPosition{Offset: 100},
			})
		}
		last := len(all) - 1
		all[last].DuplicateOf.Offset = c.of
		topic := &dispositions{len: int64(len(all)), at: func(at int64) ([]byte, time.Time) { return encode(t, all[at]), noon }}
		p := topic.part(Options{Mode: FillGaps})
		h := through(t, p, []span{{100, 110}}, noon)
		past := h.fates[last].past()
		if past.orphan != c.want || (p.leave(past) == "") != c.want {
			t.Errorf("%s: orphan %v and left with %q; want orphan %v", c.name, past.orphan, p.leave(past), c.want)
		}
	}
}

// TestToldIsTold: what was told of once is no gap, and drops copies, whatever its last disposition says.
func TestToldIsTold(t *testing.T) {
	const emitted, duplicate, hydrating = kycv1.DispositionKind_DISPOSITION_KIND_EMITTED, kycv1.DispositionKind_DISPOSITION_KIND_DUPLICATE, kycv1.DispositionKind_DISPOSITION_KIND_HYDRATING
	said := func(raw int64, kind kycv1.DispositionKind, of int64) *kycv1.Disposition {
		return &kycv1.Disposition{
			Raw: &kycv1.RawPosition{Offset: raw}, RawTopicId: rawID[:], Stage: kycv1.Stage_STAGE_NORMALIZE, Kind: kind, DuplicateOf: &kycv1.RawPosition{Offset: of},
		}
	}
	task := said(100, duplicate, 3)
	task.Claimed, task.ClaimedTopicId = &kycv1.RawPosition{Offset: 7}, taskID[:]
	moved := said(104, duplicate, 9999)
	moved.DuplicateOfTopicId = oldID[:]
	copied := said(105, emitted, 0)
	copied.RawTopicId = oldID[:]
	all := []*kycv1.Disposition{
		said(100, hydrating, 0), task, said(101, duplicate, 100), // what was fetched was known
		said(102, emitted, 0), said(102, duplicate, 9999), said(103, duplicate, 102), // read again without marks
		moved, copied,
	}
	topic := &dispositions{len: int64(len(all)), at: func(at int64) ([]byte, time.Time) { return encode(t, all[at]), noon }}
	p := topic.part(Options{Mode: FillGaps, Former: []dedupe.Former{{TopicID: oldID, SameOffsets: true}}})
	h := through(t, p, []span{{100, 106}}, noon)
	for i, f := range h.fates {
		if why := p.leave(f.past()); why != NoGap {
			t.Errorf("raw offset %d is left for %q, want %q", 100+i, why, NoGap)
		}
	}
}

// BenchmarkHistory reads the history of a whole partition, with the details of every record: what a replay that
// re-emits all of it does beside the replaying. The time of a disposition includes making it, as the floor does.
func BenchmarkHistory(b *testing.B) {
	for _, n := range []int64{1_000_000, 10_000_000} {
		topic := steady(b, n)
		b.Run(fmt.Sprint("floor/", n), func(b *testing.B) {
			for b.Loop() {
				_ = topic.scan(b.Context(), schemas.DispositionTopic, 0, record.ScanFrom{}, func(normalize.RawRecord) error { return nil })
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/disposition")
		})
		for _, mode := range []Mode{FillGaps, ReEmit} {
			b.Run(fmt.Sprint(mode, "/", n), func(b *testing.B) {
				shown := topic.shown
				for b.Loop() {
					h := through(b, topic.part(Options{Mode: mode}), []span{{0, n}}, noon)
					b.ReportMetric(float64(8*len(h.fates))/(1<<20), "MiB")
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/disposition")
				b.ReportMetric(float64(topic.shown-shown)/float64(b.N)/float64(n), "reads/disposition")
			})
		}
	}
}
