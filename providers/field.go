package providers

import "strings"

// Field is what is known of a field of a vendor's JSON: the kinds of value that the
// mapping reads there, and what is inside it. The zero Field takes every kind.
type Field struct {
	kinds    uint8  // a bit for each Kind; 0: any
	members  Fields // of an object; nil: they are not looked at
	items    *Field // of an array; nil: they are not looked at
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
func ObjectField(members Fields) Field { return Field{kinds: 1 << Object, members: members} }

// ListField is an array whose items are all of one kind.
func ListField(item Field) Field { return Field{kinds: 1 << Array, items: &item} }

// Or is a field that a vendor writes in two ways, such as an object and a list of them.
func (f Field) Or(other Field) Field {
	f.kinds |= other.kinds
	if f.members == nil {
		f.members = other.members
	}
	if f.items == nil {
		f.items = other.items
	}
	return f
}

// Inferred marks a field that nothing of the vendor's shows: it is read because a
// neighbouring object has it. Seen, it is drift of the kind "inferred".
func (f Field) Inferred() Field {
	f.inferred = true
	return f
}

func (f Field) takes(k Kind) bool { return f.kinds == 0 || f.kinds&(1<<k) != 0 }

// Fields are the names an object is known to have.
type Fields map[string]Field

// Shape notes where v, the object at path ("" or "payload."), is not as it is known:
// a name that is new, as drift of the kind "field"; a value of another kind than is read
// there, which is as if it were absent, as "type"; a field that was only inferred, as
// "inferred". The word is the path; lists add nothing to it.
func (m *Mapping) Shape(path string, v *Value, known ...Fields) {
	m.shape(&place{name: path}, v, known...)
}

// place is where a value stands. The path of one is put together only to be noted.
type place struct {
	up   *place
	name string
}

func (p *place) path() string {
	if p.up == nil {
		return p.name
	}
	above := p.up.path()
	if above != "" && !strings.HasSuffix(above, ".") {
		above += "."
	}
	return above + p.name
}

func (m *Mapping) shape(at *place, v *Value, known ...Fields) {
	for name, value := range v.Members() {
		here := place{at, name}
		field, ok := fieldOf(known, name)
		switch {
		case ok:
			m.fits(&here, value, &field)
		case IsCode(name):
			m.Note("field", here.path())
		default: // a name that is no name may be data
			m.Note("field", (&place{at, ""}).path())
		}
	}
}

func fieldOf(known []Fields, name string) (Field, bool) {
	for _, fields := range known {
		if field, ok := fields[name]; ok {
			return field, true
		}
	}
	return Field{}, false
}

// fits looks at the value of a field that is known.
func (m *Mapping) fits(at *place, v *Value, f *Field) {
	switch kind := v.Kind(); {
	case !v.Given():
		return
	case !f.takes(kind):
		m.Note("type", at.path())
		return
	case f.inferred:
		m.Note("inferred", at.path())
	}
	if f.members != nil {
		m.shape(at, v, f.members)
	}
	if f.items != nil {
		for item := range v.Items() {
			m.fits(at, item, f.items)
		}
	}
}
