package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/compiler/protogen"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/pluginpb"

	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
	configv1 "github.com/kycbridge/kycbridge/schemas/kycbridge/config/v1"
	"github.com/kycbridge/kycbridge/tools/protoc-gen-go-contract/probe"
)

// plugin is a run of the plugin over these files.
func plugin(t *testing.T, files ...protoreflect.FileDescriptor) *protogen.Plugin {
	t.Helper()
	request := &pluginpb.CodeGeneratorRequest{}
	for _, f := range files {
		request.FileToGenerate = append(request.FileToGenerate, f.Path())
		addFile(request, f)
	}
	p, err := protogen.Options{}.New(request)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// addFile puts a file behind all that it imports.
func addFile(request *pluginpb.CodeGeneratorRequest, f protoreflect.FileDescriptor) {
	if slices.ContainsFunc(request.ProtoFile, func(other *descriptorpb.FileDescriptorProto) bool { return other.GetName() == f.Path() }) {
		return
	}
	for i := range f.Imports().Len() {
		addFile(request, f.Imports().Get(i).FileDescriptor)
	}
	request.ProtoFile = append(request.ProtoFile, protodesc.ToFileDescriptorProto(f))
}

func contractFiles() []protoreflect.FileDescriptor {
	return []protoreflect.FileDescriptor{
		kycv1.File_kyc_v1_event_proto, kycv1.File_kyc_v1_session_proto, kycv1.File_kyc_v1_check_proto,
		kycv1.File_kyc_v1_aml_proto, kycv1.File_kyc_v1_renewal_proto, kycv1.File_kyc_v1_resource_proto,
		kycv1.File_kyc_v1_raw_proto, kycv1.File_kyc_v1_hydrate_proto,
		kycv1.File_kyc_v1_disposition_proto, kycv1.File_kyc_v1_dead_letter_proto,
	}
}

func configFiles() []protoreflect.FileDescriptor {
	return []protoreflect.FileDescriptor{configv1.File_kycbridge_config_v1_config_proto}
}

// The files in the tree are what the generator makes today, in any order of its input.
func TestGeneratedFilesAreCurrent(t *testing.T) {
	const module = "github.com/kycbridge/kycbridge/"
	for _, c := range []struct {
		of       protoreflect.FullName
		folder   string
		encoders bool
		files    []protoreflect.FileDescriptor
	}{
		{"kyc.v1", "internal/contract/generated", true, contractFiles()},
		{"kycbridge.config.v1", "internal/config/generated", false, configFiles()},
		{"probe", "tools/protoc-gen-go-contract/probe", true, []protoreflect.FileDescriptor{probe.File_probe_proto, probe.File_old_proto}},
	} {
		slices.Reverse(c.files)
		p := plugin(t, c.files...)
		o := options{c.of, protogen.GoImportPath(module + c.folder), c.encoders}
		if err := o.generate(p); err != nil {
			t.Fatal(err)
		}
		folder := filepath.Join("..", "..", c.folder)
		for _, f := range p.Response().GetFile() {
			want, err := os.ReadFile(filepath.Join(folder, f.GetName()))
			if err != nil || f.GetContent() != string(want) {
				t.Errorf("%s is not what the generator makes (error %v): run make proto", filepath.Join(c.folder, f.GetName()), err)
			}
		}
		if all, err := filepath.Glob(filepath.Join(folder, "*.gen.go")); err != nil || len(all) != len(p.Response().GetFile()) {
			t.Errorf("%s has %d generated files, but the generator makes %d: run make proto", c.folder, len(all), len(p.Response().GetFile()))
		}
	}
}

// Nothing of the contract costs what the library takes, but for the messages in it that are not ours.
func TestContractIsKnown(t *testing.T) {
	g := newGenerator(plugin(t, contractFiles()...), &options{of: "kyc.v1", into: "generated"})
	wantNoGaps(t, g)
	for _, m := range g.messages {
		if why := g.left[m.Desc.FullName()]; why != "" {
			t.Errorf("%s is not encoded here, so that it is slow: %s", m.Desc.Name(), why)
		}
	}
}

// A process with a valid configuration compiles no rules.
func TestConfigurationIsKnown(t *testing.T) {
	wantNoGaps(t, newGenerator(plugin(t, configFiles()...), &options{of: "kycbridge.config.v1", into: "generated"}))
}

func wantNoGaps(t *testing.T, g *generator) {
	t.Helper()
	for _, m := range g.messages {
		lines, gaps := g.proof(m)
		for _, line := range lines {
			if text, ok := line[0].(string); ok && strings.HasPrefix(text, "// Not known") {
				gaps = append(gaps, text)
			}
		}
		if len(gaps) > 0 {
			t.Errorf("%s has rules that are not known, so that protovalidate judges it: %q", m.Desc.Name(), gaps)
		}
	}
	if len(g.messages) == 0 {
		t.Errorf("%s has no messages", g.of)
	}
}

// What is not known is named where the code falls back.
func TestNamesWhatItDoesNotKnow(t *testing.T) {
	source, err := os.ReadFile("probe/probe.gen.go")
	if err != nil {
		t.Fatal(err)
	}
	functions := strings.Split(string(source), "\n\n// ")
	for start, want := range map[string]string{
		"validEmail proves nothing":           "it: string.email",
		"validNeededEmail proves nothing":     "it: string.email",
		"validOddUuid proves nothing":         "it: string.prefix",
		"validExpression proves nothing":      "it: expression: the function endsWith\n",
		"validShortExpression proves nothing": "it: cel_expression 0: the function endsWith\n",
		"validListExpression proves nothing":  "it: cel_expression\n",
		"validConstant proves nothing":        "it: enum.const",
		"validBelow proves nothing":           "it: int32.lt",
		"validOutside proves nothing":         "it: int32.lte",
		"validDouble proves nothing":          "it: double.gt",
		"validIgnoredDouble proves nothing":   "it: ignore\n",
		"validOwn proves nothing":             "it: string.(field 1161)",
		"validUnique proves nothing":          "it: repeated.unique",
		"validWhole proves nothing":           "whole: the function endsWith",
		"validOneOf proves nothing":           "the oneof which",
		"validNeededOneOf proves nothing":     "the oneof which",
		"validMessageOneOf proves nothing":    "message.oneof",
		"validOptionalEmail reports":          "Not known: string.email. Where it is set,",
		"validIgnoredEmail reports":           "Not known: string.email. Where it is set,",
		"validEmails reports":                 "Not known: string.email. Where it is set,",
		"validIgnoredItems reports":           "Not known: ignore. Where it is set,",
		"validOddKeys reports":                "Not known: string.prefix. Where it is set,",
		"validWrapped reports":                "Not known: string.min_len. Where it is set,",
		"validForeign reports":                "Not known: rules of kyc.v1.RawPosition, of another package. Where it is set,",
		"validLater reports":                  "Not known: timestamp.gt",
		"validOutsideSpan reports":            "Not known: duration.lte.seconds. Where it is set,",
		"validShorterSpan reports":            "Not known: duration.lt.seconds. Where it is set,",
		"validSpanExpression reports":         "Not known: cel_expression. Where it is set,",
		"Double is left":                      "of the kind double",
		"OneOf is left":                       "one of several",
		"Known is left":                       "a map of more than texts",
		"Wrapped is left":                     "a message of another package",
		"Numbers is left":                     "a list of int32",
		"OptionalFlag is left":                "an optional bool",
		"OptionalOctets is left":              "an optional bytes",
		"Unsigned is left":                    "of the kind uint32",
		"HoldsUnsigned is left":               "a message that is left to the library",
		"OtherHalf is left":                   "a message that is left to the library",
	} {
		i := slices.IndexFunc(functions, func(f string) bool { return strings.HasPrefix(f, start) })
		if i < 0 || !strings.Contains(functions[i], want) {
			t.Errorf("no function begins with %q and says %q", start, want)
		}
	}
}

// An expression with more in it than is known is left to protovalidate.
func TestExpressionsThatAreNotKnown(t *testing.T) {
	g := newGenerator(plugin(t, probe.File_old_proto, probe.File_probe_proto), &options{of: "probe", into: "probe"})
	var values, foreign *protogen.Message
	for _, m := range g.messages {
		switch m.Desc.Name() {
		case "Values":
			values = m
		case "Known":
			foreign = m
		}
	}
	if _, err := g.condition(about(values), "this.text == 'a' || this.number == 1 && has(this.inner)"); err != nil {
		t.Fatal(err)
	}
	for _, expression := range []string{
		"", "(", "'ok'", "this", "that.text == ''", "this.nothing == 1", "this.text", "this.number", "!this.text", "this.number && true",
		"this.text == 1", "this.text == 'a' || this.nothing", "this.nothing && true", "this.number == 1u", "this.number == 1.0", "this.number + 1 == 2", "this.text < 'b'", "this.flag < true", "this.real == 1", "this.real == this.number", "this.single == 0.5",
		"this.flag ? 1 == 1 : 'a'", "this.number ? true : false", "(this.flag ? 1 : 2) == 1", "(this.flag ? this.inner : this.inner).flag",
		"this.span == 1", "this.span < '1s'", "this.span == duration('1d')", "this.span == duration(this.text)", "this.span == duration(1)", "this.at < this.span", "this.at < timestamp('2026-01-02T03:04:05Z')", "this.span.seconds == 1",
		"this.inner == this.inner", "this.octets == b'a'", "this.list == []", "this.text in [1]", "this.number in [this.wide, 'a']", "this.number in []", "this.text in this.list", "this.text in this.pairs",
		"has(this.text)", "has(this.list)", "has(this)", "has(this.nothing)", "this.text.endsWith('a')", "this.text.startsWith(1)", "this.number.startsWith('a')", "this.text.startsWith()", "this.number.lowerAscii() == 'a'", "this.text.lowerAscii() == 1", "bytes(this.octets).size() == 1", "bytes(this.text) == b'a'", "this.text.matches(this.text)", "this.text.matches('(')", "this.number.matches('a')", "matches('a')",
		"this.number.size() > 1", "this.list.size(1) == 0", "size() == 0", "this.inners.text == ''", "this.pairs.a == ''", "this.list[0] == ''", "this.pairs['a'] == ''",
		"this.list.all(i, i != '')", "this.inner.all(i, true)", "this.inners.all(i, i.nothing)", "this.inners.all(i, i.text)", "this.inners.all(i, j, true)", "this.inners.all(this.inner, true)", "this.inners.exists_one(i, true)", "this.inners.map(i, i.text) == []",
		"this.list.unique()", "unique(this.inners)", "this.inners.unique()", "this.inners.map(i, i.number).unique()", "this.inners.map(i, i.flag, i.text).unique()", "this.list.map(i, i).unique()", "this.inners.filter(i, i.flag).unique()", "this.inners.filter(i, i.text).unique()", "this.inners.all(i, i.flag, true)", "this.inners.map(i, i.text).size() == 1",
		"this.inners.filter(i, i.flag).size() == 1", "[this.flag].filter(f, f) == [true]", "[this.flag].filter(f, 1).size() == 1", "[this.flag].filter(f, g).size() == 1", "[this.flag, this.nothing].filter(f, f).size() == 1", "[this.flag].size() == 1", "[this.flag].filter(1, true).size() == 1",
		"this.inner.at.seconds == 1", "dyn(this.number) == 1", "int(this.text) == 1", "this.?text == ''",
	} {
		if kept, err := g.condition(about(values), expression); err == nil {
			t.Errorf("%s is taken for known, as %v", expression, kept.code)
		}
	}
	if kept, err := g.condition(about(foreign), "this.at.seconds == 1"); err == nil {
		t.Errorf("a field of a type that CEL has its own of is taken for known, as %v", kept.code)
	}
}

func TestOptions(t *testing.T) {
	o := options{encoders: true}
	if err := o.generate(plugin(t, probe.File_old_proto)); err == nil {
		t.Error("neither of nor into is needed")
	}
	if o.set("of", "nowhere") != nil || o.set("into", "example.com/nowhere") != nil || o.set("encoders", "false") != nil || o.encoders || o.set("to", "x") == nil || o.set("encoders", "some") == nil {
		t.Errorf("options are %v, or an unknown one is taken", o)
	}
	p := plugin(t, probe.File_old_proto)
	if err := o.generate(p); err != nil || len(p.Response().GetFile()) > 0 {
		t.Errorf("a run without files of the package gave %d files, error %v", len(p.Response().GetFile()), err)
	}
	if !proto.Equal(&pluginpb.CodeGeneratorResponse{SupportedFeatures: p.Response().SupportedFeatures}, p.Response()) {
		t.Errorf("the response is %v", p.Response())
	}
}
