package replay_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/kycbridge/kycbridge/internal/contract"
	"github.com/kycbridge/kycbridge/internal/record"
	"github.com/kycbridge/kycbridge/normalize"
	"github.com/kycbridge/kycbridge/normalize/dedupe"
	"github.com/kycbridge/kycbridge/normalize/normalizetest"
	"github.com/kycbridge/kycbridge/normalize/replay"
	"github.com/kycbridge/kycbridge/providers"
	"github.com/kycbridge/kycbridge/schemas"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
	"github.com/kycbridge/kycbridge/sink"
)

// testLimit ends a test that hangs; no test depends on its length.
const testLimit = 2 * time.Minute

// world is a broker and a Redis in this process, with what went in.
type world struct {
	*normalizetest.World
	sent  int
	clock time.Time // of the next raw records; zero: the real one
}

func newWorld(t *testing.T, partitions int32) *world {
	t.Helper()
	return &world{World: normalizetest.NewWorld(t, testLimit, partitions)}
}

// said is a delivery of the vendor these tests invent.
type said struct {
	Pad     string `json:"pad,omitempty"` // is read over
	Subject string `json:"subject"`
	ID      string `json:"id,omitempty"`   // the identity; empty: none
	Text    string `json:"text,omitempty"` // the content
	Do      string `json:"do,omitempty"`   // what goes wrong
	Thin    bool   `json:"thin,omitempty"` // the vendor's API knows more

	endpoint string
}

const (
	shop  = "shop"
	other = "other"
)

func (s said) envelope(n int) *kycv1.RawEnvelope {
	body, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	endpoint := shop
	if s.endpoint != "" {
		endpoint = s.endpoint
	}
	return &kycv1.RawEnvelope{
		Provider: "testvendor", Endpoint: endpoint, Tenant: "default", Environment: kycv1.Environment_ENVIRONMENT_LIVE,
		ReceivedAt: timestamppb.New(time.Date(2026, 5, 4, 10, 0, n, 0, time.UTC)), Method: "POST", Body: body, DeliveryId: deliveryID(n),
	}
}

// deliveryID is that of the nth delivery of a world, from 0.
func deliveryID(n int) string {
	return fmt.Sprintf("01900000-0000-7000-8000-%012x", n)
}

// send appends deliveries to one raw partition.
func (w *world) send(partition int32, all ...said) {
	w.T.Helper()
	for _, s := range all {
		value := normalizetest.Must(contract.Marshal(s.envelope(w.sent)))(w.T)
		w.sent++
		w.Produce(&kgo.Record{Topic: schemas.DefaultPrefix + schemas.Raw, Partition: partition, Key: []byte(shop + "/" + s.Subject), Value: value, Timestamp: w.clock})
	}
}

// vendor is a provider small enough to read. fixed: its mapper knows what it did not know before.
func vendor(fixed bool) providers.Provider {
	plain := func(d *providers.Delivery, _ *providers.Notice) (m providers.Mapping, err error) {
		var s said
		_ = json.Unmarshal(d.Body, &s)
		text := s.ID + "/" + s.Text
		if d.Fetched != nil {
			text += "+" + string(d.Fetched.Body)
		}
		m.Incomplete = s.Thin
		m.Add(&kycv1.SessionEvent{
			Metadata:   &kycv1.EventMetadata{Subject: &kycv1.Subject{SessionId: s.Subject}},
			Transition: kycv1.SessionTransition_SESSION_TRANSITION_PROCESSING, VendorStatus: text,
		})
		return m, nil
	}
	p := providers.Provider{
		Name: "testvendor", Title: "Test Vendor", MapperVersion: "testvendor/1",
		Parse: func(d *providers.Delivery) (*providers.Notice, error) {
			var s said
			if err := json.Unmarshal(d.Body, &s); err != nil {
				return nil, &providers.Problem{Detail: "no JSON", Err: providers.ErrMalformed}
			}
			n := &providers.Notice{ID: s.ID, Type: "test." + s.Do, MapAs: s.Do, Content: []byte(s.Text)}
			if s.Do == "unreadable" && !fixed {
				return nil, &providers.Problem{Detail: "not understood yet", Err: providers.ErrMalformed}
			}
			if s.ID != "" {
				n.Identity = providers.Identity{s.ID}
			}
			return n, nil
		},
		Maps: map[string]providers.MapFunc{"": plain, "panic": func(*providers.Delivery, *providers.Notice) (providers.Mapping, error) { panic("of the body") }},
		Hydration: &providers.Hydration{
			Needs: func(_ *providers.Delivery, n *providers.Notice) (providers.Target, bool) {
				return providers.Target{Kind: "object", ID: n.ID}, n.ID != ""
			},
			Objects: map[string]providers.APIObject{"object": {Path: "/{id}"}},
		},
	}
	if fixed {
		p.MapperVersion = "testvendor/2"
		p.Maps["new"], p.Maps["unreadable"] = plain, plain
	}
	return p
}

