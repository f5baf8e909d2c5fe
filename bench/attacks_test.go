package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kycbridge/kycbridge/bench/attack"
	"github.com/kycbridge/kycbridge/providers/auth"
	"github.com/kycbridge/kycbridge/providers/catalog"
)

// TestMain lets the test's binary play the attacker, as the program itself does.
func TestMain(m *testing.M) {
	if os.Getenv(attack.Variable) == "" {
		os.Exit(m.Run())
	}
	if err := attack.Main(context.Background(), os.Stdin, os.Stdout); err != nil {
		os.Stderr.WriteString(err.Error() + "\n")
		os.Exit(1)
	}
}

// TestSiege attacks the product gently: nothing is let in, no signed webhook refused or lost. How long things take is
// for `make attacks`. The last one is on a product that takes everybody's deliveries, which must be seen.
func TestSiege(t *testing.T) {
	if l, err := net.Listen("tcp", "127.0.1.1:0"); err != nil {
		t.Skipf("this system has one loopback address: %v", err)
	} else {
		_ = l.Close()
	}
	t.Chdir("..") // the programs are built from the root
	w, err := open(t.Context(), "", "", "", io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := w.close(); err != nil {
			t.Error(err)
		}
	}()
	times := spans{warm: 100 * time.Millisecond, calm: 200 * time.Millisecond, under: 700 * time.Millisecond, rate: 50}
	for _, tc := range []struct {
		name        string
		connections int
		open        bool
	}{{"slow-many", 50, false}, {"forged-other", 1, false}, {"hello-many", 2, false}, {"forged-other", 1, true}} {
		o := named(t, tc.name)
		o.connections = tc.connections
		d := w.deploy()
		d.unauthenticated = tc.open
		s, err := d.besiege(t.Context(), o, times)
		if err != nil {
			t.Fatalf("%s: %v", tc.name, err)
		}
		if s.refused() > 0 || s.stored.lost > 0 || s.tally.Opened == 0 || s.probed.asked == 0 {
			t.Errorf("%s: %d refused, %d lost, the attacker saw %+v, the admin address %+v", tc.name, s.refused(), s.stored.lost, s.tally, s.probed)
		}
		if (s.stored.letIn > 0) != tc.open {
			t.Errorf("%s: %d let in, where everybody's deliveries are taken: %t", tc.name, s.stored.letIn, tc.open)
		}
	}
}

func named(t *testing.T, name string) onslaught {
	t.Helper()
	for _, o := range onslaughts() {
		if o.name == name {
			return o
		}
	}
	t.Fatalf("no attack is named %s", name)
	return onslaught{}
}

// TestWires: no attack would be believed, and slow bodies are what they are called.
func TestWires(t *testing.T) {
	forged, err := forgeries(someWebhooks(t, 20))
	if err != nil {
		t.Fatal(err)
	}
	key, err := auth.NewSecret("primary", []byte(secret), time.Time{}, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	scheme := catalog.All()[0].Scheme
	for _, p := range catalog.All() {
		if p.Name == "complycube" {
			scheme = p.Scheme
		}
	}
	for _, o := range onslaughts() {
		if o.wires == nil || o.behind() {
			continue
		}
		wires, err := o.wires(forged)
		if err != nil || len(wires) == 0 {
			t.Fatalf("%s: %d requests, error %v", o.name, len(wires), err)
		}
		for _, wire := range wires {
			r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(wire)))
			if strings.HasPrefix(o.name, "idle") || strings.HasPrefix(o.name, "rush") || strings.HasPrefix(o.name, "header") {
				if !errors.Is(err, io.ErrUnexpectedEOF) || len(wire) > 32<<10 {
					t.Errorf("%s: %d bytes are a whole header, or too long for one: %v", o.name, len(wire), err)
				}
				continue
			}
			if err != nil {
				t.Fatalf("%s: %v", o.name, err)
			}
			body, err := io.ReadAll(r.Body)
			if whole := err == nil; whole != slices.Contains([]attack.Kind{attack.Ask, attack.Linger, attack.Deaf}, o.kind) {
				t.Errorf("%s: %d of %d bytes of a body", o.name, len(body), r.ContentLength)
			}
			if _, err := scheme.Verify([]auth.Secret{key}, auth.Request{Header: r.Header, Body: body, Now: time.Now()}); err == nil {
				t.Errorf("%s: a forged request verifies", o.name)
			}
			if unknown := strings.HasPrefix(r.URL.Path, "/hooks/nobody"); unknown != strings.HasPrefix(o.name, "unknown") && !strings.HasPrefix(o.name, "slow") {
				t.Errorf("%s: goes to %s", o.name, r.URL.Path)
			}
		}
	}
}

