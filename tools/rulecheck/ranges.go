package main

import (
	"cmp"
	"errors"

	"buf.build/go/protovalidate"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// inRange are the rules that together are one range.
var inRange = map[protoreflect.Name]bool{"lt": true, "lte": true, "gt": true, "gte": true, "lt_now": true, "gt_now": true}

// rangeOf compares ranges end by end. Where the ends are in the wrong order, protovalidate takes what is outside of
// them: then nothing but the same, or no range at all, is known to be as loose.
func (d differences) rangeOf(was, is protoreflect.Message) (found []finding) {
	lower, upper := end(is, "gt", "gte", "gt_now"), end(is, "lt", "lte", "lt_now")
	oldLower, oldUpper := end(was, "gt", "gte", "gt_now"), end(was, "lt", "lte", "lt_now")
	if outside(lower, upper) || outside(oldLower, oldUpper) {
		if same := lower.equal(oldLower) && upper.equal(oldUpper); same || lower.field == nil && upper.field == nil {
			return nil
		}
		return []finding{{at: d.at, rule: d.prefix + "range", was: oldLower.show(was) + " " + oldUpper.show(was),
			is: lower.show(is) + " " + upper.show(is), do: keepOrLoosen}}
	}
	if lower.field != nil && !lower.reaches(oldLower, -1) {
		found = append(found, d.bound(lower, oldLower, was, is))
	}
	if upper.field != nil && !upper.reaches(oldUpper, 1) {
		found = append(found, d.bound(upper, oldUpper, was, is))
	}
	return found
}

// bound is one end of a range; field is nil where it is open.
type bound struct {
	field protoreflect.FieldDescriptor
	value protoreflect.Value
}

// end finds the one of the names that is set.
func end(rules protoreflect.Message, names ...protoreflect.Name) bound {
	for _, name := range names {
		if f := rules.Descriptor().Fields().ByName(name); f != nil && rules.Has(f) {
			return bound{f, rules.Get(f)}
		}
	}
	return bound{}
}

func (b bound) equal(o bound) bool {
	if b.field == nil || o.field == nil {
		return b.field == nil && o.field == nil
	}
	return b.field.Name() == o.field.Name() && b.value.Equal(o.value)
}

// now reports whether the end is the time of the check, which has no order with a value.
func (b bound) now() bool { return b.field.Kind() == protoreflect.BoolKind }

// within reports whether the value itself is allowed.
func (b bound) within() bool { return b.field.Name() == "lte" || b.field.Name() == "gte" }

// reaches reports whether b is as far out as old; side is 1 for an upper end, -1 for a lower.
func (b bound) reaches(old bound, side int) bool {
	if old.field == nil {
		return false
	}
	if b.now() || old.now() {
		return b.equal(old)
	}
	c := order(b.value, old.value) * side
	return c > 0 || c == 0 && (b.within() || !old.within())
}

func (b bound) show(rules protoreflect.Message) string {
	if b.field == nil {
		return ""
	}
	return string(b.field.Name()) + " " + show(b.field, rules)
}

func outside(lower, upper bound) bool {
	return lower.field != nil && upper.field != nil && !lower.now() && !upper.now() && order(lower.value, upper.value) >= 0
}

func (d differences) bound(b, old bound, was, is protoreflect.Message) finding {
	f := finding{at: d.at, rule: d.prefix + string(b.field.Name()), was: old.show(was), is: b.show(is), do: keepOrLoosen}
	if old.field == nil {
		f.do = noNewRule
	}
	return f
}

// order compares two values of one kind: numbers, durations and times.
func order(a, b protoreflect.Value) int {
	switch x := a.Interface().(type) {
	case int32:
		return cmp.Compare(a.Int(), b.Int())
	case int64:
		return cmp.Compare(a.Int(), b.Int())
	case uint32, uint64:
		return cmp.Compare(a.Uint(), b.Uint())
	case float32, float64:
		return cmp.Compare(a.Float(), b.Float())
	case protoreflect.Message: // seconds and nanos
		y := b.Message()
		seconds, nanos := x.Descriptor().Fields().ByNumber(1), x.Descriptor().Fields().ByNumber(2)
		return cmp.Or(cmp.Compare(x.Get(seconds).Int(), y.Get(seconds).Int()), cmp.Compare(x.Get(nanos).Int(), y.Get(nanos).Int()))
	}
	return 0
}

// asViolations is errors.As for what a message breaks, as against rules that cannot be compiled.
func asViolations(err error, violations **protovalidate.ValidationError) bool {
	return errors.As(err, violations)
}
