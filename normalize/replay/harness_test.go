package replay_test

import (
	"context"
	"encoding/json"
	"errors"
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

	"github.com/kycbridge/kycbridge/normalize"
	"github.com/kycbridge/kycbridge/normalize/dedupe"
	"github.com/kycbridge/kycbridge/normalize/replay"
	"github.com/kycbridge/kycbridge/providers"
	"github.com/kycbridge/kycbridge/schemas"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
	"github.com/kycbridge/kycbridge/sink"
)

// testLimit ends a test that hangs; no test depends on its length.
const testLimit = 2 * time.Minute

var validator = sync.OnceValues(schemas.NewValidator)

// world is a broker and a Redis in this process, with what went in.
type world struct {
	t       *testing.T
	ctx     context.Context
	cluster *kfake.Cluster
	redis   *miniredis.Miniredis
	sink    sink.Options
	reader  *sink.Reader
	raw     *kgo.Client
	ids     map[string][16]byte
	sent    int
	clock   time.Time // of the next raw records; zero: the real one
}

func newWorld(t *testing.T, partitions int32) *world {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testLimit)
	t.Cleanup(cancel)
	w := &world{t: t, ctx: ctx, redis: miniredis.RunT(t), ids: map[string][16]byte{}}
	var names []string
	for _, topic := range schemas.Topics() {
		names = append(names, topic.Name(schemas.DefaultPrefix))
	}
	w.cluster = must(kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(partitions, names...), kfake.GroupMinSessionTimeout(time.Millisecond)))(t)
	t.Cleanup(w.cluster.Close)
	w.sink = sink.Options{Brokers: w.cluster.ListenAddrs()}
	w.reader = must(sink.OpenReader(ctx, w.sink))(t)
	t.Cleanup(w.reader.Close)
	w.raw = must(kgo.NewClient(kgo.SeedBrokers(w.sink.Brokers...), kgo.ProducerLinger(0), kgo.RecordPartitioner(kgo.ManualPartitioner())))(t)
	t.Cleanup(w.raw.Close)
	for _, base := range []string{schemas.Raw, schemas.Hydrate, schemas.DispositionTopic} {
		var err error
		if _, w.ids[base], err = w.reader.Partitions(ctx, base); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

func must[T any](v T, err error) func(t *testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// said is a delivery of the vendor these tests invent.
type said struct {
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
	return "01900000-0000-7000-8000-00000000" + string([]byte{hex(n >> 12), hex(n >> 8), hex(n >> 4), hex(n)})
}

func hex(n int) byte { return "0123456789abcdef"[n&15] }

// send appends deliveries to one raw partition.
func (w *world) send(partition int32, all ...said) {
	w.t.Helper()
	for _, s := range all {
		value := must(schemas.Marshal(s.envelope(w.sent)))(w.t)
		w.sent++
		r := &kgo.Record{Topic: schemas.DefaultPrefix + schemas.Raw, Partition: partition, Key: []byte(shop + "/" + s.Subject), Value: value, Timestamp: w.clock}
		if err := w.raw.ProduceSync(w.ctx, r).FirstErr(); err != nil {
			w.t.Fatal(err)
		}
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
	w.t.Helper()
	o := normalize.Options{
		Judge:  func(error) normalize.Trouble { return normalize.Reopen },
		Claims: w.store(), TTL: time.Hour, Wait: 50 * time.Millisecond,
		Providers: []providers.Provider{vendor(false)}, Validator: must(validator())(w.t), Grace: 5 * time.Second,
		History: func(ctx context.Context, p int32, offset int64, since time.Time, fn func(*kgo.Record) error) (int64, error) {
			return w.reader.Scan(ctx, schemas.DispositionTopic, p, sink.Start{Offset: offset, Time: since}, fn)
		},
		Open: func(ctx context.Context, id string, watch normalize.Watch) (normalize.Slot, error) {
			s, err := sink.OpenSession(ctx, w.sink, sink.SessionOptions{
				Group: normalize.DefaultGroup, TransactionalID: id, Input: schemas.Raw,
				SessionTimeout: 6 * time.Second, Heartbeat: 500 * time.Millisecond,
				OnAssigned: watch.Assigned, OnRevoked: watch.Revoked,
			})
			if err != nil {
				return normalize.Slot{}, err
			}
			return normalize.Slot{Session: s, RawTopicID: s.TopicID(), DispositionID: w.ids[schemas.DispositionTopic], Close: s.Close, Refused: s.Refused}, nil
		},
	}
	for _, f := range change {
		f(&o)
	}
	n := must(normalize.New(o))(w.t)
	ctx, cancel := context.WithCancel(w.ctx)
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			w.t.Errorf("the normaliser ended: %v", err)
		}
	})
	w.t.Cleanup(stop)
	return stop
}

func (w *world) store() *dedupe.Store {
	s := must(dedupe.NewStore(dedupe.StoreOptions{
		Addresses: []string{w.redis.Addr()}, TTL: time.Hour, EvictionChecked: true,
		ReadTimeout: 5 * time.Second, WriteTimeout: 5 * time.Second, CallLimit: 10 * time.Second,
	}))(w.t)
	w.t.Cleanup(func() { _ = s.Close() })
	return s
}

// history reads dispositions for a ledger.
func (w *world) history(ctx context.Context, p int32, from dedupe.Position, fn func(int64, []byte) error) (int64, error) {
	return w.reader.Scan(ctx, schemas.DispositionTopic, p, sink.Start{Offset: from.Offset, Time: from.Since}, func(r *kgo.Record) error {
		return fn(r.Offset, r.Value)
	})
}

