package e2e

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kycbridge/kycbridge/schemas"
)

// moveIncidents: a deployment moves to another cluster, and its vendors send again what they sent to the old one.
func moveIncidents() []fault {
	return []fault{
		{name: "moved-empty", does: "a deployment moves to another cluster: drained, dispositions copied, raw begins empty", only: true, run: moved(false)},
		{name: "moved-with-offsets", does: "the same while deliveries wait: all topics copied, raw at the same offsets; Redis begins empty", only: true, run: moved(true)},
	}
}

// moved follows the section step by step.
func moved(sameOffsets bool) func(s *scene) {
	return func(s *scene) {
		in, first, second := s.calm()
		p := s.runbook("Moving to another cluster")
		s.grow(150)
		if sameOffsets {
			first.process.stop(s)
			second.process.stop(s)
			s.grow(50) // these are copied, and disposed of in the new cluster
			s.stop()
		} else {
			s.stop()
			s.during.quiet(s)
			first.process.stop(s)
			second.process.stop(s)
		}
		in.process.stop(s)
		old, before := s.kafka, s.during
		id := regexp.MustCompile(`TopicId: (\S{22})`).FindStringSubmatch(p.follow(0))
		if id == nil {
			s.Fatal("the topic does not show its id")
		}
		startKafka(s, s.TempDir()).use(s)
		s.copied(old, schemas.DispositionTopic, false)
		clusters := []*reader{before}
		if sameOffsets {
			s.copiedRest(old)
			s.redis.must("FLUSHALL")
			clusters = nil // the new one alone has all of it
		}
		s.rewrite("endpoints:\n", fmt.Sprintf("dedupe:\n  former_topics:\n    - raw_id: %q\n      same_offsets: %t\nendpoints:\n", id[1], sameOffsets))
		s.strike()
		in.again()
		s.send()
		first, second = first.again(), second.again()
		if sameOffsets {
			p.sees("the log", logs(first, second), "the group's offset was set back or deleted; what was disposed of is recognised and left as it is")
		}
		s.resend(s.load.next)
		s.grow(60)
		s.stop()
		s.during.quiet(s)
		s.slowest = time.Since(s.struck)
		s.verified()
		s.whole(append(clusters, s.during)...) // enters the row, failed or not
	}
}

// copiedRest copies what the dispositions speak of: raw as it is, and events and dead letters, whose offsets nobody needs.
func (s *scene) copiedRest(from string) {
	s.Helper()
	s.copied(from, schemas.Raw, true)
	for _, topic := range schemas.Topics() {
		if topic.Domain || topic.Base == schemas.DeadLetterTopic {
			s.copied(from, topic.Base, false)
		}
	}
}

// copied copies a topic from another cluster, partition by partition and in order, as any mirroring does.
func (s *scene) copied(from, base string, sameOffsets bool) {
	s.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	topic := s.prefix + base
	source, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(from, ",")...), kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	if err != nil {
		s.Fatal(err)
	}
	defer source.Close()
	target := s.connect(kgo.RecordPartitioner(kgo.ManualPartitioner()))
	defer target.Close()
	ends, err := kadm.NewClient(source).ListCommittedOffsets(ctx, topic)
	if err != nil {
		s.Fatal(err)
	}
	reached := map[int32]int64{}
	whole := func() bool {
		all := true
		ends.Each(func(end kadm.ListedOffset) { all = all && reached[end.Partition] >= end.Offset-1 }) // a marker may be last
		return all
	}
	for !whole() {
		fetches := source.PollFetches(ctx)
		if err := ctx.Err(); err != nil {
			s.Fatalf("copying %s: %v", topic, err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			reached[r.Partition] = r.Offset + 1
			twin := &kgo.Record{Topic: topic, Partition: r.Partition, Key: r.Key, Value: r.Value, Headers: r.Headers, Timestamp: r.Timestamp}
			if err := target.ProduceSync(ctx, twin).FirstErr(); err != nil {
				s.Fatal(err)
			}
			if sameOffsets && twin.Offset != r.Offset {
				s.Fatalf("%s partition %d offset %d is at %d in the copy", topic, r.Partition, r.Offset, twin.Offset)
			}
		})
	}
}

// whole is the oracle over clusters: whoever reads them sees each accepted delivery, and each event once.
func (s *scene) whole(readers ...*reader) {
	s.Helper()
	var all found
	for _, r := range readers {
		f := sorted(s, r.snapshot())
		all.events, all.dispositions = append(all.events, f.events...), append(all.dispositions, f.dispositions...)
		all.raw = append(all.raw, f.raw...)
	}
	lost, doubled := tallied(s.load, all)
	flagged := slices.ContainsFunc(all.events, func(e emitted) bool { return header(e.record, "dedupe") != "" })
	if lost > 0 || doubled > 0 || flagged {
		s.Errorf("%d lost, %d doubled, flagged %t; want none", lost, doubled, flagged)
	}
	s.load.onlyExpected(s)
	s.enter(all)
}
