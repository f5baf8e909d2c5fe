package hydrate

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/kycbridge/kycbridge/normalize"
	"github.com/kycbridge/kycbridge/providers"
)

const (
	// keepAnswers is how long an answer waits to be picked up by tasks that went round meanwhile.
	keepAnswers = time.Minute
	// The bounds of answers that wait so.
	keepCount = 256
	keepBytes = 32 << 20
)

// object is what one fetch is about. Tasks of one object usually lie in one partition; where they do
// not, their order is unknown and they are fetched apart.
type object struct {
	endpoint  string
	target    providers.Target
	partition int32
}

// fetch is one fetch, on its way or ended.
type fetch struct {
	object
	began time.Time
	mark  int64 // the highest raw offset of the partition that was in hand when it began
	done  chan struct{}
	wake  map[*normalize.Wakeup]bool // polls to end when it is done

	answer                 // valid once done is closed
	wants   map[int64]bool // raw offsets of tasks that it was begun for
	taken   map[int64]bool // and of those that used the answer up
	endedAt time.Time
}

func (f *fetch) ended() bool {
	select {
	case <-f.done:
		return true
	default:
		return false
	}
}

// asker is all fetches of a process. It is safe for concurrent use.
type asker struct {
	accounts map[string]*account
	log      *slog.Logger
	metrics  *metrics
	ctx      context.Context // of fetches: they outlive the poll that asked for them
	stop     context.CancelFunc

	mu      sync.Mutex
	fetches map[object]*fetch
	answers int64           // that came so far; counts them, since clocks go back
	seen    map[int32]int64 // per partition, the highest raw offset of any task in hand so far
	running sync.WaitGroup
}

func newAsker(o Options, m *metrics) (*asker, error) {
	a := &asker{
		accounts: make(map[string]*account), log: o.Stage.Logger, metrics: m,
		fetches: make(map[object]*fetch), seen: make(map[int32]int64),
	}
	var errs []error
	gates := make(map[customer]*gate)
	for _, e := range o.Endpoints {
		account, err := newAccount(e, o)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if shared := gates[account.customer()]; shared != nil {
			account.gate = shared
		}
		gates[account.customer()] = account.gate
		a.accounts[e.Name] = account
	}
	m.waiting.accounts = a.accounts
	a.ctx, a.stop = context.WithCancel(context.Background())
	return a, errors.Join(errs...)
}

// close ends what is under way.
func (a *asker) close() {
	a.stop()
	a.running.Wait()
}

// notice remembers that a task is in hand. Raw offsets tell which of two webhooks came first, whatever
// the clocks of their receivers say.
func (a *asker) notice(partition int32, offset int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if seen, ok := a.seen[partition]; !ok || offset > seen {
		a.seen[partition] = offset
	}
}

// number is that of an answer that comes now.
func (a *asker) number() int64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.answers++
	return a.answers
}

// question is a task as far as the asker must know it.
type question struct {
	object
	offset int64     // raw, in the object's partition
	after  time.Time // a fetch that began before it is no answer
}

// covers reports whether a fetch answers a question: its webhook was in hand before the fetch began, and it
// has not used this answer before. What was begun for it answers it whatever the clock says, which may have
// been set back since the task was written.
func (f *fetch) covers(q question) bool {
	inTime := f.wants[q.offset] || q.offset <= f.mark && !f.began.Before(q.after)
	return inTime && !f.taken[q.offset]
}

// join returns a fetch that answers a question, or one under way of the same object after which to ask again;
// nil: there is none.
func (a *asker) join(q question, b *normalize.Wakeup, now time.Time) *fetch {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.sweep(now)
	f := a.fetches[q.object]
	switch {
	case f == nil:
		return nil
	case !f.ended():
		f.wake[b] = true
		return f
	case f.covers(q):
		return f
	}
	return nil
}

// begin begins a fetch that answers a question; where it may not begin now, it says why.
func (a *asker) begin(q question, b *normalize.Wakeup, now time.Time) (f *fetch, why string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	account := a.accounts[q.endpoint]
	ok, why := account.admit(now)
	if !ok {
		return nil, why
	}
	f = &fetch{
		object: q.object, began: now, mark: a.seen[q.partition], done: make(chan struct{}),
		wake: map[*normalize.Wakeup]bool{b: true}, wants: map[int64]bool{q.offset: true}, taken: make(map[int64]bool),
	}
	a.fetches[q.object] = f
	a.running.Go(func() { a.run(account, f) })
	return f, ""
}

// run fetches, as soon as it is its turn.
func (a *asker) run(c *account, f *fetch) {
	got := answer{failed: &failure{label: labelConnection}}
	var start time.Time
	select {
	case <-a.ctx.Done():
	case c.turns <- struct{}{}:
		start = time.Now()
		got = c.fetch(a.ctx, f.target)
		<-c.turns
	}
	now := time.Now()
	opened := c.settle(now, got.failed)
	if a.ctx.Err() == nil {
		a.metrics.fetched(c, got, now.Sub(start))
		a.tell(c, got.failed, opened)
	}
	a.mu.Lock()
	a.answers++
	got.number = a.answers
	f.answer, f.endedAt = got, now
	close(f.done)
	woken := f.wake
	f.wake = nil
	a.mu.Unlock()
	for b := range woken {
		b.Wake()
	}
}

// tell logs what an operator must know, without any id.
func (a *asker) tell(c *account, f *failure, opened bool) {
	log := a.log.With("endpoint", c.Name, "provider", c.Provider.Name)
	switch {
	case f == nil:
		return
	case f.label == labelRefused || f.label == labelAddress || f.label == labelConfiguration || f.label == labelRedirect:
		log.Error("the vendor's API cannot be used as it is configured: tasks of this endpoint wait; correct its api", "reason", f.label, "status", f.status)
	case f.label == labelForbidden:
		log.Warn("the vendor's API refuses access to an object; retrying: grant the credentials of the api the right to read it, if it is yours", "reason", f.label, "status", f.status)
	case opened:
		log.Warn("the vendor's API fails; tasks of this endpoint wait", "reason", f.label, "status", f.status)
	default:
		log.Debug("a fetch failed", "reason", f.label, "status", f.status)
	}
}

// take uses the answer of an ended fetch up for a task: its next question is a new one. false: it is not
// the answer to this question.
func (a *asker) take(f *fetch, q question) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !f.covers(q) {
		return false
	}
	if len(f.taken) > 0 {
		a.metrics.coalesced.Inc()
	}
	f.taken[q.offset] = true
	return true
}

// sweep drops answers that nobody came for, and the oldest where there are too many.
func (a *asker) sweep(now time.Time) {
	count, bytes := 0, 0
	for o, f := range a.fetches {
		if !f.ended() {
			continue
		}
		if now.Sub(f.endedAt) > keepAnswers {
			delete(a.fetches, o)
			continue
		}
		count, bytes = count+1, bytes+len(f.body)
	}
	for count > keepCount || bytes > keepBytes {
		oldest := a.oldest()
		count, bytes = count-1, bytes-len(oldest.body)
		delete(a.fetches, oldest.object)
	}
}

func (a *asker) oldest() (oldest *fetch) {
	for _, f := range a.fetches {
		if f.ended() && (oldest == nil || f.endedAt.Before(oldest.endedAt)) {
			oldest = f
		}
	}
	return oldest
}