// normaliser is a running one; stop ends it in good order.
func (w *world) normaliser(change ...func(*normalize.Options)) (stop func()) {
	w.T.Helper()
	o := normalize.Options{
		Claims: w.Store(), TTL: time.Hour, Wait: 50 * time.Millisecond,
		Providers: []providers.Provider{vendor(false)}, Validator: normalizetest.Validator(w.T), Grace: 5 * time.Second,
		Log: normalizetest.Log{Reader: w.Reader, Group: normalize.DefaultGroup, Base: schemas.Raw},
		Sessions: normalizetest.Opens(func(ctx context.Context, id string, watch normalize.Watch) (normalize.Slot, error) {
			so := sink.SessionOptions{Group: normalize.DefaultGroup, Input: schemas.Raw, Gather: true, SessionTimeout: 6 * time.Second, Heartbeat: 500 * time.Millisecond}
			return normalizetest.OpenSlot(ctx, w.Sink, so, id, watch, normalize.Slot{DispositionID: w.IDs[schemas.DispositionTopic]})
		}),
	}
	for _, f := range change {
		f(&o)
	}
	n := normalizetest.Must(normalize.New(o))(w.T)
	ctx, cancel := context.WithCancel(w.Ctx)
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			w.T.Errorf("the normaliser ended: %v", err)
		}
	})
	w.T.Cleanup(stop)
	return stop
}

// normalised runs a normaliser over all there is, and ends it.
func (w *world) normalised(change ...func(*normalize.Options)) {
	w.T.Helper()
	stop := w.normaliser(change...)
	w.settle()
	stop()
}

// settle waits until the normaliser has passed all of raw.
func (w *world) settle() {
	w.T.Helper()
	w.Await("all of raw is committed", func() bool {
		passed, err := normalizetest.Passed(w.Ctx, w.Reader)
		if err != nil {
			w.T.Fatal(err)
		}
		return passed
	})
}

// options is a replay of this world with the fixed mapper.
func (w *world) options(id string, mode replay.Mode) replay.Options {
	partitions, _, err := w.Reader.Partitions(w.Ctx, schemas.Raw)
	if err != nil {
		w.T.Fatal(err)
	}
	return replay.Options{
		ID: id, Mode: mode,
		Topics: replay.Topics{
			Partitions: int32(partitions), RawName: schemas.DefaultPrefix + schemas.Raw,
			RawID: w.IDs[schemas.Raw], HydrateID: w.IDs[schemas.Hydrate], DispositionID: w.IDs[schemas.DispositionTopic],
			Starts: func(ctx context.Context) (map[int32]int64, error) { return w.Reader.Starts(ctx, schemas.Raw) },
			After: func(ctx context.Context, t time.Time) (map[int32]int64, error) {
				return w.Reader.OffsetsAt(ctx, schemas.Raw, t)
			},
			Committed: func(ctx context.Context) (map[int32]int64, error) {
				return w.Reader.Committed(ctx, normalize.DefaultGroup, schemas.Raw)
			},
			Bounds: normalizetest.Log{Reader: w.Reader}.Bounds,
			Scan:   w.scan,
		},
		Open:   w.open,
		Taken:  func(err error) bool { return errors.Is(err, sink.ErrFenced) },
		Claims: w.Store(), NormalizeGroup: normalize.DefaultGroup, HydrateGroup: "kycbridge-hydrate", Wait: time.Second,
		Providers: []providers.Provider{vendor(true)}, Validator: normalizetest.Validator(w.T), Batch: 3,
	}
}

