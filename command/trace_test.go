package command

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kycbridge/kycbridge/audit"
	"github.com/kycbridge/kycbridge/internal/operate/operatetest"
	"github.com/kycbridge/kycbridge/internal/record"
	"github.com/kycbridge/kycbridge/schemas"
	"github.com/kycbridge/kycbridge/sink"
)

// traced is a broker with an event, its duplicate, a dead letter and a delivery that is not processed,
// all under the key that their partition is computed from.
func traced(t *testing.T) *operatetest.Broker {
	p := operatetest.Start(t)
	if at := sink.PartitionOf(operatetest.Key, 2); at != 1 {
		t.Fatalf("%s goes to partition %d, want 1", operatetest.Key, at)
	}
	p.Sound()
	p.Write(operatetest.Raw(3))
	return p
}

func TestTraceGolden(t *testing.T) {
	t.Parallel()
	p := traced(t)
	for _, c := range []struct{ name, id string }{
		{"position", "1@1"}, {"key", operatetest.Key}, {"session", "session-1"},
	} {
		out, errs, code := call(t, nil, "trace", c.id, "--brokers", p.Addr())
		if code != 0 || errs != "" || strings.Contains(out, "CANARY") {
			t.Fatalf("trace %s: code %d\n%s%s", c.id, code, out, errs)
		}
		golden(t, "testdata/trace_"+c.name+".txt", out)
	}
	out, errs, code := call(t, nil, "trace", operatetest.Key, "--brokers", p.Addr(), "--json")
	if code != 0 || errs != "" || strings.Contains(out, "CANARY") {
		t.Fatalf("trace --json: code %d\n%s%s", code, out, errs)
	}
	golden(t, "testdata/trace.jsonl", out)
	for line := range strings.Lines(out) {
		if err := json.Unmarshal([]byte(line), &audit.Delivery{}); err != nil {
			t.Errorf("%v: %s", err, line)
		}
	}
	for _, topic := range []string{"kyc.raw.v1", "kyc.check.v1"} {
		if err := p.Cluster.DeleteRecords(topic, 1, map[string]int64{"kyc.raw.v1": 4, "kyc.check.v1": 1}[topic]); err != nil {
			t.Fatal(err)
		}
	}
	out, errs, code = call(t, nil, "trace", operatetest.DeliveryID(1), "--brokers", p.Addr())
	if code != 0 || errs != "" {
		t.Fatalf("trace without raw: code %d\n%s%s", code, out, errs)
	}
	golden(t, "testdata/trace_expired.txt", out)
}

func TestTraceByEachName(t *testing.T) {
	t.Parallel()
	p := traced(t)
	for _, id := range []string{"vendor-0", operatetest.EventID(0), strings.ToUpper(operatetest.DeliveryID(1)), "1@0", "kyc.raw.v1/1/1"} {
		out, errs, code := call(t, nil, "trace", id, "--brokers", p.Addr())
		if code != 0 || !strings.Contains(out, "repeated by 1@1") || !strings.Contains(out, "DUPLICATE of 1@0") || !strings.HasSuffix(out, "\n2 deliveries\n") {
			t.Errorf("trace %s: code %d\n%s%s", id, code, out, errs)
		}
	}
	out, errs, code := call(t, nil, "trace", operatetest.DeliveryID(3), "--brokers", p.Addr())
	if code != 0 || !strings.Contains(out, "not yet processed") {
		t.Errorf("trace of what is not processed: code %d\n%s%s", code, out, errs)
	}
}

// TestTraceWindow: a window of time bounds what is searched.
func TestTraceWindow(t *testing.T) {
	t.Parallel()
	p := traced(t)
	var first time.Time
	if _, err := p.Reader.Scan(t.Context(), schemas.DispositionTopic, 1, record.ScanFrom{}, func(r *kgo.Record) error {
		if first.IsZero() {
			first = r.Timestamp
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if out, errs, code := call(t, nil, "trace", "vendor-0", "--brokers", p.Addr(), "--since", "1h"); code != 0 || !strings.HasSuffix(out, "\n2 deliveries\n") {
		t.Errorf("inside of the window: code %d\n%s%s", code, out, errs)
	}
	for _, args := range [][]string{{"--until", first.Add(-time.Minute).Format(time.RFC3339Nano)}, {"--since", "0s"}} {
		out, errs, code := call(t, nil, append([]string{"trace", "vendor-0", "--brokers", p.Addr()}, args...)...)
		if code != exitFailed || out != "" || !strings.Contains(errs, "no accepted delivery has the id vendor-0") {
			t.Errorf("outside of the window, %v: code %d\n%s%s", args, code, out, errs)
		}
	}
}

func TestTraceFindsNothing(t *testing.T) {
	t.Parallel()
	p := traced(t)
	for _, c := range []struct {
		args []string
		want []string
		code int
	}{
		{[]string{"nobody"}, []string{"no accepted delivery has the id nobody", "kyc.disposition.v1", "kyc.session.v1", "all that they hold", "refused delivery", "metrics and the log"}, exitFailed},
		{[]string{"shop/nobody", "--since", "2026-01-02"}, []string{"since 2026-01-02T00:00:00Z", "kyc.disposition.v1, kyc.raw.v1"}, exitFailed},
		{[]string{"1@99"}, []string{"has the id 1@99"}, exitFailed},
		{[]string{"9@0"}, []string{"kyc.raw.v1 has no partition 9: it has 2"}, exitFailed},
		{[]string{"a\x1b[31m"}, []string{`"a\x1b[31m"`}, exitFailed},
		{[]string{}, []string{"one id"}, exitUsage},
		{[]string{"a", "b"}, []string{"one id"}, exitUsage},
		{[]string{"a", "--until", "soon"}, []string{"--until", "soon"}, exitUsage},
	} {
		out, errs, code := call(t, nil, append([]string{"trace", "--brokers", p.Addr()}, c.args...)...)
		if code != c.code || out != "" || strings.Count(errs, "\n") != 1 {
			t.Errorf("%q: code %d\n%s%s", c.args, code, out, errs)
		}
		for _, want := range c.want {
			if !strings.Contains(errs, want) {
				t.Errorf("%q says %q, want %q in it", c.args, errs, want)
			}
		}
	}
	if _, errs, code := call(t, nil, "trace", "a", "--brokers", "127.0.0.1:1"); code != exitFailed || !strings.Contains(errs, "--brokers") {
		t.Errorf("without Kafka: code %d\n%s", code, errs)
	}
}

// TestTraceEndToEnd follows a webhook through `dev`, by the vendor's id and by ours.
func TestTraceEndToEnd(t *testing.T) {
	dev := startDev(t, t.TempDir(), nil)
	if out, errs, code := call(t, nil, "send", "complycube", "--to", dev.hook(), "--duplicate", "3"); code != 0 {
		t.Fatalf("send: code %d\n%s%s", code, out, errs)
	}
	dispositions := tailLines(t, dev, 3, "disposition")
	envelope := tailLines(t, dev, 3, "raw")[1]
	for _, id := range []string{dispositions[0].Value["vendorEventId"].(string), envelope.Value["deliveryId"].(string)} {
		out, errs, code := call(t, nil, "trace", id, "--brokers", dev.Kafka)
		if code != 0 || !strings.HasSuffix(out, "\n3 deliveries\n") || strings.Count(out, "DUPLICATE of ") != 2 || strings.Count(out, "    event ") != 1 {
			t.Errorf("trace %s: code %d\n%s%s", id, code, out, errs)
		}
	}
}
