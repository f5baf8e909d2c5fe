package config

import (
	"fmt"
	"strings"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/kycbridge/kycbridge/internal/secret"
)

// Lookup finds a variable; os.LookupEnv is one.
type Lookup = func(name string) (value string, ok bool)

// expand replaces ${VAR} and ${VAR:-default} in s; $$ is one dollar sign, and
// any other dollar sign stands for itself. A default is used where the
// variable is unset or empty, as in a shell. What a variable holds is not
// expanded again, and no error quotes it. A variable that is unset or empty and
// has no default is an error. Secrets have rules of their own: secret.FromVariable.
func expand(s string, lookup Lookup) (string, error) {
	var out strings.Builder
	for {
		before, rest, found := strings.Cut(s, "$")
		out.WriteString(before)
		switch {
		case !found:
			return out.String(), nil
		case strings.HasPrefix(rest, "$"):
			out.WriteByte('$')
			s = rest[1:]
		case strings.HasPrefix(rest, "{"):
			inner, after, closed := strings.Cut(rest[1:], "}")
			if !closed {
				return "", fmt.Errorf("a variable opened with ${ is never closed; write ${NAME}, or $$ for a dollar sign")
			}
			value, err := variable(inner, lookup)
			if err != nil {
				return "", err
			}
			out.WriteString(value)
			s = after
		default:
			out.WriteByte('$')
			s = rest
		}
	}
}

func variable(inner string, lookup Lookup) (string, error) {
	name, fallback, hasFallback := strings.Cut(inner, ":-")
	if !isVariableName(name) {
		return "", fmt.Errorf("a variable's name has letters, digits and underscores only; write ${NAME} or ${NAME:-default}, or $$ for a dollar sign")
	}
	value, ok := lookup(name)
	switch {
	case ok && value != "":
		return value, nil
	case hasFallback:
		return fallback, nil
	}
	return "", fmt.Errorf("the variable %s is not set or empty; set it, or write ${%s:-default}", name, name)
}

func isVariableName(name string) bool {
	for i := range len(name) {
		c := name[i]
		letter := c == '_' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return name != ""
}

// expander walks a message and expands every string field in it, secrets by their own rules, noting a
// violation with the field's path where that fails, so that it can be shown
// with its line just like a broken rule.
type expander struct {
	lookup     Lookup
	violations []*validate.Violation
}

func (e *expander) message(m protoreflect.Message, at []*validate.FieldPathElement) {
	m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		here := element(fd)
		switch {
		case fd.IsMap():
			e.mapped(fd, v.Map(), at)
		case fd.IsList():
			e.list(fd, v.List(), at)
		case fd.Message() != nil:
			e.message(v.Message(), extend(at, here))
		case fd.Kind() == protoreflect.StringKind:
			if text, ok := e.text(fd, v.String(), extend(at, here)); ok {
				m.Set(fd, protoreflect.ValueOfString(text))
			}
		}
		return true
	})
}

func (e *expander) list(fd protoreflect.FieldDescriptor, list protoreflect.List, at []*validate.FieldPathElement) {
	for i := range list.Len() {
		here := element(fd)
		here.Subscript = &validate.FieldPathElement_Index{Index: uint64(i)}
		switch {
		case fd.Message() != nil:
			e.message(list.Get(i).Message(), extend(at, here))
		case fd.Kind() == protoreflect.StringKind:
			if text, ok := e.text(fd, list.Get(i).String(), extend(at, here)); ok {
				list.Set(i, protoreflect.ValueOfString(text))
			}
		}
	}
}

// mapped expands values; a key is a name, and names are written out.
func (e *expander) mapped(fd protoreflect.FieldDescriptor, m protoreflect.Map, at []*validate.FieldPathElement) {
	if fd.MapKey().Kind() != protoreflect.StringKind {
		return
	}
	m.Range(func(k protoreflect.MapKey, v protoreflect.Value) bool {
		here := element(fd)
		here.Subscript = &validate.FieldPathElement_StringKey{StringKey: k.String()}
		switch {
		case fd.MapValue().Message() != nil:
			e.message(v.Message(), extend(at, here))
		case fd.MapValue().Kind() == protoreflect.StringKind:
			if text, ok := e.text(fd, v.String(), extend(at, here)); ok {
				m.Set(k, protoreflect.ValueOfString(text))
			}
		}
		return true
	})
}

func (e *expander) text(fd protoreflect.FieldDescriptor, s string, at []*validate.FieldPathElement) (string, bool) {
	read := expand
	if isSecret(fd) {
		read = secret.FromVariable
	}
	text, err := read(s, e.lookup)
	if err != nil {
		e.violations = append(e.violations, &validate.Violation{Field: &validate.FieldPath{Elements: at}, Message: proto.String(err.Error())})
		return "", false
	}
	return text, text != s
}

func element(fd protoreflect.FieldDescriptor) *validate.FieldPathElement {
	return &validate.FieldPathElement{
		FieldNumber: proto.Int32(int32(fd.Number())),
		FieldName:   proto.String(string(fd.Name())),
		FieldType:   descriptorpb.FieldDescriptorProto_Type(fd.Kind()).Enum(),
	}
}

// extend copies: siblings share the path above them.
func extend(at []*validate.FieldPathElement, here *validate.FieldPathElement) []*validate.FieldPathElement {
	return append(at[:len(at):len(at)], here)
}
