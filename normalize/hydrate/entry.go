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
	// retryLast is the longest pause between two questions about an object; no task waits longer for its time.
	retryLast = 5 * time.Minute
	// latestMost bounds how many subjects' last answers are remembered.
	latestMost = 4096
	// recordOverhead is what a record needs beside its value.
	recordOverhead = 4096
	// largeMost is how many answers that are too large for a record are asked for.
	largeMost = 3
)

// taskState is where a task in hand stands.
type taskState uint8

const (
	asking taskState = iota // its fetch is under way, or has not begun
	waits                   // in the lot: for its time, or for its API
	mapped                  // its fetch ended before: reading is what it becomes
	stored                  // its fetch ended now: the task with the answer is written
	failed                  // it cannot have its object: reading is the dead letter
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
	asks   bool                // its webhook asks for something
	vendor *providers.Provider // nil: unknown
	turn   int64               // of those that were read, in their order
	number int64               // of its answer
	large  int                 // answers that were too large
	back   time.Time           // not to be asked for before; not of the wall clock
	done   bool                // no longer in hand

	// Of a task in the lot; see there.
	gate          *gate
	due           time.Time
	stays         int
	queued, woken bool
	packed        bool
	whole         int // bytes of its delivery, also while that is left out
}

// over reports whether there is something to write for a task, or nothing more to do.
func (e *entry) over() bool { return e.state > waits }

// begin decides what is to be done for a task. What has its answer is mapped; the rest asks.
func (s *source) begin(in normalize.Input, r *kgo.Record, e *entry, now time.Time) error {
	e.vendor = s.vendors[e.task.GetEnvelope().GetProvider()]
	if in.PoisonPill(r) {
		e.become(mapped, s.reads.GiveUpTask(e.in, in.Slot.RawTopicID, e.task))
		return nil
	}
	s.asker.notice(e.task.GetRaw().GetPartition(), e.task.GetRaw().GetOffset())
	if e.task.GetFetchResult() == kycv1.FetchResult_FETCH_RESULT_PENDING {
		s.ready(e, now)
		return nil
	}
	read, err := s.reads.InterpretTask(e.in, in.Slot.RawTopicID, e.task)
	if err != nil {
		return err
	}
	e.become(mapped, read)
	s.seeAnswer(e)
	if s.mayLag(e, now) && e.task.GetFetchResult() == kycv1.FetchResult_FETCH_RESULT_FETCHED {
		if again := e.again(e.task.GetFetchedAt().AsTime(), s.o.AskAgainAfter); s.fits(e, again, 0) {
			read.AskAgain = again
		}
	}
	return nil
}

// ready finds what a task asks for, and when. A clock that was ahead when its time was written makes it wait
// no longer than any task does.
func (s *source) ready(e *entry, now time.Time) {
	raw := e.task.GetRaw()
	e.question = question{offset: raw.GetOffset(), object: object{endpoint: e.task.GetEnvelope().GetEndpoint(), partition: raw.GetPartition()}}
	if e.task.GetAskedAgain() {
		e.after = e.task.GetFetchedAt().AsTime().Add(s.o.AskAgainAfter)
	}
	e.target, e.asks = s.reads.Target(e.task)
	if at := e.task.GetNotBefore(); at != nil {
		e.back = now.Add(min(at.AsTime().Sub(now), retryLast))
	}
}

// become notes what the task becomes; all of it carries the label of the replay that wrote the task.
func (e *entry) become(as taskState, r *normalize.Reading) {
	e.state, e.read = as, r
	r.Replay, r.Ordered = e.replay, e.replay != ""
}

// mayLag reports whether the answer may be older than the webhook, and nobody has asked twice yet. An answer
// that comes when patience is over is not: no API lags that far behind.
func (s *source) mayLag(e *entry, now time.Time) bool {
	return e.vendor != nil && e.vendor.Hydration != nil && e.vendor.Hydration.AskAgain && !e.task.GetAskedAgain() && now.Before(s.patience(e))
}

