package e2e

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/kycbridge/kycbridge/normalize/dedupe"
	"github.com/kycbridge/kycbridge/schemas"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

const (
	// flushFirst and flushAll bound how long after a flush the first and the last partition's events may come.
	flushFirst = 10 * time.Second
	flushAll   = 90 * time.Second
	// flushBeside bounds the wait of a delivery whose partition flows again, while others do not yet.
	flushBeside = 5 * time.Second
	// flushSize is how many dispositions each partition has, where KYCBRIDGE_TEST_FLUSH does not say.
	flushSize = 1_000_000
	// flushPatience ends a run that is far beyond every bound.
	flushPatience = 10 * time.Minute
)

// flushFault: every mark of every partition has to be written again, while deliveries come.
func flushFault() fault {
	return fault{name: "standstill-flush", only: true, defaults: true, run: flushed,
		redis: []string{"--appendfsync", "everysec"}, // as docker-compose.yml has it
		does: fmt.Sprintf("FLUSHALL ASYNC with dispositions within the TTL on each of 12 partitions, one normaliser: from the flush to the last partition's first event, at most %v; the first one's at most %v",
			flushAll, flushFirst)}
}

func flushed(s *scene) {
	size := numberFrom(s, "KYCBRIDGE_TEST_FLUSH", flushSize)
	s.seed(size)
	s.ingest()
	began := time.Now()
	n := s.launch(nil, freePort(s), freePort(s), "normalize", "--instance", "0")
	s.awaitLong("the normaliser is ready", func() bool {
		status, _ := get("http://" + n.admin + "/readyz")
		return status == http.StatusOK
	})
	s.Logf("%d dispositions on each partition: ready after %v", size, time.Since(began).Round(time.Millisecond))
	s.steadyAt(200 * time.Millisecond) // two a second show when a partition flows, and leave the cores to the repairs
	s.awaitLong("every partition flows", func() bool { return len(s.firstEvents(s.since)) == len(s.begins[s.raw()]) })

	flush := time.Now()
	s.redis.must("FLUSHALL", "ASYNC") // without it Redis answers nobody until all is freed, which is nothing of ours
	s.awaitLong("every partition flows after the flush", func() bool { return len(s.firstEvents(flush)) == len(s.begins[s.raw()]) })
	s.grow(300)
	s.flows(flush, size)
	s.settle()
	n.process.stop(s)
}

// flows holds what came after a flush against the bounds.
func (s *scene) flows(flush time.Time, size int) {
	s.Helper()
	firsts := s.firstEvents(flush)
	var all []time.Duration
	for _, at := range firsts {
		all = append(all, at.Sub(flush).Round(time.Millisecond))
	}
	slices.Sort(all)
	first, last := all[0], all[len(all)-1]
	beside, at := s.longestWait(func(r *kgo.Record, _ time.Time) bool { return r.Timestamp.After(firsts[r.Partition]) })
	s.slowest = last
	s.note = fmt.Sprintf("%d each; the first partition flows after %.1f s, and none waits more than %.1f s after it flows", size, first.Seconds(), beside.Seconds())
	s.Logf("first events of the partitions after the flush: %v; the longest wait in one that flows is %v, partition %d offset %d", all, beside.Round(time.Millisecond), at.partition, at.offset)
	if first > flushFirst || last > flushAll || beside > flushBeside {
		s.Errorf("the first partition flows %v after the flush, all do after %v, one that flows waits for %v; want at most %v, %v and %v", first, last, beside.Round(time.Millisecond), flushFirst, flushAll, flushBeside)
	}
}

// firstEvents is when the first delivery of each raw partition that came after a moment had its event.
func (s *scene) firstEvents(after time.Time) map[int32]time.Time {
	s.during.mu.Lock()
	defer s.during.mu.Unlock()
	firsts := map[int32]time.Time{}
	for at, disposal := range s.during.disposed {
		r := s.during.records[at]
		if r == nil || !r.Timestamp.After(after) || !disposal.emitted {
			continue
		}
		if was, ok := firsts[at.partition]; !ok || disposal.seen.Before(was) {
			firsts[at.partition] = disposal.seen
		}
	}
	return firsts
}

func (s *scene) raw() string { return s.prefix + schemas.Raw }

