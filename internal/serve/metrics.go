package serve

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/plugin/kprom"

	"github.com/kycbridge/kycbridge/providers/auth/jwks"
)

// newRegistry returns the process's one registry with what every process has:
// Go runtime, process, build.
func newRegistry() *prometheus.Registry {
	reg := prometheus.NewRegistry()
	b := ReadBuild()
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name:        "kycbridge_build_info",
		Help:        "Always 1; the labels identify the build.",
		ConstLabels: prometheus.Labels{"version": b.Version, "revision": b.Revision, "go": b.Go},
	})
	info.Set(1)
	reg.MustRegister(info, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return reg
}

// keySetAges are the ages of the keys that tokens are checked with; before the first fetch,
// the time since start.
func keySetAges(all []*jwks.KeySet) []prometheus.Collector {
	shown := map[string]int{}
	var ages []prometheus.Collector
	for _, keys := range all {
		label := keys.Address()
		if shown[label]++; shown[label] > 1 { // they differ in what is not shown
			label = fmt.Sprintf("%s (%d)", label, shown[label])
		}
		ages = append(ages, keySetAge(keys, label))
	}
	return ages
}

func keySetAge(keys *jwks.KeySet, label string) prometheus.Collector {
	start := time.Now()
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name:        "kycbridge_ingest_key_set_age_seconds",
		Help:        "Seconds since the vendor's public keys were last fetched. They are fetched every five minutes and used for a day.",
		ConstLabels: prometheus.Labels{"url": label},
	}, func() float64 {
		fetched := keys.Fetched()
		if fetched.IsZero() {
			fetched = start
		}
		return time.Since(fetched).Seconds()
	})
}

// kafkaMetrics counts the traffic of all Kafka clients of the process
// together. The plugin registers its collectors again for every client, which
// can happen once only; so the first client registers, and the gauges about
// buffers, which the plugin binds to one client, are ours and sum over all.
type kafkaMetrics struct {
	*kprom.Metrics
	once    sync.Once
	mu      sync.Mutex
	clients map[*kgo.Client]struct{}
}

var _ interface {
	kgo.HookNewClient
	kgo.HookClientClosed
} = (*kafkaMetrics)(nil)

const kafkaNamespace = "kycbridge_kafka"

func newKafkaMetrics(reg prometheus.Registerer) *kafkaMetrics {
	m := &kafkaMetrics{
		Metrics: kprom.NewMetrics(kafkaNamespace, kprom.Registerer(withoutBuffers{reg})),
		clients: map[*kgo.Client]struct{}{},
	}
	m.sum(reg, "buffered_produce_records_total", "Records waiting to be written.", (*kgo.Client).BufferedProduceRecords)
	m.sum(reg, "buffered_produce_bytes", "Bytes waiting to be written.", (*kgo.Client).BufferedProduceBytes)
	m.sum(reg, "buffered_fetch_records_total", "Records read and not yet polled.", (*kgo.Client).BufferedFetchRecords)
	m.sum(reg, "buffered_fetch_bytes", "Bytes read and not yet polled.", (*kgo.Client).BufferedFetchBytes)
	return m
}

func (m *kafkaMetrics) sum(reg prometheus.Registerer, name, help string, of func(*kgo.Client) int64) {
	reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: kafkaNamespace, Name: name, Help: help}, func() float64 {
		m.mu.Lock()
		defer m.mu.Unlock()
		var n int64
		for c := range m.clients {
			n += of(c)
		}
		return float64(n)
	}))
}

// OnNewClient registers the plugin's collectors with the first client.
func (m *kafkaMetrics) OnNewClient(c *kgo.Client) {
	m.once.Do(func() { m.Metrics.OnNewClient(c) })
	m.mu.Lock()
	defer m.mu.Unlock()
	m.clients[c] = struct{}{}
}

// OnClientClosed forgets the client; the counters stay, as counters must.
func (m *kafkaMetrics) OnClientClosed(c *kgo.Client) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.clients, c)
}

// withoutBuffers leaves out the plugin's four gauges about buffers.
type withoutBuffers struct{ prometheus.Registerer }

func (r withoutBuffers) Register(c prometheus.Collector) error {
	if aboutBuffers(c) {
		return nil
	}
	return r.Registerer.Register(c)
}

func (r withoutBuffers) MustRegister(cs ...prometheus.Collector) {
	for _, c := range cs {
		if !aboutBuffers(c) {
			r.Registerer.MustRegister(c)
		}
	}
}

func aboutBuffers(c prometheus.Collector) bool {
	descs := make(chan *prometheus.Desc, 8) // a collector of the plugin describes one metric
	c.Describe(descs)
	close(descs)
	for d := range descs {
		if strings.Contains(d.String(), kafkaNamespace+"_buffered_") {
			return true
		}
	}
	return false
}
