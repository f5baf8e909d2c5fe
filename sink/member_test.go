package sink

import (
	"context"
	"errors"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kycbridge/kycbridge/internal/record"
	"github.com/kycbridge/kycbridge/schemas"
)

// mortal gives options whose connections kill cuts, for good: so dies a process.
func mortal(o Options) (mortal Options, kill func()) {
	var mu sync.Mutex
	var open []net.Conn
	dead := false
	o.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
		mu.Lock()
		defer mu.Unlock()
		if err == nil && dead {
			_ = conn.Close()
			err = errors.New("the process is dead")
		}
		open = append(open, conn)
		return conn, err
	}
	return o, func() {
		mu.Lock()
		defer mu.Unlock()
		dead = true
		for _, conn := range open {
			if conn != nil {
				_ = conn.Close()
			}
		}
	}
}

// patient is a slot whose session ends long after the test.
func patient() SessionOptions {
	so := slot()
	so.SessionTimeout, so.TransactionTimeout = 4*time.Minute, 4*time.Minute
	return so
}

// second is another slot of the same group.
func second(so SessionOptions) SessionOptions {
	so.TransactionalID = "normalize-1-0"
	return so
}

func TestKilledSessionIsSucceededAtOnce(t *testing.T) {
	onEach(t, func(t *testing.T, o Options) {
		appendRaw(t, o, 6)
		doomed, kill := mortal(o)
		pollSome(t, openSession(t, doomed, patient()))
		kill()
		drain(t, openSession(t, o, patient()), 6)
	})
}

func TestClosedSessionGivesItsPartitionsBackAtOnce(t *testing.T) {
	onEach(t, func(t *testing.T, o Options) {
		appendRaw(t, o, 6)
		first := openSession(t, o, patient())
		pollSome(t, first)
		first.Close()
		drain(t, openSession(t, o, second(patient())), 6)
	})
}

// A session that is closed late, after its successor has joined, must not take the
// successor out of the group.
func TestLateCloseLeavesTheSuccessorAlone(t *testing.T) {
	onEach(t, func(t *testing.T, o Options) {
		first := openSession(t, o, patient())
		awaitMember(t, first, "")
		old := first.own()
		next := openSession(t, o, patient())
		awaitMember(t, next, old)
		first.Close()
		members, err := next.members(testContext(t), kadm.NewClient(next.client))
		if err != nil || members[next.id] != next.own() {
			t.Errorf("members %v, %v: want %s as the member %s", members, err, next.id, next.own())
		}
	})
}

func (s *Session) own() string { id, _ := s.client.GroupMetadata(); return id }

// awaitMember waits until the group takes s for its member, as another one than before.
func awaitMember(t *testing.T, s *Session, before string) {
	t.Helper()
	admin := kadm.NewClient(s.client)
	for ctx := testContext(t); ctx.Err() == nil; pause(ctx, 10*time.Millisecond) {
		members, err := s.members(ctx, admin)
		if own := s.own(); err == nil && own != "" && own != before && members[s.id] == own {
			return
		}
	}
	t.Fatal("the session never became a member")
}

// Two processes under one name, without a record to work on: the one whose place was
// taken learns it from the group.
func TestIdleTwinIsTold(t *testing.T) {
	onEach(t, func(t *testing.T, o Options) {
		so := slot()
		so.Heartbeat = 50 * time.Millisecond
		first := openSession(t, o, so)
		awaitMember(t, first, "")
		openSession(t, o, so)
		for ctx := testContext(t); ctx.Err() == nil; {
			if _, err := first.Poll(ctx, 1); err != nil {
				if !errors.Is(err, ErrTwin) || !errors.Is(err, ErrFenced) || Classify(err) != ClassFenced {
					t.Errorf("%v (%s), want ErrTwin", err, Classify(err))
				}
				return
			}
		}
		t.Fatal("the first session was never told")
	})
}

