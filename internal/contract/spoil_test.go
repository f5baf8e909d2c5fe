package contract_test

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"sort"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"buf.build/go/protovalidate"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/kycbridge/kycbridge/internal/contract/generated"
	"github.com/kycbridge/kycbridge/schemas"
)

// The precheck is compared with protovalidate over valid messages of which one field is changed: in every way
// that its rules forbid, and in some that they allow.

// library judges without the precheck.
var library = sync.OnceValues(func() (protovalidate.Validator, error) { return protovalidate.New() })

// violations are what protovalidate finds, each as the path of a field and the id of a rule.
func violations(t testing.TB, m proto.Message) []string {
	t.Helper()
	v, err := library()
	if err != nil {
		t.Fatal(err)
	}
	return violationsOf(t, v.Validate(m))
}

// A change is made to one field of a message.
type change struct {
	field protoreflect.FullName
	what  string
	make  func(root protoreflect.Message)
}

// A field of a message that is part of others is tried in the first of them, and in the rest by sample.
const sample = 50

func TestPrecheckAgreesOnEveryField(t *testing.T) {
	seen := map[string]bool{} // field and rule that a message broke, and broke nothing else
	first, n := map[protoreflect.FullName]proto.Message{}, 0
	for _, m := range fullMessages() {
		if found := violations(t, m); found != nil || !generated.Valid(m) {
			t.Errorf("the full %T breaks %v, proven: %v", m, found, generated.Valid(m))
		}
		for _, c := range changesOf(m.ProtoReflect(), func(root protoreflect.Message) protoreflect.Message { return root }) {
			if first[c.field] == nil {
				first[c.field] = m
			}
			if n++; first[c.field] != m && n%sample != 0 {
				continue
			}
			spoilt := proto.Clone(m)
			c.make(spoilt.ProtoReflect())
			found := violations(t, spoilt)
			if proven := generated.Valid(spoilt); proven != (found == nil) {
				t.Errorf("%T with %s %s breaks %v, proven: %v", m, c.field, c.what, found, proven)
			}
			note(seen, c.field, found)
		}
	}
	for field, rules := range allRules() {
		for _, rule := range rules {
			if !seen[string(field)+" "+rule] {
				t.Errorf("no message breaks %s of %s alone", rule, field)
			}
		}
	}
}

// note takes down which rule of a field is broken. An unset field may break rules of its message as well.
func note(seen map[string]bool, field protoreflect.FullName, found []string) {
	for _, violation := range found {
		rule := strings.TrimSuffix(last(violation), "_empty")
		if len(found) == 1 || rule == "required" {
			seen[string(field)+" "+rule] = true
		}
	}
}

// last is the id of the rule, behind the path of a field.
func last(violation string) string { return violation[strings.LastIndexByte(violation, ' ')+1:] }

func fieldsOf(d protoreflect.MessageDescriptor) (all []protoreflect.FieldDescriptor) {
	for i := range d.Fields().Len() {
		all = append(all, d.Fields().Get(i))
	}
	return all
}

// ours reports whether a field holds messages of the contract.
func ours(f protoreflect.FieldDescriptor) bool {
	return f.Message() != nil && !f.IsMap() && f.Message().ParentFile().Package() == "kyc.v1"
}

func rulesOf(f protoreflect.FieldDescriptor) *validate.FieldRules {
	rules, _ := proto.GetExtension(f.Options(), validate.E_Field).(*validate.FieldRules)
	return rules
}

// changesOf are the changes to a message and to those in it, in lists to the first and the last.
func changesOf(m protoreflect.Message, reach func(root protoreflect.Message) protoreflect.Message) (all []change) {
	for _, f := range fieldsOf(m.Descriptor()) {
		if rulesOf(f).GetIgnore() == validate.Ignore_IGNORE_ALWAYS {
			continue
		}
		values := valuesFor(m, f)
		for _, what := range slices.Sorted(maps.Keys(values)) {
			all = append(all, change{f.FullName(), what, func(root protoreflect.Message) {
				if v := values[what]; v.IsValid() {
					reach(root).Set(f, v)
				} else {
					reach(root).Clear(f)
				}
			}})
		}
		all = append(all, changesWithin(m, f, reach)...)
	}
	return all
}

