package main

import (
	"fmt"
	"math"
	"slices"
	"strconv"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"google.golang.org/protobuf/compiler/protogen"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// The rules of fields that are known. What is read here is cleared: a rule that is left over is not known.

// asks is what the rules of a field ask.
type asks struct {
	broken       []code   // conditions under which its value breaks one
	unknown      []string // rules of it that are not known
	loop         code     // the head of a loop over its items or entries, each v, and the key k
	brokenParts  []code   // as broken, for one of them
	unknownParts []string
}

func (g *generator) asks(f *protogen.Field, rules *validate.FieldRules) (a asks) {
	switch {
	case f.Desc.IsMap():
		a = g.pairs(f, rules)
	case f.Desc.IsList():
		a = g.list(f, rules)
	default:
		a.broken, a.unknown = g.value(f, rules, valueOf(f))
		return a
	}
	a.unknown = append(a.unknown, leftover(rules.ProtoReflect(), "")...)
	return a
}

func (g *generator) list(f *protogen.Field, rules *validate.FieldRules) (a asks) {
	v, r := "x."+f.GoName, rules.GetRepeated()
	a.loop = code{"for _, v := range ", v, " {"}
	a.brokenParts, a.unknownParts = g.value(f, r.GetItems(), "v")
	if r == nil {
		return a
	}
	if n := r.GetMinItems(); fits(n) {
		a.broken = atLeast(a.broken, "len("+v+")", n)
		r.ClearMinItems()
	}
	if n := r.GetMaxItems(); r.HasMaxItems() && fits(n) {
		a.broken = append(a.broken, code{"len(", v, ") > ", n})
		r.ClearMaxItems()
	}
	r.ClearItems()
	a.unknown = leftover(r.ProtoReflect(), "repeated.")
	rules.ClearType()
	return a
}

func (g *generator) pairs(f *protogen.Field, rules *validate.FieldRules) (a asks) {
	v, r := "x."+f.GoName, rules.GetMap()
	brokenKeys, unknownKeys := g.value(f.Message.Fields[0], r.GetKeys(), "k")
	brokenValues, unknownValues := g.value(f.Message.Fields[1], r.GetValues(), "v")
	a.brokenParts, a.unknownParts = append(brokenKeys, brokenValues...), append(unknownKeys, unknownValues...)
	switch {
	case len(brokenKeys) == 0:
		a.loop = code{"for _, v := range ", v, " {"}
	case len(brokenValues) == 0:
		a.loop = code{"for k := range ", v, " {"}
	default:
		a.loop = code{"for k, v := range ", v, " {"}
	}
	if r == nil {
		return a
	}
	if n := r.GetMinPairs(); fits(n) {
		a.broken = atLeast(a.broken, "len("+v+")", n)
		r.ClearMinPairs()
	}
	if n := r.GetMaxPairs(); r.HasMaxPairs() && fits(n) {
		a.broken = append(a.broken, code{"len(", v, ") > ", n})
		r.ClearMaxPairs()
	}
	r.ClearKeys()
	r.ClearValues()
	a.unknown = leftover(r.ProtoReflect(), "map.")
	rules.ClearType()
	return a
}

// value is about one value: a field, an item, a key or a value of a map. The rules may be nil.
func (g *generator) value(f *protogen.Field, rules *validate.FieldRules, v string) (broken []code, unknown []string) {
	if rules = proto.CloneOf(rules); rules == nil {
		rules = &validate.FieldRules{}
	}
	broken, unknown = g.ofType(f, rules, v)
	if f.Message == nil {
		this := term{code: code{v}, sort: sorts[f.Desc.Kind()], binds: bindsTight}
		for _, r := range expressions(rules) {
			kept, err := g.condition(this, r.GetExpression())
			if err != nil {
				unknown = append(unknown, gap(r, err))
				continue
			}
			broken = append(broken, not(kept).in(bindsAnd))
		}
	}
	return broken, append(unknown, leftover(rules.ProtoReflect(), "")...)
}

// ofType is about the rules for one type of value, which then are cleared.
func (g *generator) ofType(f *protogen.Field, rules *validate.FieldRules, v string) (broken []code, unknown []string) {
	switch kind := f.Desc.Kind(); {
	case kind == protoreflect.MessageKind && f.Message.Desc.FullName() == duration && rules.HasDuration():
		broken = spans(rules.GetDuration(), v)
		unknown = leftover(rules.GetDuration().ProtoReflect(), "duration.")
	case kind == protoreflect.MessageKind:
		return g.message(f.Message, v)
	case kind == protoreflect.StringKind && rules.HasString():
		broken = g.text(rules.GetString(), v)
		unknown = leftover(rules.GetString().ProtoReflect(), "string.")
	case kind == protoreflect.BytesKind && rules.HasBytes():
		r := rules.GetBytes()
		if r.HasLen() && fits(r.GetLen()) {
			broken = []code{{"len(", v, ") != ", r.GetLen()}}
			r.ClearLen()
		}
		unknown = leftover(r.ProtoReflect(), "bytes.")
	case kind == protoreflect.Int32Kind && rules.HasInt32():
		r := rules.GetInt32()
		broken = int32s(r, v)
		unknown = leftover(r.ProtoReflect(), "int32.")
	case kind == protoreflect.Int64Kind && rules.HasInt64():
		r := rules.GetInt64()
		if r.HasGte() {
			broken = []code{{v, " < ", r.GetGte()}}
			r.ClearGte()
		}
		unknown = leftover(r.ProtoReflect(), "int64.")
	case kind == protoreflect.EnumKind && rules.HasEnum():
		r := rules.GetEnum()
		if r.GetDefinedOnly() {
			names := protogen.GoIdent{GoName: f.Enum.GoIdent.GoName + "_name", GoImportPath: f.Enum.GoIdent.GoImportPath}
			broken = []code{{names, "[int32(", v, `)] == ""`}}
			r.ClearDefinedOnly()
		}
		unknown = leftover(r.ProtoReflect(), "enum.")
	default:
		return nil, nil
	}
	rules.ClearType()
	return broken, unknown
}

// int32s is about a number. Limits in the wrong order mean what is outside of them, which is not known.
func int32s(r *validate.Int32Rules, v string) (broken []code) {
	inOrder := !r.HasGte() || r.GetGte() <= r.GetLte()
	if r.HasGte() {
		broken = append(broken, code{v, " < ", r.GetGte()})
		r.ClearGte()
	}
	if r.HasLte() && inOrder {
		broken = append(broken, code{v, " > ", r.GetLte()})
		r.ClearLte()
	}
	return broken
}

// spans is about a duration, in the same way.
func spans(r *validate.DurationRules, v string) (broken []code) {
	v += ".AsDuration()"
	gt, gte, lte := r.GetGt().AsDuration(), r.GetGte().AsDuration(), r.GetLte().AsDuration()
	inOrder := (!r.HasGt() || gt <= lte) && (!r.HasGte() || gte <= lte)
	if r.HasGt() {
		broken = append(broken, join(v, " <= ", spanOf(gt)))
		r.ClearGt()
	}
	if r.HasGte() {
		broken = append(broken, join(v, " < ", spanOf(gte)))
		r.ClearGte()
	}
	if r.HasLte() && inOrder {
		broken = append(broken, join(v, " > ", spanOf(lte)))
		r.ClearLte()
	}
	return broken
}

// text is about a text. Lengths are in characters, of which there are never more than bytes.
func (g *generator) text(r *validate.StringRules, v string) (broken []code) {
	characters := join(runeCount, "(", v, ")")
	if n := r.GetMinLen(); n == 1 {
		broken = append(broken, code{v, ` == ""`})
		r.ClearMinLen()
	} else if fits(n) {
		broken = atLeast(broken, characters, n)
		r.ClearMinLen()
	}
	if n := r.GetMaxLen(); r.HasMaxLen() && fits(n) {
		broken = append(broken, join("len(", v, ") > ", n, " && ", characters, " > ", n))
		r.ClearMaxLen()
	}
	if in := r.GetIn(); len(in) > 0 {
		var others code
		for i, s := range in {
			if i > 0 {
				others = append(others, " && ")
			}
			others = append(others, v, " != ", strconv.Quote(s))
		}
		broken = append(broken, others)
		r.SetIn(nil)
	}
	if r.HasPattern() {
		if matches, ok := g.patterns.named(r.GetPattern()); ok {
			broken = append(broken, code{"!", matches, "(", v, ")"})
			r.ClearPattern()
		}
	}
	if r.GetUuid() {
		matches, _ := g.patterns.named(uuidPattern)
		broken = append(broken, code{"!", matches, "(", v, ")"})
		r.ClearUuid()
	}
	return broken
}

// uuidPattern is what protovalidate takes for a UUID.
const uuidPattern = `^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$`

// fits reports whether a limit can be compared with an int of any machine.
func fits(n uint64) bool { return n <= math.MaxInt32 }

func atLeast(broken []code, count any, n uint64) []code {
	if n == 0 {
		return broken
	}
	return append(broken, join(count, " < ", n))
}

// message is about a value that is a message itself.
func (g *generator) message(m *protogen.Message, v string) (broken []code, unknown []string) {
	switch {
	case g.ours(m):
		return []code{{"!", validName(m), "(", v, ")"}}, nil
	case hasRules(m.Desc, nil):
		return nil, []string{"rules of " + string(m.Desc.FullName()) + ", of another package"}
	}
	return nil, nil
}

// hasRules reports whether a message or one within it has any rule.
func hasRules(d protoreflect.MessageDescriptor, above []protoreflect.FullName) bool {
	if slices.Contains(above, d.FullName()) {
		return false
	}
	if proto.HasExtension(d.Options(), validate.E_Message) {
		return true
	}
	for i := range d.Oneofs().Len() {
		if proto.HasExtension(d.Oneofs().Get(i).Options(), validate.E_Oneof) {
			return true
		}
	}
	for i := range d.Fields().Len() {
		f := d.Fields().Get(i)
		if proto.HasExtension(f.Options(), validate.E_Field) || f.Message() != nil && hasRules(f.Message(), append(above, d.FullName())) {
			return true
		}
	}
	return false
}

// leftover names the rules that nobody has cleared.
func leftover(rules protoreflect.Message, prefix string) (names []string) {
	rules.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		if f.IsExtension() {
			names = append(names, extension(prefix, f.Number()))
			return true
		}
		name := prefix + string(f.Name())
		var within []string
		if f.Message() != nil && !f.IsList() && !f.IsMap() {
			within = leftover(v.Message(), name+".")
		}
		if len(within) == 0 {
			within = []string{name}
		}
		names = append(names, within...)
		return true
	})
	for unknown := rules.GetUnknown(); len(unknown) > 0; { // extensions, as a rule
		number, _, size := protowire.ConsumeField(unknown)
		if size < 0 {
			return append(names, prefix+"(unreadable)")
		}
		names, unknown = append(names, extension(prefix, number)), unknown[size:]
	}
	slices.Sort(names)
	return names
}

func extension(prefix string, n protoreflect.FieldNumber) string {
	return fmt.Sprintf("%s(field %d)", prefix, n)
}
