package e2e

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/kycbridge/kycbridge/schemas"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// crashFaults: processes die, stand still, or are doubled.
func crashFaults() []fault {
	all := []fault{
		{name: "kill-ingest", does: "`kill -9` of ingest at random moments under load", short: true, real: true, run: killIngest},
		{name: "kill-ingest-acked", does: "ingest dies between Kafka's acknowledgement and its answer", short: true, run: killIngestAcked},
	}
	for _, point := range []struct{ name, does string }{
		{"polled", "after it polled"},
		{"claimed", "after its claims"},
		{"begun", "after the transaction began"},
		{"first-produced", "after the first produce of a transaction"},
		{"all-produced", "after all produces of a transaction"},
		{"offsets-sent", "with the offsets in the transaction"},
		{"end-sent", "with the commit sent and unanswered"},
		{"committed", "after the commit, before the marks"},
		{"repairing", "in the repair of a partition's marks"},
	} {
		all = append(all,
			fault{name: "kill-" + point.name, does: "a normaliser dies " + point.does, real: true, run: killAt(point.name),
				short: point.name == "claimed" || point.name == "end-sent", json: point.name == "end-sent"},
			fault{name: "twin-" + point.name, does: "the same, while copies reach another normaliser", run: killTwinAt(point.name),
				short: point.name == "first-produced", json: point.name == "first-produced"})
	}
	return append(all,
		fault{name: "stall", does: "a normaliser is paused (SIGSTOP) for longer than its session and its transaction may last, then wakes", short: true, real: true, run: stall},
		fault{name: "same-instance", does: "two normalisers with one `--instance`", run: sameInstance},
		fault{name: "rolling-restart", does: "every process restarted in turn (SIGTERM), three rounds", real: true, run: rollingRestart},
		fault{name: "drain-5000", does: "SIGTERM to ingest with 5 000 requests waiting for Kafka", run: drainWaiting},
		fault{name: "disk-full", does: "the disk of `kycbridge dev` is full: it ends with a clear line; with room it is started again", run: diskFull},
		fault{name: "crasher", does: "a delivery whose mapping kills the process, every time", run: poisonPill},
	)
}

func killIngest(s *scene) {
	in := s.ingest()
	s.normalizer(0, "")
	s.send()
	random := rand.New(rand.NewPCG(5, 5))
	for range numberFrom(s, "KYCBRIDGE_TEST_INGEST_KILLS", 5) {
		s.grow(20 + random.IntN(80))
		s.strike()
		in.kill()
		in = in.again()
		s.recover()
	}
	s.settle()
}

func killIngestAcked(s *scene) {
	in := s.start([]string{"KYCBRIDGE_FAILPOINT=ingest-acked:300"}, "ingest")
	s.normalizer(0, "")
	s.send()
	in.dies()
	s.strike()
	in.again()
	s.recover()
	s.grow(100)
	s.settle()
}

// killAt kills the only normaliser at a point, twice: in its first life after some
// work, in its second at once.
func killAt(point string) func(s *scene) {
	return func(s *scene) {
		s.ingest()
		s.send()
		count := 8
		if point == "repairing" {
			count = 3
		}
		env := func(n int) []string { return []string{fmt.Sprintf("KYCBRIDGE_FAILPOINT=%s:%d", point, n)} }
		listen, admin := freePort(s), freePort(s)
		for _, n := range []int{count, 1 + count/4} {
			m := s.launch(env(n), listen, admin, "normalize", "--instance", "0")
			m.dies()
		}
		s.grow(50)
		s.strike()
		m := s.launch(nil, listen, admin, "normalize", "--instance", "0")
		m.ready(s)
		s.recover()
		s.grow(100)
		s.settle()
	}
}

// killTwinAt kills one of two: its partitions, and the copies in them, go to the other.
func killTwinAt(point string) func(s *scene) {
	return func(s *scene) {
		s.ingest()
		s.normalizer(1, "")
		s.send()
		s.grow(50)
		count := ":8"
		if point == "repairing" {
			count = ""
		}
		m := s.launch([]string{"KYCBRIDGE_FAILPOINT=" + point + count}, freePort(s), freePort(s), "normalize", "--instance", "0")
		m.dies()
		s.strike()
		s.recover()
		s.grow(50)
		m.again()
		s.grow(50)
		s.settle()
	}
}

