package dev

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/kycbridge/kycbridge/audit"
	"github.com/kycbridge/kycbridge/embedded"
	"github.com/kycbridge/kycbridge/internal/contract"
	"github.com/kycbridge/kycbridge/internal/operate"
	"github.com/kycbridge/kycbridge/internal/serve"
	"github.com/kycbridge/kycbridge/internal/simulate"
	"github.com/kycbridge/kycbridge/normalize/replay"
	"github.com/kycbridge/kycbridge/providers/catalog"
	"github.com/kycbridge/kycbridge/schemas"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// framed is an encoding that kycbridge does not have: a byte in front of the message.
type framed struct{ contract.Protobuf }

const frame = '#'

func (f framed) Encode(m proto.Message) ([]byte, error) {
	value, err := f.Protobuf.Encode(m)
	return append([]byte{frame}, value...), err
}

func (f framed) Decode(value []byte, m proto.Message) error {
	if len(value) == 0 || value[0] != frame {
		return errors.New("there is no frame")
	}
	return f.Protobuf.Decode(value[1:], m)
}

func (framed) ContentType() string { return "application/x-framed" }

// TestAnotherEncoding: what the configuration chooses is how each domain event of both stages and of a replay
// is written, and how all that operators ask reads it back.
func TestAnotherEncoding(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	b := startFramed(ctx, t)
	b.send(ctx, "complycube") // says all there is to say
	b.send(ctx, "proofme")    // names what its API holds
	b.settled(ctx, 2)
	if _, err := operate.Replay(ctx, b.servers, operate.ReplayQuery{ID: "again", Mode: replay.ReEmit}); err != nil {
		t.Fatal(err)
	}
	events, from := b.events(ctx), map[string]int{}
	for _, r := range events {
		if from[frameOrigin(r)]++; r.Err != nil || r.Value[0] != frame || header(r, "content-type") != (framed{}).ContentType() {
			t.Fatalf("%s %d@%d holds %q and is read with the error %v", r.Topic, r.Partition, r.Offset, r.Value, r.Err)
		}
		b.traced(ctx, r.Message.(schemas.DomainEvent).GetMetadata().GetEventId())
	}
	if from["normalize"] == 0 || from["hydrate"] == 0 || from["replay"] == 0 {
		t.Errorf("want events of normalize, hydrate and replay; have %v", from)
	}
	v := b.settled(ctx, 2)
	if v.Unread > 0 || v.Events == 0 || len(v.Replays) != 1 || v.Replays[0].Events == 0 {
		t.Errorf("verify cannot read the events: %+v", v)
	}
	b.servers.Encoder = nil // whoever does not know the frame sees none of them
	for _, r := range b.events(ctx) {
		if r.Err == nil {
			t.Errorf("%s %d@%d is read as plain protobuf", r.Topic, r.Partition, r.Offset)
		}
	}
}

// bridge is one that runs in this process, with all that it needs.
type bridge struct {
	t       *testing.T
	keys    simulate.Keyring
	at      serve.Addresses
	servers operate.Servers
}

// startFramed starts what `dev` starts, under a configuration that chose the frame.
func startFramed(ctx context.Context, t *testing.T) *bridge {
	t.Helper()
	return startBridge(ctx, t, false, framed{})
}

// startBridge starts what `dev` starts, with or without JSON; nil: with its own encoding.
func startBridge(ctx context.Context, t *testing.T, json bool, enc contract.Encoder) *bridge {
	t.Helper()
	o := Options{
		JSON: json, Vendors: catalog.All(), Program: "kycbridge",
		Listen: "127.0.0.1:0", Kafka: "127.0.0.1:0", Admin: "127.0.0.1:0", Dir: t.TempDir(), Log: slog.New(slog.DiscardHandler),
		Lookup: func(string) (string, bool) { return "", false },
	}
	apis := simulate.NewFakeAPIs(catalog.All())
	apiURL, stop, err := apis.Start(ctx, o.Log, o.guard().Handler)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = stop() })
	services, err := embedded.Start(ctx, o.embedded(passwords{}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = services.Close() })
	c, err := o.configuration(services, apiURL, passwords{})
	if err != nil {
		t.Fatal(err)
	}
	if enc != nil {
		c.Encoder = enc
	}
	b := &bridge{t: t, keys: o.keys(), servers: operate.FromConfig(c)}
	b.serve(ctx, serve.Options{Role: serve.All, Config: c, Log: o.Log, AdminRoutes: apis.Routes, TopicsReady: true})
	return b
}

