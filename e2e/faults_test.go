package e2e

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// fault is one row of the suite.
type fault struct {
	name    string
	does    string // what happens, for the table
	short   bool   // in the selection that CI runs
	real    bool   // runs on a real Kafka as well
	only    bool   // runs on a real Kafka only
	brokers int    // of the fake Kafka; 1 when 0
	tags    string // build tags beside failpoints
	config  string // added to the configuration
	json    bool   // events are written as JSON too, and their JSON is judged
	// defaults: with the default times, partitions and batches instead of short ones.
	defaults bool
	limit    time.Duration // of what is measured; 0: none
	redis    []string
	// redisAddr is where the processes find Redis, when not at the server itself.
	redisAddr func(s *scene) string
	run       func(s *scene)
}

// suite is every fault, in the order of the table.
func suite() []fault {
	var all []fault
	for _, part := range [][]fault{crashFaults(), kafkaFaults(), networkFaults(), slowFaults(), redisFaults(), contentFaults(), standstillFaults(), incidentFaults(), workFaults()} {
		all = append(all, part...)
	}
	return all
}

// selection reads KYCBRIDGE_TEST_FAULTS: all, short, or a pattern for names.
func selection(t testing.TB) func(fault) bool {
	t.Helper()
	wanted := os.Getenv("KYCBRIDGE_TEST_FAULTS")
	switch wanted {
	case "":
		t.Skip("the fault suite takes minutes: run `make faults`, or set KYCBRIDGE_TEST_FAULTS to all, to short, or to a fault's name")
	case "all":
		return func(fault) bool { return true }
	case "short":
		return func(f fault) bool { return f.short }
	}
	pattern, err := regexp.Compile("^(" + wanted + ")$")
	if err != nil {
		t.Fatalf("KYCBRIDGE_TEST_FAULTS=%s: %v; expected all, short, or a pattern for names", wanted, err)
	}
	return func(f fault) bool { return pattern.MatchString(f.name) }
}

// TestFaults runs the suite with the program as separate processes, a real
// redis-server and the in-process broker on real ports.
func TestFaults(t *testing.T) { runFaults(t, false) }

// TestRealFaults runs those that are worth it on Apache Kafka.
func TestRealFaults(t *testing.T) { runFaults(t, true) }

func runFaults(t *testing.T, real bool) {
	wanted, ran := selection(t), 0
	if real {
		realServices(t)
	}
	for _, f := range suite() {
		if !wanted(f) || real && !f.real && !f.only || !real && f.only {
			continue
		}
		ran++
		t.Run(f.name, func(t *testing.T) {
			s := newScene(t, f, real)
			defer s.leave()
			f.run(s)
		})
	}
	if ran == 0 {
		t.Errorf("no fault of this suite is called %q", os.Getenv("KYCBRIDGE_TEST_FAULTS"))
	}
}

// TestFaultNames: a name is a test's name and a table's row, so it must be one.
func TestFaultNames(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range suite() {
		if seen[f.name] || !regexp.MustCompile(`^[a-z0-9-]+$`).MatchString(f.name) || f.does == "" || f.run == nil {
			t.Errorf("fault %q: a name in lower case, once, with what it does and how", f.name)
		}
		seen[f.name] = true
	}
}

// settle is weighed where no flag is allowed; each request must be in raw once, and the row goes into the table.
func (s *scene) settle() found {
	s.Helper()
	f := s.weighed(nil)
	storedOnce(s, f)
	s.enter(f)
	return f
}

// weighed ends the sender, waits until nothing more comes, and holds both readers
// against the ledger, but for flags that are allowed here.
func (s *scene) weighed(allowed []string) found {
	s.Helper()
	s.stop()
	s.during.quiet(s)
	s.load.onlyExpected(s)
	s.weigh(s.during, allowed)
	after := s.reads()
	after.quiet(s)
	f := s.weigh(after, allowed)
	after.stop()
	return f
}

// weigh is judge, but for flags that are allowed here.
func (s *scene) weigh(r *reader, allowed []string) found {
	s.Helper()
	said := &failures{TB: s}
	f := judge(said, s.load, r.snapshot())
	for _, text := range said.text {
		if !slices.ContainsFunc(allowed, func(flag string) bool { return strings.Contains(text, "carry dedupe="+flag) }) {
			s.Error(text)
		}
	}
	return f
}

// leave ends a scene, and puts one that broke off into the table, too.
func (s *scene) leave() {
	s.stop()
	if s.Failed() && !s.entered {
		report.add(row{fault: s.f.name, does: s.f.does, kafka: s.broker(), deliveries: s.load.accepted(), failed: true})
	}
}

// enter adds the row of this fault to the table.
func (s *scene) enter(f found) {
	lost, doubled := tallied(s.load, f)
	s.entered = true
	report.add(row{
		fault: s.f.name, does: s.f.does, kafka: s.broker(), deliveries: s.load.accepted(), raw: len(f.raw),
		lost: lost, doubled: doubled, recovery: s.slowest, note: s.note, failed: s.Failed(),
	})
}

func (s *scene) broker() string {
	if s.fake != nil {
		return "in-process"
	}
	return "Apache Kafka"
}

// tallied counts for the table what judge decides on.
func tallied(l *load, f found) (lost, doubled int) {
	seen, times := map[string]bool{}, map[string]int{}
	for _, e := range f.events {
		seen[e.metadata.GetVendorEventId()] = true
		if header(e.record, "dedupe") != "" || header(e.record, "replay") != "" {
			continue // a consumer is told that it may be a copy, or is one
		}
		if times[e.record.Topic+e.metadata.GetEventId()]++; times[e.record.Topic+e.metadata.GetEventId()] > 1 {
			doubled++
		}
	}
	for _, d := range f.dispositions {
		if d.GetKind() == kycv1.DispositionKind_DISPOSITION_KIND_DEAD_LETTERED {
			seen[d.GetVendorEventId()] = true
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for key := range l.acked {
		if !seen[key] {
			lost++
		}
	}
	return lost, doubled
}

// header returns a header's value.
func header(r *kgo.Record, key string) string {
	for _, h := range r.Headers {
		if h.Key == key {
			return string(h.Value)
		}
	}
	return ""
}
