package e2e

import (
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// standstillFaults: how long a subject's events stand still, with the default
// configuration, on Apache Kafka. What is measured is the longest wait of any delivery
// from the raw topic to its disposition, as a reader at read_committed sees it.
func standstillFaults() []fault {
	row := func(name, does string, limit time.Duration, run func(*scene)) fault {
		return fault{name: "standstill-" + name, only: true, defaults: true, run: run, limit: limit,
			does: fmt.Sprintf("%s: the longest wait of a delivery for its event, at most %v", does, limit)}
	}
	return []fault{
		row("kill-one", "`kill -9` of the only normaliser, which restarts at once", 2*time.Second, killsOf(1)),
		row("kill-two", "`kill -9` of each of two normalisers in turn, which restart at once", 2*time.Second, killsOf(2)),
		row("roll", "a rolling restart (SIGTERM) of three normalisers", 500*time.Millisecond, roll),
		row("dead", "`kill -9` of one of two normalisers, which does not come back", 11*time.Second, neverBack),
		row("scale-out", "from two normalisers to four, partitions that do not move", time.Second, scaleOut),
		flushFault(),
	}
}

// killsOf kills each of n normalisers in turn, twice.
func killsOf(n int) func(*scene) {
	return func(s *scene) {
		all := s.normalizers(n)
		s.steady()
		for range 2 {
			for i := range all {
				s.strike()
				all[i].kill()
				all[i] = all[i].again()
				s.recover()
				s.grow(100)
			}
		}
		s.within(s.everywhere)
	}
}

func roll(s *scene) {
	all := s.normalizers(3)
	s.steady()
	s.strike()
	for i := range all {
		all[i].stop(s)
		s.grow(20)
		all[i] = all[i].again()
		s.grow(50)
	}
	s.recover()
	s.within(s.everywhere)
}

func neverBack(s *scene) {
	all := s.normalizers(2)
	s.steady()
	s.strike()
	all[0].kill()
	s.await("the other normaliser has every partition", func() bool {
		owners := map[string]bool{}
		for _, m := range s.owners() {
			owners[m] = true
		}
		return len(owners) == 1 && owners[all[1].client]
	})
	s.grow(100)
	s.within(s.everywhere)
}

// scaleOut adds two normalisers at once.
func scaleOut(s *scene) {
	s.normalizers(2)
	s.steady()
	before := s.owners()
	s.strike()
	for i := range 2 {
		s.launch(nil, freePort(s), freePort(s), "normalize", "--instance", fmt.Sprint(2+i))
	}
	after := before
	s.await("four normalisers have partitions", func() bool {
		after = s.owners()
		members := map[string]bool{}
		for _, m := range after {
			members[m] = true
		}
		return len(after) == len(before) && len(members) == 4
	})
	s.grow(200)
	s.within(func(partition int32) bool { return before[partition] == after[partition] })
}

// normalizers starts an ingest and n normalisers, and waits until each has partitions.
func (s *scene) normalizers(n int) (all []*member) {
	s.Helper()
	s.ingest()
	for i := range n {
		all = append(all, s.normalizer(i, ""))
	}
	return all
}

// steady starts the sender and waits until every partition has had some of it.
func (s *scene) steady() {
	s.Helper()
	s.steadyAt(50 * time.Millisecond) // so that it is not the load of this machine that is measured
}

// steadyAt is steady with another pace.
func (s *scene) steadyAt(pace time.Duration) {
	s.Helper()
	s.pace = pace
	s.send()
	s.grow(300)
	s.strike()
	s.recover()
	s.slowest, s.since = 0, time.Now()
}

// owners are the client ids of the members that have the raw topic's partitions.
func (s *scene) owners() map[int32]string {
	described, err := s.admin.DescribeGroups(s.Context(), s.prefix+"kycbridge-normalize")
	if err != nil {
		return nil
	}
	at := map[int32]string{}
	for _, g := range described {
		for _, m := range g.Members {
			assigned, ok := m.Assigned.AsConsumer()
			if !ok {
				continue
			}
			for _, t := range assigned.Topics {
				for _, p := range t.Partitions {
					at[p] = m.ClientID
				}
			}
		}
	}
	return at
}

func (s *scene) everywhere(int32) bool { return true }

// within ends the scene and holds the longest wait since steady, in the partitions that
// count, against the limit.
func (s *scene) within(counts func(partition int32) bool) {
	s.Helper()
	s.stop()
	s.during.quiet(s)
	longest, at := s.longestWait(func(r *kgo.Record, seen time.Time) bool { return counts(r.Partition) && !seen.Before(s.since) })
	s.slowest = longest
	s.Logf("the longest wait is %v, partition %d offset %d", longest.Round(time.Millisecond), at.partition, at.offset)
	s.settle()
	if longest > s.f.limit {
		s.Errorf("a delivery waited %v for its event, want at most %v", longest.Round(time.Millisecond), s.f.limit)
	}
}

// longestWait is the longest time from the raw topic to the disposition, of the deliveries that count.
func (s *scene) longestWait(counts func(r *kgo.Record, seen time.Time) bool) (longest time.Duration, where position) {
	s.during.mu.Lock()
	defer s.during.mu.Unlock()
	for at, disposal := range s.during.disposed {
		r := s.during.records[at]
		if r == nil || !counts(r, disposal.seen) {
			continue
		}
		if waited := disposal.seen.Sub(r.Timestamp); waited > longest {
			longest, where = waited, at
		}
	}
	return longest, where
}