// TestWork: what is to be worked on would be believed, no two are alike, and reviews are as large as they may be.
func TestWork(t *testing.T) {
	key, err := auth.NewSecret("primary", []byte(secret), time.Time{}, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	scheme := auth.HMAC{Header: "Idenfy-Signature", Hash: crypto.SHA256}
	for _, o := range onslaughts() {
		if !o.behind() {
			continue
		}
		wires, err := o.wires(nil)
		if err != nil || len(wires) == 0 {
			t.Fatalf("%s: %d requests, error %v", o.name, len(wires), err)
		}
		bodies := map[string]bool{}
		for _, wire := range wires {
			r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(wire)))
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(r.Body)
			if err != nil || !strings.Contains(o.endpoint("http://api"), "name: "+strings.Split(r.URL.Path, "/")[2]) {
				t.Fatalf("%s: %s, %v", o.name, r.URL.Path, err)
			}
			bodies[string(body)] = true
			if strings.Count(string(body), `"b-`) != 1000 && o.name == "work-reviews" || len(body) != 1<<20 && o.name == "work-blanks" {
				t.Fatalf("%s: %d bytes", o.name, len(body))
			}
			if r.Header.Get(scheme.Header) == "" {
				continue // a token in the path
			}
			if _, err := scheme.Verify([]auth.Secret{key}, auth.Request{Header: r.Header, Body: body, Now: time.Now()}); err != nil {
				t.Fatalf("%s: %v", o.name, err)
			}
		}
		if len(bodies) != len(wires) {
			t.Errorf("%s: %d bodies are %d different ones", o.name, len(wires), len(bodies))
		}
	}
}

// TestLate: an event that did not come counts as later than any other.
func TestLate(t *testing.T) {
	b := battle{spans: spans{warm: 1 * time.Second, calm: time.Second, under: time.Second}, begin: time.Now()}
	b.reader = &arrivals{}
	for i, took := range []time.Duration{9 * time.Second, 20 * time.Millisecond, 30 * time.Millisecond, 0} {
		due := time.Duration(i) * 750 * time.Millisecond
		b.became = append(b.became, posted{due: due})
		b.reader.came = append(b.reader.came, b.begin.Add(due+took))
	}
	b.reader.came[3] = time.Time{}
	want := lateness{calm99: 30, during99: 60750, slowest: 60750}
	if got := b.late(); *got != want {
		t.Errorf("late by %+v, want %+v", *got, want)
	}
}

// TestOnslaughtsAreNamed: names are for --attack, addresses in different networks of 256.
func TestOnslaughtsAreNamed(t *testing.T) {
	seen := map[string]bool{}
	for _, o := range onslaughts() {
		if seen[o.name] || !regexp.MustCompile(`^[a-z]+-[a-z0-9]+$`).MatchString(o.name) {
			t.Errorf("attack %q is named twice, or badly", o.name)
		}
		seen[o.name] = true
		networks := map[netip.Prefix]bool{}
		for _, a := range o.from() {
			networks[netip.PrefixFrom(a, 24).Masked()] = true
			if !a.IsLoopback() {
				t.Errorf("%s: comes from %s", o.name, a)
			}
		}
		if len(networks) != len(o.from()) {
			t.Errorf("%s: %d addresses in %d networks", o.name, len(o.from()), len(networks))
		}
	}
	if err := attacks(t.Context(), nil, size{attack: "nothing"}, &report{}); err == nil {
		t.Error("an attack that is none was run")
	}
}

