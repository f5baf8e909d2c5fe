package operate_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/kycbridge/kycbridge/audit"
	"github.com/kycbridge/kycbridge/internal/contract"
	"github.com/kycbridge/kycbridge/internal/operate"
	"github.com/kycbridge/kycbridge/normalize"
	"github.com/kycbridge/kycbridge/normalize/dedupe"
	"github.com/kycbridge/kycbridge/normalize/normalizetest"
	"github.com/kycbridge/kycbridge/normalize/replay"
	"github.com/kycbridge/kycbridge/providers"
	"github.com/kycbridge/kycbridge/schemas"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
	"github.com/kycbridge/kycbridge/sink"
)

// bridgeLimit ends a test that hangs; no test depends on its length.
const bridgeLimit = 2 * time.Minute

// bridge is a broker and a Redis in this process, and a normaliser that may run on them.
type bridge struct {
	*normalizetest.World
	sent int
}

// startBridge starts a broker over a directory, and a Redis unless one is given.
func startBridge(t *testing.T, dir string, redis *miniredis.Miniredis) *bridge {
	t.Helper()
	b := &bridge{World: normalizetest.NewWorld(t, bridgeLimit, 2, kfake.DataDir(dir))}
	if redis != nil {
		b.Redis = redis
	}
	return b
}

// told is a delivery of the vendor these tests invent: an identity, which is the event's text too.
type told struct {
	ID string `json:"id"`
}

func toldVendor() providers.Provider {
	return providers.Provider{
		Name: "testvendor", Title: "Test Vendor", MapperVersion: "testvendor/1",
		Parse: func(d *providers.Delivery) (*providers.Notice, error) {
			var one told
			if err := json.Unmarshal(d.Body, &one); err != nil {
				return nil, &providers.Problem{Detail: "no JSON", Err: providers.ErrMalformed}
			}
			return &providers.Notice{ID: one.ID, Type: "told", Content: []byte(one.ID), Identity: providers.Identity{one.ID}}, nil
		},
		Maps: map[string]providers.MapFunc{"": func(_ *providers.Delivery, n *providers.Notice) (m providers.Mapping, err error) {
			m.Add(&kycv1.SessionEvent{
				Metadata:   &kycv1.EventMetadata{Subject: &kycv1.Subject{SessionId: "s"}},
				Transition: kycv1.SessionTransition_SESSION_TRANSITION_PROCESSING, VendorStatus: n.ID,
			})
			return m, nil
		}},
	}
}

// send appends deliveries to raw partition 1.
func (b *bridge) send(ids ...string) {
	b.T.Helper()
	for _, id := range ids {
		body := normalizetest.Must(json.Marshal(told{id}))(b.T)
		b.sent++
		value := normalizetest.Must(contract.Marshal(&kycv1.RawEnvelope{
			Provider: "testvendor", Endpoint: "shop", Tenant: "default", Environment: kycv1.Environment_ENVIRONMENT_LIVE, Method: "POST", Body: body,
			ReceivedAt: timestamppb.Now(), DeliveryId: fmt.Sprintf("01900000-0000-7000-8000-%012x", b.sent),
		}))(b.T)
		b.Produce(&kgo.Record{Topic: schemas.DefaultPrefix + schemas.Raw, Partition: 1, Key: []byte("shop/s"), Value: value})
	}
}

