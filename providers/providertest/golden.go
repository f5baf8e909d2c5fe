package providertest

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/kycbridge/kycbridge/providers"
	"github.com/kycbridge/kycbridge/schemas"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// golden is the form of want.json: what a reviewer must see of a mapping.
type golden struct {
	RawKey      string            `json:"raw_key"`
	VendorType  string            `json:"vendor_event_type,omitempty"`
	MapAs       string            `json:"map_as,omitempty"`
	Identity    []string          `json:"identity,omitempty"`
	ContentHash string            `json:"content_sha256,omitempty"`
	Incomplete  bool              `json:"incomplete,omitempty"`
	Needs       *goldenTarget     `json:"needs,omitempty"`
	Events      []goldenEvent     `json:"events,omitempty"`
	Drift       []providers.Drift `json:"drift,omitempty"`
	Problem     *goldenProblem    `json:"problem,omitempty"`
}

type goldenEvent struct {
	Topic string          `json:"topic"`
	Event json.RawMessage `json:"event"`
}

// goldenTarget is the object that the delivery would be asked for.
type goldenTarget struct {
	Kind string `json:"kind"`
	ID   string `json:"id"`
}

type goldenProblem struct {
	Reason string `json:"reason"`
	Field  string `json:"field,omitempty"`
	Detail string `json:"detail"`
}

// format writes a result so that equal results are equal texts.
func (r *result) format(t testing.TB) []byte {
	t.Helper()
	g := golden{RawKey: string(r.rawKey), Drift: r.Drift}
	if n := r.notice; n != nil {
		hash := n.ContentHash()
		g.VendorType, g.MapAs, g.Identity, g.ContentHash = n.Type, n.MapAs, n.Identity, hex.EncodeToString(hash[:])
		if g.VendorType == g.MapAs {
			g.MapAs = ""
		}
	}
	if r.err != nil {
		g.Problem = &goldenProblem{Reason: providers.Reason(r.err).String(), Detail: r.err.Error()}
		var p *providers.Problem
		if errors.As(r.err, &p) {
			g.Problem.Field, g.Problem.Detail = p.Field, p.Detail
		}
	} else {
		if r.fetched == nil {
			g.Incomplete = r.Incomplete
		}
		if r.needs != (providers.Target{}) {
			g.Needs = &goldenTarget{Kind: r.needs.Kind, ID: r.needs.ID}
		}
		for _, e := range r.Events {
			g.Events = append(g.Events, goldenEvent{Topic: topicOf(t, e), Event: formatEvent(t, e)})
		}
	}
	b, err := json.MarshalIndent(g, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return append(b, '\n')
}

func topicOf(t testing.TB, e proto.Message) string {
	t.Helper()
	topic, ok := schemas.TopicFor(e)
	if !ok {
		t.Fatalf("no topic for %T", e)
	}
	return topic.Base
}

// formatEvent is the event in protobuf's JSON mapping with the fields named as in
// the contract, without what is the same for every fixture. It goes through a
// map, since protojson varies its white space on purpose.
func formatEvent(t testing.TB, e schemas.DomainEvent) json.RawMessage {
	t.Helper()
	short := proto.CloneOf(e)
	md := short.GetMetadata()
	md.Provider, md.Endpoint, md.Tenant, md.MapperVersion = "", "", "", ""
	md.Environment, md.ReceivedAt, md.Raw = kycv1.Environment_ENVIRONMENT_UNSPECIFIED, nil, nil
	text, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(short)
	if err != nil {
		t.Fatal(err)
	}
	var fields map[string]any
	if err := json.Unmarshal(text, &fields); err != nil {
		t.Fatal(err)
	}
	out, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// checkGolden compares with want.json, or writes it.
func checkGolden(t testing.TB, f providers.Fixture, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", f.Name, "want.json")
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if f.Want == nil {
		t.Fatalf("%s is missing; go test -update writes it, then read it", path)
	}
	if string(got) != string(f.Want) {
		t.Errorf("%s differs. If the change is meant, raise MapperVersion and run go test -update.\ngot:\n%s\nwant:\n%s", path, got, f.Want)
	}
}
