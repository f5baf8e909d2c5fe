package providers

import (
	"bytes"
	"strings"
	"sync"
)

// Volatile is a set of paths whose values say nothing, such as pre-signed links:
// two deliveries that differ only there are the same. nil holds no path.
type Volatile map[string]Volatile

// Paths builds a set from dotted paths. Arrays are passed through: "images.link"
// is the link of each image.
func Paths(paths ...string) Volatile {
	root := Volatile{}
	for _, path := range paths {
		at := root
		for name := range strings.SplitSeq(path, ".") {
			next := at[name]
			if next == nil {
				next = Volatile{}
				at[name] = next
			}
			at = next
		}
	}
	return root
}

// leaf reports whether a path of the set ends here.
func (s Volatile) leaf() bool { return s != nil && len(s) == 0 }

// Canonical writes what a value says in one form: names sorted, strings repaired,
// numbers as written, no white space, volatile paths left out. Equal content in
// other bytes has an equal canonical form.
func Canonical(v *Value, without Volatile) []byte {
	b := drafts.Get().(*[]byte)
	*b = appendCanonical((*b)[:0], v, without)
	out := bytes.Clone(*b)
	if cap(*b) <= maxDraft {
		clear(*b)
		drafts.Put(b)
	}
	return out
}

// drafts are kept for reuse, as long as they are no larger than maxDraft: so each
// form is written into room that is large enough, and copied once.
var drafts = sync.Pool{New: func() any { return new([]byte) }}

const maxDraft = 64 << 10

func appendCanonical(b []byte, v *Value, without Volatile) []byte {
	switch v.Kind() {
	case Object:
		return appendObject(b, v, without)
	case Array:
		b = append(b, '[')
		for i := range v.children {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendCanonical(b, &v.children[i].value, without)
		}
		return append(b, ']')
	case String:
		return appendQuoted(b, v.text)
	case Number, Bool:
		return append(b, v.text...)
	}
	return append(b, "null"...)
}

func appendObject(b []byte, v *Value, without Volatile) []byte {
	b = append(b, '{')
	comma := false
	for i := range v.children {
		m := &v.children[i]
		below := without[m.name]
		if below.leaf() {
			continue
		}
		if comma {
			b = append(b, ',')
		}
		comma = true
		b = append(appendQuoted(b, m.name), ':')
		b = appendCanonical(b, &m.value, below)
	}
	return append(b, '}')
}

// appendQuoted escapes only what JSON demands, so that a text has one spelling.
func appendQuoted(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	plain := 0 // what is before it is written
	for i := range len(s) {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		b = append(b, s[plain:i]...)
		plain = i + 1
		if c < ' ' {
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		} else {
			b = append(b, '\\', c)
		}
	}
	return append(append(b, s[plain:]...), '"')
}
