package dev

import (
	"context"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/kycbridge/kycbridge/internal/contract"
	"github.com/kycbridge/kycbridge/internal/operate"
	"github.com/kycbridge/kycbridge/normalize/replay"
	"github.com/kycbridge/kycbridge/schemas"
)

// TestJSONBeside: with JSON, both stages and a replay, of which nothing is configured either, write every event twice,
// whatever the encoding of the first; verify compares them, trace shows both, and tail prints the JSON itself.
func TestJSONBeside(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	b := startBridge(ctx, t, true, framed{})
	b.send(ctx, "complycube")
	b.send(ctx, "proofme")
	b.settled(ctx, 2)
	b.servers.Forms = nil // as for commands that are given an address alone
	if _, err := operate.Replay(ctx, b.servers, operate.ReplayQuery{ID: "again", Mode: replay.ReEmit}); err != nil {
		t.Fatal(err)
	}
	v := b.settled(ctx, 2)
	events := b.events(ctx)
	if n := len(v.Checks); n != 6 || v.Checks[n-1].Looked != int64(len(events)) || v.Alone != 0 || v.Unread != 0 {
		t.Errorf("verify compares not all %d events with their JSON: %+v", len(events), v)
	}
	all := b.twins(ctx)
	if len(all) != len(events) {
		t.Fatalf("%d events, and %d as JSON", len(events), len(all))
	}
	from := map[string]int{}
	for _, r := range all {
		from[frameOrigin(r)]++
		same := func(e operate.Record) bool {
			return r.Partition == e.Partition && string(r.Key) == string(e.Key) && header(r, "replay") == header(e, "replay") && proto.Equal(r.Message, e.Message)
		}
		if r.Err != nil || !slices.ContainsFunc(events, same) || header(r, "content-type") != (contract.JSON{}).ContentType() {
			t.Errorf("%s %d@%d, %v, is not alike to an event: %s", r.Topic, r.Partition, r.Offset, r.Err, r.Value)
		}
		var line struct{ Value json.RawMessage }
		text, err := json.Marshal(r)
		if err == nil {
			err = json.Unmarshal(text, &line)
		}
		if err != nil || len(line.Value) != len(r.Value) {
			t.Errorf("tail prints %s, %v; want the value %s", text, err, r.Value)
		}
	}
	if from["normalize"] == 0 || from["hydrate"] == 0 || from["replay"] == 0 {
		t.Errorf("want JSON of normalize, hydrate and replay; have %v", from)
	}
	e := events[0].Message.(schemas.DomainEvent).GetMetadata()
	story, err := operate.Trace(ctx, b.servers, operate.TraceQuery{ID: e.GetEventId()})
	if err != nil {
		t.Fatal(err)
	}
	for _, shown := range story.Deliveries[0].Events {
		if shown.Twin == nil || shown.Twin.Topic != shown.Topic+".json" || shown.Twin.Partition != shown.Partition {
			t.Errorf("the trace shows %+v with the JSON %+v", shown, shown.Twin)
		}
	}
}

// twins are all events as JSON.
func (b *bridge) twins(ctx context.Context) (all []operate.Record) {
	b.t.Helper()
	var bases []string
	for _, t := range schemas.JSONTopics() {
		bases = append(bases, t.Base)
	}
	for r, err := range operate.Tail(ctx, b.servers, operate.TailQuery{Topics: bases, UntilEnd: true}) {
		if err != nil {
			b.t.Fatal(err)
		}
		all = append(all, r)
	}
	return all
}
