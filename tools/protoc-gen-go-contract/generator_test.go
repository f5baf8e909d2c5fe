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

// The files in the tree are what the generator makes today, in any order of its input.
func TestGeneratedFilesAreCurrent(t *testing.T) {
	const module = "github.com/kycbridge/kycbridge/"
	for _, c := range []struct {
		of     protoreflect.FullName
		folder string
		files  []protoreflect.FileDescriptor
	}{
		{"kyc.v1", "internal/contract/generated", contractFiles()},
		{"probe", "tools/protoc-gen-go-contract/probe", []protoreflect.FileDescriptor{probe.File_probe_proto, probe.File_old_proto}},
	} {
		slices.Reverse(c.files)
		p := plugin(t, c.files...)
		o := options{c.of, protogen.GoImportPath(module + c.folder)}
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
	for _, m := range g.messages {
		lines, gaps := g.proof(m)
		for _, line := range lines {
			if text, ok := line[0].(string); ok && strings.HasPrefix(text, "// Not known") {
				gaps = append(gaps, text)
			}
		}
		if len(gaps) > 0 {
			t.Errorf("%s has rules that are not known, so that it is slow: %q", m.Desc.Name(), gaps)
		}
		if why := g.left[m.Desc.FullName()]; why != "" {
			t.Errorf("%s is not encoded here, so that it is slow: %s", m.Desc.Name(), why)
		}
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
		"validExpression proves nothing":      "it: cel\n",
		"validShortExpression proves nothing": "it: cel_expression",
		"validDefined proves nothing":         "it: enum.defined_only",
		"validBelow proves nothing":           "it: int32.lt",
		"validDouble proves nothing":          "it: double.gt",
		"validOwn proves nothing":             "it: string.(field 1161)",
		"validUnique proves nothing":          "it: repeated.unique",
		"validWhole proves nothing":           "whole: the function startsWith",
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
	if _, err := g.condition(values, "this.text == 'a' || this.number == 1 && has(this.inner)"); err != nil {
		t.Fatal(err)
	}
	for _, expression := range []string{
		"", "(", "'ok'", "this", "that.text == ''", "this.nothing == 1", "true ? true : false", "this.text", "this.number", "!this.text", "this.number && true",
		"this.text == 1", "this.text == 'a' || this.nothing", "this.nothing && true", "this.number == 1u", "this.number == 1.0", "this.number + 1 == 2", "this.text < 'b'", "this.flag < true",
		"this.inner == this.inner", "this.octets == b'a'", "this.list == []", "this.text in [1]", "this.number in [this.wide, 'a']", "this.number in []", "this.text in this.list", "this.text in this.pairs",
		"has(this.text)", "has(this.list)", "has(this)", "has(this.nothing)", "this.text.startsWith('a')", "this.text.matches(this.text)", "this.text.matches('(')", "this.number.matches('a')", "matches('a')",
		"this.number.size() > 1", "this.list.size(1) == 0", "size() == 0", "this.inners.text == ''", "this.pairs.a == ''", "this.list[0] == ''", "this.pairs['a'] == ''",
		"this.list.all(i, i != '')", "this.inner.all(i, true)", "this.inners.all(i, i.nothing)", "this.inners.all(i, i.text)", "this.inners.all(i, j, true)", "this.inners.all(this.inner, true)", "this.inners.exists_one(i, true)", "this.inners.map(i, i.text) == []",
		"this.inner.at.seconds == 1", "dyn(this.number) == 1", "int(this.text) == 1", "this.?text == ''",
	} {
		if kept, err := g.condition(values, expression); err == nil {
			t.Errorf("%s is taken for known, as %v", expression, kept.code)
		}
	}
	if kept, err := g.condition(foreign, "this.at.seconds == 1"); err == nil {
		t.Errorf("a field of a type that CEL has its own of is taken for known, as %v", kept.code)
	}
}

func TestOptions(t *testing.T) {
	var o options
	if err := o.generate(plugin(t, probe.File_old_proto)); err == nil {
		t.Error("neither of nor into is needed")
	}
	if o.set("of", "nowhere") != nil || o.set("into", "example.com/nowhere") != nil || o.set("to", "x") == nil {
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
