package config

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/kycbridge/kycbridge/providers"
	configv1 "github.com/kycbridge/kycbridge/schemas/kycbridge/config/v1"
)

// TestDefaultsAreAsDocumented looks for each default in the comment of its
// field in config.proto, where users read it.
func TestDefaultsAreAsDocumented(t *testing.T) {
	source, err := os.ReadFile("../../proto/kycbridge/config/v1/config.proto")
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		field, text string
		same        bool
	}{
		{"max_message_bytes", "Default 4194304", defaultMaxMessageBytes == 4194304},
		{"partitions", "Default 12.", defaultPartitions == 12},
		{"raw_retention", "Default 1209600s", defaultRawRetention == 1209600*time.Second},
		{"domain_retention", "Default 2592000s", defaultDomainRetention == 2592000*time.Second},
		{"disposition_retention", "Default 34560000s", defaultDispositionRetention == 34560000*time.Second},
		{"deadletter_retention", "Default 2592000s", defaultDeadLetterRetention == 2592000*time.Second},
		{"max_body_bytes", "Default 1048576", defaultMaxBody == 1048576},
		{"max_requests", "Default 5000", defaultMaxRequests == 5000},
		{"max_waiting_body_bytes", "Default 67108864", defaultMaxWaitingBody == 67108864},
		{"endpoint_events_per_second", "Default 2000", defaultEndpointEvents == 2000},
		{"read_header_timeout", "Default 5s", defaultReadHeaderTimeout == 5*time.Second},
		{"read_timeout", "Default 15s", defaultReadTimeout == 15*time.Second},
		{"idle_timeout", "Default 120s", defaultIdleTimeout == 120*time.Second},
		{"drain_delay", "Default 5s", defaultDrainDelay == 5*time.Second},
		{"retry_after", "Default 5s", defaultRetryAfter == 5*time.Second},
		{"slots", "Default 1.", defaultSlots == 1},
		{"batch_records", "Default 500", defaultBatchRecords == 500},
		{"session_timeout", "Default 10s", defaultSessionTimeout == 10*time.Second},
		{"heartbeat_interval", "Default 0.2s", defaultHeartbeat == 200*time.Millisecond},
		{"transaction_timeout", "Default 15s", defaultTransactionTimeout == 15*time.Second},
		{"shutdown_grace", "Default 5s", defaultShutdownGrace == 5*time.Second},
		{"concurrency", "Default 4.", defaultConcurrency == 4},
		{"rate", "Default 10.", defaultRate == 10},
		{"timeout", "Default 10s.", defaultAPITimeout == 10*time.Second},
		{"give_up_after", "Default 21600s", defaultGiveUpAfter == 21600*time.Second},
		{"max_response_bytes", "Default 1048576", defaultMaxResponse == 1048576},
		{"ttl", "retention and 2 days", dedupeMargin == 48*time.Hour},
		{"confirm_wait", "Default 2s", defaultConfirmWait == 2*time.Second},
		{"leeway", "Default 30s", defaultLeeway == 30*time.Second},
		{"tenant", `Default "default"`, defaultTenant == "default"},
		{"client_id", `"kycbridge"`, defaultClientID == "kycbridge"},
	} {
		if comment := commentOf(string(source), tc.field); !strings.Contains(comment, tc.text) || !tc.same {
			t.Errorf("%s: the comment %q and the code do not both say %q", tc.field, comment, tc.text)
		}
	}
}

// Both stages have slots; the table above looks at the first.
func TestDefaultSlotsOfHydrateAreAsDocumented(t *testing.T) {
	source, err := os.ReadFile("../../proto/kycbridge/config/v1/config.proto")
	if err != nil {
		t.Fatal(err)
	}
	_, hydrate, _ := strings.Cut(string(source), "message Hydrate {")
	if comment := commentOf(hydrate, "slots"); !strings.Contains(comment, "Default 2.") || defaultHydrateSlots != 2 {
		t.Errorf("the comment %q and the code do not both say 2", comment)
	}
}

// commentOf returns the comment lines above the first field of that name.
func commentOf(source, field string) string {
	var comment []string
	for line := range strings.Lines(source) {
		line = strings.TrimSpace(line)
		switch text, isComment := strings.CutPrefix(line, "// "); {
		case isComment:
			comment = append(comment, text)
		case strings.Contains(line, " "+field+" = "):
			return strings.Join(comment, " ")
		default:
			comment = nil
		}
	}
	return ""
}

// A vendor that sends little more than ids takes no large bodies unless its endpoint says so.
func TestDefaultBodyIsNoMoreThanTheVendorMayHaveToSay(t *testing.T) {
	for _, c := range []struct{ endpoint, all, vendor, want int32 }{
		{0, 1 << 20, 0, 1 << 20},
		{0, 1 << 20, 16 << 10, 16 << 10},
		{0, 8 << 10, 16 << 10, 8 << 10},
		{1 << 19, 1 << 20, 16 << 10, 1 << 19},
	} {
		e := &configv1.Endpoint{MaxBodyBytes: c.endpoint}
		defaultBody(e, &configv1.Ingest{MaxBodyBytes: c.all}, providers.Provider{Limits: providers.Limits{Body: c.vendor}})
		if e.MaxBodyBytes != c.want {
			t.Errorf("endpoint %d, all %d, vendor %d: %d bytes, expected %d", c.endpoint, c.all, c.vendor, e.MaxBodyBytes, c.want)
		}
	}
}
