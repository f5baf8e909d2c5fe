package command

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kycbridge/kycbridge/normalize/replay"
	"github.com/kycbridge/kycbridge/schemas"
)

// TestReplayEndToEnd: events are published once more, with their ids and the
// label; the dry run and the second time write nothing.
func TestReplayEndToEnd(t *testing.T) {
	dev := startDev(t, t.TempDir(), nil)
	for range 3 {
		if out, errs, code := call(t, nil, "send", "complycube", "--to", dev.hook()); code != 0 {
			t.Fatalf("send: code %d\n%s%s", code, out, errs)
		}
	}
	before := tailLines(t, dev, 3, "session")
	run := func(want string, args ...string) replay.Report {
		t.Helper()
		out, errs, code := call(t, nil, append([]string{"replay", "--brokers", dev.Kafka, "--json"}, args...)...)
		var r replay.Report
		if err := json.Unmarshal([]byte(out), &r); err != nil || code != 0 || !strings.Contains(errs, want) {
			t.Fatalf("replay %v: code %d, %v\n%s%s", args, code, err, out, errs)
		}
		return r
	}
	if r := run("", "--mode", "re-emit", "--all", "--dry-run"); r.Events != 3 || r.Chosen != 3 || r.Transactions != 0 || !r.DryRun {
		t.Errorf("the dry run says %+v, want 3 events and no transaction", r)
	}
	tailLines(t, dev, 3, "session")
	if r := run("replay again begins", "--mode", "re-emit", "--all", "--replay-id", "again"); r.Of(replay.Emitted) != 3 {
		t.Errorf("the replay says %+v, want 3 emitted", r)
	}
	after := tailLines(t, dev, 6, "session")
	ids := map[string]int{}
	labelled := 0
	for _, l := range after {
		ids[l.Headers["ce_id"]]++
		if l.Headers["replay"] == "again" {
			labelled++
		}
	}
	for _, l := range before {
		if ids[l.Headers["ce_id"]] != 2 {
			t.Errorf("event %s is there %d times, want twice", l.Headers["ce_id"], ids[l.Headers["ce_id"]])
		}
	}
	if labelled != 3 {
		t.Errorf("%d events are labelled, want 3", labelled)
	}
	if r := run("", "--mode", "re-emit", "--since", "1h", "--replay-id", "again"); r.Of(replay.Before) != 3 {
		t.Errorf("the second time says %+v, want 3 done before", r)
	}
	if r := run("", "--mode", "fill-gaps", "--all", "--redis", dev.Redis); r.Of(replay.NoGap) != 3 || r.Events != 0 {
		t.Errorf("filling gaps says %+v, want no gap", r)
	}
	if out, errs, code := call(t, nil, "verify", "--brokers", dev.Kafka); code != 0 {
		t.Errorf("verify after replays: code %d\n%s%s", code, out, errs)
	}
}

