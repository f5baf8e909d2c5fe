package config

import (
	"regexp"
	"strings"

	"github.com/kycbridge/kycbridge/internal/contract"

	"buf.build/go/protoyaml"
	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// shortEnums lets the value of an enum stand without the beginning that all values of it share: AS_IS for
// CUSTOMER_REFERENCE_AS_IS. It writes the full name into the document that is being decoded.
type shortEnums struct{}

var _ protoyaml.CustomUnmarshaler = shortEnums{}

// Unmarshal leaves the decoding to the decoder.
func (shortEnums) Unmarshal(n *yaml.Node, m proto.Message) (bool, error) {
	if n.Kind != yaml.MappingNode {
		return false, nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		value := n.Content[i+1]
		fd := fieldNamed(m.ProtoReflect().Descriptor(), n.Content[i].Value)
		if fd != nil && fd.Enum() != nil && value.Kind == yaml.ScalarNode {
			value.Value = fullName(fd.Enum(), value.Value)
		}
	}
	return false, nil
}

// enumNames is how the decoder lists the values of an enum.
var enumNames = regexp.MustCompile(`expected one of \[(\w*)UNSPECIFIED [\w ]+\]$`)

// shortNames is that list with what may be written, the shortest way: without the value that stands for none.
func shortNames(list string) string {
	shared := enumNames.FindStringSubmatch(list)[1]
	names := strings.Fields(strings.Trim(strings.TrimPrefix(list, "expected one of "), "[]"))[1:]
	for i := range names {
		names[i] = strings.TrimPrefix(names[i], shared)
	}
	return "expected " + strings.Join(names, " or ")
}

// fullName is the name of an enum's value that is given by its full name or a short one; itself for what is neither.
func fullName(e protoreflect.EnumDescriptor, name string) string {
	if full := contract.EnumPrefix(e) + name; e.Values().ByName(protoreflect.Name(full)) != nil {
		return full
	}
	return name
}
