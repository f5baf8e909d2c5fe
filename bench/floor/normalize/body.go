package main

import (
	"bytes"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// body reads one webhook in one pass over its tokens. It is used again for the next one.
type body struct {
	webhook
	dec    *jsontext.Decoder
	err    error    // the first one
	text   []byte   // what the last string says
	out    []byte   // canonical form of what was read
	sorted []byte   // scratch of close
	open   []member // of objects that are not closed yet
}

// member is where one lies in out.
type member struct{ from, name, to int } // name: the end of its name

func newBody() *body { return &body{dec: jsontext.NewDecoder(bytes.NewReader(nil))} }

// read gives what is good until the next call.
func (b *body) read(json []byte) (*webhook, error) {
	b.dec.Reset(bytes.NewBuffer(json), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	b.webhook, b.out, b.open = webhook{}, b.out[:0], b.open[:0]
	b.value(top)
	b.said = b.out
	return &b.webhook, b.err
}

func (b *body) value(at place) {
	switch b.dec.PeekKind() {
	case '{':
		b.object(at)
	case '[':
		b.array(at)
	case '"':
		b.string()
		b.out = appendQuoted(b.out, b.text)
	default:
		b.out = append(b.out, b.raw()...)
	}
}

func (b *body) object(at place) {
	b.token()
	if at == inPayload {
		b.payload = payload{} // a second one replaces the first
	}
	begin, from := len(b.out), len(b.open)
	for b.err == nil && b.dec.PeekKind() != '}' {
		b.member(at)
	}
	b.token()
	b.close(begin, from)
	if at == inPayload {
		b.payload.said = bytes.Clone(b.out[begin:])
	}
}

func (b *body) member(at place) {
	b.string()
	if at.saysNothing(b.text) {
		b.note(b.dec.SkipValue())
		return
	}
	m := member{from: len(b.out)}
	b.out = appendQuoted(b.out, b.text)
	m.name = len(b.out)
	b.out = append(b.out, ':')
	kind, keep := b.dec.PeekKind(), b.field(at, b.text)
	b.value(at.below(b.text))
	m.to = len(b.out)
	b.open = append(b.open, m)
	if keep != nil {
		if *keep = (text{kind, b.scalar(kind, m)}); kind == '"' && strings.TrimSpace(keep.s) == "" {
			*keep = text{kind: 'n'} // blanks are as null
		}
	}
}

// scalar is the text of the value just read; "" where it has none.
func (b *body) scalar(kind jsontext.Kind, m member) string {
	switch kind {
	case '"':
		return string(b.text)
	case '0', 't', 'f':
		return string(b.out[m.name+1:])
	}
	return ""
}

func (b *body) array(at place) {
	b.token()
	b.out = append(b.out, '[')
	for i := 0; b.err == nil && b.dec.PeekKind() != ']'; i++ {
		if i > 0 {
			b.out = append(b.out, ',')
		}
		b.value(at)
	}
	b.token()
	b.out = append(b.out, ']')
}

// close puts the members of an object in order.
func (b *body) close(begin, from int) {
	name := func(m member) []byte { return b.out[m.from+1 : m.name-1] }
	members := b.open[from:]
	slices.SortStableFunc(members, func(x, y member) int { return bytes.Compare(name(x), name(y)) })
	b.sorted = append(b.sorted[:0], '{')
	for i, m := range members {
		if i+1 < len(members) && bytes.Equal(name(m), name(members[i+1])) {
			continue
		}
		if len(b.sorted) > 1 {
			b.sorted = append(b.sorted, ',')
		}
		b.sorted = append(b.sorted, b.out[m.from:m.to]...)
	}
	b.out, b.open = append(append(b.out[:begin], b.sorted...), '}'), b.open[:from]
}

// string reads a string into text. What is no UTF-8 becomes U+FFFD, and so does NUL.
func (b *body) string() {
	b.text, _ = jsontext.AppendUnquote(b.text[:0], b.raw()) // its error is about what it replaced
	if bytes.IndexByte(b.text, 0) >= 0 {
		b.text = bytes.ReplaceAll(b.text, []byte{0}, []byte("\ufffd"))
	}
}

func (b *body) raw() jsontext.Value {
	v, err := b.dec.ReadValue()
	b.note(err)
	return v
}

func (b *body) token() {
	_, err := b.dec.ReadToken()
	b.note(err)
}

func (b *body) note(err error) {
	if b.err == nil {
		b.err = err
	}
}

// appendQuoted escapes only what JSON demands.
func appendQuoted(b, text []byte) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	for _, c := range text {
		switch {
		case c < ' ':
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		default:
			b = append(b, c)
		}
	}
	return append(b, '"')
}
