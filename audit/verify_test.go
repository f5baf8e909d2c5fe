package audit_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/kycbridge/kycbridge/audit"
	"github.com/kycbridge/kycbridge/internal/contract"
	"github.com/kycbridge/kycbridge/internal/record"
	"github.com/kycbridge/kycbridge/schemas"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// found writes the violations of a verdict, one a line.
func found(v *audit.Verdict) string {
	var out strings.Builder
	for _, c := range v.Checks {
		for _, one := range c.First {
			fmt.Fprintf(&out, "%s %s %s\n", c.ID, one.Raw, one.What)
		}
	}
	return out.String()
}

// eachWay runs a test with the partitions read one by one and all together.
func eachWay(t *testing.T, test func(t *testing.T, o audit.VerifyOptions)) {
	t.Run("alone", func(t *testing.T) { test(t, audit.VerifyOptions{}) })
	t.Run("together", func(t *testing.T) { test(t, audit.VerifyOptions{Together: true}) })
}

func TestVerifyFindsNothingWrong(t *testing.T) {
	eachWay(t, func(t *testing.T, o audit.VerifyOptions) {
		v := healthy(t).verify(o)
		if v.Violations() != 0 {
			t.Errorf("a healthy log has violations:\n%s", found(v))
		}
		got := fmt.Sprint(v.Raw, v.Pending, v.Waiting, v.Emitted, v.Repeats, v.Dead, v.Events)
		if want := fmt.Sprint(8, 0, 1, 4, 2, 1, 4); got != want {
			t.Errorf("raw, pending, waiting, emitted, repeats, dead, events: %s, want %s", got, want)
		}
	})
}

// The deliveries of planted faults: they get the raw offsets 7 and 8 of partition 0.
var x, y = webhook{"x", "s1", 0}, webhook{"y", "s1", 0}

