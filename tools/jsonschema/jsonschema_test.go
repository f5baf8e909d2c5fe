package main

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/kycbridge/kycbridge/schemas"
)

// shape is a field to be described.
type shape struct {
	kind     descriptorpb.FieldDescriptorProto_Type
	of       string // full name of an enum or message
	list     bool
	optional bool
	rules    *validate.FieldRules
}

const (
	asString  = descriptorpb.FieldDescriptorProto_TYPE_STRING
	asBytes   = descriptorpb.FieldDescriptorProto_TYPE_BYTES
	asInt32   = descriptorpb.FieldDescriptorProto_TYPE_INT32
	asInt64   = descriptorpb.FieldDescriptorProto_TYPE_INT64
	asEnum    = descriptorpb.FieldDescriptorProto_TYPE_ENUM
	asMessage = descriptorpb.FieldDescriptorProto_TYPE_MESSAGE
)

// messageWith is a message M with the field f, beside an enum Word.
func messageWith(t *testing.T, s shape) protoreflect.MessageDescriptor {
	t.Helper()
	field := &descriptorpb.FieldDescriptorProto{
		Name: proto.String("f"), JsonName: proto.String("f"), Number: proto.Int32(1), Type: s.kind.Enum(),
		Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum(),
	}
	if s.of != "" {
		field.TypeName = proto.String("." + s.of)
	}
	if s.list {
		field.Label = descriptorpb.FieldDescriptorProto_LABEL_REPEATED.Enum()
	}
	if s.rules != nil {
		field.Options = &descriptorpb.FieldOptions{}
		proto.SetExtension(field.Options, validate.E_Field, s.rules)
	}
	m := &descriptorpb.DescriptorProto{Name: proto.String("M"), Field: []*descriptorpb.FieldDescriptorProto{field}}
	if s.optional {
		field.Proto3Optional, field.OneofIndex = proto.Bool(true), proto.Int32(0)
		m.OneofDecl = []*descriptorpb.OneofDescriptorProto{{Name: proto.String("_f")}}
	}
	file, err := protodesc.NewFile(&descriptorpb.FileDescriptorProto{
		Name: proto.String("m.proto"), Package: proto.String("t"), Syntax: proto.String("proto3"),
		Dependency:  []string{"google/protobuf/timestamp.proto"},
		MessageType: []*descriptorpb.DescriptorProto{m},
		EnumType: []*descriptorpb.EnumDescriptorProto{{Name: proto.String("Word"), Value: []*descriptorpb.EnumValueDescriptorProto{
			{Name: proto.String("WORD_UNSPECIFIED"), Number: proto.Int32(0)}, {Name: proto.String("WORD_A"), Number: proto.Int32(1)},
		}}},
	}, protoregistry.GlobalFiles)
	if err != nil {
		t.Fatal(err)
	}
	return file.Messages().ByName("M")
}

func stringRules(r *validate.StringRules) *validate.FieldRules {
	return &validate.FieldRules{Type: &validate.FieldRules_String_{String_: r}}
}

func bytesRules(r *validate.BytesRules) *validate.FieldRules {
	return &validate.FieldRules{Type: &validate.FieldRules_Bytes{Bytes: r}}
}

func int64Rules(r *validate.Int64Rules) *validate.FieldRules {
	return &validate.FieldRules{Type: &validate.FieldRules_Int64{Int64: r}}
}

func listRules(r *validate.RepeatedRules) *validate.FieldRules {
	return &validate.FieldRules{Type: &validate.FieldRules_Repeated{Repeated: r}}
}

func requiredRules() *validate.FieldRules { return &validate.FieldRules{Required: proto.Bool(true)} }

