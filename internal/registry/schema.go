package registry

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/kycbridge/kycbridge/schemas"
	"github.com/kycbridge/kycbridge/schemas/export"
)

// Form is how a schema is written in a registry.
type Form int

// The forms. A registry of Confluent's takes either and hands out both. Others give a schema as it was registered:
// there, whoever asks for descriptors, as Confluent's clients of Python and JavaScript do, reads only Descriptor.
const (
	AnyForm    Form = iota // whatever is there; Text for what is not
	Text                   // the .proto file
	Descriptor             // its FileDescriptorProto, in base64
)

// String gives the name of the form.
func (f Form) String() string {
	return [...]string{"", "text", "descriptor"}[f]
}

// Schema is a .proto file of the contract and the subject it is registered under: that of a topic's values
// (TopicNameStrategy), and its own path for what others import. What every registry knows (google/protobuf) is none.
type Schema struct {
	Subject string
	Path    string                // as others import it
	Message protoreflect.FullName // in the topic's values, the first of its file; "" where it is only imported

	text, descriptor string
	imports          []string // paths of other schemas
	normal           *descriptorpb.FileDescriptorProto
}

// Contract gives the schemas of the topics of domain events with a prefix, each after those it imports.
func Contract(prefix string) ([]Schema, error) {
	needed, order := neededFiles()
	var all []Schema
	for _, file := range needed {
		s, err := newSchema(file, order)
		if err != nil {
			return nil, err
		}
		s.Subject = s.Path
		for _, t := range schemas.Topics() {
			if d := t.Message.ProtoReflect().Descriptor(); t.Domain && d.ParentFile().Path() == s.Path {
				s.Subject, s.Message = t.Name(prefix)+"-value", d.FullName()
			}
		}
		all = append(all, s)
	}
	return all, nil
}

// neededFiles are the files of the domain topics with those they import, each after what it imports; order is the
// place of every file in that order, google's included.
func neededFiles() (files []*descriptorpb.FileDescriptorProto, order map[string]int) {
	needed, order := map[string]bool{}, map[string]int{}
	for _, t := range schemas.Topics() {
		if t.Domain {
			needed[t.Message.ProtoReflect().Descriptor().ParentFile().Path()] = true
		}
	}
	all := schemas.DescriptorSet().File
	for i, file := range slices.Backward(all) {
		order[file.GetName()] = i
		if needed[file.GetName()] {
			for _, path := range file.Dependency {
				needed[path] = true
			}
		}
	}
	for _, file := range all {
		if needed[file.GetName()] && !known(file.GetName()) {
			files = append(files, file)
		}
	}
	return files, order
}

// known reports whether every registry has a file.
func known(path string) bool { return strings.HasPrefix(path, "google/protobuf/") }

// newSchema makes the schema of a file. Its imports are put in another order: those that import others stand before
// what they import. Some libraries, @bufbuild/protobuf up to 2.17 under Confluent's client for JavaScript, do not
// find what two files of a schema import unless they meet the importing one first.
func newSchema(file *descriptorpb.FileDescriptorProto, order map[string]int) (s Schema, err error) {
	file = proto.CloneOf(file)
	file.SourceCodeInfo = nil
	slices.SortFunc(file.Dependency, func(a, b string) int { return order[b] - order[a] })
	s.Path = file.GetName()
	for _, path := range file.Dependency {
		if !known(path) {
			s.imports = append(s.imports, path)
		}
	}
	encoded, err := proto.MarshalOptions{Deterministic: true}.Marshal(file)
	if err != nil {
		return s, err
	}
	s.descriptor, s.normal = base64.StdEncoding.EncodeToString(encoded), normalOf(file)
	for _, source := range export.Protos() {
		if source.Path == s.Path {
			s.text = string(reorderImports(source.Text, file.Dependency))
		}
	}
	if s.text == "" {
		return s, fmt.Errorf("the program holds no text of %s", s.Path)
	}
	return s, nil
}

// reorderImports replaces the imports of a .proto file of ours, one a line, by the same in another order.
func reorderImports(text []byte, paths []string) []byte {
	lines := bytes.Split(text, []byte("\n"))
	for i, line := range lines {
		if bytes.HasPrefix(line, []byte(`import "`)) && len(paths) > 0 {
			lines[i], paths = fmt.Appendf(nil, "import %q;", paths[0]), paths[1:]
		}
	}
	return bytes.Join(lines, []byte("\n"))
}

func (s *Schema) in(form Form) string {
	if form == Descriptor {
		return s.descriptor
	}
	return s.text
}