// faults are what can be wrong with a log, one at a time.
var faults = []struct {
	name  string
	plant func(w *world)
	want  []string // all violations, in part
}{
	{"no disposition", func(w *world) { w.receive(x) }, []string{"O4 0@7 no disposition (delivery " + delivery(record.Position{Offset: 7})}},
	{"two dispositions", func(w *world) {
		w.dispose(x, w.pass(x), emitted, event(x))
	}, []string{"O4 0@7 more than one final disposition, the second one EMITTED"}},
	{"three dispositions", func(w *world) {
		raw := w.pass(x)
		w.dispose(x, raw, duplicate, of(record.Position{}))
		w.dispose(x, raw, duplicate, of(record.Position{}))
	}, []string{"O4 0@7 more than one final disposition, the second one DUPLICATE"}},
	{"event missing", func(w *world) {
		w.dispose(x, w.receive(x), emitted, event(x))
	}, []string{"O4 0@7 event " + eventOf(x) + " is named by its disposition and is in no topic", "O1 -1@-1 the accepted delivery x is in no topic"}},
	{"dead letter missing", func(w *world) {
		w.dispose(x, w.receive(x), dead)
	}, []string{"O4 0@7 the dead letter is named by its disposition and is in no topic"}},
	{"event twice", func(w *world) { w.emit(x, w.pass(x)) },
		[]string{"O2 0@7 event " + eventOf(x) + " is there twice, again at kyc.check.v1 0@4"}},
	{"dead letter twice", func(w *world) {
		raw := w.receive(x)
		w.bury(x, raw)
		w.bury(x, raw)
		w.dispose(x, raw, dead)
	}, []string{"O2 0@7 the dead letter is there twice"}},
	{"event of nothing", func(w *world) { w.emit(x, record.Position{Offset: 0}) },
		[]string{"O4 0@0 event " + eventOf(x) + " is in a topic, and no disposition names it"}},
	{"wrong order", func(w *world) {
		first, second := w.receive(x), w.receive(y)
		w.emit(y, second)
		w.emit(x, first)
		w.dispose(x, first, emitted, event(x))
		w.dispose(y, second, emitted, event(y))
	}, []string{"O5 0@7 event " + eventOf(x) + " comes after one of the same subject of 0@8"}},
	{"wrong order of fetches", func(w *world) {
		first, second := w.receive(x), w.receive(y)
		w.dispose(x, first, hydrating)
		w.dispose(y, second, hydrating)
		w.emit(x, first, fetchedAt(w.at(9)))
		w.emit(y, second, fetchedAt(w.at(5)))
		w.dispose(x, first, emitted, event(x), hydrated(8))
		w.dispose(y, second, emitted, event(y), hydrated(9))
	}, []string{"O5 0@8 event " + eventOf(y) + ", of an object fetched at"}},
	{"lost on its way to the API", func(w *world) { w.dispose(x, w.receive(x), hydrating) },
		[]string{"O4 0@7 handed to the hydrate stage, and neither waiting there", "O1 -1@-1 the accepted delivery x"}},
	{"handed over twice", func(w *world) {
		raw := w.receive(x)
		w.dispose(x, raw, hydrating)
		w.dispose(x, raw, hydrating)
		w.emit(x, raw, fetchedAt(w.at(9)))
		w.dispose(x, raw, emitted, event(x), hydrated(8))
	}, []string{"O4 0@7 handed to the hydrate stage more than once"}},
	{"handed over at the end", func(w *world) { w.dispose(x, w.pass(x), hydrating) },
		[]string{"O4 0@7 handed to the hydrate stage after its final disposition"}},
	{"duplicate of nothing", func(w *world) {
		raw := w.receive(x)
		w.dispose(x, raw, duplicate, of(raw))
	}, []string{"O4 0@7 dropped as a duplicate of raw record 0@7, which is not before it", "O1 -1@-1 the accepted delivery x"}},
	{"duplicate of a task that was never let through", func(w *world) {
		raw := w.receive(x)
		w.dispose(x, raw, hydrating)
		w.dispose(x, raw, duplicate, hydrated(9), of(record.Position{Offset: 8}))
	}, []string{"O4 0@7 dropped as a duplicate of task 8 of the hydrate stage", "O1 -1@-1 the accepted delivery x"}},
	{"disposition elsewhere", func(w *world) {
		raw := w.receive(x)
		w.emit(x, raw)
		w.dispose(webhook{"x", "s1", 1}, raw, emitted, event(x))
	}, []string{"O4 0@7 its disposition is in partition 1", "O4 0@7 no disposition", "O4 0@7 event " + eventOf(x) + " is in a topic, and no"}},
	{"no kind", func(w *world) { w.dispose(x, w.receive(x), 0) }, []string{"O4 0@7 a disposition of no known kind"}},
	{"forged", func(w *world) { w.pass(webhook{"z", "s1", 0}) },
		[]string{"O3 0@7 the forged delivery z became event", "O3 0@7 the forged delivery z became a raw record"}},
	{"replayed twice", func(w *world) {
		raw := w.pass(x)
		w.emit(x, raw, flagged("replay=r1"))
		w.dispose(x, raw, emitted, event(x), replayedBy("r1"))
		w.dispose(x, raw, emitted, event(x), replayedBy("r1"))
	}, []string{`O2 0@7 replayed twice by "r1"`}},
	{"removed while it ran", func(w *world) {
		w.receive(x)
		w.receive(x)
		w.topics[schemas.Raw][0] = w.topics[schemas.Raw][0][:7]
		w.spans[0] = audit.Span{Next: 9, Done: 9}
	}, []string{"O4 0@7 no disposition, and retention removed it", "O4 0@8 no disposition, and retention removed it"}},
	{"replayed into nothing", func(w *world) {
		w.dispose(x, w.pass(x), emitted, event(x), replayedBy("r1"))
	}, []string{"O4 0@7 event " + eventOf(x) + " is named by its disposition and is in no topic"}},
}

// TestVerifyFindsEachFault plants one fault a time in a healthy log: it is found, at its raw
// position, and nothing else is.
func TestVerifyFindsEachFault(t *testing.T) {
	for _, c := range faults {
		t.Run(c.name, func(t *testing.T) {
			eachWay(t, func(t *testing.T, o audit.VerifyOptions) {
				w := healthy(t)
				c.plant(w)
				if strings.Contains(strings.Join(c.want, " "), "the accepted delivery x") {
					w.ledger.Accepted["x"] = true
				}
				v := w.verify(o)
				got := found(v)
				for _, want := range c.want {
					if !strings.Contains(got, want) {
						t.Errorf("found\n%swant %q", got, want)
					}
				}
				if n := int(v.Violations()); n != len(c.want) {
					t.Errorf("%d violations, want %d:\n%s", n, len(c.want), got)
				}
			})
		})
	}
}

