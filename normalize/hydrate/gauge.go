package hydrate

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	// gaugeEvery is how old the gauges of waiting tasks may be.
	gaugeEvery = 5 * time.Second
	// elsewhere labels tasks of endpoints that have no API in the configuration, whose names are unbounded.
	elsewhere = "(no api)"
)

// waiting is the gauges of the tasks that have no answer yet. Each slot tells its own; the label endpoint is
// from the configuration, never from a delivery.
type waiting struct {
	tasks, age *prometheus.Desc
	accounts   map[string]*account

	mu    sync.Mutex
	slots map[*source]map[string]crowd
}

// crowd is the tasks of one endpoint.
type crowd struct {
	tasks  int
	oldest time.Time // arrival of the first of them
}

func newWaiting() *waiting {
	endpoint := []string{"endpoint"}
	return &waiting{
		tasks: prometheus.NewDesc(prometheus.BuildFQName(namespace, "", "waiting_tasks"), "Deliveries that wait for their vendor's API, by endpoint.", endpoint, nil),
		age:   prometheus.NewDesc(prometheus.BuildFQName(namespace, "", "oldest_waiting_age_seconds"), "Age of the oldest delivery that waits for its vendor's API, by endpoint; 0 where none waits. Above minutes: the API does not answer.", endpoint, nil),
		slots: make(map[*source]map[string]crowd),
	}
}

// Describe implements prometheus.Collector.
func (w *waiting) Describe(to chan<- *prometheus.Desc) { to <- w.tasks; to <- w.age }

// Collect implements prometheus.Collector.
func (w *waiting) Collect(to chan<- prometheus.Metric) {
	now := time.Now()
	for endpoint, c := range w.sum() {
		age := 0.0
		if c.tasks > 0 {
			age = max(now.Sub(c.oldest).Seconds(), 0)
		}
		to <- prometheus.MustNewConstMetric(w.tasks, prometheus.GaugeValue, float64(c.tasks), endpoint)
		to <- prometheus.MustNewConstMetric(w.age, prometheus.GaugeValue, age, endpoint)
	}
}

func (w *waiting) sum() map[string]crowd {
	w.mu.Lock()
	defer w.mu.Unlock()
	sum := map[string]crowd{elsewhere: {}}
	for endpoint := range w.accounts {
		sum[endpoint] = crowd{}
	}
	for _, slot := range w.slots {
		for endpoint, c := range slot {
			sum[endpoint] = sum[endpoint].with(c)
		}
	}
	return sum
}

// with is two crowds together.
func (c crowd) with(other crowd) crowd {
	if c.tasks == 0 || other.tasks > 0 && other.oldest.Before(c.oldest) {
		c.oldest = other.oldest
	}
	c.tasks += other.tasks
	return c
}

// tell replaces what is known of a slot.
func (w *waiting) tell(slot *source, crowds map[string]crowd) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.slots[slot] = crowds
}

// gauge tells how many tasks wait, not more often than somebody looks.
func (s *source) gauge(now time.Time) {
	if now.Sub(s.gauged) < gaugeEvery {
		return
	}
	s.gauged = now
	crowds := make(map[string]crowd)
	note := func(e *entry) {
		endpoint := e.endpoint
		if s.asker.accounts[endpoint] == nil {
			endpoint = elsewhere
		}
		crowds[endpoint] = crowds[endpoint].with(crowd{1, e.task.GetEnvelope().GetReceivedAt().AsTime()})
	}
	for e := range s.lot.tasks {
		note(e)
	}
	for _, e := range s.hand {
		if e.state == asking {
			note(e)
		}
	}
	s.metrics.waiting.tell(s, crowds)
}
