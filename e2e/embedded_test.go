package e2e

import (
	"bytes"
	"context"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kycbridge/kycbridge/schemas"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// kills is how often the embedded program is killed under load. The full proof
// is KYCBRIDGE_TEST_KILLS=200.
func kills(t testing.TB) int { return numberFrom(t, "KYCBRIDGE_TEST_KILLS", 6) }

// realKills is the same on the real pair, where the consumer group takes a
// session timeout to notice each kill.
func realKills(t testing.TB) int { return numberFrom(t, "KYCBRIDGE_TEST_REAL_KILLS", 3) }

// numberFrom reads a number from the environment.
func numberFrom(t testing.TB, variable string, otherwise int) int {
	t.Helper()
	value := os.Getenv(variable)
	if value == "" {
		return otherwise
	}
	n, err := strconv.Atoi(value)
	if err != nil || n < 1 {
		t.Fatalf("%s=%q, want a number such as 200", variable, value)
	}
	return n
}

// TestEmbeddedSurvivesKills kills the whole embedded program again and again
// under load: every 200 is in the topics once, every raw record has one
// disposition, and a reader that watched all the time saw each event once.
func TestEmbeddedSurvivesKills(t *testing.T) {
	e := startEmbedded(t)
	l := newLoad("kill")
	during := read(t, e.kafka, schemas.DefaultPrefix)

	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		l.drive(ctx, e.hook, 8)
	}()
	random := rand.New(rand.NewPCG(7, 7))
	for n := range kills(t) {
		before, enough := l.accepted(), 1+random.IntN(400)
		if !eventually(patience, func() bool { return l.accepted() >= before+enough }) {
			t.Fatalf("life %d: only %d deliveries accepted in %s", n, l.accepted()-before, patience)
		}
		e.kill()
		e.again(t)
	}
	cancel()
	<-sent

	during.quiet(t)
	l.onlyExpected(t)
	judge(t, l, during.snapshot())
	after := read(t, e.kafka, schemas.DefaultPrefix)
	after.quiet(t)
	f := judge(t, l, after.snapshot())
	t.Logf("%d kills, %d accepted deliveries, %d raw records, %d events, %d dead letters",
		kills(t), l.accepted(), len(f.raw), len(f.events), len(f.dead))
	e.stop(t)
}

// TestEmbeddedDuplicates: ten copies at once, ten 200s, one event; a flipped byte is a
// 401 and leaves nothing in Kafka.
func TestEmbeddedDuplicates(t *testing.T) {
	e := startEmbedded(t)
	l, client := newLoad("dup"), newClient()
	d := l.make(0)
	var copies sync.WaitGroup
	for range 10 {
		copies.Go(func() {
			if status := l.send(client, e.hook(), d); status != http.StatusOK {
				t.Errorf("status %d, want 200", status)
			}
		})
	}
	copies.Wait()
	flipped := bytes.Replace(l.make(7).body, []byte("clear"), []byte("cleaR"), 1)
	if status, _ := post(client, e.hook(), flipped, sign(l.make(7).body, secret)); status != http.StatusUnauthorized {
		t.Errorf("a flipped byte got status %d, want 401", status)
	}
	if status, _ := post(client, e.hook(), d.body, ""); status != http.StatusUnauthorized {
		t.Errorf("no signature got status %d, want 401", status)
	}
	r := read(t, e.kafka, schemas.DefaultPrefix)
	r.quiet(t)
	f := judge(t, l, r.snapshot())
	if len(f.raw) != 10 || len(f.events) != 1 {
		t.Errorf("%d raw records and %d events, want 10 and 1", len(f.raw), len(f.events))
	}
	for _, record := range f.raw {
		if !bytes.Equal(decode[*kycv1.RawEnvelope](t, record).GetBody(), d.body) {
			t.Errorf("the body of raw record %d is not byte for byte what was sent", record.Offset)
		}
	}
	e.stop(t)
}

// TestEmbeddedBadContent: what we cannot use is stored, answered and dead-lettered;
// what is too large is refused; the next delivery flows.
func TestEmbeddedBadContent(t *testing.T) {
	e := startEmbedded(t)
	l, client := newLoad("bad"), newClient()
	large := []byte(`{"id":"bad-large","type":"client.created","payload":{"id":"x","pad":"` + strings.Repeat("x", 5<<20) + `"}}`)
	cases := []struct {
		name   string
		body   []byte
		status int
		reason kycv1.DeadLetterReason
	}{
		{"unknown type", l.make(4).body, 200, kycv1.DeadLetterReason_DEAD_LETTER_REASON_UNMAPPED},
		{"truncated", l.make(0).body[:40], 200, kycv1.DeadLetterReason_DEAD_LETTER_REASON_MALFORMED},
		{"too large", large, 413, 0},
		{"good", l.make(14).body, 200, 0},
	}
	want := map[kycv1.DeadLetterReason]int{}
	for _, c := range cases {
		status, header := post(client, e.hook(), c.body, sign(c.body, secret))
		if status != c.status {
			t.Errorf("%s: status %d, want %d", c.name, status, c.status)
		}
		if status == http.StatusOK && header.Get("Kycbridge-Delivery-Id") == "" {
			t.Errorf("%s: no Kycbridge-Delivery-Id header", c.name)
		}
		if c.reason != 0 {
			want[c.reason]++
		}
	}
	r := read(t, e.kafka, schemas.DefaultPrefix)
	r.quiet(t)
	f := judge(t, l, r.snapshot())
	got := map[kycv1.DeadLetterReason]int{}
	for _, letter := range f.dead {
		got[letter.GetReason()]++
	}
	for reason, n := range want {
		if got[reason] != n {
			t.Errorf("%d dead letters %s, want %d", got[reason], reason, n)
		}
	}
	if len(f.events) != 1 || len(f.raw) != 3 {
		t.Errorf("%d events of %d raw records, want 1 of 3", len(f.events), len(f.raw))
	}
	e.stop(t)
}

// TestEmbeddedSimulate: the first command of the README shows events by itself.
func TestEmbeddedSimulate(t *testing.T) {
	e := startEmbedded(t, "--simulate")
	r := read(t, e.kafka, schemas.DefaultPrefix)
	if !eventually(patience, func() bool { return len(sorted(t, r.snapshot()).events) >= 10 }) {
		t.Fatal("--simulate made no events")
	}
	if !eventually(10*time.Second, func() bool { return strings.Contains(e.log.String(), "kyc.") }) {
		t.Errorf("--simulate prints no events")
	}
	e.stop(t)
}