// TestVerifyCountsWhatIsLawful: what looks odd and is not wrong is counted and no violation.
func TestVerifyCountsWhatIsLawful(t *testing.T) {
	for _, c := range []struct {
		name  string
		plant func(w *world)
		count func(v *audit.Verdict) int64
		want  int64
	}{
		{"a flagged double", func(w *world) { w.emit(x, w.pass(x), flagged("dedupe=unconfirmed")) },
			func(v *audit.Verdict) int64 { return v.Flagged["unconfirmed"] }, 1},
		{"a replay", func(w *world) {
			raw := w.pass(x)
			w.emit(x, raw, flagged("stale=true", "replay=r1"))
			w.dispose(x, raw, emitted, event(x), replayedBy("r1"))
		}, func(v *audit.Verdict) int64 { return v.Replays[0].Emitted * v.Replays[0].Events }, 1},
		{"a replayed dead letter", func(w *world) {
			raw := w.pass(x)
			w.bury(x, raw, record.Header{Key: "replay", Value: []byte("r1")})
			w.dispose(x, raw, dead, replayedBy("r1"))
		}, func(v *audit.Verdict) int64 { return v.Replays[0].DeadLettered }, 1},
		{"a gap that a replay filled", func(w *world) {
			raw := w.receive(x)
			w.emit(x, raw, flagged("replay=r1"))
			w.dispose(x, raw, emitted, event(x), replayedBy("r1"))
		}, func(v *audit.Verdict) int64 { return v.Filled }, 1},
		{"not yet processed", func(w *world) {
			w.receive(x)
			w.spans[0] = audit.Span{Next: 8, Done: 7}
		}, func(v *audit.Verdict) int64 { return v.Pending }, 1},
		{"outside of the range", func(w *world) {
			w.receive(x)
			w.spans[0] = audit.Span{Next: 7, Done: 8}
		}, func(v *audit.Verdict) int64 { return v.Raw }, 8},
		{"a duplicate of something older", func(w *world) { w.spans[0] = audit.Span{First: 1, Next: 7, Done: 7}; delete(w.ledger.Accepted, "a") },
			func(v *audit.Verdict) int64 { return v.Older }, 1},
		{"not what it should be", func(w *world) {
			r := &w.topics[schemas.Check][0][0]
			w.topics[schemas.Check][0] = append(w.topics[schemas.Check][0], record.Record{Topic: r.Topic, Offset: 9, Value: []byte("x")})
		}, func(v *audit.Verdict) int64 { return v.Unread }, 1},
		{"of an earlier topic", func(w *world) {
			w.emit(x, record.Position{Offset: 1})
			w.dispose(x, record.Position{Offset: 1}, emitted, event(x), func(d *kycv1.Disposition) { d.RawTopicId = []byte(strings.Repeat("x", 16)) })
		}, func(v *audit.Verdict) int64 { return v.Emitted }, 4},
	} {
		t.Run(c.name, func(t *testing.T) {
			eachWay(t, func(t *testing.T, o audit.VerifyOptions) {
				w := healthy(t)
				c.plant(w)
				e := w.evidence()
				if c.name == "of an earlier topic" {
					e.Raw.ID = [16]byte{15: 1}
					for p := range w.topics[schemas.DispositionTopic] {
						relabel(t, w.topics[schemas.DispositionTopic][p], e.Raw.ID)
					}
				}
				v, err := audit.Verify(t.Context(), e, o)
				if err != nil {
					t.Fatal(err)
				}
				if v.Violations() != 0 {
					t.Errorf("violations:\n%s", found(v))
				}
				if got := c.count(v); got != c.want {
					t.Errorf("counted %d, want %d", got, c.want)
				}
			})
		})
	}
}

// relabel puts the raw topic's id into dispositions that have none.
func relabel(t *testing.T, records []record.Record, id [16]byte) {
	for n := range records {
		d := &kycv1.Disposition{}
		if err := contract.Unmarshal(records[n].Value, d); err != nil {
			t.Fatal(err)
		}
		if d.RawTopicId[0] != 0 {
			continue
		}
		d.RawTopicId = id[:]
		value, err := contract.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		records[n].Value = value
	}
}

// TestVerifyWhileEventsCome: what is written between the scan of dispositions and that of
// events is no stray, and a task that ends meanwhile is not lost.
func TestVerifyWhileEventsCome(t *testing.T) {
	eachWay(t, func(t *testing.T, o audit.VerifyOptions) {
		w := healthy(t)
		waits := webhook{"d", "s3", 0}
		w.topics[schemas.HydrateWait][0] = nil
		w.during = func(base string, partition int32) {
			if base != schemas.DispositionTopic || partition != 0 {
				return
			}
			w.during = nil
			w.emit(waits, record.Position{Offset: 5}, fetchedAt(noon))
			w.dispose(waits, record.Position{Offset: 5}, emitted, event(waits), hydrated(8))
		}
		if v := w.verify(o); v.Violations() != 0 || v.Emitted != 5 {
			t.Errorf("%d emitted, want 5; violations:\n%s", v.Emitted, found(v))
		}
	})
}