// What each kind of field becomes, and whether it must be there.
func TestFields(t *testing.T) {
	const timestamp = "google.protobuf.Timestamp"
	for name, c := range map[string]struct {
		shape    shape
		want     string
		required bool
	}{
		"text":                {shape{kind: asString}, `{"type":"string"}`, false},
		"text with lengths":   {shape{kind: asString, rules: stringRules(&validate.StringRules{MinLen: proto.Uint64(1), MaxLen: proto.Uint64(3)})}, `{"type":"string","minLength":1,"maxLength":3}`, true},
		"optional text":       {shape{kind: asString, optional: true, rules: stringRules(&validate.StringRules{MinLen: proto.Uint64(1)})}, `{"type":"string","minLength":1}`, false},
		"pattern, never none": {shape{kind: asString, rules: stringRules(&validate.StringRules{Pattern: proto.String("^a+$")})}, `{"type":"string","pattern":"^a+$"}`, true},
		"pattern, or none":    {shape{kind: asString, rules: stringRules(&validate.StringRules{Pattern: proto.String("^a*$")})}, `{"type":"string","pattern":"^a*$"}`, false},
		"ignored where empty": {shape{kind: asString, rules: &validate.FieldRules{Ignore: validate.Ignore_IGNORE_IF_ZERO_VALUE.Enum(), Type: stringRules(&validate.StringRules{Pattern: proto.String("^a+$")}).Type}},
			`{"anyOf":[{"type":"string","maxLength":0},{"type":"string","pattern":"^a+$"}]}`, false},
		"required text":    {shape{kind: asString, rules: requiredRules()}, `{"type":"string","minLength":1}`, true},
		"bytes":            {shape{kind: asBytes, rules: bytesRules(&validate.BytesRules{Len: proto.Uint64(16)})}, `{"type":"string","contentEncoding":"base64","minLength":24,"maxLength":24,"pattern":"` + encoded + `"}`, true},
		"whole number":     {shape{kind: asInt32}, `{"type":"integer","minimum":-2147483648,"maximum":2147483647}`, false},
		"long number":      {shape{kind: asInt64}, `{"type":"string","pattern":"^(0|-?[1-9][0-9]{0,18})$"}`, false},
		"long number, ≥ 0": {shape{kind: asInt64, rules: int64Rules(&validate.Int64Rules{GreaterThan: &validate.Int64Rules_Gte{}})}, `{"type":"string","pattern":"^(0|[1-9][0-9]{0,18})$"}`, false},
		"time":             {shape{kind: asMessage, of: timestamp, rules: requiredRules()}, `{"type":"string","format":"date-time","pattern":` + quoted(moment) + `}`, true},
		"word":             {shape{kind: asEnum, of: "t.Word"}, `{"$ref":"#/$defs/t.Word"}`, false},
		"required word":    {shape{kind: asEnum, of: "t.Word", rules: requiredRules()}, `{"$ref":"#/$defs/t.Word","not":{"enum":["WORD_UNSPECIFIED",0]}}`, true},
		"itself":           {shape{kind: asMessage, of: "t.M"}, `{"$ref":"#"}`, false},
		"not held to rules": {shape{kind: asMessage, of: "t.M", rules: &validate.FieldRules{Ignore: validate.Ignore_IGNORE_ALWAYS.Enum()}},
			`{"type":"object"}`, false},
		"list": {shape{kind: asString, list: true, rules: listRules(&validate.RepeatedRules{MinItems: proto.Uint64(1), MaxItems: proto.Uint64(2)})},
			`{"type":"array","items":{"type":"string"},"minItems":1,"maxItems":2}`, true},
		"required list": {shape{kind: asString, list: true, rules: requiredRules()}, `{"type":"array","items":{"type":"string"},"minItems":1}`, true},
	} {
		root, err := document(messageWith(t, c.shape))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got, err := json.Marshal(root.Properties[0].value)
		if err != nil || plain(t, got) != plain(t, []byte(c.want)) {
			t.Errorf("%s: %s, %v; want %s", name, got, err, c.want)
		}
		if required := len(root.Required) == 1; required != c.required {
			t.Errorf("%s: required is %v, want %v", name, required, c.required)
		}
	}
}

func quoted(s string) string {
	text, _ := json.Marshal(s)
	return string(text)
}

// plain is a JSON text with members in one order and characters in one spelling.
func plain(t *testing.T, text []byte) string {
	t.Helper()
	var value any
	if err := json.Unmarshal(text, &value); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	again, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(again)
}