// serve runs the process until the test ends, and returns once it is open.
func (b *bridge) serve(ctx context.Context, o serve.Options) {
	b.t.Helper()
	started, done := make(chan serve.Addresses, 1), make(chan error, 1)
	o.Started = func(at serve.Addresses) { started <- at }
	ctx, cancel := context.WithCancel(ctx)
	go func() { done <- serve.Run(ctx, o) }()
	b.t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			b.t.Error(err)
		}
	})
	select {
	case b.at = <-started:
	case err := <-done:
		done <- nil
		b.t.Fatal(err)
	}
}

// send posts one delivery of a vendor.
func (b *bridge) send(ctx context.Context, vendor string) {
	b.t.Helper()
	v, _ := catalog.Find(vendor)
	fixtures, err1 := simulate.Fixtures(v, "", 1)
	ways, err2 := b.keys.Ways(v)
	if err := errors.Join(err1, err2); err != nil {
		b.t.Fatal(err)
	}
	sender, err := simulate.NewSender(v, ways[0], hookURL(b.at, vendor), 1, "")
	if err != nil {
		b.t.Fatal(err)
	}
	defer sender.Close()
	result := simulate.Burst{Sender: sender, Fixtures: fixtures, Count: 1, Copies: 1, Admin: "http://" + b.at.Admin, Posted: func() {}}.Run(ctx)
	if result.Statuses[v.Ack.Code()] != 1 || result.Unknown {
		b.t.Fatalf("%s: %+v", vendor, result)
	}
}

// settled waits until so many deliveries have come to an end, and returns the verdict on them.
func (b *bridge) settled(ctx context.Context, deliveries int64) *audit.Verdict {
	b.t.Helper()
	for {
		v, err := operate.Verify(ctx, b.servers, operate.VerifyQuery{})
		if err != nil {
			b.t.Fatal(err)
		}
		if v.Raw == deliveries && v.Pending+v.Waiting == 0 {
			if v.Emitted != deliveries || v.Violations() > 0 {
				b.t.Fatalf("%+v", v)
			}
			return v
		}
	}
}

// events are all there are.
func (b *bridge) events(ctx context.Context) (all []operate.Record) {
	b.t.Helper()
	var topics []string
	for _, t := range schemas.Topics() {
		if t.Domain {
			topics = append(topics, t.Base)
		}
	}
	for r, err := range operate.Tail(ctx, b.servers, operate.TailQuery{Topics: topics, UntilEnd: true}) {
		if err != nil {
			b.t.Fatal(err)
		}
		all = append(all, r)
	}
	return all
}

// traced asks for the story of an event.
func (b *bridge) traced(ctx context.Context, id string) {
	b.t.Helper()
	story, err := operate.Trace(ctx, b.servers, operate.TraceQuery{ID: id})
	if err != nil {
		b.t.Fatal(err)
	}
	if len(story.Deliveries) != 1 || !slices.ContainsFunc(story.Deliveries[0].Events, func(e audit.Event) bool { return e.ID == id }) {
		b.t.Errorf("the event %s has the story %+v", id, story)
	}
}

// frameOrigin is what wrote an event.
func frameOrigin(r operate.Record) string {
	switch e, _ := r.Message.(schemas.DomainEvent); {
	case header(r, "replay") != "":
		return "replay"
	case e != nil && e.GetMetadata().GetHydration() == kycv1.Hydration_HYDRATION_FETCHED:
		return "hydrate"
	}
	return "normalize"
}

func header(r operate.Record, key string) string {
	for _, h := range r.Headers {
		if h.Key == key {
			return string(h.Value)
		}
	}
	return ""
}