// TestVerifyReadsTogetherWhatIsNotAligned: an event in another partition than its raw record, as
// after a change of the partition count, is found by reading everything together.
func TestVerifyReadsTogetherWhatIsNotAligned(t *testing.T) {
	w := healthy(t)
	first, second := webhook{"x", "s9", 0}, webhook{"y", "s9", 0}
	raw := w.receive(first)
	w.emit(webhook{"x", "s9", 1}, raw)
	w.dispose(first, raw, emitted, event(first))
	if v := w.verify(audit.VerifyOptions{}); v.Violations() != 0 || v.Events != 5 {
		t.Errorf("%d events, want 5; violations:\n%s", v.Events, found(v))
	}
	w.spans[1] = audit.Span{First: 1, Next: 1, Done: 1} // nothing to be judged there
	delete(w.ledger.Accepted, "f")
	if v := w.verify(audit.VerifyOptions{}); v.Violations() != 0 || v.Events != 4 {
		t.Errorf("%d events of partition 0, want 4; violations:\n%s", v.Events, found(v))
	}
	w.pass(second)
	if got := found(w.verify(audit.VerifyOptions{})); !strings.Contains(got, "is in partitions 0 and 1 of kyc.check.v1") {
		t.Errorf("a subject in two partitions gives:\n%s", got)
	}
}

// TestVerifyFindsALetterElsewhere: the dead letter of a record without a key goes where its stand-in sends it.
func TestVerifyFindsALetterElsewhere(t *testing.T) {
	w := healthy(t)
	h := webhook{"q", "s9", 0}
	raw := w.receive(h)
	w.bury(webhook{"q", "s9", 1}, raw)
	w.dispose(h, raw, dead, reason(kycv1.DeadLetterReason_DEAD_LETTER_REASON_MALFORMED))
	if v := w.verify(audit.VerifyOptions{}); v.Violations() != 0 {
		t.Errorf("violations:\n%s", found(v))
	}
}

// TestVerifyListsTheFirst: all violations are counted, the first by raw position are listed.
func TestVerifyListsTheFirst(t *testing.T) {
	w := newWorld(t)
	for n := range 3000 {
		h := webhook{fmt.Sprint(n), "s1", 0}
		if n%1500 < 10 {
			w.receive(h)
		} else {
			w.pass(h)
		}
	}
	w.pass(webhook{"f", "s5", 1})
	v := w.verify(audit.VerifyOptions{MaxListed: 3})
	c := v.Checks[3]
	if c.Violations != 20 || len(c.First) != 3 || c.First[0].Raw.Offset != 0 || c.First[2].Raw.Offset != 2 {
		t.Errorf("%d violations, listed %+v; want 20, and the first three", c.Violations, c.First)
	}
	if n := w.scans[schemas.Raw]; n != 2 {
		t.Errorf("the raw topic was read %d times, want 2: only near what is missing", n)
	}
}

func TestVerifyCannotCheck(t *testing.T) {
	broken := errors.New("disk on fire")
	w := healthy(t)
	e := w.evidence()
	e.DeadLetters.Scan = func(context.Context, int32, record.ScanFrom, func(record.Record) error) (int64, error) {
		return 0, broken
	}
	if v, err := audit.Verify(t.Context(), e, audit.VerifyOptions{}); v != nil || !errors.Is(err, broken) || !strings.Contains(err.Error(), "kyc.deadletter.v1 partition 0") {
		t.Errorf("verdict %v, error %v; want the place and the cause", v, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	stop := audit.VerifyOptions{Progress: func(p audit.Progress) {
		if p.Records == 3 {
			cancel()
		}
	}}
	if v, err := audit.Verify(ctx, w.evidence(), stop); v != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: verdict %v, error %v", v, err)
	}
}

func TestVerdictGolden(t *testing.T) {
	w := healthy(t)
	x := webhook{"x", "s1", 0}
	raw := w.pass(x)
	w.emit(x, raw, flagged("dedupe=unverified"))
	w.emit(x, raw, flagged("replay=2026-01-02/a"))
	w.dispose(x, raw, emitted, event(x), replayedBy("2026-01-02/a"))
	clean := w.verify(audit.VerifyOptions{})
	clean.Notes = []string{"120 raw records of partition 0 have expired"}
	w.emit(x, raw)
	for n := range 4 {
		w.receive(webhook{fmt.Sprint(n), "s1", 1})
	}
	w.ledger.Accepted["gone"] = true
	w.spans[1] = audit.Span{Next: 5, Done: 4}
	spoiled := w.verify(audit.VerifyOptions{MaxListed: 2})
	w.ledger = nil
	for name, v := range map[string]*audit.Verdict{"clean": clean, "spoiled": spoiled, "noledger": w.verify(audit.VerifyOptions{})} {
		doc, err := json.MarshalIndent(v, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		golden(t, "testdata/verdict_"+name+".json", string(doc)+"\n")
	}
}
