package dedupe

import (
	"context"
	"encoding/binary"
	"runtime"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/kycbridge/kycbridge/internal/record"
)

// benchBatch is as many records as a worker polls at once.
const benchBatch = 500

// BenchmarkClaim decides batches of new deliveries, each with the marks of the one before in its
// transaction, against a Redis of its own, a Cluster of three masters, and the one inside this process.
func BenchmarkClaim(b *testing.B) {
	b.Run("redis", func(b *testing.B) { benchmarkClaim(b, patient(b, startRedis(b).addr)) })
	b.Run("cluster", func(b *testing.B) { benchmarkClaim(b, startCluster(b).store(b)) })
	b.Run("miniredis", func(b *testing.B) { benchmarkClaim(b, patient(b, miniredis.RunT(b).Addr())) })
}

func benchmarkClaim(b *testing.B, s *Store) {
	ctx := context.Background()
	nothing := func(_ context.Context, _ int32, from record.ScanFrom, _ func(int64, []byte) error) (int64, error) {
		return from.Offset, nil
	}
	l := NewLedger(s, LedgerOptions{Group: "g", TopicID: rawTopic, DispositionID: dispTopic, TTL: time.Hour, History: nothing})
	if _, err := l.Repair(ctx, 0); err != nil {
		b.Fatal(err)
	}
	items, dispositions := make([]Item, benchBatch), make([]int64, benchBatch)
	next := int64(0)
	b.ReportAllocs()
	for b.Loop() {
		for i := range items {
			items[i], dispositions[i] = Item{Offset: next, Identified: true}, next
			binary.BigEndian.PutUint64(items[i].Key[:], uint64(next))
			next++
		}
		verdicts, err := l.Claim(ctx, items)
		if err != nil || verdicts[0].Action != Publish {
			b.Fatal(verdicts, err)
		}
		l.Settle(items, verdicts, dispositions)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(next), "ns/record")
}

// BenchmarkKey is the key of one delivery.
func BenchmarkKey(b *testing.B) {
	keys := NewKeyer([]byte("a synthetic pepper"))
	s := Subject{Stage: StageNormalize, TopicID: rawTopic, Tenant: "default", RawKey: []byte("shop/5ed3918fbf06f30008e552c9"), Identity: []byte("5ed170fe99c81a0007b9a3d3")}
	b.ReportAllocs()
	for b.Loop() {
		keys.Key(s)
	}
}

// BenchmarkRepair writes the marks of a partition of which Redis knows nothing, from memory: what reading Kafka
// costs comes on top.
func BenchmarkRepair(b *testing.B) {
	const dispositions = 100_000
	s, ctx := patient(b, startRedis(b).addr), context.Background()
	j := &journal{parts: map[int32][][]byte{}}
	for n := range dispositions {
		d := disposition(int64(n), Key{})
		binary.BigEndian.PutUint64(d.DedupeKey, uint64(n))
		d.ContentHash, d.EventIds = make([]byte, 32), []string{"00000000-0000-5000-8000-000000000000"}
		d.Tenant, d.Provider, d.Endpoint, d.MapperVersion = "default", "complycube", "complycube-live", "complycube/3"
		j.append(0, d)
	}
	b.ReportAllocs()
	for b.Loop() {
		l := NewLedger(s, LedgerOptions{Group: "g", TopicID: rawTopic, DispositionID: dispTopic, TTL: time.Hour, History: j.read})
		l.Distrust(0)
		if marks, err := l.Repair(ctx, 0); err != nil || marks != dispositions {
			b.Fatal(marks, err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*dispositions), "ns/mark")
}

// BenchmarkDryRun is what the claims of a dry run take up: they stay in the process until it ends.
func BenchmarkDryRun(b *testing.B) {
	const claims, round = 1_000_000, 1000
	for b.Loop() {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		s := NewDryRunStore(patient(b, miniredis.RunT(b).Addr()))
		for n := 0; n < claims; n += round {
			r := Round{Claims: make([]Mark, round)}
			for i := range r.Claims {
				binary.BigEndian.PutUint64(r.Claims[i].Key[:], uint64(n+i))
				r.Claims[i].Claim = Claim{State: Replaying, Offset: int64(n + i)}
			}
			if _, err := s.Exchange(b.Context(), r); err != nil {
				b.Fatal(err)
			}
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/claims, "B/claim")
		runtime.KeepAlive(s)
	}
}
