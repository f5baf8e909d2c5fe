package e2e

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/kycbridge/kycbridge/schemas"
)

// offsetIncidents: somebody sets the group's offsets, and what reads them is another version, or has another clock.
func offsetIncidents() []fault {
	return []fault{
		{name: "offsets-earliest", does: "the group's offsets are set to the start with Kafka's tool", only: true, run: offsetsSet("--reset-offsets --to-earliest --execute --all-topics")},
		{name: "offsets-latest", does: "the group's offsets are set to the end while deliveries wait", only: true, run: offsetsSet("--reset-offsets --to-latest --execute --all-topics")},
		{name: "offsets-deleted", does: "the group is deleted while deliveries wait", only: true, run: offsetsSet("--delete")},
		{name: "offsets-other-mapper", does: "the group's offsets are set to the start, and another version reads", real: true, run: offsetsOtherMapper},
		{name: "passed-over", does: "deliveries that wait are passed over with `kycbridge skip`, and replayed later", real: true, run: passedOver},
		{name: "clock-eleven-minutes", does: "the clock of ingest is eleven minutes ahead, Redis is flushed and offsets are set to the start", real: true, run: clockAhead},
	}
}

// offsetsSet: whatever a colleague does to the group, no record is passed over and none is published twice.
func offsetsSet(how string) func(s *scene) {
	return func(s *scene) {
		_, first, second := s.calm()
		p := s.runbook("The group's offsets were reset or deleted")
		s.grow(150)
		first.process.stop(s)
		second.process.stop(s)
		s.grow(200) // these wait
		out, err := s.shell(`kafka-consumer-groups.sh --bootstrap-server "$KAFKA" --group "$GROUP" ` + how)
		if err != nil {
			s.Fatalf("kafka-consumer-groups.sh: %v\n%s", err, out)
		}
		s.strike()
		first, second = first.again(), second.again()
		if strings.Contains(how, "latest") {
			p.sees("the log", logs(first, second), "the group's offset was set forward", "kyc.raw.v1")
		} else {
			p.sees("the log", logs(first, second), "the group's offset was set back or deleted", "kyc.raw.v1")
		}
		p.rises("kycbridge_normalize_offsets_moved_total", 0, first, second)
		s.grow(60)
		if out := p.follow(0); !strings.Contains(out, schemas.Raw) {
			s.Errorf("the group does not show:\n%s", out)
		}
		s.recover()
		s.resend(300)
		s.verdict()
	}
}

// rewind sets the group to the start of raw, with an ordinary client: the in-process broker has no tools.
func (s *scene) rewind() {
	s.Helper()
	var zero kadm.Offsets
	for p := range int32(4) {
		zero.AddOffset(s.prefix+schemas.Raw, p, 0, -1)
	}
	if err := s.admin.CommitAllOffsets(context.Background(), s.prefix+"kycbridge-normalize", zero); err != nil {
		s.Fatal(err)
	}
}

// forward sets a group to the ends of the topic that it reads: what lies before them has no outcome, and counts as
// processed.
func (s *scene) forward(group, base string) {
	s.Helper()
	ends, err := s.admin.ListEndOffsets(context.Background(), s.prefix+base)
	if err == nil {
		err = s.admin.CommitAllOffsets(context.Background(), s.prefix+group, ends.Offsets())
	}
	if err != nil {
		s.Fatal(err)
	}
}

// offsetsOtherMapper: what is disposed of is recognised by where it stands, whatever a version makes of it: one that
// does not know some of it, and one that takes other content for its content.
func offsetsOtherMapper(s *scene) {
	in := s.ingest()
	m := s.normalizer(0, "")
	s.send()
	s.marked(12)
	s.grow(150)
	s.stop()
	s.during.quiet(s)
	before := s.outputs()
	for _, version := range []string{"unmapped", "recast"} {
		m.process.stop(s)
		s.rewind()
		m = s.normalizer(0, version)
		s.readAll()
		if after := s.outputs(); after != before {
			s.Errorf("read again by a version with the failpoint %s, %d events and dead letters became %d", version, before, after)
		}
	}
	m.process.stop(s)
	m.again()
	s.strike()
	s.resend(s.load.next)
	if status := s.load.send(newClient(), "http://"+in.listen+"/hooks/complycube", s.load.make(s.load.next)); status != 200 {
		s.Errorf("status %d, want 200", status)
	}
	s.recover()
	s.verdict()
}

