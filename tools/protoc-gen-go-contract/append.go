package main

import (
	"cmp"
	"fmt"
	"slices"

	"google.golang.org/protobuf/compiler/protogen"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
)

func appendName(m *protogen.Message) string { return "append" + m.GoIdent.GoName }

// append writes the function that encodes a message as proto.Marshal does deterministically.
func (g *generator) append(out goFile, m *protogen.Message) {
	if why := g.left[m.Desc.FullName()]; why != "" {
		out.P("// ", m.GoIdent.GoName, " is left to the library to encode: ", why, ".")
		return
	}
	name := appendName(m)
	out.P("// ", name, " appends x with its fields in order. It unsets valid where a text is not UTF-8.")
	out.P("func ", name, "(b []byte, x *", m.GoIdent, ", valid *bool) []byte {")
	out.P("if x == nil { return b }")
	for _, f := range slices.SortedFunc(slices.Values(m.Fields), byNumber) { // as the library has them
		out.appendField(f)
	}
	out.P("return append(b, x.ProtoReflect().GetUnknown()...)")
	out.P("}")
}

func byNumber(a, b *protogen.Field) int { return cmp.Compare(a.Desc.Number(), b.Desc.Number()) }

func (f goFile) appendField(field *protogen.Field) {
	v := "x." + field.GoName
	switch {
	case field.Desc.IsMap():
		f.P("b = ", wire.Ident("StringMap"), "(b, []byte{", tag(field.Desc), "}, ", v, ", valid)")
		return
	case field.Desc.IsList():
		f.P("for _, v := range ", v, " {")
		v = "v"
	default:
		set, _ := presence(field)
		f.print(join("if ", set, " {"))
		v = valueOf(field)
	}
	f.appendValue(field, v)
	f.P("}")
}

func (f goFile) appendValue(field *protogen.Field, v string) {
	tagged := "append(b, " + tag(field.Desc) + ")"
	switch field.Desc.Kind() {
	case protoreflect.StringKind:
		f.P("b = ", wire.Ident("String"), "(", tagged, ", ", v, ", valid)")
	case protoreflect.BytesKind:
		f.P("b = ", appendBytes, "(", tagged, ", ", v, ")")
	case protoreflect.BoolKind:
		f.P("b = append(", tagged, ", 1)")
	case protoreflect.MessageKind:
		f.P("begin := len(b) + ", protowire.SizeTag(field.Desc.Number()))
		f.appendMessage(field.Message, tagged, v)
		f.P("b = ", wire.Ident("End"), "(b, begin)")
	default:
		f.P("b = ", appendVarint, "(", tagged, ", uint64(", v, "))")
	}
}

func (f goFile) appendMessage(m *protogen.Message, tagged, v string) {
	begun := join(wire.Ident("Begin"), "(", tagged, "), ", v)
	if m.Desc.FullName() == timestamp {
		f.print(join("b = ", wire.Ident("Timestamp"), "(", begun, ")"))
		return
	}
	f.print(join("b = ", appendName(m), "(", begun, ", valid)"))
}

// tag is the field's number and wire type, as bytes in Go.
func tag(d protoreflect.FieldDescriptor) string {
	kind := protowire.VarintType
	switch d.Kind() {
	case protoreflect.StringKind, protoreflect.BytesKind, protoreflect.MessageKind:
		kind = protowire.BytesType
	}
	text := ""
	for _, b := range protowire.AppendTag(nil, d.Number(), kind) {
		text += fmt.Sprintf("0x%02x, ", b)
	}
	return text[:len(text)-2]
}

// findLeft finds the messages that are not encoded here, until no other message holds one of them.
func (g *generator) findLeft() {
	for found := true; found; {
		found = false
		for _, m := range g.messages {
			name := m.Desc.FullName()
			if why := g.whyLeft(m); why != "" && g.left[name] == "" {
				g.left[name], found = why, true
			}
		}
	}
}

func (g *generator) whyLeft(m *protogen.Message) string {
	if s := m.Desc.ParentFile().Syntax(); s != protoreflect.Proto3 {
		return "it is in the syntax " + s.String()
	}
	for _, f := range m.Fields {
		if what := g.unknownKind(f); what != "" {
			return string(f.Desc.Name()) + " is " + what
		}
	}
	return ""
}

// encoded are the kinds of single values that can be appended.
var encoded = []protoreflect.Kind{
	protoreflect.StringKind, protoreflect.BytesKind, protoreflect.BoolKind, protoreflect.EnumKind,
	protoreflect.Int32Kind, protoreflect.Int64Kind, protoreflect.MessageKind,
}

// unknownKind is what a field is that cannot be encoded here; "" where it can.
func (g *generator) unknownKind(f *protogen.Field) string {
	d := f.Desc
	switch {
	case f.Oneof != nil && !f.Oneof.Desc.IsSynthetic():
		return "one of several"
	case d.IsMap() && (d.MapKey().Kind() != protoreflect.StringKind || d.MapValue().Kind() != protoreflect.StringKind):
		return "a map of more than texts"
	case d.IsMap():
		return ""
	case !slices.Contains(encoded, d.Kind()):
		return "of the kind " + d.Kind().String()
	case d.IsList() && d.Kind() != protoreflect.StringKind && d.Kind() != protoreflect.MessageKind:
		return "a list of " + d.Kind().String()
	case d.HasPresence() && (d.Kind() == protoreflect.BoolKind || d.Kind() == protoreflect.BytesKind):
		return "an optional " + d.Kind().String()
	case d.Message() == nil || d.Message().FullName() == timestamp:
		return ""
	case !g.ours(f.Message):
		return "a message of another package"
	case g.left[f.Message.Desc.FullName()] != "":
		return "a message that is left to the library"
	}
	return ""
}