// TestDeadletterEndToEnd lists, shows and replays a dead letter.
func TestDeadletterEndToEnd(t *testing.T) {
	dev := startDev(t, t.TempDir(), nil)
	for _, args := range [][]string{{"--case", "bad_type_unknown"}, {"--case", "bad_truncated"}, nil} {
		if out, errs, code := call(t, nil, append([]string{"send", "complycube", "--to", dev.hook()}, args...)...); code != 0 {
			t.Fatalf("send %v: code %d\n%s%s", args, code, out, errs)
		}
	}
	lines := tailLines(t, dev, 2, "deadletter")
	out, errs, code := call(t, nil, "deadletter", "list", "--brokers", dev.Kafka)
	if code != 0 || errs != "" || strings.Count(out, "\n") != 4 || !strings.Contains(out, "unmapped") || !strings.HasSuffix(out, "\n2 dead letters\n") {
		t.Errorf("list: code %d\n%s%s", code, out, errs)
	}
	out, _, _ = call(t, nil, "deadletter", "list", "--brokers", dev.Kafka, "--json", "--reason", "unmapped", "--vendor", "complycube", "--since", "1h")
	var l struct {
		Reason string
		Raw    struct {
			Partition, Offset int
			Delivery          string `json:"delivery_id"`
		}
	}
	if err := json.Unmarshal([]byte(out), &l); err != nil || l.Reason != "unmapped" {
		t.Fatalf("list --json: %v\n%s", err, out)
	}
	vendorID := ""
	for _, d := range tailLines(t, dev, 3, "disposition") {
		if d.Value["reason"] == "DEAD_LETTER_REASON_UNMAPPED" {
			vendorID, _ = d.Value["vendorEventId"].(string)
		}
	}
	for _, id := range []string{l.Raw.Delivery, vendorID} {
		out, errs, code = call(t, nil, "deadletter", "show", id, "--brokers", dev.Kafka)
		if code != 0 || !strings.Contains(out, "unmapped") || !strings.Contains(out, l.Raw.Delivery) || strings.Contains(out, "payload") {
			t.Errorf("show %q: code %d\n%s%s", id, code, out, errs)
		}
	}
	path := filepath.Join(t.TempDir(), "body")
	_, errs, code = call(t, nil, "deadletter", "show", l.Raw.Delivery, "--brokers", dev.Kafka, "--body", path)
	body, err := os.ReadFile(path)
	if code != 0 || err != nil || !json.Valid(body) || !strings.Contains(errs, "personal data") {
		t.Errorf("--body: code %d, %v, %s\n%s", code, err, body, errs)
	}
	if toStdout, _, _ := call(t, nil, "deadletter", "show", l.Raw.Delivery, "--brokers", dev.Kafka, "--body", "-"); toStdout != string(body) {
		t.Errorf("--body - gives %q, want %q", toStdout, body)
	}
	out, errs, code = call(t, nil, "deadletter", "replay", "--all", "--brokers", dev.Kafka, "--redis", dev.Redis, "--replay-id", "fix")
	if code != 0 || !strings.Contains(out, "still a dead letter") || !strings.HasSuffix(out, "\n0 events in 0 transactions\n") {
		t.Errorf("replay: code %d\n%s%s", code, out, errs)
	}
	if after := tailLines(t, dev, len(lines), "deadletter"); len(after) != len(lines) {
		t.Errorf("%d letters after a replay without a fix, want %d", len(after), len(lines))
	}
	tailLines(t, dev, 3, "disposition")

	forgetRaw(t, dev.Kafka)
	out, errs, code = call(t, nil, "deadletter", "replay", "--all", "--brokers", dev.Kafka, "--redis", dev.Redis, "--replay-id", "late")
	if code != 0 || strings.Count(out, "still a dead letter") != 1 || !strings.HasPrefix(out, "replay late, fill-gaps: 2 raw records chosen\n") || strings.Contains(out, "no longer") {
		t.Errorf("replay without raw deliveries: code %d\n%s%s", code, out, errs)
	}
}

// forgetRaw removes all raw records, as retention does.
func forgetRaw(t *testing.T, brokers string) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	ends, err := admin.ListEndOffsets(t.Context(), schemas.DefaultPrefix+schemas.Raw)
	if err != nil {
		t.Fatal(err)
	}
	if gone, err := admin.DeleteRecords(t.Context(), ends.Offsets()); err != nil || gone.Error() != nil {
		t.Fatal(err, gone.Error())
	}
}