// marked sends deliveries that a version with the failpoint unmapped does not know, twice each.
func (s *scene) marked(deliveries int) {
	s.Helper()
	client := newClient()
	for n := range deliveries {
		d := delivery{key: fmt.Sprintf("%s-marked-%d", s.load.run, n)}
		d.body = event(d.key, "check.completed.clear", `{"id":"%s","status":"complete","outcome":"clear","note":"kycbridge-unmapped","updatedAt":"%s"}`,
			fmt.Sprintf("marked-subject-%d", n), "2026-01-02T03:00:00.000Z")
		for range 2 {
			s.await("it is accepted", func() bool { return s.load.send(client, s.hooks.any(), d) == 200 })
		}
	}
}

// outputs is how many events and dead letters a reader has seen.
func (s *scene) outputs() int {
	f := sorted(s, s.during.snapshot())
	return len(f.events) + len(f.dead)
}

// readAll waits until the group has read raw to its end, and readers have seen all that came of it.
func (s *scene) readAll() {
	s.Helper()
	ctx, topic := context.Background(), s.prefix+schemas.Raw
	s.await("the group has read all of raw", func() bool {
		ends, err1 := s.admin.ListEndOffsets(ctx, topic)
		at, err2 := s.admin.FetchOffsets(ctx, s.prefix+"kycbridge-normalize")
		if err1 != nil || err2 != nil {
			return false
		}
		whole := true
		ends.Each(func(end kadm.ListedOffset) {
			reached, ok := at.Lookup(end.Topic, end.Partition)
			whole = whole && (end.Offset == 0 || ok && reached.At >= end.Offset)
		})
		return whole
	})
	s.during.quiet(s)
}

// settled waits until everything that is in raw now has its disposition.
func (s *scene) settled() {
	s.Helper()
	s.strike()
	s.recover()
	s.slowest = 0
}

// clockAhead: raw records carry the time of ingest's clock, dispositions that of the normaliser's.
func clockAhead(s *scene) {
	in := s.start([]string{"KYCBRIDGE_FAILPOINT=clock-ahead:660"}, "ingest")
	m := s.normalizer(0, "")
	s.send()
	client := newClient()
	for n := range 20 { // no identity: nothing but the disposition says that it was disposed of
		body := fmt.Appendf(nil, `{"id":"ahead-%d`, n)
		s.await("it is accepted", func() bool { status, _ := post(client, s.hooks.any(), body, sign(body, secret)); return status == 200 })
	}
	s.grow(200)
	s.settled()
	for at, r := range s.during.snapshot() {
		if ahead := time.Until(r.Timestamp); topicOf(at.topic).Base == schemas.Raw && ahead < 10*time.Minute {
			s.Fatalf("a raw record is stamped %s ahead, want eleven minutes", ahead)
		}
	}
	for _, flush := range []bool{false, true} {
		m.process.stop(s)
		s.rewind()
		if flush {
			s.redis.must("FLUSHALL")
		}
		s.strike()
		m = m.again()
		s.recover()
		s.resend(100)
	}
	in.withdraw()
	s.ingest()
	s.grow(60)
	s.verdict()
}

// passedOver: what an operator passes over is accounted for, what comes behind it goes on, and a replay brings it back.
func passedOver(s *scene) {
	_, first, second := s.calm()
	p := s.runbook("Deliveries must be passed over")
	first.process.stop(s)
	second.process.stop(s)
	s.grow(60) // these wait
	s.stop()
	ctx, group := context.Background(), s.prefix+"kycbridge-normalize"
	s.await("the group is empty", func() bool {
		groups, err := s.admin.DescribeGroups(ctx, group)
		return err == nil && len(groups[group].Members) == 0
	})
	ends, err := s.admin.ListEndOffsets(ctx, s.prefix+schemas.Raw)
	if err != nil {
		s.Fatal(err)
	}
	end, _ := ends.Lookup(s.prefix+schemas.Raw, 1)
	where := []string{"PARTITION=1", fmt.Sprintf("TO=%d", end.Offset), "REASON=a drill"}
	if out := p.follow(0, where...); !strings.Contains(out, "would be passed over") {
		s.Errorf("the dry run does not say what it would do:\n%s", out)
	}
	p.follow(1, where...)
	s.send()
	s.strike()
	first.again()
	second.again()
	s.recover()
	s.stop()
	s.during.quiet(s)
	if lost, _ := tallied(s.load, sorted(s, s.during.snapshot())); lost == 0 {
		s.Error("nothing was passed over")
	}
	s.verified()
	p.follow(2)
	s.resend(s.load.next)
	s.verdict()
}
