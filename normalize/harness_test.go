package normalize_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/proto"

	"github.com/kycbridge/kycbridge/internal/contract"
	"github.com/kycbridge/kycbridge/normalize"
	"github.com/kycbridge/kycbridge/normalize/normalizetest"
	"github.com/kycbridge/kycbridge/providers"
	"github.com/kycbridge/kycbridge/schemas"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// testLimit ends a test that hangs; no test depends on its length.
const testLimit = 90 * time.Second

// world is a broker and a Redis in this process, with what went in.
type world struct {
	*normalizetest.World
	pollBytes int // of sessions; 0: as the program's
}

func newWorld(t *testing.T, partitions int32, opts ...kfake.Opt) *world {
	t.Helper()
	return &world{World: normalizetest.NewWorld(t, testLimit, partitions, opts...)}
}

// send appends deliveries to one raw partition.
func (w *world) send(partition int32, all ...said) {
	w.T.Helper()
	for _, s := range all {
		w.sendBytes(partition, s.key(), rawValue(w.T, s))
	}
}

func (w *world) sendBytes(partition int32, key, value []byte) {
	w.T.Helper()
	w.Produce(&kgo.Record{Topic: schemas.DefaultPrefix + schemas.Raw, Partition: partition, Key: key, Value: value})
}

// options is a normaliser of this world with one slot.
func (w *world) options(instance int, l *normalizetest.Line) normalize.Options {
	return normalize.Options{
		Instance: instance,
		Claims:   w.Store(), TTL: time.Hour, Wait: 50 * time.Millisecond,
		Providers: []providers.Provider{vendor()}, Validator: normalizetest.Validator(w.T), Grace: time.Second,
		Log:    normalizetest.Log{Reader: w.Reader, Group: normalize.DefaultGroup, Base: schemas.Raw},
		Logger: normalizetest.Logger("instance", instance),
		Sessions: normalizetest.Opens(func(ctx context.Context, id string, watch normalize.Watch) (normalize.Slot, error) {
			so := normalizetest.Restless(normalize.DefaultGroup, schemas.Raw)
			so.PollBytes = w.pollBytes
			return normalizetest.OpenSlot(ctx, w.Over(l), so, id, watch, normalize.Slot{DispositionID: w.IDs[schemas.DispositionTopic]})
		}),
	}
}

// process is a running normaliser.
type process struct {
	n    *normalize.Normalizer
	line *normalizetest.Line
	stop func() error // asks it to end, and waits
	wait func() error // until it ends of itself
}

// start runs a normaliser with the options as changed.
func (w *world) start(instance int, change ...func(*normalize.Options)) *process {
	w.T.Helper()
	l := w.Undertaker.Line()
	o := w.options(instance, l)
	for _, f := range change {
		f(&o)
	}
	n := normalizetest.Must(normalize.New(o))(w.T)
	ctx, cancel := context.WithCancel(w.Ctx)
	p := &process{n: n, line: l}
	ended := make(chan struct{})
	var end error
	go func() { defer close(ended); end = n.Run(ctx) }()
	p.wait = func() error { <-ended; return end }
	p.stop = func() error { cancel(); return p.wait() }
	w.T.Cleanup(func() { _ = p.stop() })
	return p
}

// kill ends a process as kill -9 does: nothing it still wants to say arrives.
func (p *process) kill() {
	p.line.Cut()
	_ = p.stop()
}

func (w *world) dispositions() []*kycv1.Disposition {
	return normalizetest.Decode(w.T, w.Read(schemas.DispositionTopic), func() *kycv1.Disposition { return &kycv1.Disposition{} })
}

func (w *world) deadLetters() []*kycv1.DeadLetter {
	return normalizetest.Decode(w.T, w.Read(schemas.DeadLetterTopic), func() *kycv1.DeadLetter { return &kycv1.DeadLetter{} })
}

// events gives the content of each event, "<id>/<text>", in the order of the log.
func (w *world) events() []string {
	var texts []string
	for _, e := range normalizetest.Decode(w.T, w.Read(schemas.Session), func() *kycv1.SessionEvent { return &kycv1.SessionEvent{} }) {
		texts = append(texts, e.GetVendorStatus())
	}
	return texts
}

// settle waits until the group has committed all of raw.
func (w *world) settle() {
	w.T.Helper()
	w.Await("all of raw is committed", w.settled)
}

func (w *world) settled() bool {
	w.Undertaker.Bury(w.Ctx, normalize.DefaultGroup)
	passed, err := normalizetest.Passed(w.Ctx, w.Reader)
	return err == nil && passed
}

// audit checks conservation: one disposition for each raw record, and every rule of the contract
// kept by everything that was written.
func (w *world) audit() {
	w.T.Helper()
	v := normalizetest.Validator(w.T)
	type at struct {
		partition int32
		offset    int64
	}
	seen := map[at]int{}
	for _, d := range w.dispositions() {
		seen[at{d.GetRaw().GetPartition(), d.GetRaw().GetOffset()}]++
		w.valid(v, d)
	}
	for _, d := range w.deadLetters() {
		w.valid(v, d)
	}
	raw := w.Read(schemas.Raw)
	for _, r := range raw {
		if n := seen[at{r.Partition, r.Offset}]; n != 1 {
			w.T.Errorf("raw record %d/%d has %d dispositions, expected 1", r.Partition, r.Offset, n)
		}
	}
	if len(seen) != len(raw) {
		w.T.Errorf("%d records have dispositions, but there are %d", len(seen), len(raw))
	}
}

func (w *world) valid(v contract.Rules, m proto.Message) {
	w.T.Helper()
	if err := v.Validate(m); err != nil {
		w.T.Errorf("%s breaks the contract: %v", m.ProtoReflect().Descriptor().Name(), err)
	}
}

// expectEvents compares the events in the log, in any order across partitions.
func (w *world) expectEvents(want ...string) {
	w.T.Helper()
	got := w.events()
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		w.T.Errorf("events %v, expected %v", brief(got), brief(want))
	}
}

func brief(all []string) string {
	if len(all) > 12 {
		return fmt.Sprintf("%v … (%d)", all[:12], len(all))
	}
	return fmt.Sprint(all)
}