func changesWithin(m protoreflect.Message, f protoreflect.FieldDescriptor, reach func(protoreflect.Message) protoreflect.Message) (all []change) {
	switch {
	case !ours(f):
		return nil
	case !f.IsList():
		return changesOf(m.Get(f).Message(), func(root protoreflect.Message) protoreflect.Message { return reach(root).Mutable(f).Message() })
	}
	list := m.Get(f).List()
	for _, i := range []int{0, list.Len() - 1} {
		all = append(all, changesOf(list.Get(i).Message(), func(root protoreflect.Message) protoreflect.Message {
			return reach(root).Mutable(f).List().Get(i).Message()
		})...)
	}
	return all
}

// allRules are the rules of all fields of the contract that are not ignored, by the ids of their violations.
func allRules() map[protoreflect.FullName][]string {
	found := map[protoreflect.FullName][]string{}
	var look func(d protoreflect.MessageDescriptor)
	look = func(d protoreflect.MessageDescriptor) {
		for _, f := range fieldsOf(d) {
			rules := rulesOf(f)
			if _, done := found[f.FullName()]; done || rules.GetIgnore() == validate.Ignore_IGNORE_ALWAYS {
				continue
			}
			found[f.FullName()] = idsOf(rules)
			if ours(f) {
				look(f.Message())
			}
		}
	}
	for _, topic := range schemas.Topics() {
		look(topic.Message.ProtoReflect().Descriptor())
	}
	return found
}

// idsOf names the rules of a field. One that violations name otherwise stands out, since nothing breaks it.
func idsOf(rules *validate.FieldRules) (ids []string) {
	if rules.GetRequired() {
		ids = []string{"required"}
	}
	for _, part := range []*validate.FieldRules{rules, rules.GetRepeated().GetItems(), rules.GetMap().GetKeys(), rules.GetMap().GetValues()} {
		part.ProtoReflect().Range(func(kind protoreflect.FieldDescriptor, v protoreflect.Value) bool {
			switch {
			case kind.Name() == "required", kind.Name() == "ignore":
				return true
			case kind.Message() == nil, kind.IsList():
				ids = append(ids, string(kind.Name()))
				return true
			}
			v.Message().Range(func(rule protoreflect.FieldDescriptor, _ protoreflect.Value) bool {
				if rule.Message() == nil {
					ids = append(ids, fmt.Sprintf("%s.%s", kind.Name(), rule.Name()))
				}
				return true
			})
			return true
		})
	}
	return ids
}

// valuesFor are values for a field of a full message, each with a word about it. One that is not valid unsets
// the field.
func valuesFor(m protoreflect.Message, f protoreflect.FieldDescriptor) map[string]protoreflect.Value {
	rules, now := rulesOf(f), m.Get(f)
	all := map[string]protoreflect.Value{"unset": {}}
	switch {
	case f.IsMap():
		pairValues(all, m, f, rules.GetMap())
	case f.IsList():
		listValues(all, m, f, rules.GetRepeated())
	case f.Message() == nil:
		maps.Copy(all, scalarValues(f, rules, now))
	}
	return all
}

// scalarValues are by kind of field. A text or a number is also tried at the limits that others have.
func scalarValues(f protoreflect.FieldDescriptor, rules *validate.FieldRules, now protoreflect.Value) map[string]protoreflect.Value {
	all := map[string]protoreflect.Value{}
	switch f.Kind() {
	case protoreflect.StringKind:
		for _, s := range textsFor(rules.GetString(), now.String()) {
			all[fmt.Sprintf("%.300q of %d bytes", s, len(s))] = protoreflect.ValueOfString(s)
		}
	case protoreflect.BytesKind:
		for _, n := range []int{0, 1, 15, 16, 17, 31, 32, 33} {
			all[fmt.Sprint(n, " bytes")] = protoreflect.ValueOfBytes(make([]byte, n))
		}
	case protoreflect.Int32Kind:
		for _, n := range []int32{-1 << 31, -1, 0, 1, 1<<31 - 1} {
			all[fmt.Sprint(n)] = protoreflect.ValueOfInt32(n)
		}
	case protoreflect.Int64Kind:
		for _, n := range []int64{-1 << 63, -1, 0, 1, 1<<63 - 1} {
			all[fmt.Sprint(n)] = protoreflect.ValueOfInt64(n)
		}
	case protoreflect.EnumKind:
		for n := range protoreflect.EnumNumber(12) {
			all[fmt.Sprint(n)] = protoreflect.ValueOfEnum(n)
		}
	case protoreflect.BoolKind:
		all["false"] = protoreflect.ValueOfBool(false)
	}
	return all
}

// odd are characters, and bytes that are none, at the edges of classes.
var odd = []string{"", "\r\n", "é", "\u2028", "\U0010ffff", "\xff", "\xc3", "\ufffd"}

