package contract

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"buf.build/go/protovalidate"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/kycbridge/kycbridge/schemas"
)

// awkward are texts at the edges of the contract's rules.
var awkward = []string{
	"", "a", "A", "0", "-", "_a", "a_b", "a.b", "a=b", "a=", "flag=x\ry", "two words", "two\nlines", "\x00", "\xff", "é", "ü=é", "POST",
	"b5c1a7d2-3e4f-5a6b-8c7d-9e0f1a2b3c4d", "B5C1A7D2-3E4F-5A6B-8C7D-9E0F1A2B3C4D", "b5c1a7d2-3e4f-5a6b-8c7d-9e0f1a2b3c4", "b5c1a7d23e4f5a6b8c7d9e0f1a2b3c4d",
	strings.Repeat("a", 63), strings.Repeat("a", 64), strings.Repeat("7", 40), strings.Repeat("7", 41), strings.Repeat("é", 128), strings.Repeat("é", 129),
	strings.Repeat("a", 128), strings.Repeat("a", 129), strings.Repeat("a", 256), strings.Repeat("a", 257), strings.Repeat("a", 513), "k=" + strings.Repeat("v", 129),
}

// TestQuickChangesNoVerdict puts awkward values into every field of every message of the contract,
// and asks with and without the quick look.
func TestQuickChangesNoVerdict(t *testing.T) {
	with, err := NewValidator()
	if err != nil {
		t.Fatal(err)
	}
	without := with.(validator).Validator
	tried, refused := 0, 0
	for _, topic := range schemas.Topics() {
		eachSpoiled(topic.New().ProtoReflect(), 3, func(root protoreflect.Message, what string) {
			m := root.Interface()
			want, got := fmt.Sprint(without.Validate(m)), fmt.Sprint(with.Validate(m))
			if tried++; want != "<nil>" {
				refused++
			}
			if got != want {
				t.Errorf("%s with %s: %s\nwithout the quick look: %s", m.ProtoReflect().Descriptor().Name(), what, got, want)
			}
		})
	}
	if tried < 1000 || refused < 100 {
		t.Errorf("%d messages tried, %d refused: too few to say anything", tried, refused)
	}
}

// eachSpoiled sets each field in turn, in messages down to a depth, and calls do with the whole.
func eachSpoiled(root protoreflect.Message, depth int, do func(root protoreflect.Message, what string)) {
	var walk func(m protoreflect.Message, depth int)
	walk = func(m protoreflect.Message, depth int) {
		for i := range m.Descriptor().Fields().Len() {
			f := m.Descriptor().Fields().Get(i)
			do(root, string(f.FullName())+" unset")
			for _, v := range valuesOf(m, f) {
				m.Set(f, v)
				do(root, fmt.Sprintf("%s set to %.80q", f.FullName(), v.String()))
			}
			if f.Message() != nil && !f.IsList() && !f.IsMap() && depth > 0 {
				walk(m.Mutable(f).Message(), depth-1)
			}
			m.Clear(f)
		}
	}
	walk(root, depth)
}

// valuesOf are awkward values for a field, alone and many of them.
func valuesOf(m protoreflect.Message, f protoreflect.FieldDescriptor) (all []protoreflect.Value) {
	for _, v := range scalarsOf(f) {
		switch {
		case f.IsMap():
			one := m.NewField(f)
			one.Map().Set(v.MapKey(), v)
			other := m.NewField(f)
			other.Map().Set(protoreflect.ValueOfString("k").MapKey(), v)
			all = append(all, one, other)
		case f.IsList():
			one := m.NewField(f)
			one.List().Append(v)
			all = append(all, one)
		default:
			all = append(all, v)
		}
	}
	many := m.Type().New()
	switch {
	case f.IsMap():
		for n := range 33 {
			many.Mutable(f).Map().Set(protoreflect.ValueOfString(fmt.Sprint(n)).MapKey(), protoreflect.ValueOfString("v"))
		}
		all = append(all, many.Get(f))
	case f.IsList():
		for n := range 1001 {
			if f.Message() != nil {
				many.Mutable(f).List().AppendMutable()
				continue
			}
			many.Mutable(f).List().Append(protoreflect.ValueOfString(fmt.Sprint(n)))
		}
		all = append(all, many.Get(f))
	}
	return all
}