// What cannot be said, or what nobody has taught the program to say, is not left out in silence.
func TestUnknownRulesAreErrors(t *testing.T) {
	for want, s := range map[string]shape{
		"buf.validate.StringRules.email":                       {kind: asString, rules: stringRules(&validate.StringRules{WellKnown: &validate.StringRules_Email{Email: true}})},
		"buf.validate.BytesRules.max_len":                      {kind: asBytes, rules: bytesRules(&validate.BytesRules{MaxLen: proto.Uint64(3)})},
		"buf.validate.FieldRules.cel":                          {kind: asString, rules: &validate.FieldRules{Cel: []*validate.Rule{{Id: proto.String("x")}}}},
		"buf.validate.RepeatedRules.unique":                    {kind: asString, list: true, rules: listRules(&validate.RepeatedRules{Unique: proto.Bool(true)})},
		"int64.gte is 5":                                       {kind: asInt64, rules: int64Rules(&validate.Int64Rules{GreaterThan: &validate.Int64Rules_Gte{Gte: 5}})},
		"other languages read the pattern":                     {kind: asString, rules: stringRules(&validate.StringRules{Pattern: proto.String(`(?i)^a$`)})},
		"t.M.f is double":                                      {kind: descriptorpb.FieldDescriptorProto_TYPE_DOUBLE},
		"t.M.f is int32 and required":                          {kind: asInt32, rules: requiredRules()},
		"t.M.f: IGNORE_ALWAYS on what is not one message":      {kind: asString, rules: &validate.FieldRules{Ignore: validate.Ignore_IGNORE_ALWAYS.Enum()}},
		"t.M.f is int32 and ignored where it is zero":          {kind: asInt32, rules: &validate.FieldRules{Ignore: validate.Ignore_IGNORE_IF_ZERO_VALUE.Enum()}},
		"t.M.f has the rule buf.validate.FieldRules.ignore":    {kind: asString, list: true, rules: listRules(&validate.RepeatedRules{Items: &validate.FieldRules{Ignore: validate.Ignore_IGNORE_ALWAYS.Enum()}})},
		"t.M.f has the rule buf.validate.FieldRules.enum":      {kind: asEnum, of: "t.Word", rules: &validate.FieldRules{Type: &validate.FieldRules_Enum{Enum: &validate.EnumRules{DefinedOnly: proto.Bool(true)}}}},
		"t.M.f has uuid and a pattern":                         {kind: asString, rules: stringRules(&validate.StringRules{Pattern: proto.String("a"), WellKnown: &validate.StringRules_Uuid{Uuid: true}})},
		"t.M.f has the rule buf.validate.FieldRules.timestamp": {kind: asMessage, of: "google.protobuf.Timestamp", rules: &validate.FieldRules{Type: &validate.FieldRules_Timestamp{Timestamp: &validate.TimestampRules{}}}},
	} {
		if _, err := document(messageWith(t, s)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error is %v, want one with %q", err, want)
		}
	}
}

// The descriptions are the comments, a paragraph a line, and those of an enum's words are in that of the enum.
func TestDescriptions(t *testing.T) {
	files, err := protodesc.NewFiles(schemas.DescriptorSet())
	if err != nil {
		t.Fatal(err)
	}
	text, err := schemaOf(files, "kyc.v1.SessionEvent")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"description": "SessionEvent is one step in the life of a verification: of a session, journey,`,
		`so the events of one session come in order.\n\nReading a verdict: it is in decision,`,
		`\n\nDECISION_REVIEW: `,
		`"$comment": "Rules that are not said here: transition must be set,`,
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the schema has no %s", want)
		}
	}
}

func TestImageIsRead(t *testing.T) {
	dir := t.TempDir()
	image, err := proto.Marshal(schemas.DescriptorSet())
	if err != nil {
		t.Fatal(err)
	}
	if err := run(strings.NewReader(string(image)), dir); err != nil {
		t.Fatal(err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 9 {
		t.Errorf("%d files, want one for each message of a topic: %v", len(entries), err)
	}
	for want, in := range map[string]string{"is not an image": "\xff", "the image has no kyc.v1.RawEnvelope": ""} {
		if err := run(strings.NewReader(in), dir); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error is %v, want one with %q", err, want)
		}
	}
}
