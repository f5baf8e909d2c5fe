package ingest

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

func TestMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		registry := prometheus.NewRegistry()
		o := testOptions(t, ackAll())
		o.Registerer = registry
		o.Endpoints[0].MaxBody = 100
		s := newServer(t, o)
		time.Sleep(7 * time.Second)
		for range 3 {
			serve(s, signed(t, "one", "new", testBody))
		}
		serve(s, signed(t, "one", "other", testBody))
		serve(s, signed(t, "one", "old", strings.Repeat("a", 101)))
		serve(s, signed(t, "no-such", "old", testBody))
		serve(s, signed(t, "no-such-either", "old", testBody))
		time.Sleep(5 * time.Second)
		for name, want := range map[string]float64{
			`kycbridge_ingest_deliveries_total{endpoint="one",outcome="accepted",provider="testvendor"}`:    3,
			`kycbridge_ingest_deliveries_total{endpoint="one",outcome="mismatch",provider="testvendor"}`:    1,
			`kycbridge_ingest_deliveries_total{endpoint="one",outcome="oversize",provider="testvendor"}`:    1,
			`kycbridge_ingest_deliveries_total{endpoint="_unknown",outcome="unknown_endpoint",provider=""}`: 2,
			`kycbridge_ingest_verified_total{endpoint="one",secret_id="new"}`:                               3,
			`kycbridge_ingest_verified_total{endpoint="one",secret_id="old"}`:                               0,
			`kycbridge_ingest_oversize_total{endpoint="one"}`:                                               1,
			`kycbridge_ingest_seconds_since_accepted{endpoint="one"}`:                                       5,
			`kycbridge_ingest_requests`:      0,
			`kycbridge_ingest_waiting_bytes`: 0,
		} {
			if got, ok := gathered(t, registry)[name]; !ok || got != want {
				t.Errorf("%s is %v (there: %t), want %v", name, got, ok, want)
			}
		}
	})
}

// gathered is every counter and gauge by its name and labels.
func gathered(t *testing.T, g prometheus.Gatherer) map[string]float64 {
	t.Helper()
	families, err := g.Gather()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetName()+`="`+l.GetValue()+`"`)
			}
			name := f.GetName()
			if len(labels) > 0 {
				name += "{" + strings.Join(labels, ",") + "}"
			}
			all[name] = m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	return all
}

// Before the first delivery the gauge counts from the start, so that an
// endpoint nobody ever reached stands out too.
func TestSecondsSinceStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		registry := prometheus.NewRegistry()
		o := testOptions(t, ackAll())
		o.Registerer = registry
		newServer(t, o)
		time.Sleep(42 * time.Second)
		if got := gathered(t, registry)[`kycbridge_ingest_seconds_since_accepted{endpoint="one"}`]; got != 42 {
			t.Errorf("%v seconds, want 42", got)
		}
	})
}

// Requests make no new series, whatever they say.
func TestLabelsAreBounded(t *testing.T) {
	registry := prometheus.NewRegistry()
	o := testOptions(t, ackAll())
	o.Registerer = registry
	s := newServer(t, o)
	before := len(gathered(t, registry))
	for _, c := range "abcdefghijklmnop" {
		r := signed(t, string(c), "other", testBody)
		r.Method = "M" + string(c)
		serve(s, r)
		serve(s, signed(t, string(c), "other", testBody))
	}
	if after := len(gathered(t, registry)); after != before {
		t.Errorf("%d series became %d, want no new one", before, after)
	}
}

func TestMetricsRegisteredTwice(t *testing.T) {
	o := testOptions(t, ackAll())
	o.Registerer = prometheus.NewRegistry()
	newServer(t, o)
	if _, err := New(o); err == nil || !strings.Contains(err.Error(), "register metrics") {
		t.Errorf("error is %v, want one that says what failed", err)
	}
}
