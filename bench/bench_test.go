package main

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"testing"
)

func TestReport(t *testing.T) {
	r := &report{}
	r.compare("stage", "CPU", "µs", []float64{30, 10, 20}, []float64{10, 10, 10}, goal{ratioAtMost: 1.6, atMost: 20})
	r.compare("stage", "rate", "/s", []float64{600}, []float64{1000}, goal{ratioAtLeast: 0.6})
	r.note("stage", "start", "s", 0.4, goal{below: 1})
	r.note("stage", "context", "s", 0.4, goal{})
	for i, want := range []struct {
		met  *bool
		goal string
	}{
		{new(false), "≤ 1.6 × floor, ≤ 20 µs"}, // the ratios are 3, 1 and 2
		{new(true), "≥ 0.6 × floor"},
		{new(true), "< 1 s"},
		{nil, ""},
	} {
		got := r.rows[i]
		if got.Goal != want.goal || (got.Met == nil) != (want.met == nil) || got.Met != nil && *got.Met != *want.met {
			t.Errorf("%s: goal %q met %v, want %q %v", got.Name, got.Goal, verdict(got.Met), want.goal, verdict(want.met))
		}
	}
	var out bytes.Buffer
	if err := r.table(&out); err != nil || !strings.Contains(out.String(), "NOT MET") {
		t.Errorf("table is %v\n%s", err, out.String())
	}
	out.Reset()
	var d document
	if err := r.json(&out, true); err != nil || json.Unmarshal(out.Bytes(), &d) != nil || len(d.Rows) != 4 || len(d.Rows[0].Rounds) != 3 {
		t.Errorf("document is %v\n%s", err, out.String())
	}
}

// TestMixIsFresh: a backlog in which deliveries repeat would measure drops, not events.
func TestMixIsFresh(t *testing.T) {
	m, err := newMix()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for n := range 2000 {
		_, _, body := m.delivery(n)
		if first, ok := seen[string(body)]; ok {
			t.Fatalf("delivery %d is delivery %d again: %s", n, first, body)
		}
		seen[string(body)] = n
	}
}

func TestArguments(t *testing.T) {
	for _, tc := range []struct {
		args []string
		want string
	}{
		{[]string{"walk"}, `"walk" is not a scenario`},
		{[]string{"--kafka", "127.0.0.1:9092"}, "belong together"},
		{[]string{"--wings"}, "not defined"},
	} {
		if err := run(t.Context(), tc.args, io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("bench %q: error is %v, want one with %q", tc.args, err, tc.want)
		}
	}
}

// TestEmbedded drains a small backlog on the embedded Kafka and Redis, as without any flag.
func TestEmbedded(t *testing.T) {
	t.Chdir("..") // the programs are built from the root
	var out bytes.Buffer
	if err := run(t.Context(), []string{"--rounds", "1", "--records", "500", "normalize"}, &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "raw events per second") {
		t.Errorf("the table has no figure:\n%s", out.String())
	}
}
