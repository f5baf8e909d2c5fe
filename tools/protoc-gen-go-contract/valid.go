package main

import (
	"fmt"
	"strings"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"google.golang.org/protobuf/compiler/protogen"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

func validName(m *protogen.Message) string { return "valid" + m.GoIdent.GoName }

// valid writes the function that proves a message valid.
func (g *generator) valid(out goFile, m *protogen.Message) {
	lines, gaps := g.proof(m)
	name := validName(m)
	if len(gaps) > 0 {
		out.P("// ", name, " proves nothing, so protovalidate judges: the generator does not know these rules.")
		out.P("//")
		for _, gap := range gaps {
			out.P("//   - ", gap)
		}
		out.P("func ", name, "(*", m.GoIdent, ") bool { return false }")
		return
	}
	out.P("// ", name, " reports whether x provably keeps its rules.")
	out.P("func ", name, "(x *", m.GoIdent, ") bool {")
	out.print(unproven(code{"x == nil"})...)
	out.print(lines...)
	out.P("return true")
	out.P("}")
}

// proof is the body of a function that returns false unless the rules of a message are kept. Where there are
// gaps there can be none.
func (g *generator) proof(m *protogen.Message) (lines []code, gaps []string) {
	if s := m.Desc.ParentFile().Syntax(); s != protoreflect.Proto3 {
		return nil, []string{"the syntax " + s.String()}
	}
	for _, o := range m.Oneofs {
		if !o.Desc.IsSynthetic() {
			gaps = append(gaps, "the oneof "+string(o.Desc.Name()))
		}
	}
	for _, f := range m.Fields {
		ofField, gapsOfField := g.field(f)
		lines, gaps = append(lines, ofField...), append(gaps, gapsOfField...)
	}
	ofWhole, gapsOfWhole := g.whole(m)
	return append(lines, ofWhole...), append(gaps, gapsOfWhole...)
}

// whole is about the rules of a message as a whole.
func (g *generator) whole(m *protogen.Message) (lines []code, gaps []string) {
	rules := &validate.MessageRules{}
	if set, ok := proto.GetExtension(m.Desc.Options(), validate.E_Message).(*validate.MessageRules); ok && set != nil {
		rules = proto.CloneOf(set)
	}
	for _, r := range expressions(rules) {
		kept, err := g.condition(about(m), r.GetExpression())
		if err != nil {
			gaps = append(gaps, gap(r, err))
			continue
		}
		lines = append(append(lines, code{"// " + oneLine(r.GetId())}), unproven(not(kept).code)...)
	}
	return lines, append(gaps, leftover(rules.ProtoReflect(), "message.")...)
}

// expressions are those of the rules of a message or of a field, which then are cleared.
func expressions(rules interface {
	GetCel() []*validate.Rule
	GetCelExpression() []string
	ProtoReflect() protoreflect.Message
}) []*validate.Rule {
	all := rules.GetCel()
	for i, e := range rules.GetCelExpression() {
		all = append(all, validate.Rule_builder{Id: proto.String(fmt.Sprintf("cel_expression %d", i)), Expression: &e}.Build())
	}
	fields := rules.ProtoReflect().Descriptor().Fields()
	rules.ProtoReflect().Clear(fields.ByName("cel"))
	rules.ProtoReflect().Clear(fields.ByName("cel_expression"))
	return all
}

// gap is why an expression is not known.
func gap(r *validate.Rule, err error) string { return oneLine(r.GetId() + ": " + err.Error()) }

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// field is about the rules of one field.
func (g *generator) field(f *protogen.Field) (lines []code, gaps []string) {
	rules := rulesOf(f.Desc)
	if rules.GetIgnore() == validate.Ignore_IGNORE_ALWAYS {
		return nil, nil
	}
	ignored := rules.GetIgnore() == validate.Ignore_IGNORE_IF_ZERO_VALUE && !isFloat(f.Desc) // a float can be set to a zero: -0
	required, optional := rules.GetRequired(), f.Desc.HasPresence() || ignored
	rules.ClearRequired()
	if optional || rules.GetIgnore() == validate.Ignore_IGNORE_UNSPECIFIED {
		rules.ClearIgnore()
	}
	a := g.asks(f, rules)
	switch {
	case len(a.unknown) == 0:
		lines = a.proof(f, required, optional)
	case !required && optional:
		lines = fallBack(f, a.unknown)
	default:
		gaps = []string{string(f.Desc.Name()) + ": " + strings.Join(a.unknown, ", ")}
	}
	return lines, gaps
}

// rulesOf is a copy of the rules of a field, empty where it has none.
func rulesOf(d protoreflect.FieldDescriptor) *validate.FieldRules {
	if set, ok := proto.GetExtension(d.Options(), validate.E_Field).(*validate.FieldRules); ok && set != nil {
		return proto.CloneOf(set)
	}
	return &validate.FieldRules{}
}

func isFloat(d protoreflect.FieldDescriptor) bool {
	return d.Kind() == protoreflect.FloatKind || d.Kind() == protoreflect.DoubleKind
}

// fallBack ends a proof where something is set whose rules are not known.
func fallBack(f *protogen.Field, unknown []string) []code {
	set, _ := presence(f)
	note := code{"// Not known: ", strings.Join(unknown, ", "), ". Where ", f.Desc.Name(), " is set, protovalidate judges."}
	return append([]code{note}, unproven(set)...)
}

// proof is about a field whose own rules are known.
func (a asks) proof(f *protogen.Field, required, optional bool) (lines []code) {
	broken := a.broken
	switch set, unset := presence(f); {
	case required:
		broken = append([]code{unset}, broken...)
	case optional && len(broken) > 1:
		broken = []code{join(set, " && (", anyOf(broken), ")")}
	case optional && len(broken) == 1:
		broken = []code{join(set, " && ", broken[0])}
	}
	if len(broken) > 0 {
		lines = unproven(anyOf(broken))
	}
	if len(a.unknownParts) > 0 {
		return append(lines, fallBack(f, a.unknownParts)...)
	}
	if len(a.brokenParts) > 0 {
		lines = append(append(append(lines, a.loop), unproven(anyOf(a.brokenParts))...), code{"}"})
	}
	return lines
}