// stall stops a normaliser wherever it is; another takes over, and the first wakes as
// a zombie, whose transaction and whose writes to Redis must change nothing.
func stall(s *scene) {
	s.ingest()
	first := s.normalizer(0, "")
	s.normalizer(1, "")
	s.send()
	for range 2 {
		s.grow(100)
		s.signal(first, syscall.SIGSTOP)
		s.strike()
		s.recover()
		pause(context.Background(), 2*time.Second) // past the transaction's limit
		s.signal(first, syscall.SIGCONT)
		s.grow(150)
		first.ready(s)
	}
	s.settle()
}

func (s *scene) signal(m *member, signal syscall.Signal) {
	s.Helper()
	if err := m.cmd.Process.Signal(signal); err != nil {
		s.Fatal(err)
	}
}

func sameInstance(s *scene) {
	s.ingest()
	s.send()
	s.grow(20)
	listen, admin := freePort(s), freePort(s)
	older := s.launch(nil, listen, admin, "normalize", "--instance", "0")
	older.ready(s)
	s.strike()
	newer := s.launch(nil, freePort(s), freePort(s), "normalize", "--instance", "0")
	ended := older
	select {
	case <-older.done:
	case <-newer.done:
		ended = newer
	case <-time.After(patience):
		s.Fatal("neither of two normalisers with one instance number ended")
	}
	if last, code := ended.ends(); code == 0 || !strings.Contains(last, "--instance 0") {
		s.Errorf("the fenced one ended with code %d and %q, want an error that names --instance 0", code, last)
	}
	s.recover()
	s.grow(50)
	s.settle()
}

// rollingRestart: an orchestrator takes a process out of the rotation before it ends
// it, and puts it back once it is ready.
func rollingRestart(s *scene) {
	ins := []*member{s.ingest(), s.ingest()}
	workers := []*member{s.normalizer(0, ""), s.normalizer(1, "")}
	s.send()
	s.grow(50)
	for range 3 {
		for i, in := range ins {
			in.withdraw()
			ins[i] = in.replaced()
			s.grow(20)
		}
		for i, w := range workers {
			s.strike()
			w.process.stop(s)
			workers[i] = w.again()
			s.recover()
		}
	}
	s.settle()
	s.load.mu.Lock()
	defer s.load.mu.Unlock()
	if n := s.load.statuses[http.StatusServiceUnavailable] + s.load.statuses[0]; n > 0 {
		s.Errorf("%d deliveries were refused or not answered although a ready ingest was there all the time", n)
	}
}

// drainWaiting: Kafka is silent while requests pile up, then ingest is told to go, then
// Kafka answers. Every request gets an answer, and a 200 only if its record is there.
func drainWaiting(s *scene) {
	const waiting = 5000
	in := s.ingest()
	s.normalizer(0, "")
	s.during = read(s, s.kafka, s.prefix)
	release := s.holdKafka()
	var wg sync.WaitGroup
	// A transport that may keep fewer connections than it uses takes some answers for broken connections.
	transport := &http.Transport{MaxIdleConnsPerHost: waiting}
	defer transport.CloseIdleConnections()
	client := &http.Client{Timeout: 60 * time.Second, Transport: transport}
	for range waiting {
		d := s.load.take()
		wg.Go(func() { s.load.send(client, s.hooks.any(), d) })
	}
	// One that is still on its way when ingest is told to go is rightly not taken.
	s.await("all requests wait, or were refused", func() bool {
		answered := float64(s.load.answered()) // before those that wait: none is counted twice
		return answered+metric(in.admin, "kycbridge_ingest_requests") >= waiting
	})
	s.Logf("%g requests wait", metric(in.admin, "kycbridge_ingest_requests"))
	s.signal(in, syscall.SIGTERM)
	s.struck = time.Now()
	release()
	wg.Wait()
	if _, code := in.ends(); code != 0 {
		s.Errorf("ingest ended with code %d, want 0", code)
	}
	s.load.mu.Lock()
	for status, n := range s.load.statuses {
		if status == 0 {
			s.Errorf("%d of %d requests got no answer", n, waiting)
		}
	}
	s.Logf("answers: %v", s.load.statuses)
	s.load.mu.Unlock()
	s.slowest = time.Since(s.struck)
	s.settle()
}

// holdKafka lets every request to Kafka wait until release.
func (s *scene) holdKafka() (release func()) {
	held := make(chan struct{})
	s.fake.delay(func() time.Duration { <-held; return 0 })
	return sync.OnceFunc(func() { close(held) })
}

