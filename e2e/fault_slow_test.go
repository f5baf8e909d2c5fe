package e2e

import (
	"context"
	"strings"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kycbridge/kycbridge/schemas"
)

// slowFaults: somebody reads more slowly than is written. KYCBRIDGE_TEST_SLOW=10m makes them last.
func slowFaults() []fault {
	return []fault{
		{name: "slow-consumer", does: "a normaliser gets a tenth of its time", run: slowConsumer},
		{name: "reader-stops", does: "a consumer of the events stops reading, and resumes later", real: true, run: readerStops},
	}
}

func slowness(s *scene) time.Duration { return durationFrom(s, "KYCBRIDGE_TEST_SLOW", 10*time.Second) }

func slowConsumer(s *scene) {
	s.pace = slowness(s) / 10_000 // the readers of this test keep all in memory
	s.ingest()
	m := s.normalizer(0, "")
	s.send()
	s.grow(50)
	worst := 0.0
	for end := time.Now().Add(slowness(s)); time.Now().Before(end); {
		s.signal(m, syscall.SIGSTOP)
		pause(context.Background(), 450*time.Millisecond)
		s.signal(m, syscall.SIGCONT)
		pause(context.Background(), 50*time.Millisecond)
		worst = max(worst, metric(m.admin, "kycbridge_normalize_lag_records"))
	}
	s.grow(50)
	s.strike()
	s.recover()
	s.await("the lag is told to be over", func() bool { return metric(m.admin, "kycbridge_normalize_lag_records") < 100 })
	s.Logf("worst lag told: %g records", worst)
	s.settle()
}

// readerStops: whoever consumes the events is nobody's back-pressure. Deliveries are accepted and
// processed while it stands still, and later it reads what it missed, each event once.
func readerStops(s *scene) {
	s.pace = slowness(s) / 10_000
	in, first, second := s.ordinary()
	slow := s.consumer()
	seen := map[position]bool{}
	slow.read(s, seen, 20)
	before := rss(s, in) + rss(s, first) + rss(s, second)
	for end := time.Now().Add(slowness(s)); time.Now().Before(end); s.grow(1) {
		pause(context.Background(), 200*time.Millisecond)
	}
	s.strike()
	s.recover()
	if after := rss(s, in) + rss(s, first) + rss(s, second); after > before+256<<20 {
		s.Errorf("the processes grew from %d to %d bytes while a consumer stood still", before, after)
	}
	f := s.settle()
	all := 0
	for _, e := range f.events {
		if topicOf(e.record.Topic).Base == schemas.Session {
			all++
		}
	}
	slow.read(s, seen, all)
}

// consumer is an ordinary one, in a group.
type consumer struct{ client *kgo.Client }

func (s *scene) consumer() *consumer {
	s.Helper()
	client, err := kgo.NewClient(
		kgo.SeedBrokers(strings.Split(s.kafka, ",")...), kgo.ConsumerGroup(s.prefix+"downstream"), kgo.ConsumeTopics(s.prefix+schemas.Session),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.FetchMaxWait(100*time.Millisecond),
	)
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(client.Close)
	return &consumer{client}
}

// read reads on until so many events were seen in all; none may come twice.
func (c *consumer) read(s *scene, seen map[position]bool, until int) {
	s.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for len(seen) < until {
		fetches := c.client.PollRecords(ctx, 100)
		if ctx.Err() != nil {
			s.Fatalf("the consumer has read %d of %d events in %s", len(seen), until, patience)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			at := position{r.Topic, r.Partition, r.Offset}
			if seen[at] {
				s.Errorf("the consumer got %s/%d@%d twice", r.Topic, r.Partition, r.Offset)
			}
			seen[at] = true
		})
	}
}