// A process that is killed with a transaction open and does not come back: its records
// are read by another slot once the group gives them to it, and not when the broker ends
// the transaction. Transactions of others stay as they are.
func TestTransactionOfADeadSlotIsEnded(t *testing.T) {
	onEach(t, func(t *testing.T, o Options) {
		so := patient()
		so.SessionTimeout, so.Heartbeat = 6*time.Second, 50*time.Millisecond // the least that Kafka takes
		appendRaw(t, o, 6)
		doomed, kill := mortal(o)
		dead := openSession(t, doomed, so)
		openTransaction(t, dead)
		var foreign []*Transactor
		for _, id := range []string{"replay-0-0", "normalize-wait-0-0", "normalize-0"} {
			f, err := OpenTransactor(testContext(t), o, id, 4*time.Minute)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(f.Close)
			begin(t, f.client, o)
			foreign = append(foreign, f)
		}
		kill()
		drain(t, openSession(t, o, second(so)), 6)
		for _, f := range foreign {
			if err := f.client.EndTransaction(testContext(t), kgo.TryCommit); err != nil {
				t.Errorf("the transaction of %s: %v, want it left alone", f.id, err)
			}
		}
	})
}

// A slot that joins must not end what living slots have open.
func TestTransactionOfALivingSlotIsLeftAlone(t *testing.T) {
	onEach(t, func(t *testing.T, o Options) {
		so := patient()
		so.Heartbeat = 50 * time.Millisecond
		appendRaw(t, o, 6)
		first := openSession(t, o, so)
		openTransaction(t, first)
		next := openSession(t, o, second(so))
		awaitMember(t, next, "")
		orphans, err := next.orphans(testContext(t), kadm.NewClient(next.client))
		if err != nil || len(orphans) != 0 {
			t.Errorf("orphans %v, %v, want none", orphans, err)
		}
		if _, err := first.end(testContext(t), nil); err != nil {
			t.Errorf("the transaction of the living slot: %v", err)
		}
	})
}

// openTransaction polls, and leaves a transaction with records and offsets open.
func openTransaction(t *testing.T, s *Session) {
	t.Helper()
	leaveOpen(t, s, outputs(pollSome(t, s)))
}

// leaveOpen begins a transaction with records, which it returns as they were sent, and does not end it.
func leaveOpen(t *testing.T, s *Session, out []record.Outgoing) []*kgo.Record {
	t.Helper()
	records, err := s.opts.records(out)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.txn.Begin(); err != nil {
		t.Fatal(err)
	}
	if failed, err := s.produce(testContext(t), records); failed != nil || err != nil {
		t.Fatal(failed, err)
	}
	return records
}

