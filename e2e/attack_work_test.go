package e2e

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kycbridge/kycbridge/schemas"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

const (
	// workMemory is what a process may take at most, whatever one endpoint's secret is used for.
	workMemory = 300 << 20
	// workDelay is how long it may keep other endpoints' events waiting.
	workDelay = 2 * time.Second

	idenfyEndpoint = "  - name: idenfy\n    provider: idenfy\n    environment: ENVIRONMENT_SANDBOX\n    secrets: [{id: primary, value: \"${KYCBRIDGE_SECRET_COMPLYCUBE}\"}]\n"
)

// workFaults: who has one endpoint's secret makes as much work with it as its vendor's format allows.
func workFaults() []fault {
	return []fault{
		{
			name: "attack-work", does: "1000 reviews with 1000 beneficiaries and 500 bodies of 1 MiB of blanks, at full speed for 30 s, beside others' deliveries",
			config: idenfyEndpoint, defaults: true, limit: workDelay, run: attackWork,
		},
		{
			name: "attack-backlog", does: "a normaliser finds 150 such reviews and 100 such bodies",
			config: idenfyEndpoint, defaults: true, run: attackBacklog,
		},
	}
}

// review is a signed delivery of iDenfy that becomes 2001 events.
func review(n int) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, `{"id":"review-%d","approvalStatus":"APPROVED","beneficiaries":[`, n)
	for i := range 1000 {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"id":"b%d","sanctionsCheckStatus":"SUSPECTED"}`, i)
	}
	b.WriteString("]}")
	return b.Bytes()
}

// heavy is the n-th body of the attack.
func heavy(n int) []byte {
	if n%3 == 2 {
		return append(bytes.Repeat([]byte(" "), 1<<20-12), fmt.Sprintf("%012d", n)...)
	}
	return review(n)
}

// postIDenfy sends a body as iDenfy does.
func postIDenfy(client *http.Client, listen string, body []byte) int {
	r, err := http.NewRequest(http.MethodPost, "http://"+listen+"/hooks/idenfy", bytes.NewReader(body))
	if err != nil {
		return 0
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Idenfy-Event-Type", "COMPANY_REVIEW")
	r.Header.Set("Idenfy-Signature", sign(body, secret))
	answer, err := client.Do(r)
	if err != nil {
		return 0
	}
	defer answer.Body.Close()
	_, _ = io.Copy(io.Discard, answer.Body)
	return answer.StatusCode
}

// peak is what a process took of memory at most, in bytes.
func peak(s *scene, m *member) int64 {
	s.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", m.cmd.Process.Pid))
	if err != nil {
		s.Fatal(err)
	}
	found := regexp.MustCompile(`(?m)^VmHWM:\s+(\d+) kB$`).FindSubmatch(status)
	if found == nil {
		s.Fatalf("%v does not tell its memory", m.args)
	}
	kib, _ := strconv.ParseInt(string(found[1]), 10, 64)
	return kib << 10
}

// calm sends the deliveries of another endpoint, and measures how long their events take.
type calm struct {
	sync.Mutex
	sent    map[string]time.Time
	slowest time.Duration
	came    int
	refused int
}

// watch notes when events come, for readers at read_committed, until ctx ends.
func (c *calm) watch(ctx context.Context, s *scene) {
	reader := s.connect(kgo.ConsumeTopics(s.prefix+schemas.Session, s.prefix+schemas.Check), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()), kgo.MetadataMinAge(100*time.Millisecond), kgo.UnknownTopicRetries(-1))
	for ctx.Err() == nil {
		reader.PollFetches(ctx).EachRecord(func(r *kgo.Record) {
			now := time.Now()
			// The flood's events are passed over by their header, before anything is decoded.
			if bytes.HasPrefix(r.Key, []byte("idenfy/")) {
				return
			}
			var id string
			if strings.HasSuffix(r.Topic, schemas.Session) {
				id = decode[*kycv1.SessionEvent](s, r).GetMetadata().GetVendorEventId()
			} else {
				id = decode[*kycv1.CheckEvent](s, r).GetMetadata().GetVendorEventId()
			}
			c.Lock()
			defer c.Unlock()
			if at, ok := c.sent[id]; ok {
				c.slowest = max(c.slowest, now.Sub(at))
				c.came++
				delete(c.sent, id)
			}
		})
	}
}

// send sends fifty deliveries a second until ctx ends.
func (c *calm) send(ctx context.Context, s *scene, m *member) {
	client := newClient()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		key := fmt.Sprintf("calm-%06d", n)
		body := event(key, "check.completed.clear", `{"id":"%s","status":"complete","outcome":"clear","updatedAt":"%s"}`, key, "2026-01-02T03:00:00.000Z")
		c.Lock()
		c.sent[key] = time.Now()
		c.Unlock()
		if status, _ := post(client, "http://"+m.listen+"/hooks/complycube", body, sign(body, secret)); status != http.StatusOK {
			c.Lock()
			c.refused++
			delete(c.sent, key)
			c.Unlock()
		}
	}
}

// waiting is how many deliveries have no event yet, and how long the first has waited.
func (c *calm) waiting() (n int, longest time.Duration) {
	c.Lock()
	defer c.Unlock()
	for _, at := range c.sent {
		longest = max(longest, time.Since(at))
	}
	return len(c.sent), longest
}

func attackWork(s *scene) {
	m := s.start(nil, "all")
	c := &calm{sent: map[string]time.Time{}}
	watching, blind := context.WithCancel(context.Background())
	sending, quiet := context.WithCancel(context.Background())
	var watchers, senders sync.WaitGroup
	defer watchers.Wait()
	defer blind()
	watchers.Go(func() { c.watch(watching, s) })
	senders.Go(func() { c.send(sending, s, m) })
	s.await("others' events come", func() bool { c.Lock(); defer c.Unlock(); return c.came > 50 })
	c.Lock()
	c.slowest = 0 // the first ones wait for the topics
	c.Unlock()
	before := peak(s, m)
	bodies := make(chan []byte, 16)
	var mu sync.Mutex
	statuses := map[int]int{}
	var attackers sync.WaitGroup
	for range 8 {
		attackers.Go(func() {
			client := newClient()
			for body := range bodies {
				status := postIDenfy(client, m.listen, body)
				mu.Lock()
				statuses[status]++
				mu.Unlock()
			}
		})
	}
	made := make([][]byte, 30)
	for n := range made {
		made[n] = heavy(n)
	}
	for n, begin := 0, time.Now(); n < 1500 || time.Since(begin) < 30*time.Second; n++ {
		body := made[n%len(made)]
		if n%3 != 2 { // another review each time
			body = bytes.Replace(body, []byte(`"review-`), fmt.Appendf(nil, `"review-%d-`, n), 1)
		}
		bodies <- body
	}
	close(bodies)
	attackers.Wait()
	quiet()
	senders.Wait()
	s.await("all of others' events are there", func() bool { n, _ := c.waiting(); return n == 0 })
	most := peak(s, m)
	s.note = fmt.Sprintf("%d of %d let in, %d MB at most, others' events within %.2f s", statuses[http.StatusOK], statuses[200]+statuses[503], most>>20, c.slowest.Seconds())
	s.Logf("%s; answers %v; %d MB before", s.note, statuses, before>>20)
	if most > workMemory {
		s.Errorf("the process took %d MB, expected at most %d", most>>20, workMemory>>20)
	}
	if c.slowest > workDelay || c.refused > 0 {
		s.Errorf("an event of another endpoint took %s, and %d of its deliveries were refused; expected %s at most, and none", c.slowest, c.refused, workDelay)
	}
	if statuses[http.StatusOK] == 0 || statuses[http.StatusOK]+statuses[http.StatusServiceUnavailable] != sum(statuses) {
		s.Errorf("the attack was answered %v, expected 200 and 503 alone", statuses)
	}
	s.entered = true
	report.add(row{fault: s.f.name, does: s.f.does, kafka: s.broker(), deliveries: c.came, note: s.note, recovery: c.slowest, failed: s.Failed()})
}

func sum(counts map[int]int) (n int) {
	for _, one := range counts {
		n += one
	}
	return n
}

func attackBacklog(s *scene) {
	s.rewrite("  drain_delay: 0.2s\n", "  drain_delay: 0.2s\n  endpoint_events_per_second: 1000000\n")
	in := s.ingest()
	client := newClient()
	const all = 250
	for n := range all {
		body := review(n)
		if n%5 > 2 {
			body = heavy(3*n + 2)
		}
		if status := postIDenfy(client, in.listen, body); status != http.StatusOK {
			s.Fatalf("body %d: status %d", n, status)
		}
	}
	begin := time.Now()
	m := s.normalizer(0, "")
	group := s.prefix + "kycbridge-normalize"
	if !eventually(3*patience, func() bool { return s.committed(group) == all }) {
		s.Fatalf("%d of %d raw records are committed", s.committed(group), all)
	}
	most := peak(s, m)
	s.note = fmt.Sprintf("%d MB at most, %.0f s", most>>20, time.Since(begin).Seconds())
	s.Log(s.note)
	if most > workMemory {
		s.Errorf("the normaliser took %d MB, expected at most %d", most>>20, workMemory>>20)
	}
	s.entered = true
	report.add(row{fault: s.f.name, does: s.f.does, kafka: s.broker(), deliveries: all, raw: all, note: s.note, failed: s.Failed()})
}

// committed is how many raw records a group has behind it.
func (s *scene) committed(group string) (n int64) {
	offsets, err := s.admin.FetchOffsets(context.Background(), group)
	if err != nil {
		return 0
	}
	offsets.Each(func(o kadm.OffsetResponse) {
		if o.Topic == s.prefix+schemas.Raw {
			n += max(o.At, 0)
		}
	})
	return n
}
