package simulate

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/kycbridge/kycbridge/audit"
	"github.com/kycbridge/kycbridge/providers/auth"
	"github.com/kycbridge/kycbridge/providers/complycube"
)

// subjects is small, so that many events share a subject and their order means something.
const subjects = 40

// delivery is one webhook as its vendor makes it; every copy of it is the same.
type delivery struct {
	id     string
	body   []byte
	forged bool
}

// newDelivery makes the n-th delivery of a seed: checks, sessions, resources, and now and then one that
// nobody can map, or that somebody else signed.
func newDelivery(seed uint64, n int) delivery {
	r := rand.New(rand.NewPCG(seed, 1000+uint64(n)))
	d := delivery{id: fmt.Sprintf("a0e0e0e0e0%014d", n), forged: r.IntN(50) == 0}
	subject := fmt.Sprintf("subject-%02d", r.IntN(subjects))
	kind, payload := "check.completed.clear", `"status":"complete","outcome":"clear"`
	switch r.IntN(8) {
	case 0:
		kind, payload = unknownType, `"status":"new"`
	case 1:
		kind, payload = "workflow.session.started", `"status":"started"`
	case 2:
		kind, payload = "workflow.session.completed", `"status":"complete","outcome":"clear"`
	case 3:
		kind, payload = "client.updated", `"email":"nobody@example.invalid"`
	case 4:
		kind, payload = lateType, `"status":"failed"`
	}
	at := time.Date(2000, 1, 1, 0, 0, 0, n*int(time.Millisecond), time.UTC).Format("2006-01-02T15:04:05.000Z")
	d.body = fmt.Appendf(nil, `{"id":%q,"type":%q,"resourceType":"check","payload":{"id":%q,%s,"updatedAt":%q},"createdAt":%q}`,
		d.id, kind, subject, payload, at, at)
	return d
}

// vendors send deliveries, repeat what is not taken, and keep the ledger.
type vendors struct {
	client *http.Client
	secret auth.Secret
	other  auth.Secret

	mu       sync.Mutex
	accepted map[string]bool
	forged   map[string]bool
	statuses map[int]int // 0: no answer
	requests int
}

const endpointName = "simulated"

// unknownType is an event type that no mapping knows: its deliveries become dead letters.
const unknownType = "zzz.unknown"

// lateType is one that an earlier version does not know: its deliveries become dead letters, which a replay
// brings back.
const lateType = "check.failed"

func newVendors(dial func(context.Context, string, string) (net.Conn, error)) *vendors {
	return &vendors{
		client:   &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{DialContext: dial, MaxIdleConnsPerHost: 4}},
		secret:   secretOf("the secret of the endpoint"),
		other:    secretOf("a secret of somebody else"),
		accepted: map[string]bool{}, forged: map[string]bool{}, statuses: map[int]int{},
	}
}

func secretOf(text string) auth.Secret {
	s, err := auth.NewSecret("one", []byte(text), time.Time{}, time.Time{})
	if err != nil {
		panic(err)
	}
	return s
}

// send repeats one copy until it is accepted or refused for good, or until ctx ends.
func (v *vendors) send(ctx context.Context, s sending) {
	pause := time.Second
	for try := s.ingest; ctx.Err() == nil; try++ {
		switch status := v.post(s.delivery, try%ingests); {
		case status == http.StatusOK || status == http.StatusUnauthorized:
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
		pause = min(2*pause, time.Minute)
	}
}

func (v *vendors) post(d delivery, ingest int) int {
	req, err := http.NewRequest(http.MethodPost, fmt.Sprintf("http://ingest-%d/hooks/%s", ingest, endpointName), bytes.NewReader(d.body))
	if err != nil {
		panic(err)
	}
	req.Header.Set("Content-Type", "application/json")
	secret := v.secret
	if d.forged {
		secret = v.other
	}
	complycube.Provider.Scheme.Sign(secret, &auth.Request{Header: req.Header, Body: d.body})
	status := 0
	if resp, err := v.client.Do(req); err == nil {
		status = resp.StatusCode
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
	}
	v.note(d, status)
	return status
}

func (v *vendors) note(d delivery, status int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.requests++
	v.statuses[status]++
	switch {
	case d.forged:
		v.forged[d.id] = true
	case status == http.StatusOK:
		v.accepted[d.id] = true
	}
}

func (v *vendors) ledger() *audit.Ledger {
	v.mu.Lock()
	defer v.mu.Unlock()
	return &audit.Ledger{Accepted: maps.Clone(v.accepted), Forged: maps.Clone(v.forged)}
}