// TestStreamWaitsForNobody: a webhook is sent when it is due, though the one before it has no answer yet, and what it
// waits counts from then.
func TestStreamWaitsForNobody(t *testing.T) {
	all := someWebhooks(t, 40)
	came := make(chan struct{}, len(all))
	answer := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		came <- struct{}{}
		<-answer
		if r.RemoteAddr[:8] != "127.0.0." {
			w.WriteHeader(http.StatusForbidden)
		}
	}))
	defer server.Close()
	s := newStream(server.URL, streamFrom, nil, 10_000)
	requests, err := s.prepare(all)
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	var held time.Duration // no answer before
	go func() {
		for range all {
			<-came
		}
		held = time.Since(begin)
		close(answer)
	}()
	became, err := s.post(t.Context(), requests, begin)
	if err != nil {
		t.Fatal(err)
	}
	whole := time.Since(begin)
	for i, p := range became {
		if p.status != http.StatusOK || p.due != time.Duration(i)*s.every || p.due+p.took < held || p.due+p.took > whole {
			t.Errorf("webhook %d: %+v", i, p)
		}
	}
}

func TestSumUp(t *testing.T) {
	var all []posted
	for i := range 200 { // of which the later half takes 1 to 100 ms
		all = append(all, posted{due: time.Duration(i) * time.Second, took: time.Duration(max(1, i-99)) * time.Millisecond, status: 202})
	}
	all[110].status, all[120].err, all[125].err, all[130].status = 429, io.EOF, os.ErrDeadlineExceeded, 503
	got := sumUp(all, 100*time.Second, 200*time.Second)
	want := seen{sent: 100, taken: 96, others: map[string]int{"429": 1, "503": 1, "cut off": 1, "no answer": 1}, p50: 51, p99: 100}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("summed up as %+v, want %+v", got, want)
	}
	if early := sumUp(all, 0, 100*time.Second); early.sent != 100 || early.p99 != 1 {
		t.Errorf("the first half is %+v", early)
	}
}

func TestRegister(t *testing.T) {
	all := someWebhooks(t, 3)
	known, err := enrol(all, []posted{{status: 200}, {status: 503}, {status: 200, err: io.EOF}})
	if err != nil {
		t.Fatal(err)
	}
	body := func(i int) []byte {
		_, b, _ := bytes.Cut(all[i].wire, []byte("\r\n\r\n"))
		return b
	}
	forged := bytes.ToUpper(body(1))
	for _, tc := range []struct {
		bodies [][]byte
		want   stored
	}{
		{[][]byte{body(0)}, stored{}},
		{[][]byte{body(0), body(0), body(1), body(2)}, stored{}}, // one that is not answered may be there, and twice
		{[][]byte{body(1)}, stored{lost: 1}},
		{[][]byte{body(0), forged, forged, nil}, stored{letIn: 3}},
	} {
		if got := known.compare(tc.bodies); got != tc.want {
			t.Errorf("%d bodies: %+v, want %+v", len(tc.bodies), got, tc.want)
		}
	}
}

func TestParseCounters(t *testing.T) {
	got, err := parseCounters(strings.NewReader(`# HELP kycbridge_ingest_x X.
kycbridge_ingest_deliveries_total{endpoint="a b",outcome="noisy",provider=""} 2
kycbridge_ingest_deliveries_total{endpoint="_unknown",outcome="noisy",provider=""} 3
kycbridge_ingest_deliveries_total{endpoint="a",outcome="crowded",provider="} "} 1
kycbridge_ingest_evicted_connections_total 1.5e+06
go_goroutines 7
`))
	want := counters{"deliveries_total noisy": 5, "deliveries_total crowded": 1, "evicted_connections_total": 1.5e6}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("read %v, %v, want %v", got, err, want)
	}
	if moved := got.since(counters{"deliveries_total noisy": 5}); moved["deliveries_total noisy"] != 0 || moved["deliveries_total crowded"] != 1 {
		t.Errorf("moved by %v", moved)
	}
	for _, bad := range []string{"kycbridge_ingest_x", "kycbridge_ingest_x y"} {
		if _, err := parseCounters(strings.NewReader(bad)); err == nil {
			t.Errorf("%q is read", bad)
		}
	}
}

