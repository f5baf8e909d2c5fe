package normalize

import (
	"errors"
	"testing"
)

// A slot is a member once the group says so, even if it gives it no partition:
// more slots than partitions must not keep a process unready for ever.
func TestJoinedWithoutAPartition(t *testing.T) {
	o := newOwnership(nil)
	if o.joined() {
		t.Error("joined before the group said anything")
	}
	o.assigned(nil)
	if !o.joined() {
		t.Error("not joined after an assignment of nothing")
	}
	if changed, owned := o.drain(); len(changed)+len(owned) != 0 {
		t.Errorf("changed %v and owned %v, want nothing", changed, owned)
	}
}

// The end of joining takes back that reason alone: Redis may be away meanwhile.
func TestStateEndsOnlyItsReason(t *testing.T) {
	var s state
	s.set(errJoining)
	s.end(errJoining)
	if err := s.get(); err != nil {
		t.Errorf("after joining: %v, want ready", err)
	}
	away := errors.New("redis is unavailable")
	s.set(away)
	s.end(errJoining)
	if err := s.get(); !errors.Is(err, away) {
		t.Errorf("joining ended while Redis is away: %v", err)
	}
}

// Work on a partition ends when that partition goes, and not when another one does.
func TestWorkEndsWithItsPartition(t *testing.T) {
	o := newOwnership(nil)
	o.assigned([]int32{1, 2})
	o.drain()
	work, done := o.during(t.Context(), 1)
	o.revoked([]int32{2})
	if work.Err() != nil {
		t.Error("another partition went, and the work was cut")
	}
	o.revoked([]int32{1})
	if work.Err() == nil {
		t.Error("the partition went, and the work goes on")
	}
	done()
	if work, done := o.during(t.Context(), 1); work.Err() == nil {
		t.Error("work begins on a partition whose change was not looked at yet")
	} else {
		done()
	}
}
