package hydrate_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/kycbridge/kycbridge/internal/contract"
	"github.com/kycbridge/kycbridge/normalize"
	"github.com/kycbridge/kycbridge/normalize/dedupe"
	"github.com/kycbridge/kycbridge/normalize/hydrate"
	"github.com/kycbridge/kycbridge/normalize/normalizetest"
	"github.com/kycbridge/kycbridge/schemas"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// Copies of one task that are read in one batch become one: the first that has its answer, else the last.
func TestCopiesInOneBatchBecomeOne(t *testing.T) {
	w := newWorld(t, 1)
	n := normalizetest.Must(normalize.New(w.stage(9, w.Undertaker.Line(), normalize.DefaultGroup, schemas.Raw)))(t)
	go func() { _ = n.Run(w.Ctx) }()
	w.send(0, said{shyName, "o", ""}, said{shyName, "waits", ""})
	w.Await("the tasks are there", func() bool { return len(w.tasks()) == 2 })
	task, waits := w.tasks()[0], w.tasks()[1]
	w.put(schemas.Hydrate, task, answered(task, "v1"), task, answered(task, "v2"), answered(task, "v3"))
	waits.NotBefore = timestamppb.Now()
	w.put(schemas.HydrateWait, waits, waits, waits)
	w.apis[shyName].set("/first/waits", "waits", "done", 1)
	metrics := prometheus.NewRegistry()
	w.start(0, func(o *hydrate.Options) { o.Stage.Registerer = metrics })
	w.settle()
	w.drain()
	w.audit()
	w.expect("o/v1/fetched", "waits/done/fetched")
	if n := outcomes(t, metrics, "kycbridge_hydrate_wait_records_total")["copy"]; n != 2 {
		t.Errorf("%v waiting copies are passed over, expected 2 of 3", n)
	}
}

// A process died after it had claimed for a stored answer. A later copy with an answer, in the same batch,
// must not take that copy's place: it would be dropped for a claim that nobody fulfils.
func TestACopyThatMayHaveClaimedIsNotPassedOver(t *testing.T) {
	w := newWorld(t, 1)
	n := normalizetest.Must(normalize.New(w.stage(9, w.Undertaker.Line(), normalize.DefaultGroup, schemas.Raw)))(t)
	go func() { _ = n.Run(w.Ctx) }()
	w.send(0, said{shyName, "o", ""})
	w.Await("the task is there", func() bool { return len(w.tasks()) == 1 })
	task := w.tasks()[0]
	w.put(schemas.Hydrate, answered(task, "v1"))
	p, died := w.startDying(1, false)
	select {
	case <-died:
		_ = p.stop()
	case <-w.Ctx.Done():
		t.Fatal("the process never came so far")
	}
	w.put(schemas.Hydrate, answered(task, "v1"))
	w.start(0)
	w.settle()
	w.drain()
	w.audit()
	w.expect("o/v1/fetched")
}

// outcomes gives the values of a counter by the label "outcome".
func outcomes(t *testing.T, metrics prometheus.Gatherer, name string) map[string]float64 {
	t.Helper()
	found := map[string]float64{}
	for _, family := range normalizetest.Must(metrics.Gather())(t) {
		if family.GetName() != name {
			continue
		}
		for _, m := range family.GetMetric() {
			found[m.GetLabel()[0].GetValue()] = m.GetCounter().GetValue()
		}
	}
	return found
}

// put appends tasks as an earlier pass left them.
func (w *world) put(topic string, tasks ...*kycv1.HydrateTask) {
	w.T.Helper()
	for _, task := range tasks {
		r := &kgo.Record{Topic: schemas.DefaultPrefix + topic, Partition: task.GetRaw().GetPartition(), Key: []byte("shy/o"), Value: normalizetest.Must(contract.Marshal(task))(w.T)}
		if err := w.Client.ProduceSync(w.Ctx, r).FirstErr(); err != nil {
			w.T.Fatal(err)
		}
	}
}

// answered is a task with an answer of a state.
func answered(task *kycv1.HydrateTask, status string) *kycv1.HydrateTask {
	a := proto.CloneOf(task)
	a.FetchResult, a.FetchedKind, a.FetchedAt = kycv1.FetchResult_FETCH_RESULT_FETCHED, "first", timestamppb.New(received)
	a.Fetched = []byte(`{"id":"o","status":"` + status + `","version":1}`)
	return a
}

// looking counts the marks that are looked up.
type looking struct {
	*dedupe.Store
	looks *atomic.Int64
}

func (l looking) Exchange(ctx context.Context, r dedupe.Round) (dedupe.Reply, error) {
	l.looks.Add(int64(len(r.Looks)))
	return l.Store.Exchange(ctx, r)
}

// Tasks that overtake each other cost no look at Redis, until a successor meets those of its predecessor.
func TestOrdinaryTasksAreNotLookedUp(t *testing.T) {
	w := inFlight(t, 1)
	w.Redis.FlushAll()
	var looks atomic.Int64
	counted := func(o *hydrate.Options) {
		o.Stage.Claims = looking{o.Stage.Claims.(*dedupe.Store), &looks}
	}
	settled := len(w.finals())
	again, _ := w.behind(schemas.Hydrate)
	p := w.start(0, counted)
	for n := range 10 {
		w.send(0, said{shyName, fmt.Sprint("quick", n), ""})
		w.Await("a later task is settled", func() bool { return len(w.finals()) == settled+n+1 })
	}
	if n := looks.Load(); n > int64(again) {
		t.Errorf("%d marks were looked up, expected those of the %d tasks that are read again", n, again)
	}
	w.recover()
	w.settle()
	w.drain()
	normalizetest.Must(0, p.stop())(t)
	w.audit()
}
