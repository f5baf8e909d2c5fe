package hydrate

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kycbridge/kycbridge/internal/secret"
	"github.com/kycbridge/kycbridge/normalize"
	"github.com/kycbridge/kycbridge/providers"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// partition is the only one of a task topic, as a slot reads and writes it in virtual time.
type partition struct {
	*rig
	log    []*kgo.Record // by offset
	polled int           // records
	bytes  int           // written by the slot
	copies map[string]int
	told   map[string]time.Time // objects, when their events were written
	twice  []string             // objects that were told before
	offset int64                // the group's
	head   int                  // records that were polled at the last commit
	singly int                  // records are polled one by one before this one
	aborts func() bool          // whether a transaction fails; nil: none does
}

// append writes a record, as the normaliser does or the slot.
func (p *partition) append(r *kgo.Record) {
	r.Offset, r.Timestamp = int64(len(p.log)), time.Now()
	p.log = append(p.log, r)
}

// live is one step of the slot: it polls, and commits what becomes of it.
func (p *partition) live() {
	poll := p.Begin()
	if p.polled < p.singly {
		poll.Max = min(poll.Max, 1)
	}
	end := min(len(p.log), p.polled+poll.Max)
	next, err := p.Take(p.t.Context(), p.in, p.log[p.polled:end])
	if p.polled = end; err != nil {
		p.t.Fatal(err)
	}
	if back, ok := next.(normalize.GiveBack); ok {
		if p.Undo(); back.Singly {
			p.singly = p.polled
		}
		p.polled = p.head
	}
	done, ok := next.(normalize.Process)
	if !ok {
		return
	}
	if p.aborts != nil && p.aborts() {
		p.Undo()
		p.polled = p.head
		return
	}
	p.offset, p.head = done.Offsets[0], p.polled
	for i, b := range processed(p.t, done) {
		id := idOf(done.Readings[i].In.Key)
		switch b.as {
		case "published":
			if _, before := p.told[id]; before {
				p.twice = append(p.twice, id)
			}
			p.told[id] = time.Now()
			continue
		case passedDisposed, passedCopy, passedExpired:
			continue
		case "stored":
		default:
			p.t.Fatalf("a record becomes %q", b.as)
		}
		p.copies[id]++
		p.bytes += len(b.record.Value)
		p.append(&kgo.Record{Topic: p.log[0].Topic, Key: b.record.Key, Value: b.record.Value})
	}
}

// lives lets the slot work until a condition is met.
func (p *partition) lives(until func() bool) {
	p.t.Helper()
	for began := time.Now(); !until(); {
		p.live()
		switch poll := p.Begin(); {
		case len(p.hand) > 0, p.polled < len(p.log): // an answer, or a record, ends a poll
			time.Sleep(10 * time.Millisecond)
		case poll.Limit > 0:
			time.Sleep(min(poll.Limit, 500*time.Millisecond))
		default:
			time.Sleep(500 * time.Millisecond)
		}
		if time.Since(began) > time.Hour {
			p.t.Fatal("it never comes to that")
		}
	}
}

// arrives is a new webhook about an object of an endpoint's vendor, of so many bytes.
func (p *partition) arrives(endpoint, id string, size int) {
	task := p.task(id + strings.Repeat(" ", size-len(id)))
	task.Envelope.Endpoint = endpoint
	r := p.record(task)
	r.Key = []byte(endpoint + "/" + id)
	p.append(r)
}

func idOf(key []byte) string { return string(key[bytes.IndexByte(key, '/')+1:]) }

// padded is a vendor whose webhooks are an id and white space.
func padded() providers.Provider {
	p := required()
	p.Maps = map[string]providers.MapFunc{"": func(d *providers.Delivery, _ *providers.Notice) (m providers.Mapping, err error) {
		if m.Incomplete = d.Fetched == nil; !m.Incomplete {
			m.Add(&kycv1.SessionEvent{
				Metadata:   &kycv1.EventMetadata{Subject: &kycv1.Subject{SessionId: string(bytes.TrimRight(d.Body, " "))}},
				Transition: kycv1.SessionTransition_SESSION_TRANSITION_PROCESSING, VendorStatus: "done",
			})
		}
		return m, nil
	}}
	p.Hydration.Needs = func(d *providers.Delivery, _ *providers.Notice) (providers.Target, bool) {
		return providers.Target{Kind: "thing", ID: string(bytes.TrimRight(d.Body, " "))}, true
	}
	return p
}

