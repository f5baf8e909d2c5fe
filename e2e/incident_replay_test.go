package e2e

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kycbridge/kycbridge/schemas"
)

// replayIncidents: a replay dies.
func replayIncidents() []fault {
	return []fault{
		{name: "replay-killed", does: "a replay that fills gaps is killed between its claims and its commit, while copies arrive", run: replayKilled},
	}
}

// replayKilled: a replay's claim is a promise that nobody keeps. Copies that arrive meanwhile must not be dropped
// for it.
func replayKilled(s *scene) {
	in, first, second := s.calm()
	p := s.runbook("A replay was killed")
	s.grow(100)
	first.process.stop(s)
	second.process.stop(s)
	gap := max(s.load.next-20, 0) // some are on their way
	s.grow(60)
	s.stop()
	s.forward("kycbridge-normalize", schemas.Raw)
	// The broker takes what the replay writes and never answers, so that it stands between claim and commit.
	var speak []func()
	for _, key := range []kmsg.Key{kmsg.AddPartitionsToTxn, kmsg.Produce} {
		speak = append(speak, s.fake.silence(key))
	}
	before := s.claims()
	replay := start(s, "", idle("replay"),
		"replay", "--mode", "fill-gaps", "--all", "--replay-id", "killed", "--config", s.configFile())
	s.await("the replay has claimed", func() bool { return s.claims() > before })
	replay.kill()
	for _, f := range speak {
		f()
	}
	s.strike()
	for i := gap; i < s.load.next; i++ {
		if d := s.load.make(i); !d.forged && s.load.acked[d.key] > 0 {
			s.await("a copy is accepted", func() bool {
				return s.load.send(newClient(), "http://"+in.listen+"/hooks/complycube", d) == http.StatusOK
			})
		}
	}
	first.again()
	second.again()
	s.copiesDisposed()
	lost := 0
	if !eventually(incidentPatience, func() bool { // a reader gets to dispositions and events in any order
		lost, _ = tallied(s.load, sorted(s, s.during.snapshot()))
		return lost == 0
	}) {
		s.Errorf("%d deliveries are in no topic: their copies were dropped for the claims of a replay that is dead", lost)
	}
	p.follow(0, "REPLAY=killed")
	s.during.quiet(s)
	s.slowest = time.Since(s.struck)
	s.verdict("unconfirmed")
}

// claims is how many keys are in Redis.
func (s *scene) claims() int {
	s.Helper()
	n, err := strconv.Atoi(s.redis.must("DBSIZE"))
	if err != nil {
		s.Fatal(err)
	}
	return n
}

// copiesDisposed waits until everything that came into raw after the strike has its disposition.
func (s *scene) copiesDisposed() {
	s.Helper()
	now, err := s.admin.ListEndOffsets(context.Background(), s.prefix+schemas.Raw)
	if err != nil {
		s.Fatal(err)
	}
	s.await("the copies are disposed of", func() bool {
		s.during.mu.Lock()
		defer s.during.mu.Unlock()
		whole := true
		now.Each(func(end kadm.ListedOffset) {
			from, _ := s.ends.Lookup(end.Topic, end.Partition)
			for at := from.Offset; at < end.Offset; at++ {
				_, disposed := s.during.disposed[position{end.Topic, end.Partition, at}]
				whole = whole && disposed
			}
		})
		return whole
	})
}
