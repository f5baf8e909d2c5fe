package audit_test

import (
	"strings"
	"testing"
	"time"

	"github.com/kycbridge/kycbridge/audit"
	"github.com/kycbridge/kycbridge/internal/record"
	"github.com/kycbridge/kycbridge/schemas"
)

// TestVerifyAccountsForWhatExpired: raw records that retention removed before they were processed are a
// violation, with partition, offsets and time; what is not known is not one.
func TestVerifyAccountsForWhatExpired(t *testing.T) {
	at := func(offset int64) string {
		return receivedAt(record.Position{Offset: offset}).UTC().Format(time.RFC3339)
	}
	handled := func(w *world, offsets ...int64) {
		for _, o := range offsets {
			w.dispose(x, record.Position{Offset: o}, dead)
		}
	}
	for _, c := range []struct {
		name     string
		disposed func(w *world)
		gone     audit.Gone
		want     string // violations; "" for none
		lost     int64
		note     string
	}{
		{"nothing", func(w *world) { handled(w, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10) }, audit.Gone{Whole: true}, "", 0, ""},
		{"in the middle", func(w *world) { handled(w, 0, 1, 2, 6, 7, 8, 9, 10) }, audit.Gone{Whole: true},
			"O4 0@3 3 raw records from here to 0@5 expired before they were processed, received between " + at(2) + " and " + at(6), 3, "raise the retention"},
		{"two gaps", func(w *world) { handled(w, 0, 2, 3, 4, 6, 7, 8, 9, 10) }, audit.Gone{Whole: true},
			"O4 0@1 1 raw records from here to 0@1 expired|O4 0@5 1 raw records", 2, ""},
		{"up to what is left", func(w *world) { handled(w, 0, 1, 2, 3, 4, 5, 6, 7, 8, 10) }, audit.Gone{Whole: true},
			"O4 0@9 1 raw records from here to 0@9 expired before they were processed, received between " + at(8) + " and " + at(10), 1, ""},
		{"beyond what is left", func(w *world) { handled(w, 0, 1, 2, 3, 4, 5, 6, 7, 8, 12) }, audit.Gone{Whole: true},
			"O4 0@9 1 raw records from here to 0@9 expired before they were processed, received between " + at(8) + " and " + at(12), 1, ""},
		{"nothing after it yet", func(w *world) { handled(w, 0, 1, 2, 3, 4, 5, 6) }, audit.Gone{Whole: true, Oldest: noon.Add(time.Hour)},
			"O4 0@7 3 raw records from here to 0@9 expired before they were processed, received between " + at(6) + " and 2026-01-02T13:00:00Z", 3, ""},
		{"nothing after it at all", func(w *world) { handled(w, 0, 1, 2, 3, 4, 5, 6) }, audit.Gone{Whole: true},
			"received after " + at(6), 3, ""},
		{"from the very beginning", func(w *world) { handled(w, 10) }, audit.Gone{Whole: true}, "O4 0@0 10 raw records from here to 0@9 expired before they were processed, received before " + at(10), 10, ""},
		{"never processed", func(*world) {}, audit.Gone{Whole: true}, "O4 0@0 10 raw records", 10, ""},
		{"their dispositions expired first", func(w *world) { handled(w, 6, 7, 8, 9, 10) }, audit.Gone{}, "", 0, ""},
		{"their dispositions expired first, and some were left out since", func(w *world) { handled(w, 6, 9, 10) }, audit.Gone{}, "O4 0@7 2 raw records", 2, ""},
		{"no disposition is left", func(*world) {}, audit.Gone{}, "", 0, "nothing is known of the 10 raw records of partition 0"},
		{"before what is read", func(w *world) { handled(w, 0, 1, 5, 6, 7, 8, 9, 10) }, audit.Gone{From: 2}, "", 0, ""},
		{"later, by a replay", func(w *world) {
			handled(w, 0, 1, 6, 7, 8, 9, 10)
			for _, o := range []int64{2, 4, 5, 5} {
				w.dispose(x, record.Position{Offset: o}, dead, replayedBy("r1"))
			}
		}, audit.Gone{Whole: true}, "O4 0@2 1 raw records from here to 0@5", 1, ""},
		{"wholly by a replay", func(w *world) {
			handled(w, 0, 1, 2, 4, 5, 6, 7, 8, 9, 10)
			w.dispose(x, record.Position{Offset: 3}, dead, replayedBy("r1"))
		}, audit.Gone{Whole: true}, "", 0, ""},
		{"a second time, from further back", func(w *world) { handled(w, 0, 1, 5, 2, 3, 4, 6, 7, 8, 9, 10) }, audit.Gone{Whole: true}, "", 0, ""},
		{"the hydrate stage's come when they come", func(w *world) {
			handled(w, 0, 1, 2, 3, 4, 5)
			w.dispose(x, record.Position{Offset: 9}, dead, hydrated(3))
			handled(w, 6, 7, 8, 9, 10)
		}, audit.Gone{Whole: true}, "", 0, ""},
		{"the hydrate stage's tells nothing of its neighbours", func(w *world) {
			w.dispose(x, record.Position{Offset: 2}, dead, hydrated(3))
			handled(w, 6, 7, 8, 9, 10)
		}, audit.Gone{}, "", 0, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			eachWay(t, func(t *testing.T, o audit.VerifyOptions) {
				w := newWorld(t)
				c.disposed(w)
				w.spans[0] = audit.Span{First: 10, Next: 10, Done: 10, End: 10, Gone: &c.gone}
				v := w.verify(o)
				got := found(v)
				for want := range strings.SplitSeq(c.want, "|") {
					if !strings.Contains(got, want) || c.want == "" && got != "" {
						t.Errorf("found\n%swant %q", got, want)
					}
				}
				if v.Unprocessed != c.lost || !strings.Contains(strings.Join(v.Notes, "\n"), c.note) {
					t.Errorf("%d unprocessed, want %d; notes %q", v.Unprocessed, c.lost, v.Notes)
				}
			})
		})
	}
}

// TestVerifyReadsNoEventsForWhatExpired: what is gone is judged by dispositions alone.
func TestVerifyReadsNoEventsForWhatExpired(t *testing.T) {
	w := newWorld(t)
	w.dispose(x, record.Position{}, dead)
	w.spans[0] = audit.Span{First: 1, Next: 1, Done: 1, End: 1, Gone: &audit.Gone{Whole: true}}
	w.pass(webhook{"f", "s5", 1})
	if v := w.verify(audit.VerifyOptions{}); v.Violations() != 0 || w.scans[schemas.Check] != 1 {
		t.Errorf("events were read %d times, want once, for partition 1:\n%s", w.scans[schemas.Check], found(v))
	}
}

// TestManyGapsAreBounded: gaps beyond a limit are counted, and no longer told apart.
func TestManyGapsAreBounded(t *testing.T) {
	w := newWorld(t)
	const all = 21_000
	for o := range int64(all) {
		if o%2 == 0 {
			w.dispose(x, record.Position{Offset: o}, dead)
		}
	}
	for _, o := range []int64{1, 20_996, 20_997} {
		w.dispose(x, record.Position{Offset: o}, dead, replayedBy("r1"))
	}
	w.spans[0] = audit.Span{First: all, Next: all, Done: all, End: all, Gone: &audit.Gone{Whole: true}}
	v := w.verify(audit.VerifyOptions{})
	if v.Unprocessed != all/2-2 || v.Checks[3].Violations != 9999 {
		t.Errorf("%d unprocessed in %d gaps, want %d in 9999", v.Unprocessed, v.Checks[3].Violations, all/2-2)
	}
}
