package serve

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"
)

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