func TestReplayRefuses(t *testing.T) {
	config := writeFile(t, "c.yaml", "kafka: {brokers: [\"127.0.0.1:1\"]}\nredis: {address: \"127.0.0.1:1\"}\n")
	for _, tc := range []struct {
		args string
		want []string
		code int
	}{
		{"replay --all", []string{"--mode re-emit", "--mode fill-gaps", "twice"}, exitUsage},
		{"replay --mode both --all", []string{`"both"`, "--mode re-emit"}, exitUsage},
		{"replay --mode re-emit", []string{"--since", "--range", "--all"}, exitUsage},
		{"replay --mode re-emit --all --since 1h", []string{"--all"}, exitUsage},
		{"replay --mode re-emit --since yesterday", []string{`"yesterday"`, "36h"}, exitUsage},
		{"replay --mode re-emit --since 1h --until 2h", []string{"empty"}, exitUsage},
		{"replay --mode re-emit --range 1-2", []string{`"1-2"`, "3@100-200"}, exitUsage},
		{"replay --mode re-emit --vendor acme", []string{`"acme"`, "complycube"}, exitUsage},
		{"replay --mode fill-gaps --all", []string{"--config", "--redis"}, exitUsage},
		{"replay --mode re-emit --all --brokers 127.0.0.1:1", []string{"127.0.0.1:1", "--brokers"}, exitFailed},
		{"replay --mode fill-gaps --all --config " + config, []string{"redis at 127.0.0.1:1"}, exitFailed},
		{"deadletter", []string{"list, show or replay"}, exitUsage},
		{"deadletter list --reason odd", []string{`"odd"`, "unmapped"}, exitUsage},
		{"deadletter list --limit -1", []string{"--limit"}, exitUsage},
		{"deadletter show", []string{"3@17"}, exitUsage},
		{"deadletter replay", []string{"--reason", "--all"}, exitUsage},
		{"deadletter replay --all --reason unmapped", []string{"--all"}, exitUsage},
		{"deadletter replay --all", []string{"--config", "--redis"}, exitUsage},
	} {
		out, errs, code := call(t, nil, strings.Fields(tc.args)...)
		if code != tc.code || out != "" || strings.Count(errs, "\n") != 1 {
			t.Errorf("%s: code %d, want %d, one line and no output: %s%s", tc.args, code, tc.code, out, errs)
		}
		for _, want := range tc.want {
			if !strings.Contains(errs, want) {
				t.Errorf("%s says %q; want it to name %s", tc.args, errs, want)
			}
		}
	}
}

// TestReplayGoesOn: the command that is printed means the same deliveries later.
func TestReplayGoesOn(t *testing.T) {
	env, _, _ := surroundings(nil)
	now := time.Date(2026, 5, 4, 10, 0, 0, 0, time.UTC)
	f := replayFlags{mode: "fill-gaps", since: "24h", ranges: []string{"3@1-2"}, endpoints: []string{"a b"}, poisonPills: true, redis: "r:1"}
	f.config = "c.yaml"
	if err := f.readSelection(&env, now); err != nil {
		t.Fatal(err)
	}
	want := "replay --mode fill-gaps --since 2026-05-03T10:00:00Z --range 3@1-2 --endpoint 'a b' --crashers --config c.yaml --redis r:1"
	if f.resume != want {
		t.Errorf("the command is %q, want %q", f.resume, want)
	}
	f = replayFlags{mode: "re-emit", all: true}
	if err := f.readSelection(&env, now); err != nil || f.resume != "replay --mode re-emit --until 2026-05-04T10:00:00Z" {
		t.Errorf("the command of --all is %q, %v", f.resume, err)
	}
	l := letterFlags{reasons: []string{"unmapped", "invalid"}, since: "1h"}
	f = replayFlags{redis: "r:1"}
	if got, want := f.letterReplayCommand(l, []string{"3@17"}, now), "deadletter replay 3@17 --reason unmapped,invalid --since 2026-05-04T09:00:00Z --redis r:1"; got != want {
		t.Errorf("the command is %q, want %q", got, want)
	}
}

func TestReplayBar(t *testing.T) {
	var out bytes.Buffer
	now := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	b := &replayBar{out: &out, now: func() time.Time { return now }}
	at := replay.Progress{Partition: 2, Done: 50, Total: 200, Report: &replay.Report{Events: 40}}
	b.show(at)
	b.show(at)
	if got, want := out.String(), "\r\x1b[K[#######.......................]  25%  partition 2, 50 of 200 records, 40 events"; got != want {
		t.Errorf("the bar is %q, want %q", got, want)
	}
	out.Reset()
	at.Done = 200
	b.show(at)
	if got := out.String(); !strings.Contains(got, "100%") || strings.Contains(got, ".]") {
		t.Errorf("the full bar is %q", got)
	}
}
