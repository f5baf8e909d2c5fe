package ruletest

import (
	"fmt"
	"maps"
	"math"
	"regexp"
	"strconv"
	"time"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// valuesFor are values for a field of a valid message, each with a word about it. One that is not valid unsets
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
	case f.Message().FullName() == "google.protobuf.Duration":
		for _, d := range spansFor(rules.GetDuration()) {
			all[d.String()] = protoreflect.ValueOfMessage(d.ProtoReflect())
		}
	case f.Message().FullName() == "google.protobuf.Timestamp":
		for _, t := range []*timestamppb.Timestamp{{}, {Seconds: -1}, {Seconds: math.MaxInt64}, {Seconds: math.MinInt64}, {Nanos: math.MinInt32}} {
			all[t.String()] = protoreflect.ValueOfMessage(t.ProtoReflect())
		}
	}
	return all
}

// scalarValues are by kind of field. A text or a number is also tried at the limits that others have.
func scalarValues(f protoreflect.FieldDescriptor, rules *validate.FieldRules, now protoreflect.Value) map[string]protoreflect.Value {
	all := map[string]protoreflect.Value{}
	switch f.Kind() {
	case protoreflect.StringKind:
		for _, s := range textsFor(rules, now.String()) {
			all[fmt.Sprintf("%.300q of %d bytes", s, len(s))] = protoreflect.ValueOfString(s)
		}
	case protoreflect.BytesKind:
		for _, n := range []int{0, 1, 15, 16, 17, 31, 32, 33} {
			all[fmt.Sprint(n, " bytes")] = protoreflect.ValueOfBytes(make([]byte, n))
		}
	case protoreflect.Int32Kind:
		for _, n := range numbersFor(rules) {
			all[fmt.Sprint(int32(n))] = protoreflect.ValueOfInt32(int32(n))
		}
	case protoreflect.Int64Kind:
		for _, n := range numbersFor(rules) {
			all[fmt.Sprint(n)] = protoreflect.ValueOfInt64(n)
		}
	case protoreflect.DoubleKind:
		for _, n := range realsFor(rules) {
			all[fmt.Sprint(n)] = protoreflect.ValueOfFloat64(n)
		}
	case protoreflect.EnumKind:
		for n := range protoreflect.EnumNumber(12) {
			all[fmt.Sprint(n)] = protoreflect.ValueOfEnum(n)
		}
		all["-1"] = protoreflect.ValueOfEnum(-1)
	case protoreflect.BoolKind:
		all["false"], all["true"] = protoreflect.ValueOfBool(false), protoreflect.ValueOfBool(true)
	}
	return all
}

// aNumber is one in an expression.
var aNumber = regexp.MustCompile(`\d+(\.\d+)?`)

// limitsOf are the numbers in the rules of a field.
func limitsOf(rules *validate.FieldRules) (all []string) {
	for _, r := range rules.GetCel() {
		all = append(all, aNumber.FindAllString(r.GetExpression(), -1)...)
	}
	i, wide := rules.GetInt32(), rules.GetInt64()
	return append(all, fmt.Sprint(i.GetGte()), fmt.Sprint(i.GetLte()), fmt.Sprint(wide.GetGte()))
}

// numbersFor are those around the limits, and at the ends.
func numbersFor(rules *validate.FieldRules) []int64 {
	all := []int64{math.MinInt64, math.MinInt32, -1, 0, 1, math.MaxInt32, math.MaxInt64}
	for _, limit := range limitsOf(rules) {
		if n, err := strconv.ParseInt(limit, 10, 64); err == nil {
			all = append(all, n-1, n, n+1)
		}
	}
	return all
}

func realsFor(rules *validate.FieldRules) []float64 {
	all := []float64{math.Copysign(0, -1), -1, math.Inf(1), math.Inf(-1), math.NaN()}
	for _, limit := range limitsOf(rules) {
		if n, err := strconv.ParseFloat(limit, 64); err == nil {
			all = append(all, math.Nextafter(n, math.Inf(-1)), n, math.Nextafter(n, math.Inf(1)))
		}
	}
	return all
}

// spansFor are durations around the limits, and some that no duration should be.
func spansFor(rules *validate.DurationRules) []*durationpb.Duration {
	all := []*durationpb.Duration{{Seconds: math.MaxInt64}, {Seconds: math.MinInt64}, {Seconds: 60, Nanos: -1}, {Seconds: 5, Nanos: math.MaxInt32}}
	for _, limit := range []time.Duration{0, rules.GetGt().AsDuration(), rules.GetGte().AsDuration(), rules.GetLte().AsDuration()} {
		all = append(all, durationpb.New(limit-1), durationpb.New(limit), durationpb.New(limit+1))
	}
	return all
}

// listValues are lists of other lengths, and with other items.
func listValues(all map[string]protoreflect.Value, m protoreflect.Message, f protoreflect.FieldDescriptor, r *validate.RepeatedRules) {
	now := m.Get(f).List()
	if now.Len() == 0 {
		return
	}
	of := func(n int) (protoreflect.Value, protoreflect.List) {
		v := m.NewField(f)
		for i := range n {
			item := now.Get(i % now.Len())
			if f.Message() != nil && i >= now.Len() {
				item = numbered(item.Message(), i)
			}
			v.List().Append(item)
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

// numbered is a copy with another name, where the message begins with one.
func numbered(m protoreflect.Message, n int) protoreflect.Value {
	other := proto.Clone(m.Interface()).ProtoReflect()
	if f := other.Descriptor().Fields().Get(0); f.Kind() == protoreflect.StringKind && !f.IsList() {
		other.Set(f, protoreflect.ValueOfString(other.Get(f).String()+strconv.Itoa(n)))
	}
	return protoreflect.ValueOfMessage(other)
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
