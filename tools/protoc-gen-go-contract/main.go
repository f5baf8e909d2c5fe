// Program protoc-gen-go-contract is a plugin of protoc and buf. From the messages of one proto package, and
// protovalidate's rules on them, it writes a Go package of two functions: Valid reports whether a message is
// provably valid, Append encodes it. Both are straight code over the fields, without reflection or CEL. With the
// option encoders=false there is no Append.
//
// It is no validator. The code it writes refuses nothing and words no error: what Valid does not prove is
// protovalidate's to judge, and what Append does not take is the protobuf library's to encode. A rule or a
// kind of field that is not known here is therefore no error; the generated file names it where it falls back.
package main

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"

	"google.golang.org/protobuf/compiler/protogen"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/pluginpb"
)

func main() {
	o := options{encoders: true}
	protogen.Options{ParamFunc: o.set}.Run(o.generate)
}

// options are the plugin's parameters.
type options struct {
	of       protoreflect.FullName // the proto package whose messages are meant
	into     protogen.GoImportPath // the Go package that is written
	encoders bool                  // whether it gets Append
}

func (o *options) set(name, value string) (err error) {
	switch name {
	case "of":
		o.of = protoreflect.FullName(value)
	case "into":
		o.into = protogen.GoImportPath(value)
	case "encoders":
		o.encoders, err = strconv.ParseBool(value)
	default:
		err = fmt.Errorf("unknown option %q, expected of, into or encoders", name)
	}
	return err
}

func (o *options) generate(p *protogen.Plugin) error {
	if o.of == "" || o.into == "" {
		return fmt.Errorf("the options of and into are required")
	}
	p.SupportedFeatures = uint64(pluginpb.CodeGeneratorResponse_FEATURE_PROTO3_OPTIONAL)
	g := newGenerator(p, o)
	if len(g.files) == 0 {
		return nil // another package of the same run
	}
	for _, f := range g.files {
		g.file(f)
	}
	g.dispatch()
	g.patternFile()
	return nil
}

// generator writes one Go package.
type generator struct {
	options
	plugin   *protogen.Plugin
	files    []*protogen.File
	messages []*protogen.Message              // in the order of the files
	left     map[protoreflect.FullName]string // why a message is not encoded here, "" if it is
	patterns patterns
}

func newGenerator(p *protogen.Plugin, o *options) *generator {
	g := &generator{options: *o, plugin: p, left: map[protoreflect.FullName]string{}}
	for _, f := range p.Files {
		if f.Generate && f.Desc.Package() == o.of && len(f.Messages) > 0 {
			g.files = append(g.files, f)
		}
	}
	slices.SortFunc(g.files, func(a, b *protogen.File) int { return cmp.Compare(a.Desc.Path(), b.Desc.Path()) })
	for _, f := range g.files {
		g.messages = append(g.messages, flat(f.Messages)...)
	}
	for _, m := range g.messages {
		g.left[m.Desc.FullName()] = ""
	}
	g.findLeft()
	return g
}

// flat is the messages with those inside of them. An entry of a map is none.
func flat(messages []*protogen.Message) (all []*protogen.Message) {
	for _, m := range messages {
		if !m.Desc.IsMapEntry() {
			all = append(append(all, m), flat(m.Messages)...)
		}
	}
	return all
}

// ours reports whether a message gets functions in the package.
func (g *generator) ours(m *protogen.Message) bool {
	_, ok := g.left[m.Desc.FullName()]
	return ok
}
