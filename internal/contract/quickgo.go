package contract

import (
	"reflect"
	"slices"
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

// goKind is how a field stands in the struct.
type goKind uint8

const (
	goOther   goKind = iota // read by the message's own reflection
	goNumber                // an enum, number or bool
	goText                  // a string
	goTexts                 // a []string
	goTextMap               // a map[string]string
	goMessage               // a pointer to another message
)

var numbers = []reflect.Kind{reflect.Bool, reflect.Int32, reflect.Int64}

var textList, textMap = reflect.TypeFor[[]string](), reflect.TypeFor[map[string]string]()

// kind is that of one field.
func (g goFields) kind(f protoreflect.FieldDescriptor) goKind {
	if g.pointer == nil {
		return goOther
	}
	switch t := g.pointer.Elem().Field(g.index[f.Number()]).Type; {
	case slices.Contains(numbers, t.Kind()):
		return goNumber
	case t.Kind() == reflect.String:
		return goText
	case t == textList:
		return goTexts
	case t == textMap:
		return goTextMap
	case t.Kind() == reflect.Pointer && f.Message() != nil:
		return goMessage
	}
	return goOther
}

// knownField is a field of a message whose rules are known.
type knownField struct {
	protoreflect.FieldDescriptor
	sound
	index int // in the struct
	kind  goKind
}

// keeps says whether the field is sound in m, whose struct is s where that is valid.
func (f *knownField) keeps(m protoreflect.Message, s reflect.Value) bool {
	if !s.IsValid() || f.kind == goOther {
		return f.holds(m, f.FieldDescriptor)
	}
	v := s.Field(f.index)
	switch f.kind {
	case goText:
		text := v.String()
		if text == "" {
			return f.empty
		}
		return f.check == nil || f.check(protoreflect.ValueOfString(text))
	case goTexts:
		if v.Len() == 0 {
			return f.empty
		}
		return f.texts(v)
	case goTextMap:
		if v.Len() == 0 {
			return f.empty
		}
		return f.textPairs(v.Interface().(map[string]string))
	case goMessage:
		if v.IsNil() {
			return f.empty
		}
		return f.check == nil || f.check(protoreflect.ValueOfMessage(v.Interface().(protoreflect.ProtoMessage).ProtoReflect()))
	}
	if v.IsZero() {
		return f.empty
	}
	return f.check == nil || f.holds(m, f.FieldDescriptor)
}

// structReader takes one field out of the struct of a message.
type structReader[T any] struct {
	goFields
	read func(message reflect.Value) T
}

// inStruct reads a text, number or bool where it stands; false where that cannot be.
func inStruct[T any](f protoreflect.FieldDescriptor) (r structReader[T], ok bool) {
	g := goFieldsOf(f.ContainingMessage())
	index := g.index[f.Number()]
	var read any
	switch kind := g.kind(f); {
	case kind == goText:
		read = func(v reflect.Value) string { return v.Field(index).String() }
	case kind == goNumber && f.Kind() == protoreflect.BoolKind:
		read = func(v reflect.Value) bool { return v.Field(index).Bool() }
	case kind == goNumber:
		read = func(v reflect.Value) int64 { return v.Field(index).Int() }
	}
	r.goFields = g
	r.read, ok = read.(func(reflect.Value) T)
	return r, ok
}
