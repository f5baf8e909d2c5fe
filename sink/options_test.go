package sink

import (
	"strings"
	"testing"
)

func TestValidate(t *testing.T) {
	tests := []struct {
		name string
		o    Options
		want string // part of the error; empty means valid
	}{
		{"plain", Options{Brokers: []string{"kafka-1:9092"}}, ""},
		{"several in one entry", Options{Brokers: []string{"a:1, b:2 ,", "[::1]:3"}}, ""},
		{"no broker", Options{Brokers: []string{" , "}}, "kafka.brokers is empty"},
		{"no port", Options{Brokers: []string{"a:1,kafka"}}, `"kafka" is not host:port`},
		{"no host", Options{Brokers: []string{":9092"}}, `":9092" is not host:port`},
		{"a small batch", Options{Brokers: []string{"a:1"}, MaxMessageBytes: 1000}, "max_message_bytes is 1000"},
		{"the largest batch", Options{Brokers: []string{"a:1"}, MaxMessageBytes: maxDecompressBytes}, ""},
		{"a batch that no reader unpacks", Options{Brokers: []string{"a:1"}, MaxMessageBytes: maxDecompressBytes + 1}, "kafka.max_message_bytes is 67108865: at most 67108864, since no reader unpacks a larger batch"},
		{"all codecs", Options{Brokers: []string{"a:1"}, Compression: "gzip", RawCompression: "zstd"}, ""},
		{"unknown codec", Options{Brokers: []string{"a:1"}, Compression: "brotli"}, `compression "brotli" is unknown`},
		{"unknown raw codec", Options{Brokers: []string{"a:1"}, RawCompression: "x"}, `compression "x" is unknown`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			err := test.o.Validate()
			if test.want == "" && err != nil {
				t.Fatal(err)
			}
			if test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Fatalf("got %v, want %q", err, test.want)
			}
		})
	}
}

func TestNames(t *testing.T) {
	tests := []struct{ prefix, topic, group string }{
		{"", "kyc.raw.v1", "kycbridge-normalize"},
		{"kyc.", "kyc.raw.v1", "kycbridge-normalize"},
		{"staging.kyc.", "staging.kyc.raw.v1", "staging.kyc.kycbridge-normalize"},
	}
	for _, test := range tests {
		o := Options{TopicPrefix: test.prefix}
		if got := o.Topic("raw.v1"); got != test.topic {
			t.Errorf("prefix %q: topic %s, want %s", test.prefix, got, test.topic)
		}
		if got := o.Scoped("kycbridge-normalize"); got != test.group {
			t.Errorf("prefix %q: group %s, want %s", test.prefix, got, test.group)
		}
		if got := o.Scoped(o.Scoped("kycbridge-normalize")); got != test.group {
			t.Errorf("prefix %q: scoping twice gives %s", test.prefix, got)
		}
	}
}

func TestCheckSizes(t *testing.T) {
	const overhead = EnvelopeOverhead + DeadLetterOverhead
	tests := []struct {
		body int64
		max  int32
		ok   bool
	}{
		{1 << 20, DefaultMaxMessageBytes, true},
		{1 << 20, 1_000_012, false}, // Kafka's default
		{4<<20 - overhead, 4 << 20, true},
		{4<<20 - overhead + 1, 4 << 20, false},
	}
	for _, test := range tests {
		err := CheckSizes(test.body, test.max)
		if (err == nil) != test.ok {
			t.Errorf("body %d in %d: %v, want ok %t", test.body, test.max, err, test.ok)
		}
	}
}

func TestCheckWaiting(t *testing.T) {
	if err := CheckWaiting(1<<20, 1<<20+EnvelopeOverhead); err != nil {
		t.Error(err)
	}
	const want = "a body of 1048576 bytes needs 1114112 bytes with its envelope but only 1114111 may wait for Kafka: raise ingest.max_waiting_body_bytes to at least 1114112 or lower the body limit"
	if err := CheckWaiting(1<<20, 1<<20+EnvelopeOverhead-1); err == nil || err.Error() != want {
		t.Errorf("%v, want %q", err, want)
	}
}