func (w *world) scan(ctx context.Context, base string, p int32, from record.ScanFrom, fn func(normalize.RawRecord) error) error {
	_, err := w.Reader.Scan(ctx, base, p, from, func(r *kgo.Record) error {
		return fn(normalize.RecordOf(r, [16]byte{}))
	})
	return err
}

func (w *world) open(ctx context.Context, id string) (*replay.Writer, error) {
	t, err := sink.OpenTransactor(ctx, w.Sink, id, 0)
	if err != nil {
		return nil, err
	}
	return replay.NewWriter(t, t.Close), nil
}

// replay runs one, and expects no error.
func (w *world) replay(o replay.Options) *replay.Report {
	w.T.Helper()
	report, err := replay.Run(w.Ctx, o)
	if err != nil {
		w.T.Fatal(err)
	}
	return report
}

// emitted is an event as a reader sees it: what it says, and under which replay.
type emitted struct{ text, id, replay string }

func (w *world) events() (all []emitted) {
	w.T.Helper()
	for _, r := range w.Read(schemas.Session) {
		e := &kycv1.SessionEvent{}
		w.decode(r, e)
		label := header(r, "replay")
		flagged := slices.Contains(e.GetMetadata().GetFlags(), "replay="+label)
		if flagged != (label != "") {
			w.T.Errorf("header %q and flags %q say two things", label, e.GetMetadata().GetFlags())
		}
		all = append(all, emitted{e.GetVendorStatus(), e.GetMetadata().GetEventId(), label})
	}
	return all
}

// said lists the events of one replay, sorted; "" for those without.
func (w *world) said(label string) string {
	var texts []string
	for _, e := range w.events() {
		if e.replay == label {
			texts = append(texts, e.text)
		}
	}
	slices.Sort(texts)
	return strings.Join(texts, " ")
}

func (w *world) dispositions(label string) (all []*kycv1.Disposition) {
	w.T.Helper()
	for _, r := range w.Read(schemas.DispositionTopic) {
		d := &kycv1.Disposition{}
		w.decode(r, d)
		if err := normalizetest.Validator(w.T).Validate(d); err != nil {
			w.T.Errorf("a disposition breaks the contract: %v", err)
		}
		if d.GetReplayId() != header(r, "replay") || (d.GetReplayId() != "") != (d.GetStage() == kycv1.Stage_STAGE_REPLAY) {
			w.T.Errorf("header %q, replay id %q and stage %s do not fit together", header(r, "replay"), d.GetReplayId(), d.GetStage())
		}
		if d.GetReplayId() == label {
			all = append(all, d)
		}
	}
	return all
}

// unmarked are the raw records that a replay disposed of and whose claims are not marked as done.
func (w *world) unmarked(label string) (all []string) {
	w.T.Helper()
	for _, d := range w.dispositions(label) {
		if len(d.GetDedupeKey()) == 0 {
			continue
		}
		claims := normalizetest.Must(w.Store().Peek(w.Ctx, []dedupe.Key{dedupe.Key(d.GetDedupeKey())}))(w.T)
		if claims[0] == nil || claims[0].State != dedupe.Done {
			all = append(all, fmt.Sprint(d.GetRaw().GetPartition(), "@", d.GetRaw().GetOffset()))
		}
	}
	return all
}

func (w *world) decode(r *kgo.Record, m proto.Message) {
	w.T.Helper()
	if err := proto.Unmarshal(r.Value, m); err != nil {
		w.T.Fatal(err)
	}
}

func header(r *kgo.Record, key string) string {
	for _, h := range r.Headers {
		if h.Key == key {
			return string(h.Value)
		}
	}
	return ""
}

func fixed(o *normalize.Options) { o.Providers = []providers.Provider{vendor(true)} }
