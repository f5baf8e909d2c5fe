package hydrate

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const namespace = "kycbridge_hydrate"

// Why a task waits.
const (
	waitRetry   = "retry"
	waitBreaker = "breaker"
	waitTurn    = "turn"
	waitAgain   = "again"
	waitNoAPI   = "no_api"
)

// metrics is what fetches count, beside what the workers do. The label endpoint is from the
// configuration, never from a delivery.
type metrics struct {
	fetches   *prometheus.CounterVec   // endpoint, outcome
	duration  *prometheus.HistogramVec // provider
	waits     *prometheus.CounterVec   // provider, reason
	broken    *prometheus.GaugeVec     // endpoint
	coalesced prometheus.Counter
	unread    prometheus.Counter
	waiting   *waiting
}

func newMetrics(r prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		waiting: newWaiting(),
		fetches: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Name: "fetches_total", Help: "Fetches of objects, by endpoint and outcome: fetched, not_found, gone, or why there is none.",
		}, []string{"endpoint", "outcome"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: namespace, Name: "fetch_duration_seconds", Help: "Seconds of one fetch with all its requests, by vendor.",
			Buckets: prometheus.ExponentialBuckets(0.01, 2, 12),
		}, []string{"provider"}),
		waits: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Name: "waits_total", Help: "How often tasks had to wait, by vendor and reason.",
		}, []string{"provider", "reason"}),
		broken: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Namespace: namespace, Name: "breaker_open", Help: "1 while the circuit breaker keeps requests from an endpoint's failing API.",
		}, []string{"endpoint"}),
		coalesced: prometheus.NewCounter(prometheus.CounterOpts{Namespace: namespace, Name: "coalesced_total", Help: "Tasks answered by a fetch that another task began."}),
		unread:    prometheus.NewCounter(prometheus.CounterOpts{Namespace: namespace, Name: "unreadable_total", Help: "Records of the task topics that are not tasks: another program writes there."}),
	}
	var errs []error
	for _, c := range []prometheus.Collector{m.fetches, m.duration, m.waits, m.broken, m.coalesced, m.unread, m.waiting} {
		errs = append(errs, r.Register(c))
	}
	return m, errors.Join(errs...)
}

func (m *metrics) fetched(c *account, a answer, took time.Duration) {
	m.fetches.WithLabelValues(c.Name, a.outcome()).Inc()
	m.duration.WithLabelValues(c.Provider.Name).Observe(took.Seconds())
	open := 0.0
	if c.open(time.Now()) {
		open = 1
	}
	m.broken.WithLabelValues(c.Name).Set(open)
}
