package e2e

import (
	"encoding/json"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/kycbridge/kycbridge/e2e/foreign"
	"github.com/kycbridge/kycbridge/schemas"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// tailed is a line of `kycbridge tail`.
type tailed struct {
	Topic     string
	Partition int32
	Offset    int64
	Key       string
	Headers   map[string]string
	Value     json.RawMessage
}

// sdkEvent is a record as the CloudEvents SDK of another language sees it: attributes that the specification has and
// extensions side by side, and the data as bytes or, where the SDK parsed it, as JSON.
type sdkEvent struct {
	Topic      string
	Partition  int32
	Offset     int64
	Attributes map[string]string
	Base64     []byte
	JSON       json.RawMessage
	Trace      string // what OpenTelemetry reads, where the program asks it
}

// sdk is a program with the CloudEvents SDK of a language, and how fine the clock of that language is.
type sdk struct {
	name   string
	tick   time.Duration
	traces bool
	reads  func(t *testing.T, args ...string) string
}

var sdks = []sdk{
	{"python", time.Microsecond, true, func(t *testing.T, args ...string) string {
		folder := filepath.Join(foreign.Root(t), "e2e/foreign/cloudevents/python")
		python := foreign.Python(t, filepath.Join(folder, "requirements.txt"))
		return foreign.Run(t, folder, nil, append([]string{python, "read.py"}, args...)...)
	}},
	{"javascript", time.Millisecond, false, func(t *testing.T, args ...string) string {
		folder := foreign.Node(t, filepath.Join(foreign.Root(t), "e2e/foreign/cloudevents/javascript"))
		return foreign.Run(t, folder, nil, append([]string{"node", "read.js"}, args...)...)
	}},
}

// TestForeignCloudEvents has the CloudEvents SDKs of two languages read domain events, as protobuf and as JSON:
// attributes, extensions and data are what tail shows, and OpenTelemetry finds the delivery's id in traceparent.
func TestForeignCloudEvents(t *testing.T) {
	foreign.Need(t, "python3", "node", "npm")
	e := startEmbedded(t, "--json")
	const each = 40
	for _, vendor := range []string{"complycube", "idenfy"} {
		shown(t, "send", vendor, "--count", strconv.Itoa(each), "--to", "http://"+e.listen+"/hooks/"+vendor,
			"--admin", "http://"+e.adminAddr, "--data", e.data)
	}
	shown(t, "tail", "disposition", "--brokers", e.kafka, "--from-start", "--count", strconv.Itoa(2*each))
	told, topics := domainEvents(t, e.kafka)
	deliveries := deliveryIDs(t, e.kafka)
	t.Run("sdk", func(t *testing.T) {
		for _, s := range sdks {
			t.Run(s.name, func(t *testing.T) {
				t.Parallel()
				out := s.reads(t, append([]string{e.kafka, strconv.Itoa(len(told))}, topics...)...)
				checkSDK(t, s, out, told, deliveries)
			})
		}
	})
	e.stop(t)
}

// shown is what a subcommand prints. It must succeed.
func shown(t *testing.T, args ...string) string {
	t.Helper()
	out, errs, code := command(t, nil, args...)
	if code != 0 {
		t.Fatalf("%q ends with %d:\n%s%s", args, code, out, errs)
	}
	return out
}

// domainEvents are all that tail shows of the domain topics, by position, and the topics that hold any.
func domainEvents(t *testing.T, kafka string) (map[position]tailed, []string) {
	t.Helper()
	told, topics := map[position]tailed{}, map[string]bool{}
	args := []string{"tail", "--brokers", kafka, "--until-end"}
	for _, name := range []string{"session", "check", "aml", "renewal", "resource"} {
		args = append(args, name, name+".json")
	}
	for line := range strings.Lines(shown(t, args...)) {
		var record tailed
		if err := json.Unmarshal([]byte(line), &record); err != nil {
			t.Fatalf("tail printed %q: %v", line, err)
		}
		told[position{record.Topic, record.Partition, record.Offset}] = record
		topics[record.Topic] = true
	}
	for _, topic := range schemas.Topics() {
		if name := topic.Name(schemas.DefaultPrefix); topic.Domain && !(topics[name] && topics[name+".json"]) {
			t.Errorf("no event on %s or its twin: the deliveries must make some on each domain topic", name)
		}
	}
	return told, slices.Sorted(maps.Keys(topics))
}

// checkSDK holds what an SDK read against what tail showed.
func checkSDK(t *testing.T, s sdk, out string, told map[position]tailed, deliveries map[position]string) {
	t.Helper()
	missing := maps.Clone(told)
	for line := range strings.Lines(out) {
		var event sdkEvent
		if err := json.Unmarshal([]byte(line), &event); err != nil {
			t.Fatalf("the SDK's program printed %q: %v", line, err)
		}
		at := position{event.Topic, event.Partition, event.Offset}
		record, ok := missing[at]
		if !ok {
			t.Fatalf("%v was read, and tail does not show it, or it was read twice", at)
		}
		delete(missing, at)
		event.Attributes["time"] = instant(t, event.Attributes["time"], s.tick) // each language writes it in its way
		if want := attributes(t, s, record); !maps.Equal(event.Attributes, want) {
			t.Errorf("%v has the attributes\n%v\nexpected\n%v", at, event.Attributes, want)
		}
		if got, want := event.data(t), tree(t, record.Value); !reflect.DeepEqual(got, want) {
			t.Errorf("%v has the data\n%v\nexpected\n%v", at, got, want)
		}
		if want := deliveries[record.raw(t)]; s.traces && event.Trace != want {
			t.Errorf("%v has the trace id %q, expected that of its delivery, %q", at, event.Trace, want)
		}
	}
	if len(missing) > 0 {
		t.Errorf("%d of %d events were not read", len(missing), len(told))
	}
}

// attributes are those that the Kafka binding of CloudEvents makes of a record: of each header with the prefix, of the
// content type, and of the key. Other headers, such as traceparent, are none.
func attributes(t *testing.T, s sdk, record tailed) map[string]string {
	t.Helper()
	all := map[string]string{"partitionkey": record.Key}
	for _, name := range []string{"ce_specversion", "ce_id", "ce_source", "ce_type", "ce_time", "ce_dataschema", "content-type"} {
		if record.Headers[name] == "" {
			t.Fatalf("%s %d@%d has no header %s", record.Topic, record.Partition, record.Offset, name)
		}
	}
	for name, value := range record.Headers {
		switch attribute, is := strings.CutPrefix(name, "ce_"); {
		case attribute == "time":
			all[attribute] = instant(t, value, s.tick)
		case is:
			all[attribute] = value
		case name == "content-type":
			all["datacontenttype"] = value
		}
	}
	return all
}

// instant is a time as every language can tell it: those of others have no nanoseconds.
func instant(t *testing.T, text string, tick time.Duration) string {
	t.Helper()
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		t.Fatal(err)
	}
	return at.UTC().Truncate(tick).Format(time.RFC3339Nano)
}