// normalised runs a normaliser over all there is, and ends it.
func (w *world) normalised(change ...func(*normalize.Options)) {
	w.t.Helper()
	stop := w.normaliser(change...)
	w.settle()
	stop()
}

// settle waits until the normaliser has passed all of raw.
func (w *world) settle() {
	w.t.Helper()
	for {
		ends, err1 := w.reader.Ends(w.ctx, schemas.Raw)
		committed, err2 := w.reader.Committed(w.ctx, normalize.DefaultGroup, schemas.Raw)
		if err := errors.Join(err1, err2); err != nil {
			w.t.Fatal(err)
		}
		behind := slices.ContainsFunc(keysOf(ends), func(p int32) bool { return committed[p] < ends[p] })
		if !behind {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func keysOf(m map[int32]int64) (all []int32) {
	for p := range m {
		all = append(all, p)
	}
	return all
}

// options is a replay of this world with the fixed mapper.
func (w *world) options(id string, mode replay.Mode) replay.Options {
	partitions, _, err := w.reader.Partitions(w.ctx, schemas.Raw)
	if err != nil {
		w.t.Fatal(err)
	}
	return replay.Options{
		ID: id, Mode: mode,
		Topics: replay.Topics{
			Partitions: int32(partitions), RawName: schemas.DefaultPrefix + schemas.Raw,
			RawID: w.ids[schemas.Raw], HydrateID: w.ids[schemas.Hydrate], DispositionID: w.ids[schemas.DispositionTopic],
			Starts: func(ctx context.Context) (map[int32]int64, error) { return w.reader.Starts(ctx, schemas.Raw) },
			After: func(ctx context.Context, t time.Time) (map[int32]int64, error) {
				return w.reader.OffsetsAt(ctx, schemas.Raw, t)
			},
			Committed: func(ctx context.Context) (map[int32]int64, error) {
				return w.reader.Committed(ctx, normalize.DefaultGroup, schemas.Raw)
			},
			Scan: w.scan,
		},
		Open:   w.open,
		Taken:  func(err error) bool { return errors.Is(err, sink.ErrFenced) },
		Claims: w.store(), NormalizeGroup: normalize.DefaultGroup, HydrateGroup: "kycbridge-hydrate", Wait: time.Second,
		Providers: []providers.Provider{vendor(true)}, Validator: must(validator())(w.t), Batch: 3,
	}
}

func (w *world) scan(ctx context.Context, base string, p int32, from replay.Position, fn func(normalize.RawRecord) error) error {
	_, err := w.reader.Scan(ctx, base, p, sink.Start{Offset: from.Offset, Time: from.Since}, func(r *kgo.Record) error {
		return fn(normalize.RecordOf(r, [16]byte{}))
	})
	return err
}

func (w *world) open(ctx context.Context, id string) (*replay.Writer, error) {
	t, err := sink.OpenTransactor(ctx, w.sink, id, 0)
	if err != nil {
		return nil, err
	}
	return replay.NewWriter(t, t.Close), nil
}

// replay runs one, and expects no error.
func (w *world) replay(o replay.Options) *replay.Report {
	w.t.Helper()
	report, err := replay.Run(w.ctx, o)
	if err != nil {
		w.t.Fatal(err)
	}
	return report
}

// emitted is an event as a reader sees it: what it says, and under which replay.
type emitted struct{ text, id, replay string }

func (w *world) events() (all []emitted) {
	w.t.Helper()
	for _, r := range w.read(schemas.Session) {
		e := &kycv1.SessionEvent{}
		w.decode(r, e)
		label := header(r, "replay")
		flagged := slices.Contains(e.GetMetadata().GetFlags(), "replay="+label)
		if flagged != (label != "") {
			w.t.Errorf("header %q and flags %q say two things", label, e.GetMetadata().GetFlags())
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
	w.t.Helper()
	for _, r := range w.read(schemas.DispositionTopic) {
		d := &kycv1.Disposition{}
		w.decode(r, d)
		if err := must(validator())(w.t).Validate(d); err != nil {
			w.t.Errorf("a disposition breaks the contract: %v", err)
		}
		if d.GetReplayId() != header(r, "replay") || (d.GetReplayId() != "") != (d.GetStage() == kycv1.Stage_STAGE_REPLAY) {
			w.t.Errorf("header %q, replay id %q and stage %s do not fit together", header(r, "replay"), d.GetReplayId(), d.GetStage())
		}
		if d.GetReplayId() == label {
			all = append(all, d)
		}
	}
	return all
}

func (w *world) decode(r *kgo.Record, m proto.Message) {
	w.t.Helper()
	if err := proto.Unmarshal(r.Value, m); err != nil {
		w.t.Fatal(err)
	}
}

// read gives all committed records of a topic.
func (w *world) read(base string) (all []*kgo.Record) {
	w.t.Helper()
	n, _, err := w.reader.Partitions(w.ctx, base)
	if err != nil {
		w.t.Fatal(err)
	}
	for p := range int32(n) {
		_, err := w.reader.Scan(w.ctx, base, p, sink.Start{}, func(r *kgo.Record) error {
			all = append(all, r)
			return nil
		})
		if err != nil {
			w.t.Fatal(err)
		}
	}
	return all
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
