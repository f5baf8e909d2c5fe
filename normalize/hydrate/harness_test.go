package hydrate_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kycbridge/kycbridge/internal/contract"
	"github.com/kycbridge/kycbridge/internal/record"
	"github.com/kycbridge/kycbridge/internal/secret"
	"github.com/kycbridge/kycbridge/normalize"
	"github.com/kycbridge/kycbridge/normalize/hydrate"
	"github.com/kycbridge/kycbridge/normalize/normalizetest"
	"github.com/kycbridge/kycbridge/providers"
	"github.com/kycbridge/kycbridge/schemas"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// testLimit ends a test that hangs; no test depends on its length.
const testLimit = 3 * time.Minute

// world is a broker and a Redis in this process, the APIs of the test vendors, and what went in.
type world struct {
	*normalizetest.World
	apis map[string]*api // by vendor
}

func newWorld(t *testing.T, partitions int32) *world {
	t.Helper()
	w := &world{World: normalizetest.NewWorld(t, testLimit, partitions), apis: map[string]*api{}}
	for _, name := range []string{shyName, thinName} {
		w.apis[name] = newAPI(t)
	}
	return w
}

// send appends deliveries to the raw topic.
func (w *world) send(partition int32, all ...said) {
	w.T.Helper()
	for _, s := range all {
		value := normalizetest.Must(contract.Marshal(s.envelope()))(w.T)
		w.Produce(&kgo.Record{Topic: schemas.DefaultPrefix + schemas.Raw, Partition: partition, Key: s.key(), Value: value})
	}
}

// stage is what both stages of this world share.
func (w *world) stage(instance int, l *normalizetest.Line, group, input string) normalize.Options {
	return normalize.Options{
		Instance: instance, Claims: w.Store(), TTL: time.Hour, Wait: 50 * time.Millisecond,
		Providers: []providers.Provider{shy(), thin()}, Validator: normalizetest.Validator(w.T), Grace: time.Second,
		Hydrates:   func(endpoint string) bool { return endpoint == thinName },
		Log:        normalizetest.Log{Reader: w.Reader, Group: group, Base: input},
		Registerer: prometheus.NewRegistry(), Sessions: w.open(l, group, input),
		Logger: normalizetest.Logger("instance", instance, "group", group),
	}
}

func (w *world) open(l *normalizetest.Line, group, input string) normalizetest.Opens {
	so := normalizetest.Restless(group, input)
	so.Gather = input == schemas.Hydrate
	return func(ctx context.Context, id string, watch normalize.Watch) (normalize.Slot, error) {
		return normalizetest.OpenSlot(ctx, w.Over(l), so, id, watch, normalize.Slot{RawTopicID: w.IDs[schemas.Raw], DispositionID: w.IDs[schemas.DispositionTopic]})
	}
}

// options is a hydrator of this world, impatient so that tests are quick.
func (w *world) options(instance int, l *normalizetest.Line) hydrate.Options {
	o := hydrate.Options{
		Stage: w.stage(instance, l, hydrate.DefaultGroup, schemas.Hydrate), Wait: w.open(l, hydrate.DefaultGroup, schemas.HydrateWait), Tasks: w.reread,
		Rate: 10000, Timeout: 5 * time.Second, GiveUpAfter: 24 * time.Hour * 365 * 100,
		RetryFirst: 20 * time.Millisecond, AskAgainAfter: 100 * time.Millisecond,
	}
	for _, v := range []providers.Provider{shy(), thin()} {
		o.Endpoints = append(o.Endpoints, hydrate.Endpoint{
			Name: v.Name, Provider: v, Environment: kycv1.Environment_ENVIRONMENT_LIVE, Internal: true,
			BaseURL: w.apis[v.Name].url, Credentials: hydrate.Credentials{Key: secret.Of("key-of-" + v.Name)},
		})
	}
	return o
}

// reread reads the task topic again.
func (w *world) reread(ctx context.Context, p int32, from int64, fn func(*kgo.Record) bool) error {
	enough := errors.New("enough")
	_, err := w.Reader.Scan(ctx, schemas.Hydrate, p, record.ScanFrom{Offset: from}, func(r *kgo.Record) error {
		if !fn(r) {
			return enough
		}
		return nil
	})
	if errors.Is(err, enough) {
		return nil
	}
	return err
}

// process is a running normaliser and hydrator.
type process struct {
	line *normalizetest.Line
	stop func() error
}