// inPartition runs a test with two endpoints, whose APIs have limits of their own.
func inPartition(t *testing.T, test func(t *testing.T, p *partition), change ...func(*Options)) {
	t.Helper()
	var p *partition
	options := func(o *Options) {
		o.Rate, o.GiveUpAfter = 0, 12*time.Hour
		o.Stage.Providers = []providers.Provider{padded()}
		o.Endpoints = nil
		for _, name := range []string{"away", "well"} {
			o.Endpoints = append(o.Endpoints, Endpoint{Name: name, Provider: padded(), Credentials: Credentials{Key: secret.Of(name)}})
		}
		o.Tasks = func(_ context.Context, _ int32, from int64, fn func(*kgo.Record) bool) error {
			for ; from < int64(len(p.log)) && fn(p.log[from]); from++ {
				continue
			}
			return nil
		}
	}
	inRig(t, func(t *testing.T, r *rig) {
		p = &partition{rig: r, copies: map[string]int{}, told: map[string]time.Time{}}
		test(t, p)
	}, append([]func(*Options){options}, change...)...)
}

// The table of docs/performance.md: an API is away for six hours while ten thousand deliveries of 5 kB wait for it.
// Nothing is written for a task that waits, those of another API pass it, and when the API is back, it is noticed
// within a minute; the rest is its rate.
func TestAnAPIThatIsAwayForSixHours(t *testing.T) {
	const tasks, size, away = 10_000, 5000, 6 * time.Hour
	inPartition(t, func(t *testing.T, p *partition) {
		began, back := time.Now(), false
		var mu sync.Mutex // of the two: the API is asked beside the test
		requests := map[string]int{}
		p.api = func(id string) (int, string) {
			mu.Lock()
			defer mu.Unlock()
			if requests[id[:4]]++; id[:4] == "away" && !back {
				return http.StatusServiceUnavailable, ""
			}
			return http.StatusOK, `{}`
		}
		for n := range tasks {
			p.arrives("away", fmt.Sprint("away", n), size)
		}
		written := 0
		for _, r := range p.log {
			written += len(r.Value)
		}
		for n := 0; time.Since(began) < away; n++ { // one of another API each minute
			id := fmt.Sprint("well", n)
			p.arrives("well", id, size)
			p.lives(func() bool { return !p.told[id].IsZero() })
			if took := time.Since(p.log[len(p.log)-1].Timestamp); n > 0 && took > time.Second {
				t.Errorf("the delivery %s waited for others, %v", id, took)
			}
			minute := time.Now().Add(time.Minute)
			p.lives(func() bool { return time.Now().After(minute) })
		}
		if p.offset != 0 {
			t.Errorf("the group is at %d, with its first task still open", p.offset)
		}
		for id, n := range p.copies {
			if id[:4] == "away" {
				t.Errorf("%d copies of %s were written while it waited", n, id)
			}
		}
		mu.Lock()
		probes := requests["away"]
		p.bytes, back = 0, true
		mu.Unlock()
		returned := time.Now()
		told := len(p.told)
		p.lives(func() bool { return len(p.told) > told })
		noticed := time.Since(returned)
		p.lives(func() bool { return p.offset == int64(len(p.log)) })
		drained := time.Since(returned)
		for id, n := range p.copies {
			if n != 1 || p.told[id].IsZero() {
				t.Errorf("%s was written %d times, and told at %v; expected one copy, with the answer", id, n, p.told[id])
			}
		}
		mu.Lock()
		defer mu.Unlock()
		if n := requests["away"] - probes; n != tasks || len(p.told) != len(p.copies) {
			t.Errorf("%d requests for %d tasks, %d of %d told", n, tasks, len(p.told), len(p.copies))
		}
		rows := fmt.Sprintf(`| written by the normaliser, a task | 1 copy, %.1f kB |
| written for 6 h of waiting, a task | 0 copies, 0 kB |
| written with its answer, a task | 1 copy, %.1f kB |
| in the log at the end, 10 000 tasks | %.0f MB |
| requests while the API is away | at most 2 a minute |
| first answer after its return | within %v |
| all answers, at 10 requests a second | within %v |`,
			float64(written)/tasks/1000, float64(p.bytes)/tasks/1000, float64(written+p.bytes)/1e6, time.Minute, 18*time.Minute)
		t.Logf("\n%s\n%d requests in 6 h; noticed after %v, done after %v", rows, probes, noticed, drained)
		if probes > 2*int(away/time.Minute)+20 || noticed > time.Minute || drained > 18*time.Minute {
			t.Errorf("%d requests while it was away, noticed after %v, drained after %v", probes, noticed, drained)
		}
		docs, err := os.ReadFile("../../docs/performance.md")
		if err != nil || !bytes.Contains(docs, []byte(rows)) {
			t.Errorf("docs/performance.md (%v) has another table than\n%s", err, rows)
		}
	})
}
