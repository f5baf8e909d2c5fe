package command

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/kycbridge/kycbridge/audit"
)

// TestDriftEndToEnd posts what is new to us, and finds it with its sample.
func TestDriftEndToEnd(t *testing.T) {
	dev := startDev(t, t.TempDir(), nil)
	cases := []string{"bad_type_unknown", "bad_type_unknown", "check_completed_outcome_unknown", "client_updated_new_field", "check_completed_clear"}
	for _, name := range cases {
		if out, errs, code := call(t, nil, "send", "complycube", "--to", dev.hook(), "--case", name); code != 0 {
			t.Fatalf("send %s: code %d\n%s%s", name, code, out, errs)
		}
	}
	deliveries := map[string]int64{} // id to offset
	for _, l := range tailLines(t, dev, len(cases), "raw") {
		deliveries[l.Value["deliveryId"].(string)] = l.Offset
	}

	out, errs, code := call(t, nil, "drift", "--brokers", dev.Kafka, "--json")
	if code != 0 || !strings.Contains(errs, "something unknown in 4 of 5 records") {
		t.Fatalf("drift --json: code %d\n%s%s", code, out, errs)
	}
	found := map[string]int64{}
	for text := range strings.Lines(out) {
		var e audit.DriftEntry
		if err := json.Unmarshal([]byte(text), &e); err != nil {
			t.Fatalf("no JSON: %s", text)
		}
		found[e.Vendor+" "+e.Kind+" "+e.Word] = e.Count
		if offset, ok := deliveries[e.Sample.Delivery]; !ok || offset != e.Sample.Offset || e.Sample.Topic != "kyc.raw.v1" {
			t.Errorf("the sample of %s leads to no raw record: %+v", text, e.Sample)
		}
	}
	for key, count := range map[string]int64{"complycube event_type check.reconsidered": 2, "complycube outcome mostly_fine": 1, "complycube field payload.favouriteColour": 1} {
		if found[key] != count {
			t.Errorf("%q is counted %d times, want %d; found %v", key, found[key], count, found)
		}
	}

	out, errs, code = call(t, nil, "drift", "complycube", "--brokers", dev.Kafka, "--from-start")
	if code != 0 || errs != "" || !strings.HasPrefix(out, "VENDOR ") || !strings.Contains(out, "check.reconsidered") || !strings.HasSuffix(out, "something unknown in 4 of 5 records\n") {
		t.Errorf("drift: code %d\n%s%s", code, out, errs)
	}
	if out, _, code = call(t, nil, "drift", "--brokers", dev.Kafka, "--since", "1ns"); code != 0 || out != "something unknown in 0 of 0 records\n" {
		t.Errorf("drift of no time at all: code %d, %q", code, out)
	}
}

func TestDriftRefuses(t *testing.T) {
	unknown := writeFile(t, "unknown.yaml", "kafka: {brokers: [\"127.0.0.1:1\"]}\nendpoints:\n- {name: shop, provider: nobody, environment: SANDBOX, customer_reference: AS_IS}\n")
	for _, tc := range []struct {
		args []string
		want []string
		code int
	}{
		{[]string{"acme"}, []string{`"acme"`, "complycube"}, exitUsage},
		{[]string{"--since", "-1h"}, []string{"--since", "more than 0"}, exitUsage},
		{[]string{"--since", "1h", "--from-start"}, []string{"give one"}, exitUsage},
		{[]string{"--brokers", "127.0.0.1:1"}, []string{"127.0.0.1:1", "kycbridge dev", "--brokers"}, exitFailed},
		{[]string{"--config", unknown}, []string{"references count as hashed", `"nobody"`, "127.0.0.1:1"}, exitFailed},
	} {
		out, errs, code := call(t, nil, append([]string{"drift"}, tc.args...)...)
		if code != tc.code || out != "" {
			t.Errorf("drift %v: code %d, want %d, and no output: %q", tc.args, code, tc.code, out)
		}
		for _, want := range tc.want {
			if !strings.Contains(errs, want) {
				t.Errorf("drift %v says %q; want it to name %s", tc.args, errs, want)
			}
		}
	}
}

// TestProgressLine: nothing for what is done at once, then one line over itself.
func TestProgressLine(t *testing.T) {
	var out bytes.Buffer
	now := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	p := &progressLine{out: &out, now: func() time.Time { return now }}
	at := audit.Progress{Source: "kyc.raw.v1", Partition: 2, Partitions: 12}
	for range 10 {
		at.Records++
		p.show(at)
	}
	if out.Len() > 0 {
		t.Errorf("shown at once: %q", out.String())
	}
	now = now.Add(progressEvery)
	p.show(at)
	p.show(at)
	if got, want := out.String(), "\r\x1b[Kkyc.raw.v1: partition 3 of 12, 10 records"; got != want {
		t.Errorf("the line is %q, want %q", got, want)
	}
}
