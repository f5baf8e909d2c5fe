package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"
)

func TestHealth(t *testing.T) {
	h := &health{}
	ask := func() (int, readiness) {
		t.Helper()
		w := httptest.NewRecorder()
		h.serveReady(w, nil)
		var r readiness
		if err := json.Unmarshal(w.Body.Bytes(), &r); err != nil {
			t.Fatalf("%v: %s", err, w.Body)
		}
		return w.Code, r
	}
	h.watch("config", func() error { return nil })
	kafka := h.pend("kafka", errors.New("not asked yet"))
	if code, r := ask(); code != 503 || r.Ready || r.Away["kafka"] != "not asked yet" || len(r.Here) != 1 {
		t.Errorf("before Kafka: %d %+v", code, r)
	}
	kafka.set(nil)
	if code, r := ask(); code != 200 || !r.Ready || strings.Join(r.Here, " ") != "config kafka" {
		t.Errorf("with Kafka: %d %+v", code, r)
	}
	kafka.set(errors.New("first\nsecond"))
	if code, r := ask(); code != 503 || r.Away["kafka"] != "first; second" {
		t.Errorf("Kafka away again: %d %+v", code, r)
	}
	kafka.set(errors.Join(errors.New("slow"), errors.New("dial 10.0.0.1->10.0.0.2"), errors.New("slow"), errors.New("dial 10.0.0.1->10.0.0.2")))
	if code, r := ask(); code != 503 || r.Away["kafka"] != "slow; dial 10.0.0.1->10.0.0.2" {
		t.Errorf("Kafka away for the same reasons several times: %d %+v", code, r)
	}
	w := httptest.NewRecorder()
	if h.serveReady(w, nil); !strings.Contains(w.Body.String(), "->") {
		t.Errorf("/readyz escapes what people are to read: %s", w.Body)
	}
	kafka.set(nil)
	h.drain()
	if code, r := ask(); code != 503 || r.Away["process"] != "draining" {
		t.Errorf("draining: %d %+v", code, r)
	}
	w = httptest.NewRecorder()
	if serveLive(w, nil); w.Code != 200 {
		t.Errorf("/livez is %d while draining, want 200", w.Code)
	}
}

// A process that takes deliveries in stays in the rotation without its normalizer, and says so.
func TestHealthOfAPartThatIsOnlyNamed(t *testing.T) {
	h := &health{}
	var away error
	h.watchOnce("normalize", func() error { return away })
	h.watch("ingest", func() error { return nil })
	h.pend("redis", nil)
	h.follow("redis", func() error { return away })
	for _, step := range []struct {
		away error
		want string
	}{
		{errors.New("joining"), "ready=false here=ingest away=map[normalize:joining redis:joining]"},
		{nil, "ready=true here=normalize ingest redis away=map[]"},
		{errors.New("gone"), "ready=true here=ingest away=map[normalize:gone redis:gone]"},
		{nil, "ready=true here=normalize ingest redis away=map[]"},
	} {
		away = step.away
		r := h.state()
		if got := fmt.Sprintf("ready=%v here=%s away=%v", r.Ready, strings.Join(r.Here, " "), r.Away); got != step.want {
			t.Errorf("%s\nwant %s", got, step.want)
		}
	}
	h.drain()
	if h.state().Ready {
		t.Error("ready while draining")
	}
}

func TestLogger(t *testing.T) {
	for _, tc := range []struct {
		name          string
		flags         logFlags
		terminal      bool
		want, without string
	}{
		{"auto elsewhere is JSON", logFlags{"info", "auto"}, false, `{"time":`, "hidden"},
		{"auto on a terminal is text", logFlags{"info", "auto"}, true, ` INFO  said  a=1 g.b="two words" g.msg=inner` + "\n", "{"},
		{"text", logFlags{"debug", "text"}, false, " DEBUG hidden  ", "{"},
		{"JSON on a terminal", logFlags{"error", "json"}, true, "", "said"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w, _, errs := surroundings(nil)
			w.terminal = tc.terminal
			log, err := tc.flags.logger(&w)
			if err != nil {
				t.Fatal(err)
			}
			log.Debug("hidden", "x", 1)
			log.With("a", 1).WithGroup("g").Info("said", "b", "two words", slog.MessageKey, "inner")
			if got := errs.String(); !strings.Contains(got, tc.want) || strings.Contains(got, tc.without) {
				t.Errorf("the log is %q, want %q in it and %q not", got, tc.want, tc.without)
			}
		})
	}
}

