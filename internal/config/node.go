package config

import (
	"slices"
	"strings"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/reflect/protoreflect"

	configv1 "github.com/kycbridge/kycbridge/schemas/kycbridge/config/v1"
)

// position is a place in the file, 1-based.
type position struct{ line, column int }

// nodeAt follows a field path from root as far as the file goes.
func nodeAt(root *yaml.Node, at []*validate.FieldPathElement) *yaml.Node {
	n := root
	md := (&configv1.Config{}).ProtoReflect().Descriptor()
	for _, e := range at {
		fd := md.Fields().ByNumber(protoreflect.FieldNumber(e.GetFieldNumber()))
		if fd == nil {
			return n
		}
		next := child(n, fd)
		if next == nil {
			return n
		}
		n = next
		if _, indexed := e.GetSubscript().(*validate.FieldPathElement_Index); indexed {
			if n.Kind != yaml.SequenceNode || e.GetIndex() >= uint64(len(n.Content)) {
				return n
			}
			n = n.Content[e.GetIndex()]
		}
		if fd.Message() == nil {
			return n
		}
		md = fd.Message()
	}
	return n
}

func child(n *yaml.Node, fd protoreflect.FieldDescriptor) *yaml.Node {
	if n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if found := fieldNamed(fd.ContainingMessage(), n.Content[i].Value); found != nil && found.Number() == fd.Number() {
			return n.Content[i+1]
		}
	}
	return nil
}

// secretLists are the fields of an endpoint that are lists of secrets.
var secretLists = []string{".secrets[", ".basic[", ".bearer[", ".path_tokens["}

// holdsSecret reports whether a field's content must never be shown.
func holdsSecret(path string) bool {
	return strings.Contains(path, ".api.") || strings.HasSuffix(path, "password") || strings.HasSuffix(path, "client_secret") || strings.HasSuffix(path, "pepper") || strings.HasSuffix(path, "registry.token") ||
		slices.ContainsFunc(secretLists, func(list string) bool { return strings.Contains(path, list) })
}