func (s *scene) awaitLong(what string, condition func() bool) {
	s.Helper()
	now := time.NewTicker(time.Second) // what it looks at grows, and the machine has other things to do
	defer now.Stop()
	for began := time.Now(); !condition(); <-now.C {
		if time.Since(began) > flushPatience {
			s.Fatalf("not within %v: %s", flushPatience, what)
		}
	}
}

// seed writes as many dispositions into each partition as the normaliser would have left, a thousand for each
// raw record, and has what is read from now on begin behind them.
func (s *scene) seed(size int) {
	s.Helper()
	began := time.Now()
	client := s.connect(kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.MaxBufferedRecords(50_000), kgo.ProducerLinger(20*time.Millisecond))
	defer client.Close()
	listed, err := s.admin.ListTopics(s.Context(), s.raw())
	if err != nil {
		s.Fatal(err)
	}
	ctx, fail := context.WithCancelCause(s.Context())
	defer fail(nil)
	produce := func(r *kgo.Record) {
		client.Produce(ctx, r, func(_ *kgo.Record, err error) {
			if err != nil {
				fail(err)
			}
		})
	}
	dispositions := s.prefix + schemas.DispositionTopic
	for _, p := range listed[s.raw()].Partitions.Numbers() {
		d := seeded(s.raw(), listed[s.raw()].ID, p)
		for n := range size {
			if n%1000 == 0 {
				produce(&kgo.Record{Topic: s.raw(), Partition: p, Key: []byte("seed"), Value: []byte("seed")})
			}
			d.number(n)
			value, err := proto.Marshal(d.Disposition)
			if err != nil {
				s.Fatal(err)
			}
			produce(&kgo.Record{Topic: dispositions, Partition: p, Key: []byte("seed"), Value: value})
		}
	}
	if err := client.Flush(ctx); err != nil || ctx.Err() != nil {
		s.Fatal(err, context.Cause(ctx))
	}
	if s.begins, err = s.admin.ListEndOffsets(s.Context(), topics(s.prefix)...); err != nil {
		s.Fatal(err)
	}
	if end, _ := s.begins.Lookup(dispositions, 0); end.Offset != int64(size) {
		s.Fatalf("%d dispositions in partition 0, wrote %d", end.Offset, size)
	}
	// As the normaliser would have committed them: what it wrote is not read again.
	read := kadm.Offsets{}
	for p, end := range s.begins[s.raw()] {
		read.Add(kadm.Offset{Topic: s.raw(), Partition: p, At: end.Offset, LeaderEpoch: -1, Metadata: "seed"})
	}
	if err := s.admin.CommitAllOffsets(s.Context(), s.prefix+"kycbridge-normalize", read); err != nil {
		s.Fatal(err)
	}
	s.Logf("wrote %d dispositions for each of %d partitions in %v", size, len(s.begins[s.raw()]), time.Since(began).Round(time.Second))
}

// synthetic is a disposition that is made anew for each number.
type synthetic struct {
	*kycv1.Disposition
	partition int32
}

func seeded(raw string, id [16]byte, partition int32) synthetic {
	pepper := dedupe.NewKeyer(nil).Fingerprint()
	return synthetic{partition: partition, Disposition: &kycv1.Disposition{
		Raw: &kycv1.RawPosition{Topic: raw, Partition: partition}, RawTopicId: id[:],
		Tenant: "default", Provider: "complycube", Endpoint: "complycube",
		Stage: kycv1.Stage_STAGE_NORMALIZE, Kind: kycv1.DispositionKind_DISPOSITION_KIND_EMITTED,
		EventIds: []string{""}, VendorEventType: "check.completed.clear", MapperVersion: "complycube/1", PepperId: pepper[:],
	}}
}

// number makes it the n-th of its partition. No delivery has its key: those are a MAC of other texts.
func (d synthetic) number(n int) {
	hash := sha256.Sum256(fmt.Appendf(nil, "seed %d %d", d.partition, n))
	again := sha256.Sum256(hash[:])
	id := uuid.UUID(again[16:])
	id[6], id[8] = id[6]&0x0f|0x50, id[8]&0x3f|0x80
	d.Raw.Offset = int64(n / 1000)
	d.DedupeKey, d.ContentHash = again[:dedupe.KeySize], hash[:]
	d.EventIds[0], d.VendorEventId = id.String(), id.String()
	d.DecidedAt = timestamppb.Now()
	d.ReceivedAt = d.DecidedAt
}