// normaliser begins one; end waits for it, and returns why it ended.
func (b *bridge) normaliser() (stop func(), end func() error) {
	b.T.Helper()
	n := normalizetest.Must(normalize.New(normalize.Options{
		Claims: b.Store(), TTL: time.Hour, Wait: 50 * time.Millisecond,
		Providers: []providers.Provider{toldVendor()}, Validator: normalizetest.Validator(b.T), Grace: 5 * time.Second,
		Logger: normalizetest.Logger(),
		Log:    normalizetest.Log{Reader: b.Reader, Group: normalize.DefaultGroup, Base: schemas.Raw},
		Sessions: normalizetest.Opens(func(ctx context.Context, id string, watch normalize.Watch) (normalize.Slot, error) {
			so := sink.SessionOptions{Group: normalize.DefaultGroup, Input: schemas.Raw, Gather: true, SessionTimeout: 6 * time.Second, Heartbeat: 500 * time.Millisecond}
			return normalizetest.OpenSlot(ctx, b.Sink, so, id, watch, normalize.Slot{DispositionID: b.IDs[schemas.DispositionTopic]})
		}),
	}))(b.T)
	ctx, cancel := context.WithCancel(b.Ctx)
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx) }()
	end = sync.OnceValue(func() error { return <-done })
	b.T.Cleanup(func() { cancel(); _ = end() })
	return cancel, end
}

// passed waits until the normaliser has committed all of raw.
func (b *bridge) passed() {
	b.T.Helper()
	b.Await("all of raw is committed", func() bool {
		return normalizetest.Must(normalizetest.Passed(b.Ctx, b.Reader))(b.T)
	})
}

// normalised runs a normaliser over all there is.
func (b *bridge) normalised() {
	b.T.Helper()
	stop, end := b.normaliser()
	b.passed()
	stop()
	if err := end(); err != nil {
		b.T.Errorf("the normaliser ended: %v", err)
	}
}

// events are the texts of what came out, in order.
func (b *bridge) events() string {
	b.T.Helper()
	var texts []string
	for _, r := range b.Read(schemas.Session) {
		e := &kycv1.SessionEvent{}
		if err := proto.Unmarshal(r.Value, e); err != nil {
			b.T.Fatal(err)
		}
		texts = append(texts, e.GetVendorStatus())
	}
	return strings.Join(texts, " ")
}

func (b *bridge) servers() operate.Servers {
	return operate.Servers{
		Kafka: b.Sink, Vendors: []providers.Provider{toldVendor()},
		Redis: dedupe.StoreOptions{
			Addresses: []string{b.Redis.Addr()}, TTL: time.Hour, EvictionChecked: true,
			ReadTimeout: 5 * time.Second, WriteTimeout: 5 * time.Second, CallLimit: 10 * time.Second,
		},
		Limits: operate.Limits{Hydrates: func(string) bool { return false }, MaxRecordBytes: 1 << 20, TransactionTimeout: 10 * time.Second},
	}
}

// sound expects a verdict without a violation.
func (b *bridge) sound() *audit.Verdict {
	b.T.Helper()
	v := normalizetest.Must(operate.Verify(b.Ctx, b.servers(), operate.VerifyQuery{}))(b.T)
	if v.Violations() != 0 {
		b.T.Errorf("verify finds %s", violations(v))
	}
	return v
}

// TestWhatWasSkippedComesBack: the normaliser goes on behind it, a copy that comes is published, and a replay
// of the dead letters publishes the rest.
func TestWhatWasSkippedComesBack(t *testing.T) {
	t.Parallel()
	b := startBridge(t, t.TempDir(), nil)
	b.send("a", "b")
	b.normalised()
	b.send("c", "d", "e", "f")
	done, err := operate.Skip(b.Ctx, b.servers(), operate.SkipQuery{Partition: 1, To: 5, Reason: "a load test", By: "alice"})
	if err != nil || done.Skipped != 3 {
		t.Fatalf("%+v, %v", done, err)
	}
	b.normalised()
	b.send("d", "c", "c")
	b.normalised()
	if got := b.events(); got != "a b f d c" {
		t.Errorf("events %q, want all but e, each once", got)
	}
	if v := b.sound(); v.Raw != 9 || v.Dead != 3 || v.Repeats != 1 {
		t.Errorf("%d raw, %d dead, %d duplicates", v.Raw, v.Dead, v.Repeats)
	}
	r, err := operate.ReplayLetters(b.Ctx, b.servers(), audit.LetterQuery{Reasons: []string{"skipped_by_operator"}}, operate.ReplayQuery{ID: "back"})
	if err != nil || r.Of(replay.Emitted) != 1 || r.Of(replay.Duplicate) != 2 {
		t.Errorf("the replay says %+v, %v; want e alone", r, err)
	}
	if got := b.events(); got != "a b f d c e" {
		t.Errorf("events %q", got)
	}
	b.sound()
}