// await polls a condition.
func (s *scene) await(what string, ok func() bool) {
	s.Helper()
	if !eventually(patience, ok) {
		s.Fatalf("never happened: %s", what)
	}
}

// metric adds up the samples of a metric, or reads the one with the labels of the name; -1 when it cannot be read.
func metric(admin, name string) float64 {
	status, body := get("http://" + admin + "/metrics")
	if status != http.StatusOK {
		return -1
	}
	sum, found := 0.0, false
	for line := range strings.Lines(body) {
		rest, ok := strings.CutPrefix(line, name)
		if !ok || rest[0] != ' ' && rest[0] != '{' {
			continue
		}
		words := strings.Fields(rest)
		var v float64
		if _, err := fmt.Sscan(words[len(words)-1], &v); err == nil {
			sum, found = sum+v, true
		}
	}
	if !found {
		return -1
	}
	return sum
}

// poisonPill: the normaliser dies whenever it maps one delivery. An orchestrator starts
// it again; after three deaths alone the delivery is a dead letter, and all others
// are events.
func poisonPill(s *scene) {
	s.ingest()
	s.send()
	s.grow(30)
	const key = "poison-pill"
	body := event(key, "check.completed.clear", `{"id":"%s","status":"complete","outcome":"clear","note":"kycbridge-crasher","updatedAt":"%s"}`,
		"poison-pill-subject", "2026-01-02T03:00:00.000Z")
	// Past the ledger, which knows what becomes of a delivery by the vendor's id: of this one nobody reads it.
	if status, _ := post(newClient(), s.hooks.any(), body, sign(body, secret)); status != http.StatusOK {
		s.Fatalf("status %d, want 200", status)
	}
	s.strike()
	listen, admin, deaths := freePort(s), freePort(s), 0
	env := []string{"KYCBRIDGE_FAILPOINT=interpret"}
	m := s.launch(env, listen, admin, "normalize", "--instance", "0")
	for buried := false; !buried; {
		select {
		case <-m.done:
			if deaths++; deaths > 20 {
				s.Fatal("20 processes died over one delivery, which is still not a dead letter")
			}
			m = s.launch(env, listen, admin, "normalize", "--instance", "0")
		case <-time.After(200 * time.Millisecond):
			buried = s.recovered()
		}
	}
	s.recover()
	s.Logf("%d processes died", deaths)
	f := s.settle()
	n := 0
	for _, letter := range f.dead {
		if letter.GetReason() == kycv1.DeadLetterReason_DEAD_LETTER_REASON_CRASHER && bytes.Contains(letter.GetEnvelope().GetBody(), []byte(key)) {
			n++
		}
	}
	if n != 1 {
		s.Errorf("%d dead letters of the delivery that kills, want 1", n)
	}
}

// request posts a body as it is and returns the status; 0 when there is no answer.
func request(client *http.Client, url string, body io.Reader, signature string) int {
	req, err := http.NewRequest(http.MethodPost, url, body)
	if err != nil {
		return 0
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("ComplyCube-Signature", signature)
	resp, err := client.Do(req)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode
}

// diskFull gives the embedded program a small disk of its own, which root may mount.
// When it is full the program ends with a line that says so, before anything is in
// memory alone; with room again the next life goes on.
func diskFull(s *scene) {
	disk := s.TempDir()
	if out, err := shell("mount", "-t", "tmpfs", "-o", "size=5m", "tmpfs", disk); err != nil {
		s.Skipf("needs the right to mount a small disk: %v %s", err, out)
	}
	s.Cleanup(func() { _, _ = shell("umount", "-l", disk) })
	e := &embedded{listen: freePort(s), kafka: freePort(s), adminAddr: freePort(s), data: disk + "/data"}
	e.again(s)
	s.kafka, s.prefix = e.kafka, schemas.DefaultPrefix
	s.hooks.add(e.listen)
	s.send()
	s.await("the program ends", func() bool {
		select {
		case <-e.process.done:
			return true
		default:
			return false
		}
	})
	if log := e.process.log.String(); e.process.err == nil || !strings.Contains(log, "make room and start again") {
		s.Errorf("ended with %v, expected an error that says what to do:\n%s", e.process.err, tail(log, 2000))
	}
	if out, err := shell("mount", "-o", "remount,size=500m", disk); err != nil {
		s.Fatalf("remount: %v %s", err, out)
	}
	e.again(s)
	s.strike()
	s.recover()
	s.settle()
	e.stop(s)
}
