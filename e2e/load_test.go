package e2e

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// secret is the built-in secret of the complycube endpoint of `kycbridge dev`;
// the real pair gets the same through its environment.
const secret = "dev-secret-complycube"

// secrets are the variables that deploy/local.yaml wants.
func secrets() []string {
	all := []string{"KYCBRIDGE_SECRET_COMPLYCUBE=" + secret, "KYCBRIDGE_SECRET_IDWISE=me:made-up-for-idwise", "KYCBRIDGE_PROOFME_API_KEY=none-yet"}
	for _, vendor := range []string{"idenfy", "idnow", "proofme"} {
		all = append(all, "KYCBRIDGE_SECRET_"+strings.ToUpper(vendor)+"=made-up-for-"+vendor)
	}
	return all
}

// delivery is one webhook and what the sender knows about it.
type delivery struct {
	key    string // the vendor's event id: unique per delivery of a load
	body   []byte
	forged bool // signed with another secret
}

// load makes deliveries, sends them and keeps the ledger of what was answered.
type load struct {
	run  string // makes event ids of different loads differ
	json bool   // events are written as JSON too

	mu       sync.Mutex
	next     int
	acked    map[string]int // event id -> number of success codes
	forged   map[string]bool
	statuses map[int]int // status -> answers; 0 is no answer
}

func newLoad(run string) *load {
	return &load{run: run, acked: map[string]int{}, forged: map[string]bool{}, statuses: map[int]int{}}
}

// subjects is small, so that many events share a subject and their order means something.
const subjects = 40

// id has the form of the vendor's: any other would leave as a hash, and the ledger has ids as they were sent.
func (l *load) id(n int) string {
	return fmt.Sprintf("a0%08x%014d", crc32.ChecksumIEEE([]byte(l.run)), n)
}

// make returns the n-th delivery: every kind that matters, in a fixed mix.
func (l *load) make(n int) delivery {
	id := l.id(n)
	subject := fmt.Sprintf("%s-subject-%02d", l.run, n%subjects)
	at := time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC).Add(time.Duration(n) * time.Millisecond).Format("2006-01-02T15:04:05.000Z")
	d := delivery{key: id}
	switch n % 7 {
	case 0:
		d.body = event(id, "check.completed.clear", `{"id":"%s","status":"complete","outcome":"clear","updatedAt":"%s"}`, subject, at)
	case 1:
		d.body = event(id, "check.monitoring.attention", `{"id":"%s","status":"complete","outcome":"attention","updatedAt":"%s"}`, subject, at)
	case 2:
		d.body = event(id, "workflow.session.completed", `{"id":"%s","status":"complete","outcome":"clear","updatedAt":"%s"}`, subject, at)
	case 3:
		d.body = event(id, "client.updated", `{"id":"%s","email":"`+planted+`","updatedAt":"%s"}`, subject, at)
	case 4:
		d.body = event(id, "zzz.unknown", `{"id":"%s","email":"`+planted+`","updatedAt":"%s"}`, subject, at) // a dead letter
	case 5:
		d.body = event(id, "workflow.session.started", `{"id":"%s","status":"started","updatedAt":"%s"}`, subject, at)
	default:
		d.body = event(id, "check.failed", `{"id":"%s","status":"failed","updatedAt":"%s"}`, subject, at)
		d.forged = n%3 == 0
	}
	return d
}

func event(id, kind, payload, subject, at string) []byte {
	return fmt.Appendf(nil, `{"id":%q,"type":%q,"resourceType":"check","payload":%s,"createdAt":%q}`,
		id, kind, fmt.Sprintf(payload, subject, at), at)
}

func sign(body []byte, key string) string {
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write(body)
	return hex.EncodeToString(mac.Sum(nil))
}

// post sends one webhook the way the vendor does; 0 means no answer came.
func post(client *http.Client, url string, body []byte, signature string) (int, http.Header) {
	req, err := http.NewRequest(http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return 0, nil
	}
	req.Header.Set("Content-Type", "application/json")
	if signature != "" {
		req.Header.Set("ComplyCube-Signature", signature)
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, nil
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, resp.Header
}

// send posts one delivery once and notes the answer.
func (l *load) send(client *http.Client, url string, d delivery) int {
	key := secret
	if d.forged {
		key = "not-the-secret-of-the-endpoint"
	}
	status, _ := post(client, url, d.body, sign(d.body, key))
	l.mu.Lock()
	defer l.mu.Unlock()
	l.statuses[status]++
	if d.forged {
		l.forged[d.key] = true
	} else if status == http.StatusOK {
		l.acked[d.key]++
	}
	return status
}

// answered is how many requests have come to an end.
func (l *load) answered() (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, of := range l.statuses {
		n += of
	}
	return n
}

// drive posts deliveries from several connections until ctx ends, each one to
// three times, as a vendor that retries and doubles would. It returns once the
// last answer is in.
func (l *load) drive(ctx context.Context, url func() string, connections int) {
	var wg sync.WaitGroup
	for c := range connections {
		wg.Go(func() {
			client := &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 1}}
			defer client.CloseIdleConnections()
			random := rand.New(rand.NewPCG(uint64(c), 1))
			for ctx.Err() == nil {
				d := l.take()
				for range 1 + random.IntN(3) {
					if l.send(client, url(), d) == 0 && ctx.Err() == nil {
						pause(ctx, 5*time.Millisecond) // nobody listens: the program is being restarted
					}
				}
			}
		})
	}
	wg.Wait()
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

func (l *load) take() delivery {
	l.mu.Lock()
	defer l.mu.Unlock()
	d := l.make(l.next)
	l.next++
	return d
}

// accepted is how many different deliveries got at least one success code.
func (l *load) accepted() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.acked)
}

// onlyExpected fails when an answer was neither success, nor a refusal of a
// forged delivery, nor an honest 503, nor no answer at all.
func (l *load) onlyExpected(t testing.TB) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for status, n := range l.statuses {
		switch status {
		case 0, http.StatusOK, http.StatusUnauthorized, http.StatusServiceUnavailable:
		default:
			t.Errorf("%d answers with status %d, want only 200, 401, 503 or none", n, status)
		}
	}
}
