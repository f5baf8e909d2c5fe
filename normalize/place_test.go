package normalize_test

import (
	"fmt"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/kycbridge/kycbridge/normalize"
	"github.com/kycbridge/kycbridge/normalize/normalizetest"
	"github.com/kycbridge/kycbridge/schemas"
)

// set puts the group's offset of raw partition 0, as the tools of Kafka do. No process may run.
func (w *world) set(offset int64) {
	w.T.Helper()
	w.Await("the group takes an offset", func() bool {
		w.Undertaker.Bury(w.Ctx, normalize.DefaultGroup)
		return w.Reader.Commit(w.Ctx, normalize.DefaultGroup, schemas.Raw, map[int32]int64{0: offset}) == nil
	})
}

// unset deletes the group's offsets.
func (w *world) unset() {
	w.T.Helper()
	w.Await("the group is deleted", func() bool {
		w.Undertaker.Bury(w.Ctx, normalize.DefaultGroup)
		_, err := kadm.NewClient(w.Client).DeleteGroup(w.Ctx, normalize.DefaultGroup)
		return err == nil
	})
}

// disposed waits until there are dispositions for all of raw: an offset that was set says nothing about them.
func (w *world) disposed() {
	w.T.Helper()
	w.Await("all of raw is disposed of", func() bool { return len(w.dispositions()) >= len(w.Read(schemas.Raw)) })
	w.settle()
}

// Whatever somebody sets the group's offsets to, no record is passed over and none is published again; and it
// is said.
func TestOffsetsSetFromOutsideLoseAndDoubleNothing(t *testing.T) {
	const before, after = 30, 20 // records that were disposed of, and that wait, when the offset is set
	for _, c := range []struct {
		name          string
		fresh         bool // nothing was disposed of
		flush         bool // Redis is empty as well
		set           func(w *world)
		forward, back float64
	}{
		{name: "earliest", set: func(w *world) { w.set(0) }, back: before},
		{name: "latest", set: func(w *world) { w.set(before + after) }, forward: after},
		{name: "latest, and Redis is empty", flush: true, set: func(w *world) { w.set(before + after) }, forward: after},
		{name: "somewhere before", set: func(w *world) { w.set(7) }, back: before - 7},
		{name: "somewhere behind", set: func(w *world) { w.set(before + 9) }, forward: 9},
		{name: "beyond the end", set: func(w *world) { w.set(1000) }, forward: 1000 - before},
		{name: "as it was", set: func(w *world) { w.set(before) }},
		{name: "deleted", set: (*world).unset, back: before},
		{name: "deleted, and Redis is empty", flush: true, set: (*world).unset, back: before},
		{name: "latest before anything was read", fresh: true, set: func(w *world) { w.set(before + after) }, forward: before + after},
		{name: "not at all", fresh: true, set: func(*world) {}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 1)
			var want []string
			send := func(n int) {
				for range n {
					s := said{Subject: "s", ID: fmt.Sprint(len(want)), Text: "x"}
					w.send(0, s)
					want = append(want, s.ID+"/x")
				}
			}
			send(before)
			if !c.fresh {
				p := w.start(0)
				w.disposed()
				if err := p.stop(); err != nil {
					t.Fatal(err)
				}
			}
			send(after)
			if c.flush {
				w.Redis.FlushAll()
			}
			c.set(w)
			metrics := prometheus.NewRegistry()
			small := func(o *normalize.Options) { o.Batch, o.Registerer = 7, metrics }
			p := w.start(1, small)
			w.disposed()
			for direction, want := range map[string]float64{"forward": c.forward, "back": c.back} {
				if got := count(t, metrics, "kycbridge_normalize_offsets_moved_total", direction); got != want {
					t.Errorf("%v records counted as moved %s, expected %v", got, direction, want)
				}
			}
			// Nor is anything passed over by what comes after, and a batch that is given back.
			w.Redis.FlushAll()
			send(1)
			w.disposed()
			if err := p.stop(); err != nil {
				t.Fatal(err)
			}
			metrics = prometheus.NewRegistry()
			w.start(2, small)
			send(1)
			w.disposed()
			for _, direction := range []string{"forward", "back"} {
				if got := count(t, metrics, "kycbridge_normalize_offsets_moved_total", direction); got != 0 {
					t.Errorf("%v records counted as moved %s by a restart, expected none", got, direction)
				}
			}
			w.expectEvents(want...)
			w.audit()
		})
	}
}

// count is the value of a counter under its one label.
func count(t *testing.T, r prometheus.Gatherer, name, label string) float64 {
	t.Helper()
	for _, family := range normalizetest.Must(r.Gather())(t) {
		if family.GetName() != name {
			continue
		}
		for _, m := range family.GetMetric() {
			if m.GetLabel()[0].GetValue() == label {
				return m.GetCounter().GetValue()
			}
		}
	}
	return 0
}

// What retention removed of the records that an offset passed over cannot be read; reading begins at what is
// left.
func TestReadingGoesOnAtWhatRetentionLeft(t *testing.T) {
	w := newWorld(t, 1)
	send := func(from, to int) (all []string) {
		for n := from; n < to; n++ {
			w.send(0, said{Subject: "s", ID: fmt.Sprint(n), Text: "x"})
			all = append(all, fmt.Sprintf("%d/x", n))
		}
		return all
	}
	want := send(0, 5)
	p := w.start(0)
	w.disposed()
	if err := p.stop(); err != nil {
		t.Fatal(err)
	}
	send(5, 8)
	want = append(want, send(8, 12)...)
	w.set(12)
	at := kadm.Offsets{}
	at.AddOffset(w.Sink.Topic(schemas.Raw), 0, 8, -1)
	if _, err := kadm.NewClient(w.Client).DeleteRecords(w.Ctx, at); err != nil {
		t.Fatal(err)
	}
	w.start(1)
	w.Await("the rest is published", func() bool { return len(w.events()) >= len(want) })
	w.settle()
	w.expectEvents(want...)
}
