package sink

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A slot is a static member of its group: the transactional id, which is the same
// over a restart, is its group.instance.id as well. A process that was killed and
// comes back has its predecessor's partitions at once, without a rebalance, instead
// of waiting for the predecessor's session to end. The library never leaves a group
// for a static member, so a session that ends in an orderly way does it here.

// group is the scoped name of the group.
func (s *Session) group() string { return s.opts.Scoped(s.session.Group) }

// described is what the group's coordinator knows of it.
func (s *Session) described(ctx context.Context, admin *kadm.Client) (kadm.DescribedGroup, error) {
	all, err := admin.DescribeGroups(ctx, s.group())
	if err == nil {
		err = all.Error()
	}
	if err != nil {
		return kadm.DescribedGroup{}, fmt.Errorf("group %s cannot be described: %w", s.group(), err)
	}
	return all[s.group()], nil
}

// leave gives the partitions back at once. It names the member and not the instance,
// which a successor may have taken over already.
func (s *Session) leave(ctx context.Context) error {
	if err := s.client.LeaveGroupContext(ctx); err != nil {
		return err
	}
	id, _ := s.client.GroupMetadata()
	if id == "" {
		return nil // never joined
	}
	req := kmsg.NewPtrLeaveGroupRequest()
	req.Group, req.MemberID = s.group(), id
	gone := kmsg.NewLeaveGroupRequestMember()
	gone.MemberID, gone.Reason = id, kmsg.StringPtr("the process ends")
	req.Members = append(req.Members, gone)
	resp, err := req.RequestWith(ctx, s.client)
	if err == nil {
		err = kerr.ErrorForCode(resp.ErrorCode)
	}
	if err == nil && len(resp.Members) > 0 {
		err = kerr.ErrorForCode(resp.Members[0].ErrorCode)
	}
	if errors.Is(err, kerr.UnknownMemberID) {
		return nil // left, timed out or replaced already
	}
	return err
}

// wholeEvery is how often a session asks whether each partition has a member.
const wholeEvery = time.Second

// whole sees to it, once after joining, that no partition is left without a member.
// A member gives partitions back in one generation of the group, and they are given
// out in the next, for which it asks. One that is killed in between and comes back
// under the same instance id is given its place without a new generation, and nobody
// would ask for another one.
func (s *Session) whole(ctx context.Context) {
	var before []int32
	for pause(ctx, wholeEvery) {
		left, stable, err := s.unowned(ctx)
		switch {
		case err != nil || !stable:
			before = nil
		case len(left) == 0:
			return
		case slices.Equal(before, left): // no member is on its way to asking
			s.log.Warn("partitions have no member in the group; asking it to rebalance", "topic", s.input.name, "partitions", left)
			s.client.ForceRebalance()
			before = nil
		default:
			before = left
		}
	}
}

// unowned gives the partitions of the input that no member has. stable: the group is
// not rebalancing.
func (s *Session) unowned(ctx context.Context) (left []int32, stable bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, pingLimit)
	defer cancel()
	g, err := s.described(ctx, kadm.NewClient(s.client))
	if err != nil || g.State != "Stable" {
		return nil, false, err
	}
	owned := g.AssignedPartitions()
	for p := range s.input.leaders {
		if !owned.Lookup(s.input.name, p) {
			left = append(left, p)
		}
	}
	slices.Sort(left)
	return left, true, nil
}

// twin finds out whether another process has the slot's place in the group: only that
// tells a producer which another process fenced from one which the broker fenced, since
// its transaction went on for too long or its log was put back.
func (s *Session) twin() bool {
	ctx, cancel := context.WithTimeout(context.Background(), pingLimit)
	defer cancel()
	members, err := s.members(ctx, kadm.NewClient(s.client))
	own, _ := s.client.GroupMetadata()
	holder, ok := members[s.id]
	return err == nil && ok && own != "" && holder != own
}

// fail marks the session as broken and makes the error.
func (s *Session) fail(step string, err error) error {
	err = s.producer.fail(step, err)
	if errors.Is(err, ErrFenced) && !errors.Is(err, ErrTwin) && s.twin() {
		s.broken = fmt.Errorf("%w: %w", ErrTwin, err)
	}
	return s.broken
}
