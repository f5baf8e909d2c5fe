package command

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kycbridge/kycbridge/audit"
	"github.com/kycbridge/kycbridge/internal/operate/operatetest"
	"github.com/kycbridge/kycbridge/internal/record"
	"github.com/kycbridge/kycbridge/schemas"
)

// TestVerifyJSON: one document, and a violation in the exit code.
func TestVerifyJSON(t *testing.T) {
	t.Parallel()
	p := operatetest.Start(t)
	p.Sound()
	for _, want := range []int64{0, 1} {
		out, errs, code := call(t, nil, "verify", "--brokers", p.Addr(), "--json")
		var v audit.Verdict
		if err := json.Unmarshal([]byte(out), &v); err != nil {
			t.Fatalf("code %d, no JSON: %s%s", code, out, errs)
		}
		if v.Violations() != want || code != int(want) || strings.Contains(errs, "violations in") != (want > 0) {
			t.Errorf("code %d, %d violations, want %d: %s", code, v.Violations(), want, errs)
		}
		p.Write(operatetest.Raw(3), operatetest.Checked(3), p.Disposed(3, operatetest.Emitted), operatetest.Checked(3))
		p.Processed(1, 4)
	}
}

// TestVerifyOfARange: a range by time, what retention has removed, and topics that keep their
// records for a shorter time than raw.
func TestVerifyOfARange(t *testing.T) {
	t.Parallel()
	p := operatetest.Start(t)
	p.Sound()
	before, err := p.Reader.Ends(t.Context(), schemas.Raw)
	if err != nil || before[1] != 3 {
		t.Fatal(before, err)
	}
	p.Write(operatetest.Raw(3))
	p.Processed(1, 4)
	var last time.Time
	if _, err := p.Reader.Scan(t.Context(), schemas.Raw, 1, record.ScanFrom{Offset: 3}, func(r *kgo.Record) error { last = r.Timestamp; return nil }); err != nil {
		t.Fatal(err)
	}
	out, _, code := call(t, nil, "verify", "--brokers", p.Addr(), "--until", last.Format(time.RFC3339Nano))
	if code != 0 || !strings.Contains(out, "no violation in") {
		t.Errorf("before the fault: code %d\n%s", code, out)
	}
	out, _, code = call(t, nil, "verify", "--brokers", p.Addr(), "--since", "1h")
	if code != exitFailed || !strings.Contains(out, "raw 1@3: no disposition") || !strings.Contains(out, "1 violations in 4 raw records") {
		t.Errorf("with the fault: code %d\n%s", code, out)
	}
	if out, _, code = call(t, nil, "verify", "--brokers", p.Addr(), "--since", "0s"); code != 0 || !strings.Contains(out, "nothing was checked") {
		t.Errorf("of no time at all: code %d\n%s", code, out)
	}

	if err := p.Cluster.DeleteRecords("kyc.raw.v1", 1, 1); err != nil {
		t.Fatal(err)
	}
	p.Write(p.Disposed(3, operatetest.Emitted), operatetest.Checked(3))
	out, _, code = call(t, nil, "verify", "--brokers", p.Addr())
	if code != 0 || !strings.Contains(out, "note: retention has removed the 1 raw records before these") || !strings.Contains(out, "1 duplicates repeat a record outside the range") {
		t.Errorf("after retention: code %d\n%s", code, out)
	}
	short := "1"
	alter := []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "retention.ms", Value: &short}}
	client, err := kgo.NewClient(kgo.SeedBrokers(p.Addr()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if _, err := kadm.NewClient(client).AlterTopicConfigs(t.Context(), alter, "kyc.deadletter.v1"); err != nil {
		t.Fatal(err)
	}
	out, _, code = call(t, nil, "verify", "--brokers", p.Addr())
	if code != 0 || !strings.Contains(out, "are not checked: kyc.deadletter.v1 keeps its records no longer (1ms)") || !strings.Contains(out, "nothing was checked") {
		t.Errorf("with dead letters kept too shortly: code %d\n%s", code, out)
	}
}

func TestVerifyCannotCheck(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args []string
		want []string
	}{
		{[]string{"--since", "yesterday"}, []string{"--since", `"yesterday"`, "7d"}},
		{[]string{"--since", "1h", "--until", "2h"}, []string{"not before"}},
		{[]string{"now"}, []string{"no argument"}},
		{[]string{"--brokers", "127.0.0.1:1"}, []string{"cannot check", "127.0.0.1:1", "--brokers"}},
	} {
		out, errs, code := call(t, nil, append([]string{"verify"}, c.args...)...)
		if code != exitUnchecked || out != "" || strings.Count(errs, "\n") != 1 {
			t.Errorf("%v: code %d\n%s%s", c.args, code, out, errs)
		}
		for _, want := range c.want {
			if !strings.Contains(errs, want) {
				t.Errorf("%v says %q, want %q in it", c.args, errs, want)
			}
		}
	}
	p := operatetest.Start(t)
	out, errs, code := call(t, nil, "verify", "--brokers", p.Addr(), "--topic-prefix", "other.")
	if code != exitUnchecked || out != "" || !strings.Contains(errs, "--topic-prefix") {
		t.Errorf("without topics: code %d\n%s%s", code, out, errs)
	}
}

func TestParseWindow(t *testing.T) {
	now := time.Date(2026, 1, 10, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]string{
		"2026-01-02T15:04:05Z":      "2026-01-02T15:04:05Z",
		"2026-01-02T15:04:05+02:00": "2026-01-02T13:04:05Z",
		"2026-01-02":                "2026-01-02T00:00:00Z",
		"90m":                       "2026-01-10T10:30:00Z",
		"7d":                        "2026-01-03T12:00:00Z",
		"0s":                        "2026-01-10T12:00:00Z",
		"-1h":                       "error",
		"-1d":                       "error",
		"d":                         "error",
		"2026-13-01":                "error",
	} {
		w, err := parseWindow(text, "", now)
		got := w.From.UTC().Format(time.RFC3339)
		if err != nil {
			got = "error"
		}
		if got != want || !w.To.IsZero() {
			t.Errorf("%q is read as %s, want %s", text, got, want)
		}
	}
}

// TestVerifyEndToEnd: what `dev` made is sound.
func TestVerifyEndToEnd(t *testing.T) {
	dev := startDev(t, t.TempDir(), nil)
	if out, errs, code := call(t, nil, "send", "complycube", "--to", dev.hook(), "--duplicate", "10"); code != 0 {
		t.Fatalf("send: code %d\n%s%s", code, out, errs)
	}
	tailLines(t, dev, 10, "disposition")
	out, errs, code := call(t, nil, "verify", "--brokers", dev.Kafka)
	if code != 0 || errs != "" || !strings.Contains(out, "10 raw records: 1 emitted, 9 duplicates") {
		t.Errorf("verify: code %d\n%s%s", code, out, errs)
	}
}
