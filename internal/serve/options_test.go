package serve

import (
	"testing"

	"github.com/kycbridge/kycbridge/ingest"
	"github.com/kycbridge/kycbridge/internal/config"
	"github.com/kycbridge/kycbridge/providers/catalog"
)

// TestDefaultsAgree: what the configuration calls a default is what the
// package that uses it does without one.
func TestDefaultsAgree(t *testing.T) {
	const file = `
kafka: {brokers: ["127.0.0.1:9092"]}
redis: {address: "127.0.0.1:6379"}
ingest: {listen: "127.0.0.1:0", drain_delay: 0s}
endpoints: [{name: shop, provider: complycube, environment: ENVIRONMENT_LIVE, secrets: [{id: a, value: "${SECRET}"}]}]
`
	secret := func(string) (string, bool) { return "hunter2hunter2hunter2", true }
	cfg, err := config.Parse("c.yaml", []byte(file), secret, config.Needs{Ingest: true, Normalize: true, Vendors: catalog.All()})
	if err != nil {
		t.Fatal(err)
	}
	got := ingestOptions(cfg)
	for name, equal := range map[string]bool{
		"max_body_bytes":         got.Endpoints[0].MaxBody == ingest.DefaultMaxBody,
		"max_requests":           got.MaxRequests == ingest.DefaultMaxRequests,
		"max_waiting_body_bytes": got.MaxWaitingBytes == ingest.DefaultMaxWaitingBytes,
		"max_unproved_bytes":     got.MaxUnprovedBytes == 0, // which is ingest.DefaultMaxUnprovedBytes, or more
		"read_header_timeout":    got.ReadHeaderTimeout == ingest.DefaultReadHeaderTimeout,
		"read_timeout":           got.ReadTimeout == ingest.DefaultReadTimeout,
		"idle_timeout":           got.IdleTimeout == ingest.DefaultIdleTimeout,
		"drain_delay of 0s":      got.DrainDelay < 0,
	} {
		if !equal {
			t.Errorf("%s: the configuration and package ingest disagree: %+v", name, got)
		}
	}
}