// begin leaves a transaction with one record open.
func begin(t *testing.T, client *kgo.Client, o Options) {
	t.Helper()
	if err := client.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	r := &kgo.Record{Topic: o.Topic(schemas.Session), Value: []byte("x")}
	if err := client.ProduceSync(testContext(t), r).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

// A member is killed between giving partitions back and asking for the generation that
// gives them out again. Under its instance id it gets its place back without one.
func TestPartitionsWithoutAMemberAreGivenOut(t *testing.T) {
	_, o := fake(t)
	appendRaw(t, o, 6)
	so := patient()
	so.Heartbeat = 50 * time.Millisecond
	id := o.Scoped(so.TransactionalID)
	leader := joined(t, o, "leader")
	gone := joined(t, o, id)
	leader.lead(map[string][]int32{"leader": {0}, id: nil}, gone) // 1 belongs to nobody
	go leader.leaveOnRebalance()

	drain(t, openSession(t, o, so), 6)
	select {
	case <-leader.left:
	default:
		t.Error("everything was read without a rebalance")
	}
}

// rawMember is a static member of the group that speaks for itself.
type rawMember struct {
	t        *testing.T
	o        Options
	client   *kgo.Client
	instance string
	id       string
	gen      int32
	left     chan struct{}
}

func joined(t *testing.T, o Options, instance string) *rawMember {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(o.Brokers...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return &rawMember{t: t, o: o, client: client, instance: instance, left: make(chan struct{})}
}

func (m *rawMember) join() *kmsg.JoinGroupResponse {
	req := kmsg.NewPtrJoinGroupRequest()
	req.Group, req.MemberID, req.InstanceID = slot().Group, m.id, &m.instance
	req.ProtocolType, req.SessionTimeoutMillis, req.RebalanceTimeoutMillis = "consumer", 240_000, 240_000
	p := kmsg.NewJoinGroupRequestProtocol()
	p.Name = "cooperative-sticky"
	p.Metadata = kgo.CooperativeStickyBalancer().JoinGroupMetadata([]string{m.o.Topic(schemas.Raw)}, nil, -1)
	req.Protocols = append(req.Protocols, p)
	resp, err := req.RequestWith(testContext(m.t), m.client)
	if err == nil {
		err = kerr.ErrorForCode(resp.ErrorCode)
	}
	if err != nil {
		m.t.Errorf("%s joins: %v", m.instance, err)
		return kmsg.NewPtrJoinGroupResponse()
	}
	m.id, m.gen = resp.MemberID, resp.Generation
	return resp
}

func (m *rawMember) sync(plan ...kmsg.SyncGroupRequestGroupAssignment) {
	req := kmsg.NewPtrSyncGroupRequest()
	req.Group, req.MemberID, req.InstanceID, req.Generation, req.GroupAssignment = slot().Group, m.id, &m.instance, m.gen, plan
	resp, err := req.RequestWith(testContext(m.t), m.client)
	if err == nil {
		err = kerr.ErrorForCode(resp.ErrorCode)
	}
	if err != nil && !errors.Is(err, kerr.RebalanceInProgress) { // the other member asks meanwhile
		m.t.Errorf("%s syncs: %v", m.instance, err)
	}
}

// lead makes a generation of m, the leader, and another member, with this assignment.
func (m *rawMember) lead(plan map[string][]int32, other *rawMember) {
	m.join() // alone first: who leads is who comes first
	m.sync()
	var both sync.WaitGroup
	both.Go(func() { other.join() })
	both.Go(func() {
		for len(m.join().Members) < 2 && m.t.Context().Err() == nil { // until the other one asks as well
			m.sync()
		}
	})
	both.Wait()
	var assignments []kmsg.SyncGroupRequestGroupAssignment
	for _, who := range []*rawMember{m, other} {
		a := kmsg.NewSyncGroupRequestGroupAssignment()
		assigned := kmsg.NewConsumerMemberAssignment()
		topic := kmsg.NewConsumerMemberAssignmentTopic()
		topic.Topic, topic.Partitions = m.o.Topic(schemas.Raw), slices.Clone(plan[who.instance])
		assigned.Topics = append(assigned.Topics, topic)
		a.MemberID, a.MemberAssignment = who.id, assigned.AppendTo(nil)
		assignments = append(assignments, a)
	}
	m.sync(assignments...)
	other.sync()
}

// leaveOnRebalance keeps the member in the group until another one asks for a rebalance.
func (m *rawMember) leaveOnRebalance() {
	for ctx := m.t.Context(); pause(ctx, 20*time.Millisecond); {
		beat := kmsg.NewPtrHeartbeatRequest()
		beat.Group, beat.MemberID, beat.InstanceID, beat.Generation = slot().Group, m.id, &m.instance, m.gen
		resp, err := beat.RequestWith(ctx, m.client)
		if err != nil || resp.ErrorCode != kerr.RebalanceInProgress.Code {
			continue
		}
		close(m.left)
		leave := kmsg.NewPtrLeaveGroupRequest()
		leave.Group = slot().Group
		leave.Members = append(leave.Members, kmsg.LeaveGroupRequestMember{MemberID: m.id})
		_, _ = leave.RequestWith(ctx, m.client)
		return
	}
}
