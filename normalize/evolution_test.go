package normalize_test

import (
	"os"
	"path/filepath"
	"testing"

	"buf.build/go/protovalidate"
	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/kycbridge/kycbridge/normalize"
	"github.com/kycbridge/kycbridge/providers"
	"github.com/kycbridge/kycbridge/schemas"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// What a consumer does when the contract grows, through the normaliser and the broker. docs/evolution.md has it
// in words.

const (
	paused    = 10 // an enum value that kyc.v1 may get one day
	hint      = 10 // a field of SessionEvent that it may get
	hintValue = "new"
)

// sessionOf is SessionEvent as a set of descriptors has it.
func sessionOf(t *testing.T, files *protoregistry.Files) protoreflect.MessageDescriptor {
	t.Helper()
	d, err := files.FindDescriptorByName("kyc.v1.SessionEvent")
	if err != nil {
		t.Fatal(err)
	}
	m, ok := d.(protoreflect.MessageDescriptor)
	if !ok {
		t.Fatalf("%s is not a message", d.FullName())
	}
	return m
}

// released is what a consumer was compiled against at the last release, and never since.
func released(t *testing.T) protoreflect.MessageDescriptor {
	t.Helper()
	image, err := os.ReadFile(filepath.Join("..", "proto", "released.binpb"))
	if err != nil {
		t.Fatal(err)
	}
	set := &descriptorpb.FileDescriptorSet{}
	if err := proto.Unmarshal(image, set); err != nil {
		t.Fatal(err)
	}
	files, err := protodesc.NewFiles(set)
	if err != nil {
		t.Fatal(err)
	}
	return sessionOf(t, files)
}

// grown is today's contract with a new enum value and a new field that has a rule.
func grown(t *testing.T) protoreflect.MessageDescriptor {
	t.Helper()
	file := protodesc.ToFileDescriptorProto(kycv1.File_kyc_v1_session_proto)
	file.MessageType[0].Field = append(file.MessageType[0].Field, &descriptorpb.FieldDescriptorProto{
		Name: proto.String("hint"), JsonName: proto.String("hint"), Number: proto.Int32(hint),
		Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum(), Type: descriptorpb.FieldDescriptorProto_TYPE_STRING.Enum(),
	})
	file.EnumType[0].Value = append(file.EnumType[0].Value, &descriptorpb.EnumValueDescriptorProto{
		Name: proto.String("SESSION_TRANSITION_PAUSED"), Number: proto.Int32(paused),
	})
	d, err := protodesc.NewFile(file, protoregistry.GlobalFiles)
	if err != nil {
		t.Fatal(err)
	}
	return d.Messages().ByName("SessionEvent")
}

// newer maps as a version would that has the grown contract.
func newer(d *providers.Delivery, _ *providers.Notice) (m providers.Mapping, err error) {
	_, e := event(d)
	e.Transition = paused
	e.Decision = kycv1.Decision_DECISION_REVIEW
	e.ProtoReflect().SetUnknown(protowire.AppendString(protowire.AppendTag(nil, hint, protowire.BytesType), hintValue))
	m.Add(e)
	return m, nil
}

// grownVendor is the vendor of these tests with that mapping beside the plain one.
func grownVendor() providers.Provider {
	v := vendor()
	v.Maps["newer"] = newer
	return v
}

// reader is a consumer that knows one version of the contract, by its descriptors.
type reader struct {
	t       *testing.T
	message protoreflect.MessageDescriptor
}

// read decodes a value and checks it as a consumer does at its boundary.
func (r reader) read(value []byte) *dynamicpb.Message {
	r.t.Helper()
	m := dynamicpb.NewMessage(r.message)
	if err := proto.Unmarshal(value, m); err != nil {
		r.t.Fatal(err)
	}
	if err := protovalidate.Validate(m); err != nil {
		r.t.Errorf("an event of another release breaks the rules that this consumer has: %v", err)
	}
	return m
}

// word reads an enum: a number that has no name here is UNSPECIFIED, as is a field that is not here.
func word(m protoreflect.Message, field protoreflect.Name) string {
	f := m.Descriptor().Fields().ByName(field)
	if f == nil {
		return ""
	}
	values := f.Enum().Values()
	if known := values.ByNumber(m.Get(f).Enum()); known != nil {
		return string(known.Name())
	}
	return string(values.ByNumber(0).Name())
}

func text(m protoreflect.Message, field protoreflect.Name) string {
	f := m.Descriptor().Fields().ByName(field)
	if f == nil {
		return ""
	}
	return m.Get(f).String()
}

// TestOldConsumerReadsNewEvents: what a later release adds is passed over, in protobuf and in JSON, and what was
// there says what it said.
func TestOldConsumerReadsNewEvents(t *testing.T) {
	w := newWorld(t, 1)
	w.start(0, func(o *normalize.Options) { o.Providers = []providers.Provider{grownVendor()} })
	w.send(0, said{Subject: "s", ID: "1", Text: "x", Do: "newer"})
	w.settle()
	value := only(t, w.Read(schemas.Session)).Value

	now := reader{t, grown(t)}.read(value)
	if word(now, "transition") != "SESSION_TRANSITION_PAUSED" || text(now, "hint") != hintValue {
		t.Fatalf("the new consumer reads %v, expected what is new in it", now)
	}
	inJSON, err := protojson.Marshal(now)
	if err != nil {
		t.Fatal(err)
	}
	fromJSON := dynamicpb.NewMessage(released(t))
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(inJSON, fromJSON); err != nil {
		t.Fatal(err)
	}
	for encoding, old := range map[string]*dynamicpb.Message{"protobuf": reader{t, released(t)}.read(value), "JSON": fromJSON} {
		if got := word(old, "transition"); got != "SESSION_TRANSITION_UNSPECIFIED" {
			t.Errorf("%s: a transition of a later release reads as %s, expected SESSION_TRANSITION_UNSPECIFIED", encoding, got)
		}
		if word(old, "decision") != "DECISION_REVIEW" || text(old, "vendor_status") != "1/x" {
			t.Errorf("%s: an old consumer reads %v, expected decision and vendor_status as they were written", encoding, old)
		}
	}
}

// TestNewConsumerReadsOldEvents: what an event of an earlier release lacks is unset, and it keeps the rules of today.
func TestNewConsumerReadsOldEvents(t *testing.T) {
	w := newWorld(t, 1)
	w.start(0)
	w.send(0, said{Subject: "s", ID: "1", Text: "x"})
	w.settle()
	value := only(t, w.Read(schemas.Session)).Value

	now := reader{t, grown(t)}.read(value)
	if word(now, "transition") != "SESSION_TRANSITION_PROCESSING" || text(now, "hint") != "" {
		t.Errorf("a new consumer reads %v, expected what was written and no hint", now)
	}
	then, err := proto.Marshal(reader{t, released(t)}.read(value)) // as the last release would have written it
	if err != nil {
		t.Fatal(err)
	}
	e := &kycv1.SessionEvent{}
	if err := proto.Unmarshal(then, e); err != nil {
		t.Fatal(err)
	}
	w.valid(w.options(0, nil).Validator, e)
	if e.GetVendorStatus() != "1/x" {
		t.Errorf("an event of the last release reads as %v", e)
	}
}

// only is the one record that there must be.
func only(t *testing.T, all []*kgo.Record) *kgo.Record {
	t.Helper()
	if len(all) != 1 {
		t.Fatalf("%d records, expected 1", len(all))
	}
	return all[0]
}
