package schemas

import (
	"reflect"
	"strconv"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// A message's own reflection finds out for every field anew how to read it. For most fields the Go
// struct says as much: they are not set, or a text, or a message.

// goFields is where the fields of a message stand in its generated struct.
type goFields struct {
	pointer reflect.Type // nil where there is no struct that can be read like this
	index   map[protoreflect.FieldNumber]int
}

func goFieldsOf(d protoreflect.MessageDescriptor) (g goFields) {
	generated, err := protoregistry.GlobalTypes.FindMessageByName(d.FullName())
	if err != nil || generated.Descriptor() != d {
		return g
	}
	pointer := reflect.TypeOf(generated.Zero().Interface())
	if pointer.Kind() != reflect.Pointer || pointer.Elem().Kind() != reflect.Struct || pointer.Elem().NumField() == 0 ||
		pointer.Elem().Field(0).Tag.Get("protogen") != "open.v1" {
		return g
	}
	g.index = map[protoreflect.FieldNumber]int{}
	for i := range pointer.Elem().NumField() {
		parts := strings.Split(pointer.Elem().Field(i).Tag.Get("protobuf"), ",")
		if n, err := strconv.Atoi(parts[min(1, len(parts)-1)]); err == nil {
			g.index[protoreflect.FieldNumber(n)] = i
		}
	}
	if len(g.index) == d.Fields().Len() {
		g.pointer = pointer
	}
	return g
}

// of is the struct of a message; not valid where it must be read by its own reflection.
func (g goFields) of(m protoreflect.Message) reflect.Value {
	if g.pointer == nil {
		return reflect.Value{}
	}
	if p := reflect.ValueOf(m.Interface()); p.Type() == g.pointer && !p.IsNil() {
		return p.Elem()
	}
	return reflect.Value{}
}

// knownField is a field of a message whose rules are known.
type knownField struct {
	protoreflect.FieldDescriptor
	sound
	index int // in the struct
}

var textList, textMap = reflect.TypeFor[[]string](), reflect.TypeFor[map[string]string]()

// keeps says whether the field is sound in m, whose struct is s where that is valid.
func (f *knownField) keeps(m protoreflect.Message, s reflect.Value) bool {
	if !s.IsValid() {
		return f.holds(m, f.FieldDescriptor)
	}
	v := s.Field(f.index)
	switch {
	case v.IsZero():
		return f.empty
	case v.Kind() == reflect.String:
		return f.check == nil || f.check(protoreflect.ValueOfString(v.String()))
	case v.Type() == textList && v.Len() > 0:
		return f.texts(*v.Addr().Interface().(*[]string))
	case v.Type() == textMap && v.Len() > 0:
		return f.textPairs(v.Interface().(map[string]string))
	case v.Kind() == reflect.Pointer && f.Message() != nil:
		inner, ok := v.Interface().(protoreflect.ProtoMessage)
		return ok && (f.check == nil || f.check(protoreflect.ValueOfMessage(inner.ProtoReflect())))
	}
	return f.holds(m, f.FieldDescriptor) // it may be empty and not nil
}