// good is an attack that misses no goal.
func good() siege {
	return siege{
		onslaught: onslaught{name: "slow-own", does: "much"},
		spans:     spans{under: 9 * time.Second},
		before:    seen{sent: 10, taken: 10, p50: 1, p99: 4}, during: seen{sent: 20, taken: 20, p50: 2, p99: 54},
		peak: 150, probed: probed{asked: 3, slowest: time.Second}, tally: attack.Tally{Opened: 1}, counted: counters{"evicted_connections_total": 7},
	}
}

func TestGoalsOfAttacks(t *testing.T) {
	for want, change := range map[string]func(*siege){
		"":                    func(*siege) {},
		"longer":              func(s *siege) { s.during.p99 = 54.1 },
		"not taken (429 × 2)": func(s *siege) { s.during.taken, s.during.others = 18, map[string]int{"429": 2} },
		"1 signed webhooks":   func(s *siege) { s.before.taken-- },
		"150 MB of memory":    func(s *siege) { s.peak = 150.1 },
		"2 forged":            func(s *siege) { s.stored.letIn = 2 },
		"1 webhooks were":     func(s *siege) { s.stored.lost = 1 },
		"1 of 3 requests":     func(s *siege) { s.probed.unanswered = 1 },
		"0 of 0 requests":     func(s *siege) { s.probed = probed{} },
		"took 1.0 s":          func(s *siege) { s.probed.slowest++ },
		"no counter":          func(s *siege) { s.counted = counters{"deliveries_total accepted": 1} },
		"asked 111 times":     func(s *siege) { s.asked = 111 },
		"2001 ms later":       func(s *siege) { s.events = &lateness{calm99: 1000, during99: 1, slowest: 3001} },
		"not come about":      func(s *siege) { s.tally = attack.Tally{} },
	} {
		s := good()
		change(&s)
		err := (&besieged{all: []siege{good(), s}}).missed()
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want) || strings.Count(err.Error(), "\n") > 0) {
			t.Errorf("%q: error is %v", want, err)
		}
	}
}

func TestTableOfAttacksReplacesItself(t *testing.T) {
	b := &besieged{all: []siege{good()}}
	path := filepath.Join(t.TempDir(), "page.md")
	if err := os.WriteFile(path, []byte("# Page\n\n"+attacksHeader+"| old |\n| older |\n\nAfter it.\n\n| another |\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time it replaces what the first one wrote
		if err := b.write(path); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(path)
		if want := "# Page\n\n" + b.markdown() + "\nAfter it.\n\n| another |\n"; err != nil || string(got) != want {
			t.Errorf("page is %q, %v, want %q", got, err, want)
		}
	}
	for _, figure := range []string{"| much | 30 sent, 0 refused; p50 1.0 → 2.0 ms, p99 4.0 → 54.0 ms | 150 MB | 0 |", "evicted 7", "`ATTACK=slow-own make attacks ATTACKS='--attack-seconds 9'`"} {
		if !strings.Contains(b.markdown(), figure) {
			t.Errorf("table is %s, want %s", b.markdown(), figure)
		}
	}
	if strings.Contains(b.markdown(), "fails") {
		t.Error("a row fails without a goal that was missed")
	}
}

// TestOnlyRushersComeAtOnce: whoever holds connections takes its time, and only for who does not is the stream's time
// no goal.
func TestOnlyRushersComeAtOnce(t *testing.T) {
	for _, o := range onslaughts() {
		holds := o.kind == attack.Hold || o.kind == attack.Linger || o.kind == attack.Trickle
		if want := holds && !o.rush; (o.again() > 0) != want {
			t.Errorf("%s comes again after %s", o.name, o.again())
		}
		s := siege{onslaught: o, before: seen{p99: 1}, during: seen{p99: 1000}}
		judged := slices.ContainsFunc(s.missed(), func(text string) bool { return strings.HasPrefix(text, "p99 of signed webhooks") })
		if judged == o.rush {
			t.Errorf("%s: p99 is a goal: %t", o.name, judged)
		}
	}
}