// patience is when patience with the vendor's API ends.
func (s *source) patience(e *entry) time.Time {
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

// advance goes on with a task that asks.
func (s *source) advance(e *entry, now time.Time) {
	for e.state == asking {
		if e.fetch == nil && !s.ask(e, now) || !e.fetch.ended() {
			return
		}
		f := e.fetch
		e.fetch = nil // where it is no answer: too early for this webhook, or too late beside others
		if s.asker.take(f, e.question) && !s.outrun(e, f.answer) {
			s.store(e, f.answer, now)
		}
	}
}

// ask finds the fetch that answers a task; false where there is none now.
func (s *source) ask(e *entry, now time.Time) bool {
	woken := e.woken
	e.woken = false
	account := s.asker.accounts[e.endpoint]
	required := e.vendor != nil && e.vendor.Hydration != nil && e.vendor.Hydration.Required
	switch {
	case !e.asks, account == nil && !required, s.tired(e, now):
		s.finish(e, answer{result: kycv1.FetchResult_FETCH_RESULT_GAVE_UP, at: now, number: s.asker.number()})
		return false
	case account == nil:
		s.unconfigured(e.endpoint, now)
		s.park(e, nil, waitNoAPI, now)
		return false
	case now.Before(e.back):
		s.park(e, account.gate, waitRetry, now)
		return false
	}
	if e.fetch = s.asker.join(e.question, &s.wakeup, now); e.fetch != nil {
		return true
	}
	why := waitTurn // behind those that wait already
	if woken || !s.lot.queued(account.gate) {
		e.fetch, why = s.asker.begin(e.question, &s.wakeup, now)
	}
	if e.fetch == nil {
		s.park(e, account.gate, why, now)
		return false
	}
	return true
}

// tired reports whether a task goes without its object: patience is over, and its last chance was taken or
// is not worth it.
func (s *source) tired(e *entry, now time.Time) bool {
	account := s.asker.accounts[e.endpoint]
	return !now.Before(s.patience(e)) && (e.task.GetAttempt() > 0 || account == nil || account.open(now))
}

// unconfigured says once in a while that tasks wait for a configuration.
func (s *source) unconfigured(endpoint string, now time.Time) {
	if said, ok := s.said[endpoint]; ok && now.Sub(said) < time.Minute {
		return
	}
	if len(s.said) >= latestMost {
		clear(s.said)
	}
	s.said[endpoint] = now
	s.log.Error("an endpoint has tasks, and its deliveries hold only an id: configure its api", "endpoint", endpoint)
}

// park lets a task wait. Its patience goes by the wall clock, and is measured from now on.
func (s *source) park(e *entry, g *gate, why string, now time.Time) {
	e.why = why
	s.lot.add(e, g, e.back, now.Add(s.patience(e).Sub(now)), now)
	s.metrics.waits.WithLabelValues(e.vendorName(), why).Inc()
}

// outrun reports whether a later answer about the same subject is written already: events come in the
// order of their fetches.
func (s *source) outrun(e *entry, a answer) bool {
	return a.failed == nil && a.number < s.latest[string(e.in.Key)].number
}

// store turns an answer into what is written for the task, or lets it wait for the next try.
func (s *source) store(e *entry, a answer, now time.Time) {
	fetched := a.failed == nil && a.result == kycv1.FetchResult_FETCH_RESULT_FETCHED
	if fetched && !s.fits(e, e.task, len(a.body)) {
		a = answer{failed: &failure{label: labelTooLarge}}
	}
	e.task.Attempt++
	switch {
	case a.failed != nil && a.failed.label == labelTooLarge && e.large+1 >= largeMost:
		s.tooLarge(e)
	case a.failed != nil:
		if a.failed.label == labelTooLarge {
			e.large++
		}
		s.retry(e, a.failed, now)
	case a.result == kycv1.FetchResult_FETCH_RESULT_NOT_FOUND && s.mayLag(e, now):
		e.task = e.again(a.at, s.o.AskAgainAfter)
		e.after = a.at.Add(s.o.AskAgainAfter)
		e.back = e.after
		s.park(e, s.asker.accounts[e.endpoint].gate, waitAgain, now)
	default:
		s.finish(e, a)
	}
}

// fits reports whether a task can be written with so many more bytes.
func (s *source) fits(e *entry, t *kycv1.HydrateTask, more int) bool {
	limit := s.o.Stage.MaxRecordBytes
	return limit <= 0 || proto.Size(t)+more+len(e.in.Key)+recordOverhead <= limit
}

// tooLarge ends a task whose answer no record can hold.
func (s *source) tooLarge(e *entry) {
	detail := fmt.Sprintf("the vendor's object is larger than hydrate.max_response_bytes (%d) or, with its delivery, than a record of kafka.max_message_bytes; raise them and replay", s.o.MaxResponse)
	e.become(failed, s.reads.FailTask(e.in, s.rawTopic, e.task, detail))
}

// finish writes the answer into the task.
func (s *source) finish(e *entry, a answer) {
	e.task.FetchResult, e.task.FetchedKind, e.task.Fetched = a.result, a.kind, a.body
	e.task.FetchedAt, e.task.NotBefore = timestamppb.New(a.at), nil
	if a.result == kycv1.FetchResult_FETCH_RESULT_GAVE_UP {
		e.task.FetchedAt = nil
	}
	e.state, e.number = stored, a.number
	if !s.fits(e, e.task, -recordOverhead/2) { // it came when records might be larger
		s.tooLarge(e)
	}
}

// retry comes back later and later, and no later than when patience ends.
func (s *source) retry(e *entry, f *failure, now time.Time) {
	pause := retryLast
	if n := e.task.GetAttempt() - 1; n < 10 {
		pause = min(s.o.RetryFirst<<n, retryLast)
	}
	pause = max(pause/2+jitter(pause/2)+1, f.after)
	e.back = now.Add(min(pause, max(s.patience(e).Sub(now), 0)))
	s.park(e, s.asker.accounts[e.endpoint].gate, waitRetry, now)
}

func (e *entry) vendorName() string {
	if e.vendor == nil {
		return ""
	}
	return e.vendor.Name
}

// reading is what becomes of an entry that is over.
func (s *source) reading(e *entry) (*normalize.Reading, error) {
	switch e.state {
	case mapped, failed:
		return e.read, nil
	case unread:
		return skip("unreadable", e), nil
	case passed:
		return skip(e.why, e), nil
	}
	return forward("stored", e)
}

// skip is a record of which only the offset moves.
func skip(as string, e *entry) *normalize.Reading {
	return &normalize.Reading{In: e.in, Outcome: &normalize.Skip{As: as}}
}

// forward is a task that is written once more, as it is now.
func forward(as string, e *entry) (*normalize.Reading, error) {
	value, err := contract.Marshal(e.task)
	if err != nil {
		return nil, fmt.Errorf("a task cannot be encoded: %w", err)
	}
	out := record.Outgoing{Topic: schemas.Hydrate, Key: e.in.Key, Value: value, Partition: e.in.Partition, Headers: e.headers}
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
