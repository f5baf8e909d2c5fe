package replay_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/kycbridge/kycbridge/normalize/replay"
)

// counted is the report's counts in one line.
func counted(r *replay.Report) string {
	text := ""
	for _, c := range r.Counts {
		text += fmt.Sprintf("%s %d, ", c.Outcome, c.Records)
	}
	return text
}

func expect(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}

// TestReEmitExactlyTheChosen: one id, a range, an endpoint, all; once per replay, with the same ids.
func TestReEmitExactlyTheChosen(t *testing.T) {
	w := newWorld(t, 2)
	w.send(0, said{Subject: "s", ID: "a"}, said{Subject: "s", ID: "a"}, said{Subject: "s", ID: "b"}, said{Subject: "s", ID: "x", Do: "new"})
	w.send(1, said{Subject: "t", ID: "c", endpoint: other}, said{Subject: "t", ID: "d"}, said{Subject: "t", ID: "d", Text: "else"})
	w.normalised()
	first := map[string]string{}
	for _, e := range w.events() {
		first[e.text] = e.id
	}
	for _, c := range []struct {
		id     string
		choose replay.Selection
		want   string
		counts string
	}{
		{"vendors-id", replay.Selection{IDs: []string{"b"}}, "b/", "emitted 1, "},
		{"event-id", replay.Selection{IDs: []string{first["c/"]}}, "c/", "emitted 1, "},
		{"delivery-id", replay.Selection{IDs: []string{deliveryID(5)}}, "d/", "emitted 1, "},
		{"range", replay.Selection{Ranges: []replay.Range{{0, 0, 1}, {1, 2, -1}}}, "a/ d/else", "emitted 2, never_emitted 1, "},
		{"endpoint", replay.Selection{Endpoints: []string{other}}, "c/", "emitted 1, "},
		{"vendor", replay.Selection{Vendors: []string{"nobody"}}, "", ""},
		{"all", replay.Selection{}, "a/ b/ c/ d/ d/else", "emitted 5, never_emitted 2, "},
	} {
		o := w.options(c.id, replay.ReEmit)
		o.Select, o.Claims = c.choose, nil
		expect(t, c.id, counted(w.replay(o)), c.counts)
		expect(t, c.id+" events", w.said(c.id), c.want)
		w.replay(o) // once per replay
		expect(t, c.id+" twice", w.said(c.id), c.want)
	}
	w.replay(w.options("all-2", replay.ReEmit))
	expect(t, "another replay", w.said("all-2"), "a/ b/ c/ d/ d/else")
	expect(t, "unlabelled", w.said(""), "a/ b/ c/ d/ d/else")
	for _, e := range w.events() {
		if e.id != first[e.text] {
			t.Errorf("event %+v has another id than at first, %s", e, first[e.text])
		}
	}
}

// TestFillGapsAfterAFix: dead letters become events, each once, whatever is asked for how often.
func TestFillGapsAfterAFix(t *testing.T) {
	w := newWorld(t, 2)
	w.send(0, said{Subject: "s", ID: "a"}, said{Subject: "s", ID: "x", Do: "new"}, said{Subject: "s", ID: "x", Do: "new"},
		said{Subject: "s", ID: "y", Do: "unreadable"}, said{Subject: "s", ID: "y", Do: "unreadable"},
		said{Subject: "s", ID: "z", Do: "never"}, said{Subject: "s", ID: "p", Do: "panic"})
	w.send(1, said{Subject: "t", Do: "new", Text: "anonymous"})
	w.normalised()
	expect(t, "before", w.said(""), "a/")
	letters := len(w.Read("deadletter.v1"))

	o := w.options("fix", replay.FillGaps)
	dry := o
	dry.DryRun = true
	want := "emitted 3, duplicate 1, still_dead 1, no_gap 2, crasher 1, "
	expect(t, "dry run", counted(w.replay(dry)), want)
	expect(t, "dry run writes nothing", fmt.Sprint(len(w.dispositions("fix")), w.said("fix")), "0")
	expect(t, "fill", counted(w.replay(o)), want)
	expect(t, "filled", w.said("fix"), "/anonymous x/ y/")
	expect(t, "dispositions", fmt.Sprint(len(w.dispositions("fix"))), "4")
	expect(t, "letters", fmt.Sprint(len(w.Read("deadletter.v1"))), fmt.Sprint(letters))
	expect(t, "marks missing", fmt.Sprint(w.unmarked("fix")), "[]")
	expect(t, "again", counted(w.replay(o)), "still_dead 1, done_before 4, no_gap 2, crasher 1, ")
	second := w.options("fix-2", replay.FillGaps)
	expect(t, "another replay", counted(w.replay(second)), "still_dead 1, no_gap 6, crasher 1, ")
	expect(t, "nothing new", w.said("fix-2"), "")
	expect(t, "unlabelled", w.said(""), "a/")

	// A copy that comes later is a copy of what the replay published.
	w.send(0, said{Subject: "s", ID: "y", Do: "unreadable"}, said{Subject: "s", ID: "x", Do: "new"}, said{Subject: "s", ID: "a"})
	w.normalised(fixed)
	expect(t, "after copies", w.said(""), "a/")
}

// A transaction of a replay is bounded by bytes: eight megabytes of raw records became gigabytes of events.
func TestTransactionsAreBoundedByBytes(t *testing.T) {
	w := newWorld(t, 1)
	for n := range 12 {
		w.send(0, said{Subject: "s", ID: fmt.Sprint("large", n), Pad: strings.Repeat("x", 60<<10)})
	}
	w.normalised()
	transactions := 0
	o := w.options("bounded", replay.ReEmit)
	o.Batch, o.Open = 200, w.meddling(func(nth int) error { transactions = nth; return nil }, nil)
	expect(t, "report", counted(w.replay(o)), "emitted 12, ")
	if transactions < 3 {
		t.Errorf("%d transactions replay 720 KiB of raw records, expected at least 3", transactions)
	}
}
