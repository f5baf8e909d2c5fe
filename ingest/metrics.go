package ingest

import (
	"errors"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics holds the package's counters. Labels come from the configuration and
// from the outcome table only, never from a request: all names that nobody
// configured share one label.
type metrics struct {
	started    time.Time
	deliveries *prometheus.CounterVec
	verified   *prometheus.CounterVec
	open       *prometheus.CounterVec
	oversize   *prometheus.CounterVec
	panics     *prometheus.CounterVec

	refusedConnections   prometheus.Counter
	abandonedConnections prometheus.Counter
	ack                  *prometheus.HistogramVec
	bodies               *prometheus.HistogramVec
	nowhere              [outcomes]prometheus.Counter // requests that reached no endpoint
	endpoints            map[string]*endpointMetrics
	logPanic             func(endpoint, where string, v any)
}

// endpointMetrics are the counters of one endpoint, looked up once.
type endpointMetrics struct {
	name         string
	outcomes     [outcomes]prometheus.Counter
	oversize     prometheus.Counter
	ack, bodies  prometheus.Observer
	verified     map[string]prometheus.Counter // by secret id
	open         prometheus.Counter            // nil where a proof is wanted
	lastAccepted atomic.Int64                  // since metrics.started; 0 before the first
	outage       outage
	panicked     func(where string, v any)
}

func newMetrics(logPanic func(endpoint, where string, v any)) *metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "kycbridge_ingest_" + name, Help: help}, labels)
	}
	histogram := func(name, help string, buckets []float64) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "kycbridge_ingest_" + name, Help: help, Buckets: buckets}, []string{"endpoint"})
	}
	m := &metrics{
		started:    time.Now(),
		endpoints:  map[string]*endpointMetrics{},
		logPanic:   logPanic,
		deliveries: counter("deliveries_total", "Requests answered, by outcome.", "endpoint", "provider", "outcome"),
		verified:   counter("verified_total", "Deliveries authenticated by a secret, by its id. A secret that stays at zero can be retired.", "endpoint", "secret_id"),
		open:       counter("unauthenticated_total", "Deliveries accepted without authentication. Only endpoints that allow it have this series.", "endpoint"),
		oversize:   counter("oversize_total", "Bodies over the endpoint's limit. Above 0, deliveries are being refused.", "endpoint"),
		panics:     counter("panics_total", "Recovered panics of a provider's code.", "endpoint", "where"),
		refusedConnections: prometheus.NewCounter(prometheus.CounterOpts{Name: "kycbridge_ingest_refused_connections_total",
			Help: "Connections closed at once, because their network failed too often lately and has all it may have."}),
		abandonedConnections: prometheus.NewCounter(prometheus.CounterOpts{Name: "kycbridge_ingest_abandoned_connections_total",
			Help: "Connections that ended without a request: handshakes that failed, half headers, and what was evicted before."}),
		ack: histogram("ack_seconds", "From the end of the request's header to the success code.",
			[]float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 15}),
		bodies: histogram("body_bytes", "Size of the bodies read.", prometheus.ExponentialBuckets(256, 4, 8)),
	}
	for o := range outcomes {
		m.nowhere[o] = m.deliveries.WithLabelValues(unknownName, "", o.String())
	}
	return m
}

// forEndpoint returns the counters of an endpoint; all decoys share theirs.
func (m *metrics) forEndpoint(e Endpoint) *endpointMetrics {
	if known, ok := m.endpoints[e.Name]; ok {
		return known
	}
	provider := e.Provider.Name
	if e.Name == unknownName {
		provider = ""
	}
	em := &endpointMetrics{
		name:     e.Name,
		oversize: m.oversize.WithLabelValues(e.Name),
		ack:      m.ack.WithLabelValues(e.Name),
		bodies:   m.bodies.WithLabelValues(e.Name),
		verified: map[string]prometheus.Counter{},
	}
	em.outage.horizon = e.Provider.Ack.RetryFor
	for o := range outcomes {
		em.outcomes[o] = m.deliveries.WithLabelValues(e.Name, provider, o.String())
	}
	if e.Name != unknownName {
		for _, id := range e.Proofs.SecretIDs() {
			em.verified[id] = m.verified.WithLabelValues(e.Name, id)
		}
		if e.AllowUnauthenticated {
			em.open = m.open.WithLabelValues(e.Name)
		}
	}
	var lastLogged atomic.Int64
	em.panicked = func(where string, v any) {
		m.panics.WithLabelValues(e.Name, where).Inc()
		if m.oncePerMinute(&lastLogged) {
			m.logPanic(e.Name, where, v)
		}
	}
	m.endpoints[e.Name] = em
	return em
}