func scalarsOf(f protoreflect.FieldDescriptor) (all []protoreflect.Value) {
	kind := f.Kind()
	if f.IsMap() {
		kind = f.MapValue().Kind()
	}
	switch kind {
	case protoreflect.StringKind:
		for _, s := range awkward {
			all = append(all, protoreflect.ValueOfString(s))
		}
	case protoreflect.BytesKind:
		for _, n := range []int{0, 1, 15, 16, 17, 31, 32, 33} {
			all = append(all, protoreflect.ValueOfBytes(make([]byte, n)))
		}
	case protoreflect.Int32Kind:
		return []protoreflect.Value{protoreflect.ValueOfInt32(-1), protoreflect.ValueOfInt32(0), protoreflect.ValueOfInt32(1)}
	case protoreflect.Int64Kind:
		return []protoreflect.Value{protoreflect.ValueOfInt64(-1), protoreflect.ValueOfInt64(0), protoreflect.ValueOfInt64(1)}
	case protoreflect.EnumKind:
		return []protoreflect.Value{protoreflect.ValueOfEnum(0), protoreflect.ValueOfEnum(1), protoreflect.ValueOfEnum(2), protoreflect.ValueOfEnum(99)}
	case protoreflect.BoolKind:
		return []protoreflect.Value{protoreflect.ValueOfBool(false), protoreflect.ValueOfBool(true)}
	}
	return all
}

// patterns are all of the contract, with the one of UUIDs.
func patterns() map[string]bool {
	found := map[string]bool{uuidPattern: true}
	var look func(m protoreflect.Message)
	look = func(m protoreflect.Message) {
		if rules, ok := m.Interface().(*validate.StringRules); ok && rules.HasPattern() {
			found[rules.GetPattern()] = true
		}
		m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
			if f.Message() != nil && !f.IsList() && !f.IsMap() {
				look(v.Message())
			}
			return true
		})
	}
	for _, topic := range schemas.Topics() {
		messages := topic.Message.ProtoReflect().Descriptor().ParentFile().Messages()
		for i := range messages.Len() {
			for n := range messages.Get(i).Fields().Len() {
				rules, _ := proto.GetExtension(messages.Get(i).Fields().Get(n).Options(), validate.E_Field).(*validate.FieldRules)
				look(rules.ProtoReflect())
			}
		}
	}
	return found
}

func FuzzShape(f *testing.F) {
	for _, s := range awkward {
		f.Add(s)
	}
	type pair struct {
		shape
		*regexp.Regexp
	}
	var pairs []pair
	for p := range patterns() {
		s, ok := shapeOf(p)
		if !ok {
			f.Logf("%s is no shape and stays with protovalidate", p)
			continue
		}
		pairs = append(pairs, pair{s, regexp.MustCompile(p)})
	}
	if len(pairs) < 6 {
		f.Errorf("only %d patterns of the contract are shapes", len(pairs))
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, p := range pairs {
			if p.fits(text) != p.MatchString(text) {
				t.Errorf("%q fits the shape of %s: %v", text, p, p.fits(text))
			}
		}
	})
}

// What could be read in two ways, or is not from end to end, is no shape.
func TestNoShape(t *testing.T) {
	for _, p := range []string{"a", "^a", "a$", "^a|b$", "^(a)$", "^a*ab$", "^[a-z]{0,3}[a-f]$", "^[a-f]{0,3}-?a$", "(?i)^a$", "^[a-é]$", "^.*$", "(?m)^a$", `^\d+5$`, "^é$", "["} {
		if s, ok := shapeOf(p); ok {
			t.Errorf("%s is taken for the shape %v", p, s)
		}
	}
}

// A rule that nobody here knows leaves its field to protovalidate.
func TestQuickKnowsItsLimits(t *testing.T) {
	q := newQuick([]proto.Message{schemas.Topics()[1].Message})
	for i := range schemas.Topics()[1].Message.ProtoReflect().Descriptor().Fields().Len() {
		f := schemas.Topics()[1].Message.ProtoReflect().Descriptor().Fields().Get(i)
		if _, ok := q[f]; !ok {
			t.Errorf("%s is not known, so that it is slow", f.Name())
		}
	}
	for what, rules := range map[string]*validate.FieldRules{
		"prefix": validate.FieldRules_builder{String: validate.StringRules_builder{MaxLen: proto.Uint64(3), Prefix: proto.String("a")}.Build()}.Build(),
		"email":  validate.FieldRules_builder{String: validate.StringRules_builder{Email: proto.Bool(true)}.Build()}.Build(),
		"cel":    validate.FieldRules_builder{Cel: []*validate.Rule{{}}, String: &validate.StringRules{}}.Build(),
		"ignore": validate.FieldRules_builder{Ignore: validate.Ignore_IGNORE_ALWAYS.Enum(), String: &validate.StringRules{}}.Build(),
	} {
		if _, ok := scalarCheck(protoreflect.StringKind, rules); ok {
			t.Errorf("the rule %s is taken for known", what)
		}
	}
	var _ protovalidate.Filter = q
}