const uuidPattern = `^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$`

// textsFor are texts around a valid one: of lengths at the limits, and with another character at each place.
func textsFor(r *validate.StringRules, valid string) []string {
	all := []string{"", valid + "\n", "\n" + valid, strings.ToUpper(valid), strings.ReplaceAll(valid, "-", "")}
	for _, n := range []int{1, 2, int(r.GetMinLen()), int(r.GetMaxLen())} {
		for _, c := range []string{"x", "A", "é"} {
			all = append(all, strings.Repeat(c, n), strings.Repeat(c, n+1), strings.Repeat(c, max(n-1, 0)))
		}
	}
	pattern := r.GetPattern()
	if r.GetUuid() {
		pattern = uuidPattern
	}
	if pattern != "" {
		all = append(all, textsAround(regexp.MustCompile(pattern), valid)...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// textsAround are texts around one that matches.
func textsAround(pattern *regexp.Regexp, valid string) (all []string) {
	const many = 300
	for i := range valid {
		_, width := utf8.DecodeRuneInString(valid[i:])
		before, here, after := valid[:i], valid[i:i+width], valid[i+width:]
		all = append(all, before, here+after, before+after)
		for _, other := range []string{"\n", " ", "%", "-", "=", "0", "G", "é", "\xff"} {
			all = append(all, before+other+after)
		}
		long := func(n int) string { return before + strings.Repeat(here, n) + after }
		if n := sort.Search(many, func(n int) bool { return !pattern.MatchString(long(n + 1)) }); n < many { // the longest run
			all = append(all, long(n), long(n+1), before+strings.Repeat("é", n)+after, before+strings.Repeat("é", n+1)+after)
		}
	}
	for _, i := range []int{0, 1, len(valid) / 2, max(len(valid)-1, 0)} {
		for _, c := range append(ascii(), odd...) {
			all = append(all, valid[:min(i, len(valid))]+c+valid[min(i+1, len(valid)):])
		}
	}
	return all
}

func ascii() (all []string) {
	for c := range rune(0x80) {
		all = append(all, string(c))
	}
	return all
}

// listValues are lists of other lengths, and with other first, middle and last items.
func listValues(all map[string]protoreflect.Value, m protoreflect.Message, f protoreflect.FieldDescriptor, r *validate.RepeatedRules) {
	now := m.Get(f).List()
	of := func(n int) (protoreflect.Value, protoreflect.List) {
		v := m.NewField(f)
		for i := range n {
			v.List().Append(now.Get(i % now.Len()))
		}
		return v, v.List()
	}
	for _, n := range []int{1, 2, int(r.GetMaxItems()) - 1, int(r.GetMaxItems()), int(r.GetMaxItems()) + 1} {
		v, _ := of(max(n, 0))
		all[fmt.Sprint(n, " items")] = v
	}
	if f.Message() != nil {
		return
	}
	for i := range now.Len() {
		for what, item := range scalarValues(f, r.GetItems(), now.Get(i)) {
			v, list := of(now.Len())
			list.Set(i, item)
			all[fmt.Sprint(what, " as item ", i)] = v
		}
	}
}

// pairValues are maps of other sizes, and with another key or value.
func pairValues(all map[string]protoreflect.Value, m protoreflect.Message, f protoreflect.FieldDescriptor, r *validate.MapRules) {
	with := func(change func(protoreflect.Map)) protoreflect.Value {
		v := m.NewField(f)
		m.Get(f).Map().Range(func(k protoreflect.MapKey, value protoreflect.Value) bool { v.Map().Set(k, value); return true })
		change(v.Map())
		return v
	}
	for n := int(r.GetMaxPairs()) - 1; n <= int(r.GetMaxPairs())+1; n++ {
		all[fmt.Sprint(n, " pairs")] = with(func(pairs protoreflect.Map) {
			for i := 0; pairs.Len() < n; i++ {
				pairs.Set(protoreflect.ValueOfString(fmt.Sprint("k", i)).MapKey(), protoreflect.ValueOfString("v"))
			}
		})
	}
	good := protoreflect.ValueOfString("good")
	for what, v := range scalarValues(f.MapKey(), r.GetKeys(), good) {
		all["key "+what] = with(func(pairs protoreflect.Map) { pairs.Set(v.MapKey(), good) })
	}
	for what, v := range scalarValues(f.MapValue(), r.GetValues(), good) {
		all["value "+what] = with(func(pairs protoreflect.Map) { pairs.Set(good.MapKey(), v) })
	}
}