// data is what the SDK hands over, in protobuf's JSON mapping.
func (e sdkEvent) data(t *testing.T) any {
	t.Helper()
	if e.JSON != nil {
		return tree(t, e.JSON)
	}
	topic := topicOf(e.Topic)
	if topic.Message == nil {
		t.Fatalf("%s %d@%d: the SDK does not see that the data is JSON, by the content type %q", e.Topic, e.Partition, e.Offset,
			e.Attributes["datacontenttype"])
	}
	message := topic.New()
	if err := proto.Unmarshal(e.Base64, message); err != nil {
		t.Fatalf("%s %d@%d: what the SDK hands over is no protobuf: %v", e.Topic, e.Partition, e.Offset, err)
	}
	text, err := protojson.Marshal(message)
	if err != nil {
		t.Fatal(err)
	}
	return tree(t, text)
}

func tree(t *testing.T, text []byte) (value any) {
	t.Helper()
	if err := json.Unmarshal(text, &value); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return value
}

// raw is where the delivery of an event is.
func (r tailed) raw(t *testing.T) position {
	t.Helper()
	var value struct{ Metadata struct{ Raw json.RawMessage } }
	if err := json.Unmarshal(r.Value, &value); err != nil {
		t.Fatal(err)
	}
	var raw kycv1.RawPosition
	if err := protojson.Unmarshal(value.Metadata.Raw, &raw); err != nil {
		t.Fatal(err)
	}
	return rawOf(&raw)
}

// deliveryIDs are those of all deliveries, as trace ids are written.
func deliveryIDs(t *testing.T, kafka string) map[position]string {
	t.Helper()
	ids := map[position]string{}
	for line := range strings.Lines(shown(t, "tail", "raw", "--brokers", kafka, "--until-end")) {
		var record struct {
			Topic     string
			Partition int32
			Offset    int64
			Value     struct{ DeliveryID string }
		}
		if err := json.Unmarshal([]byte(line), &record); err != nil {
			t.Fatal(err)
		}
		ids[position{record.Topic, record.Partition, record.Offset}] = strings.ReplaceAll(record.Value.DeliveryID, "-", "")
	}
	return ids
}
