package hydrate_test

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/kycbridge/kycbridge/normalize/hydrate"
	"github.com/kycbridge/kycbridge/normalize/normalizetest"
	"github.com/kycbridge/kycbridge/schemas"
)

// toEnd puts the group's offsets of topics to their ends, as the tools of Kafka do. No process may run.
func (w *world) toEnd(topics ...string) {
	w.T.Helper()
	for _, topic := range topics {
		ends := normalizetest.Must(w.Reader.Ends(w.Ctx, topic))(w.T)
		w.Await("the group is empty and takes offsets", func() bool {
			w.Undertaker.Bury(w.Ctx, hydrate.DefaultGroup)
			return w.Reader.Commit(w.Ctx, hydrate.DefaultGroup, topic, ends) == nil
		})
	}
}

// unset deletes the group, and its offsets with it.
func (w *world) unset() {
	w.T.Helper()
	w.Await("the group is empty and is deleted", func() bool {
		w.Undertaker.Bury(w.Ctx, hydrate.DefaultGroup)
		_, err := kadm.NewClient(w.Client).DeleteGroup(w.Ctx, hydrate.DefaultGroup)
		return err == nil
	})
}

// Offsets that somebody set behind tasks that are under way, or deleted, lose none of them.
func TestOffsetsSetFromOutsideLoseNoTask(t *testing.T) {
	for name, set := range map[string]func(w *world){
		"both topics to latest": func(w *world) { w.toEnd(schemas.Hydrate, schemas.HydrateWait) },
		"the tasks to latest":   func(w *world) { w.toEnd(schemas.Hydrate) },
		"the wait to latest":    func(w *world) { w.toEnd(schemas.HydrateWait) },
		"deleted":               (*world).unset,
		"to latest, and Redis is empty": func(w *world) {
			w.toEnd(schemas.Hydrate, schemas.HydrateWait)
			w.Redis.FlushAll()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := inFlight(t, 1)
			set(w)
			w.recover()
			p := w.start(0, smallBatches)
			w.settle()
			normalizetest.Must(0, p.stop())(t)
			w.start(1, smallBatches)
			w.concluded()
		})
	}
}