// TestDiscardAfterKafkaWentBack: Kafka's data was put back to a copy, and Redis kept the marks of what came after
// it. Once they are discarded, deliveries that are sent again come out, and none twice that the copy holds.
func TestDiscardAfterKafkaWentBack(t *testing.T) {
	t.Parallel()
	live, copied := t.TempDir(), t.TempDir()
	b := startBridge(t, live, nil)
	b.send("a", "b", "c")
	b.normalised()
	b.close()
	if err := os.CopyFS(copied, os.DirFS(live)); err != nil {
		t.Fatal(err)
	}
	later := startBridge(t, live, b.Redis)
	later.send("d", "e", "f", "g")
	later.normalised()
	if got := later.events(); got != "a b c d e f g" {
		t.Fatalf("before Kafka went back: %q", got)
	}
	later.close()

	back := startBridge(t, copied, b.Redis)
	if back.IDs[schemas.Raw] != later.IDs[schemas.Raw] || back.IDs[schemas.DispositionTopic] != later.IDs[schemas.DispositionTopic] {
		t.Fatal("the copy has other topic ids")
	}
	if got := back.events(); got != "a b c" {
		t.Fatalf("the copy holds %q", got)
	}
	back.send("g", "e", "a", "d", "f", "c", "d")
	if _, end := back.normaliser(); !errors.Is(end(), dedupe.ErrWentBack) {
		t.Fatalf("a normaliser ends with %v, and events %q; want that Kafka went back", end(), back.events())
	}
	report, err := operate.DiscardMarks(back.Ctx, back.servers(), operate.MarksQuery{Partition: operate.AllPartitions})
	if err != nil || !slices.Equal(report.Partitions, []int32{0, 1}) || report.Stages[0].Discarded != 2 || report.Stages[1].Discarded != 2 {
		t.Fatalf("%+v, %v", report, err)
	}
	back.normalised()
	if got := back.events(); got != "a b c g e d f" {
		t.Errorf("events %q, want what came again, each once", got)
	}
	if v := back.sound(); v.Repeats != 3 {
		t.Errorf("%d duplicates, want 3", v.Repeats)
	}
}

// TestDiscardWithoutNeed: a normaliser at work notices, writes the marks anew, and doubles nothing.
func TestDiscardWithoutNeed(t *testing.T) {
	t.Parallel()
	b := startBridge(t, t.TempDir(), nil)
	_, _ = b.normaliser()
	b.send("a", "b", "c")
	b.passed()
	if _, err := operate.DiscardMarks(b.Ctx, b.servers(), operate.MarksQuery{Partition: 1}); err != nil {
		t.Fatal(err)
	}
	hydrates := fmt.Sprintf("kyc:d:s:kycbridge-hydrate:%x:%x:", b.IDs[schemas.Hydrate], b.IDs[schemas.DispositionTopic])
	if keys := b.Redis.Keys(); !slices.Contains(keys, hydrates+"1") || slices.Contains(keys, hydrates+"0") {
		t.Errorf("the hydrate stage's watermarks are %q; want one, of partition 1", keys)
	}
	b.send("a", "d", "c", "b")
	b.passed()
	if got := b.events(); got != "a b c d" {
		t.Errorf("events %q, want each once", got)
	}
	if v := b.sound(); v.Repeats != 3 {
		t.Errorf("%d duplicates, want 3", v.Repeats)
	}
}

// close ends the broker before the test does.
func (b *bridge) close() {
	b.Reader.Close()
	b.Client.Close()
	b.Cluster.Close()
}