// oncePerMinute lets one caller a minute through, so that a sender cannot fill the log.
func (m *metrics) oncePerMinute(last *atomic.Int64) bool {
	now, before := m.uptime(), last.Load()
	return (before == 0 || now-before >= int64(time.Minute)) && last.CompareAndSwap(before, now)
}

// uptime is the time since start in nanoseconds, never 0.
func (m *metrics) uptime() int64 { return max(int64(time.Since(m.started)), 1) }

// count counts one answered request.
func (m *metrics) count(d *delivery, o outcome) {
	if d.endpoint == nil {
		m.nowhere[o].Inc()
		return
	}
	em := d.endpoint.metrics
	em.outcomes[o].Inc()
	if o == oversize {
		em.oversize.Inc()
	}
	if d.size > 0 {
		em.bodies.Observe(float64(d.size))
	}
	for _, id := range d.secretIDs {
		if verified, ok := em.verified[id]; ok {
			verified.Inc()
		}
	}
	if o == accepted {
		em.ack.Observe(time.Since(d.started).Seconds())
		em.lastAccepted.Store(m.uptime())
		if em.open != nil {
			em.open.Inc()
		}
	}
	em.outage.saw(o, m.uptime())
}

// register registers everything with r, if r is not nil.
func (m *metrics) register(r prometheus.Registerer, s *Server) error {
	if r == nil {
		return nil
	}
	gauge := func(name, help string, labels prometheus.Labels, value func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "kycbridge_ingest_" + name, Help: help, ConstLabels: labels}, value)
	}
	all := []prometheus.Collector{
		m.deliveries, m.verified, m.open, m.oversize, m.panics, m.ack, m.bodies, m.refusedConnections, m.abandonedConnections,
		gauge("requests", "Requests being served.", nil, func() float64 { return float64(s.inFlight.Load()) }),
		gauge("waiting_bytes", "Bytes of proved bodies in memory, until the raw log has acknowledged or refused them.", nil, func() float64 { return float64(s.gate.bytes.Load()) }),
		gauge("unproved_bytes", "Bytes that connections hold before their senders are proved, as they are counted.", nil, func() float64 { return float64(s.room.held()) }),
		gauge("unproved_connections", "Connections whose senders are not proved, idle ones included.", nil, func() float64 { return float64(s.room.occupied()) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "kycbridge_ingest_evicted_connections_total",
			Help: "Connections that lost their place to others before their senders were proved."}, func() float64 { return float64(s.room.evicted.Load()) }),
	}
	for name, em := range m.endpoints {
		if name == unknownName {
			continue
		}
		all = append(all, gauge("seconds_since_accepted", "Seconds since the last accepted delivery, or since start if there was none.",
			prometheus.Labels{"endpoint": name}, func() float64 { return m.sinceAccepted(em).Seconds() }),
			gauge("outage_over_horizon", "1 while deliveries have been refused for longer than the vendor retries: some are lost.",
				prometheus.Labels{"endpoint": name}, func() float64 { return number(em.outage.over(m.uptime())) }))
	}
	if s.pair != nil {
		all = append(all, gauge("certificate_expires_timestamp_seconds", "When the certificate in use expires.", nil, s.pair.expires))
	}
	var problems []error
	for _, c := range all {
		problems = append(problems, r.Register(c))
	}
	return errors.Join(problems...)
}

func (m *metrics) sinceAccepted(em *endpointMetrics) time.Duration {
	return time.Since(m.started) - time.Duration(em.lastAccepted.Load())
}

func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
