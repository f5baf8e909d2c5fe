package providers

import (
	"bytes"
	"sync"
)

// tree builds values in one pass.
type tree struct {
	pass
	text  string   // the body
	open  []member // members of the objects and arrays that are not closed yet
	order []int32  // scratch of settle
	room  []member // where the members of closed ones stay
}

// trees are kept for reuse, without anything of a body in them.
var trees = sync.Pool{New: func() any { return &tree{} }}

// maxRoom bounds the members that room is made for before they are seen.
const maxRoom = 256

// readPass is ReadObject for a body that one pass can read.
func readPass(body []byte) (*Value, bool) {
	t := trees.Get().(*tree)
	defer t.done()
	t.pass = pass{body: body}
	t.text = string(body)
	t.room = make([]member, 0, min(bytes.Count(body, []byte{','})+bytes.Count(body, []byte{'{'})+bytes.Count(body, []byte{'['}), maxRoom))
	if t.next() != '{' {
		return nil, false
	}
	v, ok := t.object()
	if !ok || !t.ended() {
		return nil, false
	}
	return &v, true
}

func (t *tree) done() {
	clear(t.open[:cap(t.open)])
	t.pass, t.text, t.open, t.room = pass{}, "", t.open[:0], nil
	if cap(t.open) <= maxKept {
		trees.Put(t)
	}
}

// value builds the value that begins with c.
func (t *tree) value(c byte) (v Value, ok bool) {
	from := t.at
	switch c {
	case '{':
		return t.object()
	case '[':
		return t.array()
	case '"':
		v.kind = String
		v.text, ok = t.string()
		return v, ok
	case 'n':
		return Value{kind: Null}, t.scalar(c)
	case 't', 'f':
		v.kind = Bool
	default:
		v.kind = Number
	}
	ok = t.scalar(c)
	v.text = t.text[from:t.at]
	return v, ok
}

func (t *tree) object() (v Value, ok bool) {
	from := len(t.open)
	if !t.enter() {
		return v, false
	}
	if t.next() == '}' {
		return t.closed(Object, from), t.leave()
	}
	for more := true; more; {
		m := member{}
		if m.name, ok = t.name(); !ok {
			return v, false
		}
		if m.value, ok = t.value(t.next()); !ok {
			return v, false
		}
		t.open = append(t.open, m)
		if more, ok = t.more('}'); !ok {
			return v, false
		}
	}
	return t.closed(Object, from), true
}

func (t *tree) array() (v Value, ok bool) {
	from := len(t.open)
	if !t.enter() {
		return v, false
	}
	if t.next() == ']' {
		return t.closed(Array, from), t.leave()
	}
	for more := true; more; {
		m := member{}
		if !t.item() {
			return v, false
		}
		if m.value, ok = t.value(t.next()); !ok {
			return v, false
		}
		t.open = append(t.open, m)
		if more, ok = t.more(']'); !ok {
			return v, false
		}
	}
	return t.closed(Array, from), true
}

// closed moves the members from there on to where they stay.
func (t *tree) closed(kind Kind, from int) Value {
	members := t.open[from:]
	t.open = t.open[:from]
	if len(members) == 0 {
		return Value{kind: kind}
	}
	if cap(t.room)-len(t.room) < len(members) {
		t.room = make([]member, 0, max(len(members), maxRoom/4))
	}
	begin := len(t.room)
	if kind == Object {
		t.room, t.order = settle(t.room, members, t.order)
	} else {
		t.room = append(t.room, members...)
	}
	return Value{kind: kind, children: t.room[begin:len(t.room):len(t.room)]}
}

func (t *tree) string() (string, bool) {
	text, plain, ok := t.content()
	if plain {
		return t.text[t.at-1-len(text) : t.at-1], ok
	}
	return string(text), ok
}

func (t *tree) name() (string, bool) {
	if t.next() != '"' {
		return "", false
	}
	name, ok := t.string()
	if !ok || !t.colon() {
		return "", false
	}
	return name, true
}
