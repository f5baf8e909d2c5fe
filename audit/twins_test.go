package audit_test

import (
	"strings"
	"testing"

	"github.com/kycbridge/kycbridge/audit"
	"github.com/kycbridge/kycbridge/internal/record"
)

// said takes a webhook through all of it, and writes its event as JSON too.
func (w *world) said(h webhook) record.Position {
	raw := w.pass(h)
	w.twin(h)
	return raw
}

// emitAgain is a replay that publishes a delivery once more.
func (w *world) emitAgain(h webhook, raw record.Position) {
	w.emit(h, raw, flagged("replay=again"))
	w.dispose(h, raw, emitted, event(h), replayedBy("again"))
}

func hook(id string) webhook { return webhook{id, "of-" + id, 0} }

// TestEventsAndTheirJSON: what the two topics of an event must hold alike, and what they need not.
func TestEventsAndTheirJSON(t *testing.T) {
	const looked = "O6 "
	for _, c := range []struct {
		name  string
		build func(w *world)
		want  []string // violations, in part
		alone int64
	}{
		{"all alike", func(w *world) { w.said(hook("a")); w.said(hook("b")); w.said(webhook{"c", "s", 1}) }, nil, 0},
		{"switched on later", func(w *world) { w.pass(hook("a")); w.said(hook("b")); w.said(hook("c")) }, nil, 1},
		{"and off again", func(w *world) { w.said(hook("a")); w.said(hook("b")); w.pass(hook("c")); w.pass(hook("d")) }, nil, 2},
		{"never on in a partition", func(w *world) { w.said(hook("a")); w.pass(webhook{"b", "s", 1}) }, nil, 1},
		{"one is lost", func(w *world) { w.said(hook("a")); w.pass(hook("b")); w.said(hook("c")) },
			[]string{"event " + eventOf(hook("b")) + " at kyc.check.v1 0@1 is not on kyc.check.v1.json"}, 0},
		{"one is lost, and replayed", func(w *world) {
			w.said(hook("a"))
			raw := w.pass(hook("b"))
			w.said(hook("c"))
			w.emitAgain(hook("b"), raw)
			w.twin(hook("b"))
		}, nil, 0},
		{"one is doubled", func(w *world) { w.said(hook("a")); w.said(hook("b")); w.twin(hook("b")) },
			[]string{"is 1 times on kyc.check.v1, first at 0@1, and 2 times on kyc.check.v1.json, first at 0@1"}, 0},
		{"one of a replay is doubled", func(w *world) {
			w.emitAgain(hook("a"), w.said(hook("a")))
			w.twin(hook("a"))
			w.twin(hook("a"))
		}, []string{"is 1 times on kyc.check.v1, first at 0@1, and 2 times"}, 0},
		{"JSON of nothing", func(w *world) {
			w.said(hook("a"))
			w.twin(hook("a"), func(r *record.Record) {
				r.Value = []byte(strings.ReplaceAll(string(r.Value), eventOf(hook("a")), eventOf(hook("z"))))
				r.Headers[0].Value = []byte(eventOf(hook("z")))
			})
		}, []string{"event " + eventOf(hook("z")) + " is at kyc.check.v1.json 0@1, and there is no such event on kyc.check.v1"}, 0},
		{"retention has removed the JSON of the first", func(w *world) {
			w.twinBegins = 2
			w.pass(hook("a"))
			w.said(hook("b"))
			w.pass(hook("c")) // its JSON was before that of b
			w.said(hook("d"))
		}, nil, 2},
		{"in another partition, for there are more", func(w *world) {
			w.said(hook("a"))
			w.pass(hook("b"))
			w.twin(hook("b"), func(r *record.Record) { r.Partition = 2 })
		}, nil, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.topics[checkJSON] = make([][]record.Record, partitions+1)
			c.build(w)
			more := len(w.topics[checkJSON][partitions]) > 0
			e := w.evidence()
			if more {
				e.Twins[0].Partitions = partitions + 1
			}
			v, err := audit.Verify(t.Context(), e, audit.VerifyOptions{})
			if err != nil {
				t.Fatal(err)
			}
			got := found(v)
			if v.Violations() != int64(len(c.want)) || v.Alone != c.alone || v.Unread != 0 {
				t.Errorf("%d without JSON, %d unreadable, and the violations\n%swant %d and %q", v.Alone, v.Unread, got, c.alone, c.want)
			}
			for _, part := range c.want {
				if !strings.Contains(got, looked) || !strings.Contains(got, part) {
					t.Errorf("found %q, want %q", got, part)
				}
			}
		})
	}
}

