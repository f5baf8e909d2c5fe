package hydrate

import (
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/kycbridge/kycbridge/internal/contract"
	"github.com/kycbridge/kycbridge/internal/record"
	"github.com/kycbridge/kycbridge/normalize"
	"github.com/kycbridge/kycbridge/providers"
	"github.com/kycbridge/kycbridge/schemas"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

const (
	retryLast = 5 * time.Minute
	// A task whose fetch takes longer than goesRound goes to the wait topic instead of round again.
	goesRound = 2 * time.Second
	slowBack  = time.Second
	// latestMost bounds how many subjects' last fetches are remembered.
	latestMost = 4096
	// recordOverhead is what a record needs beside its value.
	recordOverhead = 4096
)

// taskState is where a task in hand stands.
type taskState uint8

const (
	asking taskState = iota // its fetch is under way, or has not begun
	mapped                  // its fetch ended before: reading is what it becomes
	stored                  // its fetch ended now: the task with the answer is written
	waits                   // its time has not come
	unread                  // no task at all
	passed                  // nothing is to be done for it
)

// entry is one record in hand.
type entry struct {
	in      normalize.RawRecord
	headers []record.Header
	replay  string // the label among them
	task    *kycv1.HydrateTask
	state   taskState
	why     string // it waits, or is passed over
	fetch   *fetch
	read    *normalize.Reading
	question
	vendor *providers.Provider // nil: unknown
}

// open decides what is to be done for a task. What has its answer is mapped; the rest asks.
func (s *source) open(in normalize.Input, r *kgo.Record, e *entry) error {
	e.vendor = s.vendors[e.task.GetEnvelope().GetProvider()]
	if in.PoisonPill(r) {
		e.become(s.reads.GiveUpTask(e.in, in.Slot.RawTopicID, e.task))
		return nil
	}
	s.asker.notice(e.task.GetRaw().GetPartition(), e.task.GetRaw().GetOffset())
	if e.task.GetFetchResult() == kycv1.FetchResult_FETCH_RESULT_PENDING {
		return nil
	}
	read, err := s.reads.InterpretTask(e.in, in.Slot.RawTopicID, e.task)
	if err != nil {
		return err
	}
	e.become(read)
	if s.mayLag(e, time.Now()) && e.task.GetFetchResult() == kycv1.FetchResult_FETCH_RESULT_FETCHED {
		read.AskAgain = e.again(e.task.GetFetchedAt().AsTime(), s.o.AskAgainAfter)
	}
	return nil
}

// become notes what the task becomes; all of it carries the label of the replay that wrote the task.
func (e *entry) become(r *normalize.Reading) {
	e.state, e.read = mapped, r
	r.Replay, r.Ordered = e.replay, e.replay != ""
}

// mayLag reports whether the answer may be older than the webhook, and nobody has asked twice yet. An answer
// that comes when patience is over is not: no API lags that far behind.
func (s *source) mayLag(e *entry, now time.Time) bool {
	return e.vendor != nil && e.vendor.Hydration != nil && e.vendor.Hydration.AskAgain && !e.task.GetAskedAgain() && now.Before(s.due(e))
}

// due is when patience with the vendor's API ends.
func (s *source) due(e *entry) time.Time {
	return e.task.GetEnvelope().GetReceivedAt().AsTime().Add(s.o.GiveUpAfter)
}

// again is the task that asks once more, a while after the answer.
func (e *entry) again(answered time.Time, after time.Duration) *kycv1.HydrateTask {
	t := proto.CloneOf(e.task)
	t.FetchResult, t.FetchedKind, t.Fetched = kycv1.FetchResult_FETCH_RESULT_PENDING, "", nil
	t.AskedAgain, t.FetchedAt = true, timestamppb.New(answered)
	t.NotBefore = timestamppb.New(answered.Add(after))
	return t
}

// advance goes on with a task that asks. It reports whether there is something to write for it.
func (s *source) advance(e *entry, now time.Time) bool {
	for e.state == asking {
		if e.fetch == nil && !s.ask(e, now) {
			break
		}
		if !e.fetch.ended() {
			return false
		}
		if f := e.fetch; s.asker.take(f, e.question) && !s.outrun(e, f.answer) {
			s.store(e, f.answer, now)
		}
		e.fetch = nil // too early for this webhook, or too late beside others: ask again
	}
	return e.state != asking
}

// ask finds the fetch that answers a task; false where there is none now.
func (s *source) ask(e *entry, now time.Time) bool {
	ok := s.question(e)
	q := e.question
	account := s.asker.accounts[q.endpoint]
	due := s.due(e)
	tired := !now.Before(due)
	switch required := e.vendor != nil && e.vendor.Hydration != nil && e.vendor.Hydration.Required; {
	case !ok, account == nil && !required, tired && (e.task.GetAttempt() > 0 || account == nil || account.open(now)):
		s.finish(e, answer{result: kycv1.FetchResult_FETCH_RESULT_GAVE_UP, at: now})
		return false
	case account == nil:
		s.log.Error("an endpoint has tasks, and its deliveries hold only an id: configure its api", "endpoint", q.endpoint)
		s.postpone(e, earlier(now.Add(time.Minute), due), waitNoAPI)
		return false
	case e.task.GetNotBefore() != nil && now.Before(e.task.GetNotBefore().AsTime()):
		s.postpone(e, e.task.GetNotBefore().AsTime(), waitRetry)
		return false
	}
	f, back, why := s.asker.ask(q, &s.wakeup, now)
	if f == nil {
		if !tired {
			back = earlier(back, later(due, now.Add(time.Second)))
		}
		s.postpone(e, back, why)
		return false
	}
	e.fetch = f
	return true
}

// question finds what a task asks for; false where its webhook asks for nothing (any more).
func (s *source) question(e *entry) (ok bool) {
	if e.question.endpoint != "" {
		return true
	}
	raw := e.task.GetRaw()
	q := question{offset: raw.GetOffset(), object: object{endpoint: e.task.GetEnvelope().GetEndpoint(), partition: raw.GetPartition()}}
	if e.task.GetAskedAgain() {
		q.after = e.task.GetFetchedAt().AsTime().Add(s.o.AskAgainAfter)
	}
	if q.target, ok = s.reads.Target(e.task); ok {
		e.question = q
	}
	return ok
}

// outrun reports whether a later answer about the same subject is written already: events come in the
// order of their fetches.
func (s *source) outrun(e *entry, a answer) bool {
	return a.failed == nil && a.at.Before(s.latest[string(e.in.Key)])
}

// store turns an answer into what is written for the task: the task with its answer, or a later try.
func (s *source) store(e *entry, a answer, now time.Time) {
	if a.failed == nil && a.result == kycv1.FetchResult_FETCH_RESULT_FETCHED && s.o.Stage.MaxRecordBytes > 0 &&
		proto.Size(e.task)+len(a.body)+len(e.in.Key)+recordOverhead > s.o.Stage.MaxRecordBytes {
		a = answer{failed: &failure{label: labelTooLarge}}
	}
	switch {
	case a.failed != nil:
		s.retry(e, a.failed, now)
	case a.result == kycv1.FetchResult_FETCH_RESULT_NOT_FOUND && s.mayLag(e, now):
		attempt := e.task.GetAttempt() + 1
		e.task = e.again(a.at, s.o.AskAgainAfter)
		e.task.Attempt = attempt
		e.state, e.why = waits, waitAgain
		s.metrics.waits.WithLabelValues(e.vendor.Name, waitAgain).Inc()
	default:
		e.task = proto.CloneOf(e.task)
		e.task.Attempt++
		s.finish(e, a)
	}
}

// finish writes the answer into the task.
func (s *source) finish(e *entry, a answer) {
	e.task = proto.CloneOf(e.task)
	e.task.FetchResult, e.task.FetchedKind, e.task.Fetched = a.result, a.kind, a.body
	e.task.FetchedAt, e.task.NotBefore = timestamppb.New(a.at), nil
	if a.result == kycv1.FetchResult_FETCH_RESULT_GAVE_UP {
		e.task.FetchedAt = nil
	}
	e.state = stored
}

// retry comes back later and later, and no later than when patience ends.
func (s *source) retry(e *entry, f *failure, now time.Time) {
	due := s.due(e)
	pause := retryLast
	if n := e.task.GetAttempt(); n < 10 {
		pause = min(s.o.RetryFirst<<n, retryLast)
	}
	back := now.Add(max(pause/2+jitter(pause/2)+1, f.after))
	attempt := e.task.GetAttempt() + 1
	s.postpone(e, earlier(back, later(due, now)), waitRetry)
	e.task.Attempt = attempt
}

// postpone sends a task to the wait topic.
func (s *source) postpone(e *entry, until time.Time, why string) {
	e.task = proto.CloneOf(e.task)
	e.task.NotBefore = timestamppb.New(until)
	e.state, e.why = waits, why
	s.metrics.waits.WithLabelValues(e.vendorName(), why).Inc()
}

func (e *entry) vendorName() string {
	if e.vendor == nil {
		return ""
	}
	return e.vendor.Name
}

// reading is what becomes of an entry now.
func (s *source) reading(e *entry) (*normalize.Reading, error) {
	switch e.state {
	case mapped:
		return e.read, nil
	case stored:
		return forward("stored", schemas.Hydrate, e)
	case waits:
		return forward("waiting", schemas.HydrateWait, e)
	case unread:
		return skip("unreadable", e), nil
	case passed:
		return skip(e.why, e), nil
	}
	if e.fetch != nil && time.Since(e.fetch.began) > goesRound {
		s.postpone(e, time.Now().Add(slowBack), waitSlow)
		return forward("waiting", schemas.HydrateWait, e)
	}
	return forward("round", schemas.Hydrate, e)
}

// skip is a record of which only the offset moves.
func skip(as string, e *entry) *normalize.Reading {
	return &normalize.Reading{In: e.in, Outcome: &normalize.Skip{As: as}}
}

// forward is a task that moves on as it is.
func forward(as, topic string, e *entry) (*normalize.Reading, error) {
	value, err := contract.Marshal(e.task)
	if err != nil {
		return nil, fmt.Errorf("a task cannot be encoded: %w", err)
	}
	out := record.Outgoing{Topic: topic, Key: e.in.Key, Value: value, Partition: e.in.Partition, Headers: e.headers}
	return &normalize.Reading{In: e.in, Outcome: &normalize.Forward{As: as, Records: []record.Outgoing{out}}}, nil
}

// outcome names how a fetch ended, for a metric.
func (a answer) outcome() string {
	switch {
	case a.failed != nil:
		return a.failed.label
	case a.result == kycv1.FetchResult_FETCH_RESULT_NOT_FOUND:
		return "not_found"
	case a.result == kycv1.FetchResult_FETCH_RESULT_GONE:
		return "gone"
	}
	return "fetched"
}
