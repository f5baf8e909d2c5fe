package providers

import (
	"cmp"
	"iter"
	"slices"
	"strings"
)

// Kind is the kind of a JSON value.
type Kind uint8

// The kinds. Absent is what a path leads to where there is nothing.
const (
	Absent Kind = iota
	Null
	Bool
	Number
	String
	Object
	Array
)

func (k Kind) String() string {
	return [...]string{"nothing", "null", "a boolean", "a number", "a string", "an object", "an array"}[k]
}

// Value is a JSON value as ReadObject builds it. All methods may be called on
// nil, which is an absent value, so paths need no checks on the way. Read-only
// after it is built.
type Value struct {
	kind     Kind
	text     string   // content of a string, number as written, "true" or "false"
	children []member // object: sorted by name, unique; array: in order, unnamed
}

type member struct {
	name  string
	value Value
}

// Kind returns the kind, Absent for nil.
func (v *Value) Kind() Kind {
	if v == nil {
		return Absent
	}
	return v.kind
}

// At follows names through objects; nil where one is missing.
func (v *Value) At(names ...string) *Value {
	for _, name := range names {
		v = v.get(name)
	}
	return v
}

// fewMembers is the number up to which looking through is faster than searching.
const fewMembers = 24

func (v *Value) get(name string) *Value {
	if v.Kind() != Object {
		return nil
	}
	if len(v.children) <= fewMembers {
		for i := range v.children {
			if m := &v.children[i]; m.name == name {
				return &m.value
			}
		}
		return nil
	}
	i, ok := slices.BinarySearchFunc(v.children, name, func(m member, name string) int {
		return cmp.Compare(m.name, name)
	})
	if !ok {
		return nil
	}
	return &v.children[i].value
}

// Given reports whether something is said: the value is there, and neither null nor a
// text of blanks alone, which no method tells from one that is absent.
func (v *Value) Given() bool { return v.Kind() > Null && !v.blank() }

func (v *Value) blank() bool { return v.kind == String && strings.TrimSpace(v.text) == "" }

// Text is the content of a string; "" for anything else.
func (v *Value) Text() string {
	if v.Kind() != String || v.blank() {
		return ""
	}
	return v.text
}

// Scalar is the content of a string, a number as written, "true" or "false"; ""
// for anything else.
func (v *Value) Scalar() string {
	if v == nil || v.blank() {
		return ""
	}
	return v.text
}

// True reports whether the value is the boolean true.
func (v *Value) True() bool { return v.Kind() == Bool && v.text == "true" }

// Flag is a boolean as a word, "true" or "false"; "" for anything else.
func (v *Value) Flag() string {
	if v.Kind() != Bool {
		return ""
	}
	return v.text
}

// maxID is the longest id that events and keys carry, in bytes.
const maxID = 256

// ID is an id, a string or a number as written, as IDOf lets it leave. "" for anything
// else.
func (v *Value) ID() string {
	if k := v.Kind(); k != String && k != Number {
		return ""
	}
	return IDOf(v.text)
}

// Members yields the names and values of an object, in the order of the names.
func (v *Value) Members() iter.Seq2[string, *Value] {
	return func(yield func(string, *Value) bool) {
		if v.Kind() != Object {
			return
		}
		for i := range v.children {
			if !yield(v.children[i].name, &v.children[i].value) {
				return
			}
		}
	}
}

// Items yields the elements of an array.
func (v *Value) Items() iter.Seq[*Value] {
	return func(yield func(*Value) bool) {
		if v.Kind() != Array {
			return
		}
		for i := range v.children {
			if !yield(&v.children[i].value) {
				return
			}
		}
	}
}

// lastOfEach are copies of the members, sorted by name, the last of equal names:
// the answer that encoding/json, JavaScript and Python give to a repeated name. It
// sorts numbers in place of members, which are large and full of pointers.
func lastOfEach(ms []member) []member {
	if len(ms) == 0 {
		return nil
	}
	var room [32]int
	order := room[:0]
	for i := range ms {
		order = append(order, i)
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Or(cmp.Compare(ms[a].name, ms[b].name), a-b) })
	last := make([]member, 0, len(ms))
	for i, n := range order {
		if i+1 == len(order) || ms[order[i+1]].name != ms[n].name {
			last = append(last, ms[n])
		}
	}
	return last
}
