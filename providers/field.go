package providers

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// Field is what is known of a field of a vendor's JSON: the kinds of value that the
// mapping reads there, and what is inside it. The zero Field takes every kind.
type Field struct {
	kinds    uint8    // a bit for each Kind; 0: any
	members  []Fields // of an object; nil: they are not looked at
	items    *Field   // of an array; nil: they are not looked at
	inferred bool
}

// What a field may hold. null, and text of blanks alone, are no value and fit all.
var (
	AnyField    = Field{} // nothing reads it
	TextField   = Field{kinds: 1 << String}
	NumberField = Field{kinds: 1 << Number}
	FlagField   = Field{kinds: 1 << Bool}
	IDField     = TextField.Or(NumberField)
	ScalarField = IDField.Or(FlagField)
)

// ObjectField is an object with the given members; nil: whatever members it has.
func ObjectField(members Fields) Field {
	f := Field{kinds: 1 << Object}
	if members != nil {
		f.members = []Fields{members}
	}
	return f
}

// ListField is an array whose items are all of one kind.
func ListField(item Field) Field { return Field{kinds: 1 << Array, items: &item} }

// Or is a field that a vendor writes in two ways, such as an object and a list of them. With
// a field that takes every kind it takes every kind; of two objects it has the members of
// both, of two lists either item. It is inferred where both are.
func (f Field) Or(other Field) Field {
	both := Field{inferred: f.inferred && other.inferred}
	if f.kinds == 0 || other.kinds == 0 {
		return both
	}
	both.kinds = f.kinds | other.kinds
	if !f.open() && !other.open() {
		both.members = slices.Concat(f.members, other.members)
	}
	switch {
	case f.items != nil && other.items != nil:
		item := f.items.Or(*other.items)
		both.items = &item
	default:
		both.items = cmp.Or(f.items, other.items)
	}
	return both
}

// open reports whether it may be an object with whatever members.
func (f Field) open() bool { return f.kinds&(1<<Object) != 0 && f.members == nil }

// Inferred marks a field that nothing of the vendor's shows: it is read because a
// neighbouring object has it. Seen, it is drift of the kind "inferred".
func (f Field) Inferred() Field {
	f.inferred = true
	return f
}

// Fields are the names an object is known to have.
type Fields map[string]Field

// Join puts tables together. What a later one says of a name counts.
func Join(tables ...Fields) Fields {
	all := Fields{}
	for _, t := range tables {
		maps.Copy(all, t)
	}
	return all
}

// Inferred are the same fields, each marked as Field.Inferred does.
func (fields Fields) Inferred() Fields {
	out := make(Fields, len(fields))
	for name, field := range fields {
		out[name] = field.Inferred()
	}
	return out
}

// Shape notes where v, the object at path ("" or "payload."), is not as it is known:
// a name that is new, as drift of the kind "field"; a value of another kind than is read
// there, which is as if it were absent, as "type"; a field that was only inferred, as
// "inferred". The word is the path; lists add nothing to it.
func (m *Mapping) Shape(path string, v *Value, known ...Fields) {
	var room [8]string
	s := shaper{m, append(room[:0], strings.TrimSuffix(path, "."))}
	s.object(v, known)
}

// shaper goes down a value. Its path is put together only to be noted.
type shaper struct {
	*Mapping
	path []string
}

func (s *shaper) note(kind string) { s.Note(kind, strings.TrimPrefix(strings.Join(s.path, "."), ".")) }

func (s *shaper) object(v *Value, known []Fields) {
	for name, value := range v.Members() {
		s.path = append(s.path, name)
		if field, ok := fieldOf(known, name); ok {
			s.fits(value, field)
		} else {
			if !IsCode(name) {
				s.path[len(s.path)-1] = "" // a name that is no name may be data
			}
			s.note("field")
		}
		s.path = s.path[:len(s.path)-1]
	}
}

// fieldOf is false for a name that no table has.
func fieldOf(known []Fields, name string) (Field, bool) {
	for _, fields := range known {
		if field, ok := fields[name]; ok {
			return field, true
		}
	}
	return Field{}, false
}

// fits looks at the value of a field that is known.
func (s *shaper) fits(v *Value, f Field) {
	switch {
	case !v.Given():
		return
	case f.kinds != 0 && f.kinds&(1<<v.Kind()) == 0:
		s.note("type")
		return
	case f.inferred:
		s.note("inferred")
	}
	if f.members != nil {
		s.object(v, f.members)
	}
	if f.items != nil {
		for item := range v.Items() {
			s.fits(item, *f.items)
		}
	}
}
