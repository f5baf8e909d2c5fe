package canary

import (
	"bytes"
	"encoding/json"
	"iter"
	"maps"
	"slices"
	"strings"
)

// Spot is one place of a body in which a canary can be put.
type Spot struct {
	// Path leads there by names joined by dots; an element of an array has an empty name. "(name)" in front says
	// that the name itself is replaced, "(more)" that the object gets one more member.
	Path string
	// Personal: what stands there bears the Mark, so nothing from there may leave at all.
	Personal bool
	// With is the body with a text there instead. It may be called until the next spot is asked for.
	With func(text string) []byte
}

// Spots are all places of a JSON object: each value, whatever it is, each name, and one more member in each
// object. What is no JSON object has none.
func Spots(body []byte) iter.Seq[Spot] {
	return func(yield func(Spot) bool) {
		d := json.NewDecoder(bytes.NewReader(body))
		d.UseNumber() // numbers that are not replaced stay as they are
		var doc map[string]any
		if d.Decode(&doc) != nil || doc == nil {
			return
		}
		p := planter{doc: doc, yield: yield}
		_ = p.object(doc, "")
	}
}

// planter walks a document. Its methods report whether to go on.
type planter struct {
	doc   map[string]any
	yield func(Spot) bool
}

func (p planter) object(o map[string]any, path string) bool {
	for _, name := range slices.Sorted(maps.Keys(o)) {
		value, at := o[name], strings.TrimPrefix(path+"."+name, ".")
		here := p.yield(Spot{at, marked(value), func(text string) []byte {
			o[name] = text
			defer func() { o[name] = value }()
			return p.written()
		}}) && p.yield(Spot{"(name) " + at, false, func(text string) []byte {
			delete(o, name)
			o[text] = value
			defer func() { delete(o, text); o[name] = value }()
			return p.written()
		}})
		if !here || !p.inside(value, at) {
			return false
		}
	}
	return p.yield(Spot{"(more) " + path, false, func(text string) []byte {
		o[text] = text
		defer delete(o, text)
		return p.written()
	}})
}

func (p planter) inside(value any, path string) bool {
	switch v := value.(type) {
	case map[string]any:
		return p.object(v, path)
	case []any:
		for i, item := range v {
			ok := p.yield(Spot{path + ".", marked(item), func(text string) []byte {
				v[i] = text
				defer func() { v[i] = item }()
				return p.written()
			}})
			if !ok || !p.inside(item, path+".") {
				return false
			}
		}
	}
	return true
}

func (p planter) written() []byte {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	_ = e.Encode(p.doc) // what was decoded can be encoded
	return bytes.TrimSuffix(out.Bytes(), []byte("\n"))
}

// marked reports whether a value is a text that could identify a person.
func marked(value any) bool {
	text, ok := value.(string)
	return ok && strings.Contains(strings.ToUpper(text), Mark)
}