func TestKafkaMetricsOfSeveralClients(t *testing.T) {
	reg := prometheus.NewRegistry()
	m := newKafkaMetrics(reg)
	var clients []*kgo.Client
	for range 3 {
		c, err := kgo.NewClient(kgo.SeedBrokers("127.0.0.1:1"), kgo.WithHooks(m), kgo.AllowAutoTopicCreation())
		if err != nil {
			t.Fatal(err)
		}
		c.TryProduce(t.Context(), &kgo.Record{Topic: "t", Value: []byte("x")}, nil)
		clients = append(clients, c)
	}
	if got := gauge(t, reg, "kycbridge_kafka_buffered_produce_records_total"); got != 3 {
		t.Errorf("%g records are buffered by three clients, want 3", got)
	}
	for _, c := range clients {
		c.Close()
	}
	if got := gauge(t, reg, "kycbridge_kafka_buffered_produce_records_total"); got != 0 {
		t.Errorf("%g records are buffered after the clients are closed, want 0", got)
	}
}

func gauge(t *testing.T, reg *prometheus.Registry, name string) float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			return f.GetMetric()[0].GetGauge().GetValue()
		}
	}
	t.Fatalf("no metric %s", name)
	return 0
}

func TestListenFaults(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for addr, want := range map[string]string{
		taken.Addr().String(): "is in use",
		"192.0.2.1:80":        "does not belong to this machine",
		"127.0.0.1:99999":     "cannot listen",
	} {
		_, err := listen(addr, "--here")
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), addr) || !strings.Contains(err.Error(), "--here") {
			t.Errorf("listen(%s) says %v, want %q, the address and the flag", addr, err, want)
		}
	}
}

func TestQuoteAndDialable(t *testing.T) {
	if got := quote(`a'b"c`); got != `'a'\''b"c'` {
		t.Errorf("quoted as %s", got)
	}
	for in, want := range map[string]string{
		"0.0.0.0:80": "127.0.0.1:80", "[::]:80": "127.0.0.1:80", ":80": "127.0.0.1:80", "127.0.0.2:80": "127.0.0.2:80", "host:80": "host:80", "odd": "odd",
	} {
		if got := dialable(in); got != want {
			t.Errorf("dialable(%q) is %q, want %q", in, got, want)
		}
	}
}

// TestHelp: every command says what it does and shows an example.
func TestHelp(t *testing.T) {
	w, _, _ := surroundings(nil)
	root := newRoot(&w)
	commands := root.Commands()
	for _, c := range root.Commands() {
		commands = append(commands, c.Commands()...)
	}
	for _, c := range commands {
		if c.Short == "" || c.Example == "" || c.RunE == nil {
			t.Errorf("%s has no short help, no example or nothing to run", c.CommandPath())
		}
	}
	for _, args := range [][]string{{"--help"}, {"dev", "--help"}, {"completion", "bash"}, {"version"}, {"schema", "export"}} {
		if out, errs, code := call(t, nil, args...); code != 0 || out == "" {
			t.Errorf("%v: code %d: %s", args, code, errs)
		}
	}
	for _, args := range [][]string{{"topics"}, {"schema"}, {"config"}, {"config", "check"}, {"version", "x"}} {
		if _, errs, code := call(t, nil, args...); code != exitUsage || strings.Count(errs, "\n") != 1 {
			t.Errorf("%v: code %d, want %d and one line: %s", args, code, exitUsage, errs)
		}
	}
}
