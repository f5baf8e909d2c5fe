package normalizetest

import (
	"context"
	"slices"
	"sync"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Undertaker takes killed members out of their groups. Kafka does so after their session timeout; the
// in-process broker starts that timer with its answer to a join, so that a member which dies while it
// waits for the answer would keep its partitions for ever.
type Undertaker struct {
	client *kgo.Client

	mu    sync.Mutex
	lines []*Line
}

// NewUndertaker asks the broker over client.
func NewUndertaker(client *kgo.Client) *Undertaker { return &Undertaker{client: client} }

// Line returns a line that is looked after.
func (u *Undertaker) Line() *Line { return u.adopt(NewLine()) }

// LineOver returns a line over another network. There every process needs a Kafka client id of its
// own, by which the broker tells them apart.
func (u *Undertaker) LineOver(dial Dial, client string) *Line {
	l := LineOver(dial)
	l.client = client
	return u.adopt(l)
}

func (u *Undertaker) adopt(l *Line) *Line {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.lines = append(u.lines, l)
	return l
}

// Bury removes every member of the groups whose process was killed. What fails now is done when it is
// called again.
func (u *Undertaker) Bury(ctx context.Context, groups ...string) {
	dead := u.deadNames()
	if len(dead) == 0 {
		return
	}
	described, err := kadm.NewClient(u.client).DescribeGroups(ctx, groups...)
	if err != nil {
		return
	}
	for _, group := range described.Sorted() {
		leave := kmsg.NewPtrLeaveGroupRequest()
		leave.Group = group.Group
		for _, m := range group.Members {
			if slices.Contains(dead, m.ClientHost) || slices.Contains(dead, m.ClientID) {
				member := kmsg.NewLeaveGroupRequestMember()
				member.MemberID = m.MemberID
				leave.Members = append(leave.Members, member)
			}
		}
		if len(leave.Members) > 0 {
			_, _ = leave.RequestWith(ctx, u.client)
		}
	}
}

// Expelled reports whether none of a group's members is the process of a line.
func (u *Undertaker) Expelled(ctx context.Context, l *Line, group string) bool {
	described, err := kadm.NewClient(u.client).DescribeGroups(ctx, group)
	if err != nil {
		return false
	}
	names := l.names()
	return !slices.ContainsFunc(described[group].Members, func(m kadm.DescribedGroupMember) bool {
		return slices.Contains(names, m.ClientHost) || slices.Contains(names, m.ClientID)
	})
}

func (u *Undertaker) deadNames() (all []string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, l := range u.lines {
		if l.cut() {
			all = append(all, l.names()...)
		}
	}
	return all
}
