package sink

import (
	"context"
	"errors"
	"regexp"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// slotID is the transactional id of a worker slot: what the slots of a group have in
// common, the instance and the slot.
var slotID = regexp.MustCompile(`^(.+)-[0-9]{1,10}-[0-9]{1,10}$`)

// orphanLimit bounds the search, during which partitions that came are not read.
const orphanLimit = 2 * time.Second

// endOrphans ends the transactions of slots that are no longer in the group. A process
// that was killed and does not come back leaves one open: it hides where its partitions
// are to be read from, and holds back readers of what follows it, until the broker ends
// it, which is long after the group gave the partitions to somebody else. What is ended
// is read again. A process that only stood still for longer than its session is fenced
// by this, and opens a new session.
func (s *Session) endOrphans(ctx context.Context, client *kgo.Client) {
	ctx, cancel := context.WithTimeout(ctx, orphanLimit)
	defer cancel()
	admin := kadm.NewClient(client)
	orphans, err := s.orphans(ctx, admin)
	if err != nil {
		s.log.Debug("no look for transactions of processes that are gone", "group", s.group(), "error", err)
	}
	if len(orphans) == 0 {
		return
	}
	described, err := admin.DescribeTransactions(ctx, orphans...)
	if err != nil {
		s.log.Warn("transactions of processes that are gone cannot be ended; the broker ends them", "transactional_ids", orphans, "error", err)
		return
	}
	for _, t := range described {
		if t.Err != nil || t.State != ongoing {
			continue
		}
		if err := s.abort(ctx, client, t); err != nil {
			s.log.Warn("the transaction of a process that is gone cannot be ended; the broker ends it", "transactional_id", t.TxnID, "error", err)
			continue
		}
		s.log.Info("ended the transaction of a process that is gone", "transactional_id", t.TxnID)
	}
}

// ongoing is the state of an open transaction.
const ongoing = "Ongoing"

// orphans gives the transactional ids of this group's slots that have a transaction
// open and no member. A slot begins a transaction only after it has joined, so
// transactions are listed before members.
func (s *Session) orphans(ctx context.Context, admin *kadm.Client) ([]string, error) {
	own := slotID.FindStringSubmatch(s.id)
	if own == nil {
		return nil, nil
	}
	listed, err := admin.ListTransactions(ctx, nil, []string{ongoing})
	if len(listed) == 0 {
		return nil, err
	}
	members, err := s.members(ctx, admin)
	if err != nil {
		return nil, err
	}
	var orphans []string
	for id, t := range listed {
		other := slotID.FindStringSubmatch(id)
		if _, alive := members[id]; !alive && t.State == ongoing && other != nil && other[1] == own[1] {
			orphans = append(orphans, id)
		}
	}
	return orphans, nil
}

// members maps the instance ids of the group's members to their member ids.
func (s *Session) members(ctx context.Context, admin *kadm.Client) (map[string]string, error) {
	g, err := s.described(ctx, admin)
	if err != nil {
		return nil, err
	}
	members := map[string]string{}
	for _, m := range g.Members {
		if m.InstanceID != nil {
			members[*m.InstanceID] = m.MemberID
		}
	}
	return members, nil
}

// abort fences the producer of a transaction, which ends it, and waits until it has
// ended. Naming the producer leaves a successor alone that has come since.
func (s *Session) abort(ctx context.Context, client *kgo.Client, t kadm.DescribedTransaction) error {
	req := kmsg.NewPtrInitProducerIDRequest()
	req.TransactionalID = kmsg.StringPtr(t.TxnID)
	req.TransactionTimeoutMillis = int32(s.limit.Milliseconds())
	req.ProducerID, req.ProducerEpoch = t.ProducerID, t.ProducerEpoch
	for {
		resp, err := req.RequestWith(ctx, client)
		if err == nil {
			err = kerr.ErrorForCode(resp.ErrorCode)
		}
		switch {
		case errors.Is(err, kerr.ProducerFenced), errors.Is(err, kerr.InvalidProducerEpoch):
			return nil // ended by another member, or by our first request
		case !errors.Is(err, kerr.ConcurrentTransactions): // it is being ended
			return err
		case !pause(ctx, 10*time.Millisecond):
			return ctx.Err()
		}
	}
}