// start runs both stages; change alters the hydrator.
func (w *world) start(instance int, change ...func(*hydrate.Options)) *process {
	w.T.Helper()
	l := w.Undertaker.Line()
	o := w.options(instance, l)
	for _, f := range change {
		f(&o)
	}
	h := normalizetest.Must(hydrate.New(o))(w.T)
	n := normalizetest.Must(normalize.New(w.stage(instance, l, normalize.DefaultGroup, schemas.Raw)))(w.T)
	ctx, cancel := context.WithCancel(w.Ctx)
	done := make(chan error, 2)
	go func() { done <- h.Run(ctx) }()
	go func() { done <- n.Run(ctx) }()
	p := &process{line: l}
	p.stop = sync.OnceValue(func() error { cancel(); return errors.Join(<-done, <-done) })
	w.T.Cleanup(func() { _ = p.stop() })
	return p
}

// kill ends a process as kill -9 does: nothing it still wants to say arrives.
func (p *process) kill() {
	p.line.Cut()
	_ = p.stop()
}

func (w *world) events() []*kycv1.SessionEvent {
	return normalizetest.Decode(w.T, w.Read(schemas.Session), func() *kycv1.SessionEvent { return &kycv1.SessionEvent{} })
}

func (w *world) tasks() []*kycv1.HydrateTask {
	return normalizetest.Decode(w.T, w.Read(schemas.Hydrate), func() *kycv1.HydrateTask { return &kycv1.HydrateTask{} })
}

func (w *world) dispositions() []*kycv1.Disposition {
	return normalizetest.Decode(w.T, w.Read(schemas.DispositionTopic), func() *kycv1.Disposition { return &kycv1.Disposition{} })
}

func (w *world) deadLetters() []*kycv1.DeadLetter {
	return normalizetest.Decode(w.T, w.Read(schemas.DeadLetterTopic), func() *kycv1.DeadLetter { return &kycv1.DeadLetter{} })
}

// texts gives what each event says, "<id>/<status>/<how it was had>".
func (w *world) texts() []string {
	var texts []string
	for _, e := range w.events() {
		texts = append(texts, textOf(e))
	}
	slices.Sort(texts)
	return texts
}

// finals counts the final dispositions of each raw record.
func (w *world) finals() map[[2]int64]int {
	finals := map[[2]int64]int{}
	for _, d := range w.dispositions() {
		if d.GetKind() != kycv1.DispositionKind_DISPOSITION_KIND_HYDRATING {
			finals[[2]int64{int64(d.GetRaw().GetPartition()), d.GetRaw().GetOffset()}]++
		}
	}
	return finals
}

// settle waits until every raw record has its final disposition.
func (w *world) settle() {
	w.T.Helper()
	raw := len(w.Read(schemas.Raw))
	w.Await("every delivery has a final disposition", func() bool {
		w.Undertaker.Bury(w.Ctx, normalize.DefaultGroup, hydrate.DefaultGroup)
		return len(w.finals()) == raw
	})
}

// audit checks conservation and the contract: one final disposition for each raw record, after one
// HYDRATING at most, and every record as its rules say.
func (w *world) audit() {
	w.T.Helper()
	for at, n := range w.finals() {
		if n != 1 {
			w.T.Errorf("raw record %v has %d final dispositions, expected 1", at, n)
		}
	}
	if raw, finals := len(w.Read(schemas.Raw)), len(w.finals()); raw != finals {
		w.T.Errorf("%d raw records, %d with a final disposition", raw, finals)
	}
	v := normalizetest.Validator(w.T)
	for _, d := range w.dispositions() {
		if err := v.Validate(d); err != nil {
			w.T.Errorf("a disposition breaks the contract: %v", err)
		}
		if (d.GetStage() == kycv1.Stage_STAGE_HYDRATE) != (d.GetClaimed() != nil) {
			w.T.Errorf("a disposition of %v has claimed = %v", d.GetStage(), d.GetClaimed())
		}
	}
	for _, d := range w.deadLetters() {
		if err := v.Validate(d); err != nil {
			w.T.Errorf("a dead letter breaks the contract: %v", err)
		}
	}
	for _, task := range w.tasks() {
		if err := v.Validate(task); err != nil {
			w.T.Errorf("a task breaks the contract: %v", err)
		}
	}
}

func (w *world) expect(want ...string) {
	w.T.Helper()
	slices.Sort(want)
	if got := w.texts(); !slices.Equal(got, want) {
		w.T.Errorf("events\n%v, expected\n%v", got, want)
	}
}
