package contract_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/kycbridge/kycbridge/internal/contract"
	"github.com/kycbridge/kycbridge/schemas"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// jsonSession is what a consumer of JSON may rely on: every field, whether it says something or not, but for messages
// and optional numbers that say nothing.
const jsonSession = `{"metadata":{"eventId":"b5c1a7d2-3e4f-5a6b-8c7d-9e0f1a2b3c4d","provider":"","endpoint":"","tenant":"","environment":"ENVIRONMENT_SANDBOX",` +
	`"vendorEventId":"","vendorEventType":"","vendorSequence":"","raw":{"topic":"kyc.raw.v1","partition":3,"offset":"9007199254740993"},` +
	`"mapperVersion":"","hydrated":false,"hydration":"HYDRATION_UNSPECIFIED","flowId":"","flowVersion":"","vendorAttributes":{"a":"<1>","b":"2","c":"3"},"flags":["stale=true"]},` +
	`"transition":"SESSION_TRANSITION_COMPLETED","decision":99,"decidedBy":"DECIDED_BY_UNSPECIFIED","finality":"FINALITY_UNSPECIFIED",` +
	`"reasonCodes":[],"requiredSteps":[],"vendorStatus":"two words","vendorOutcome":""}`

// TestJSONIsWhole: enums have names and those without one stay numbers, numbers of 64 bits are text, and equal events
// are equal bytes on one line. What is newer than this code breaks nothing.
func TestJSONIsWhole(t *testing.T) {
	event := func() *kycv1.SessionEvent {
		return &kycv1.SessionEvent{
			Metadata: &kycv1.EventMetadata{
				EventId: "b5c1a7d2-3e4f-5a6b-8c7d-9e0f1a2b3c4d", Environment: kycv1.Environment_ENVIRONMENT_SANDBOX,
				Raw:              &kycv1.RawPosition{Topic: "kyc.raw.v1", Partition: 3, Offset: 1<<53 + 1},
				VendorAttributes: map[string]string{"c": "3", "b": "2", "a": "<1>"}, Flags: []string{"stale=true"},
			},
			Transition: kycv1.SessionTransition_SESSION_TRANSITION_COMPLETED, Decision: 99, VendorStatus: "two words",
		}
	}
	for range 20 {
		newer := event()
		newer.ProtoReflect().SetUnknown(protowire.AppendVarint(protowire.AppendTag(nil, 1000, protowire.VarintType), 7))
		if got, err := (contract.JSON{}).Encode(newer); err != nil || string(got) != jsonSession {
			t.Fatalf("the JSON is, error %v:\n%s\nwant:\n%s", err, got, jsonSession)
		}
	}
	var back kycv1.SessionEvent
	newer := bytes.Replace([]byte(jsonSession), []byte(`{"metadata"`), []byte(`{"new":{"a":[1]},"metadata"`), 1)
	if err := (contract.JSON{}).Decode(newer, &back); err != nil || !proto.Equal(&back, event()) {
		t.Errorf("read back as %v, %v", &back, err)
	}
}

// TestJSONOfAllThatCanBeSaid: every domain event with every field set is JSON, and is itself again.
func TestJSONOfAllThatCanBeSaid(t *testing.T) {
	for _, m := range fullMessages() {
		of, _ := schemas.TopicFor(m)
		topic, ok := of.Twin()
		if !ok {
			continue
		}
		value, err := contract.JSON{}.Encode(m)
		if err != nil || !json.Valid(value) || bytes.ContainsRune(value, '\n') {
			t.Fatalf("%s: %v\n%s", topic.Base, err, value)
		}
		if back, err := contract.Decode(nil, topic, value); err != nil || !proto.Equal(back, m) {
			t.Errorf("%s: read back as %v, %v; want %v", topic.Base, back, err, m)
		}
	}
}

// TestJSONLargerThanTheScratch: a value does not depend on what was encoded before it.
func TestJSONLargerThanTheScratch(t *testing.T) {
	large := &kycv1.SessionEvent{VendorStatus: string(bytes.Repeat([]byte("x"), 1<<17))}
	for range 2 {
		for _, m := range []proto.Message{large, &kycv1.SessionEvent{VendorStatus: "small"}} {
			value, err := contract.JSON{}.Encode(m)
			back := &kycv1.SessionEvent{}
			if err != nil || (contract.JSON{}).Decode(value, back) != nil || !proto.Equal(back, m) {
				t.Errorf("%v; read back as %.100v", err, back)
			}
		}
	}
}

// FuzzJSON: what can be read of a twin can be written, and is the same when it is read again.
func FuzzJSON(f *testing.F) {
	f.Add([]byte(jsonSession))
	f.Add([]byte(`{"decision":"DECISION_OF_TOMORROW","metadata":{"occurredAt":"0001-01-01T00:00:00Z"}}`))
	f.Fuzz(func(t *testing.T, value []byte) {
		first, second := &kycv1.SessionEvent{}, &kycv1.SessionEvent{}
		if (contract.JSON{}).Decode(value, first) != nil {
			return
		}
		again, err := contract.JSON{}.Encode(first)
		if err != nil || (contract.JSON{}).Decode(again, second) != nil || !proto.Equal(first, second) {
			t.Errorf("%q was read as %v, written as %q (%v), and read as %v", value, first, again, err, second)
		}
	})
}
