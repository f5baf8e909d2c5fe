package hydrate

import (
	"net/http"
	"testing"
	"time"

	"github.com/kycbridge/kycbridge/normalize"
	"github.com/kycbridge/kycbridge/providers"
)

// keptAnswers is an asker with answers that came one second after the other, the last one now, beside a fetch that
// is under way. It returns which of them are left.
func keptAnswers(n int, now time.Time, body []byte, apart time.Duration) (left []int) {
	target := func(i int) object { return object{target: providers.Target{ID: string(rune('a' + i))}} }
	ended := make(chan struct{})
	close(ended)
	a := &asker{fetches: map[object]*fetch{target(n): {object: target(n), done: make(chan struct{})}}}
	for i := range n {
		a.fetches[target(i)] = &fetch{object: target(i), done: ended, answer: answer{body: body}, endedAt: now.Add(-time.Duration(n-1-i) * apart)}
	}
	a.sweep(now)
	for i := range n + 1 {
		if a.fetches[target(i)] != nil {
			left = append(left, i)
		}
	}
	return left
}

// Answers that nobody comes for are dropped, the oldest first; a fetch under way never is.
func TestAnswersAreNotKeptForEver(t *testing.T) {
	half := make([]byte, keepBytes/2)
	for name, c := range map[string]struct {
		n, dropped int
		body       []byte
		apart      time.Duration
	}{
		"too many":  {keepCount + 2, 2, nil, time.Millisecond},
		"too large": {4, 2, half, time.Millisecond},
		"too old":   {5, 2, nil, keepAnswers / 2},
		"few":       {3, 0, nil, time.Millisecond},
	} {
		left := keptAnswers(c.n, start, c.body, c.apart)
		if len(left) != c.n-c.dropped+1 || left[0] != c.dropped {
			t.Errorf("%s: %v are left of %d and the one under way, expected all but the first %d", name, left, c.n, c.dropped)
		}
	}
}

// One customer's requests wait for each other where the API allows one at a time.
func TestConcurrencyIsBounded(t *testing.T) {
	inRig(t, func(t *testing.T, r *rig) {
		release := make(chan struct{})
		r.api = func(string) (int, string) { <-release; return http.StatusOK, `{}` }
		are(t, r.tasks(r.task("a"), r.task("b")), "asking", "asking")
		r.mu.Lock()
		if len(r.asked) != 1 {
			t.Errorf("%q are asked for at once, expected one", r.asked)
		}
		r.mu.Unlock()
		close(release)
		r.wasAsked("a", "b")
	}, func(o *Options) { o.Concurrency = 1 })
}

// Requests end with the process, and the process ends after them.
func TestClosingEndsRequests(t *testing.T) {
	inRig(t, func(t *testing.T, r *rig) {
		account, began := r.asker.accounts["endpoint"], time.Now()
		account.client.Transport = hanging{}
		f, _ := r.asker.begin(question{object: object{endpoint: "endpoint", target: providers.Target{Kind: "thing", ID: "a"}}}, &normalize.Wakeup{}, began)
		r.asker.close()
		if !f.ended() || time.Since(began) != 0 {
			t.Errorf("the fetch ended = %v after %v, expected it at once", f.ended(), time.Since(began))
		}
		if n := r.counted("fetches_total"); n != 0 {
			t.Errorf("%v fetches are counted that nobody waited for", n)
		}
	})
}

// hanging is an API that does not answer.
type hanging struct{}

func (hanging) RoundTrip(q *http.Request) (*http.Response, error) {
	<-q.Context().Done()
	return nil, q.Context().Err()
}

// Whoever waits for a fetch is woken by its end, not only who began it.
func TestAllThatWaitAreWoken(t *testing.T) {
	inRig(t, func(t *testing.T, r *rig) {
		r.asker.accounts["endpoint"].client.Transport = hanging{}
		q := question{object: object{endpoint: "endpoint", target: providers.Target{Kind: "thing", ID: "a"}}}
		var first, second normalize.Wakeup
		f, _ := r.asker.begin(q, &first, time.Now())
		if joined := r.asker.join(q, &second, time.Now()); joined != f || !f.wake[&first] || !f.wake[&second] {
			t.Errorf("%v are woken, expected both", f.wake)
		}
	})
}
