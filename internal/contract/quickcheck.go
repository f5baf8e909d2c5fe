package contract

import (
	"math"
	"reflect"
	"unicode/utf8"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// The rules that quick knows. What is read here is cleared; a rule that is left over is not known,
// and leaves the field to protovalidate.

// check says whether a value is surely sound; a nil one that every value is.
type check = func(protoreflect.Value) bool

// over says whether a rule is left that nobody read.
func over(rules *validate.FieldRules, ofType proto.Message) bool {
	rules.ClearType()
	return proto.Size(rules) > 0 || proto.Size(ofType) > 0
}

// parts are the checks of a list or map: of how many there are, and of each.
type parts struct {
	size      func(int) bool
	key, item check
}

func (q quick) listParts(f protoreflect.FieldDescriptor, rules *validate.FieldRules) (parts, bool) {
	list := proto.CloneOf(rules.GetRepeated())
	size, items := span(list.GetMinItems(), list.GetMaxItems(), list.HasMaxItems()), list.GetItems()
	if list != nil {
		list.ClearMinItems()
		list.ClearMaxItems()
		list.ClearItems()
	}
	item, known := q.valueCheck(f, items)
	return parts{size: size, item: item}, known && !over(rules, list)
}

func (p *parts) list(v protoreflect.Value) bool {
	if !v.IsValid() {
		return p.size(0)
	}
	all := v.List()
	for i := 0; p.item != nil && i < all.Len(); i++ {
		if !p.item(all.Get(i)) {
			return false
		}
	}
	return p.size(all.Len())
}

func (q quick) mapParts(f protoreflect.FieldDescriptor, rules *validate.FieldRules) (parts, bool) {
	pairs := proto.CloneOf(rules.GetMap())
	size, keys, values := span(pairs.GetMinPairs(), pairs.GetMaxPairs(), pairs.HasMaxPairs()), pairs.GetKeys(), pairs.GetValues()
	if pairs != nil {
		pairs.ClearMinPairs()
		pairs.ClearMaxPairs()
		pairs.ClearKeys()
		pairs.ClearValues()
	}
	key, knownKey := q.valueCheck(f.MapKey(), keys)
	value, knownValue := q.valueCheck(f.MapValue(), values)
	return parts{size, key, value}, knownKey && knownValue && !over(rules, pairs)
}

func (p *parts) pairs(v protoreflect.Value) bool {
	if !v.IsValid() {
		return p.size(0)
	}
	good := p.size(v.Map().Len())
	v.Map().Range(func(k protoreflect.MapKey, v protoreflect.Value) bool {
		good = good && (p.key == nil || p.key(k.Value())) && (p.item == nil || p.item(v))
		return good
	})
	return good
}

// texts is list for a []string.
func (p *parts) texts(all reflect.Value) bool {
	n := all.Len()
	for i := 0; p.item != nil && i < n; i++ {
		if !p.item(protoreflect.ValueOfString(all.Index(i).String())) {
			return false
		}
	}
	return p.size(n)
}

// textPairs is pairs for a map[string]string.
func (p *parts) textPairs(all map[string]string) bool {
	for k, v := range all {
		if p.key != nil && !p.key(protoreflect.ValueOfString(k)) || p.item != nil && !p.item(protoreflect.ValueOfString(v)) {
			return false
		}
	}
	return p.size(len(all))
}

// valueCheck is that of one item of a list, key or value of a map.
func (q quick) valueCheck(f protoreflect.FieldDescriptor, rules *validate.FieldRules) (check, bool) {
	rules = proto.CloneOf(rules)
	switch {
	case rules == nil:
		rules = &validate.FieldRules{}
	case rules.HasRequired() || rules.HasIgnore():
		return nil, false
	}
	if f.Message() != nil {
		return q.messageCheck(f.Message(), rules)
	}
	return scalarCheck(f.Kind(), rules)
}

func scalarCheck(kind protoreflect.Kind, rules *validate.FieldRules) (check, bool) {
	switch {
	case proto.Size(rules) == 0:
		return nil, true
	case rules.HasString() && kind == protoreflect.StringKind:
		return stringCheck(rules)
	case rules.HasBytes() && kind == protoreflect.BytesKind:
		r := rules.GetBytes()
		exactly, has := int(r.GetLen()), r.HasLen()
		r.ClearLen()
		return func(v protoreflect.Value) bool { return len(v.Bytes()) == exactly }, has && !over(rules, r)
	case rules.HasInt32() && kind == protoreflect.Int32Kind:
		r := rules.GetInt32()
		least, has := int64(r.GetGte()), r.HasGte()
		r.ClearGte()
		return func(v protoreflect.Value) bool { return v.Int() >= least }, has && !over(rules, r)
	case rules.HasInt64() && kind == protoreflect.Int64Kind:
		r := rules.GetInt64()
		least, has := r.GetGte(), r.HasGte()
		r.ClearGte()
		return func(v protoreflect.Value) bool { return v.Int() >= least }, has && !over(rules, r)
	}
	return nil, false
}

func stringCheck(rules *validate.FieldRules) (check, bool) {
	r := rules.GetString()
	length, pattern, known := span(r.GetMinLen(), r.GetMaxLen(), r.HasMaxLen()), shape(nil), true
	if r.HasPattern() {
		pattern, known = shapeOf(r.GetPattern())
	}
	if r.GetUuid() {
		known = known && !r.HasPattern()
		pattern, _ = shapeOf(uuidPattern)
		r.ClearUuid()
	}
	r.ClearPattern()
	r.ClearMinLen()
	r.ClearMaxLen()
	return func(v protoreflect.Value) bool {
		s := v.String()
		return (pattern == nil || pattern.fits(s)) && length(utf8.RuneCountInString(s))
	}, known && !over(rules, r)
}

// span is a rule about how many there are.
func span(least, most uint64, limited bool) func(int) bool {
	if !limited {
		most = math.MaxInt
	}
	return func(n int) bool { return uint64(n) >= least && uint64(n) <= most }
}