// TestJSONThatCannotBeRead is counted, and is the JSON of nothing.
func TestJSONThatCannotBeRead(t *testing.T) {
	w := newWorld(t)
	w.said(hook("a"))
	w.pass(hook("b"))
	w.twin(hook("b"), func(r *record.Record) { r.Value = []byte("{") })
	w.said(hook("c"))
	w.twin(hook("c"), func(r *record.Record) { r.Headers[0].Value = []byte(eventOf(hook("b"))) }) // says another id inside
	if v := w.verify(audit.VerifyOptions{}); v.Unread != 2 || v.Violations() != 1 || !strings.Contains(found(v), eventOf(hook("b"))) {
		t.Errorf("%d unreadable, violations:\n%s", v.Unread, found(v))
	}
}

// TestNoJSONTopics: without them there is no such check.
func TestNoJSONTopics(t *testing.T) {
	if v := healthy(t).verify(audit.VerifyOptions{}); len(v.Checks) != 5 || v.Alone != 0 {
		t.Errorf("%+v", v)
	}
}

// TestJSONWhileEventsCome: an event that came after the events were read, and whose JSON was read, is no JSON of nothing.
func TestJSONWhileEventsCome(t *testing.T) {
	w := newWorld(t)
	w.said(hook("a"))
	w.said(webhook{"other", "s", 1}) // every partition is judged, so nothing is read a second time
	scans := 0
	w.during = func(base string, partition int32) {
		if base == "check.v1" && partition == 0 {
			if scans++; scans == 2 { // the lanes have read it once
				w.said(hook("b"))
			}
		}
	}
	if v := w.verify(audit.VerifyOptions{}); v.Violations() != 0 || scans < 3 {
		t.Errorf("%d scans, and the violations:\n%s", scans, found(v))
	}
}

// TestJSONOfAWindow: at the edge of a window, an event and its JSON may be on either side.
func TestJSONOfAWindow(t *testing.T) {
	w := newWorld(t)
	w.pass(hook("a"))
	w.tick += 10
	edge := w.at(w.tick)
	w.twin(hook("a"))
	w.tick += 300
	w.said(hook("b"))
	w.said(hook("c"))
	w.spans[0] = audit.Span{First: 1, Next: 3, Done: 3, End: 3, Since: edge}
	w.spans[1] = audit.Span{Since: edge}
	if v := w.verify(audit.VerifyOptions{}); v.Violations() != 0 {
		t.Errorf("violations:\n%s", found(v))
	}
}

// TestTraceShowsJSON: where an event is as JSON, and where a replay's is.
func TestTraceShowsJSON(t *testing.T) {
	w := newWorld(t)
	a := hook("a")
	raw := w.said(a)
	w.emitAgain(a, raw)
	w.twin(a)
	w.pass(hook("b"))
	story := w.trace("0@0")
	var got []string
	for _, e := range story.Deliveries[0].Events {
		got = append(got, strings.Join(e.Flags, ",")+"@"+e.Twin.Topic+record.Position{Partition: e.Twin.Partition, Offset: e.Twin.Offset}.String())
	}
	if want := "@kyc.check.v1.json0@0 replay=again@kyc.check.v1.json0@1"; strings.Join(got, " ") != want {
		t.Errorf("the trace shows %v, want %s", got, want)
	}
	if e := w.trace("0@1").Deliveries[0].Events[0]; e.Twin != nil {
		t.Errorf("an event without JSON has %+v", e.Twin)
	}
}
