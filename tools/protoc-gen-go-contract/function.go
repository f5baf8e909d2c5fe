package main

import (
	"time"
)

// functions are those of CEL that are known, with what they are called on as the first argument. Each is false
// for other arguments than it is known for.
var functions = map[string]func(g *generator, args []term) (term, bool){
	"bytes":      bytesOf,
	"duration":   durationOf,
	"lowerAscii": lowerASCII,
	"matches":    (*generator).matches,
	"size":       size,
	"startsWith": startsWith,
}

// are reports whether arguments are of these sorts.
func are(args []term, sorts ...sort) bool {
	for i, want := range sorts {
		if i >= len(args) || args[i].sort != want {
			return false
		}
	}
	return len(args) == len(sorts)
}

// bytesOf is a text as its bytes, which have the same length in Go.
func bytesOf(_ *generator, args []term) (t term, ok bool) {
	if !are(args, text) {
		return t, false
	}
	return term{code: args[0].code, sort: octets, binds: args[0].binds}, true
}

func durationOf(_ *generator, args []term) (t term, ok bool) {
	if !are(args, text) {
		return t, false
	}
	written, _ := args[0].constant.(string)
	d, err := time.ParseDuration(written)
	return term{code: spanOf(d), sort: span, binds: bindsTight}, err == nil
}

func lowerASCII(_ *generator, args []term) (t term, ok bool) {
	if !are(args, text) {
		return t, false
	}
	return term{code: join(proof.Ident("LowerASCII"), "(", args[0].code, ")"), sort: text, binds: bindsTight}, true
}

func (g *generator) matches(args []term) (t term, ok bool) {
	if !are(args, text, text) {
		return t, false
	}
	pattern, ok := args[1].constant.(string)
	if !ok {
		return t, false
	}
	name, ok := g.patterns.named(pattern)
	return term{code: join(name, "(", args[0].code, ")"), sort: truth, binds: bindsTight}, ok
}

func size(_ *generator, args []term) (t term, ok bool) {
	t = term{sort: number, binds: bindsTight}
	switch {
	case are(args, text):
		t.code = join(runeCount, "(", args[0].code, ")")
	case are(args, octets), are(args, list), are(args, pairs):
		t.code = join("len(", args[0].code, ")")
	case are(args, chosen):
		t.code = args[0].code
	default:
		return t, false
	}
	return t, true
}

func startsWith(_ *generator, args []term) (t term, ok bool) {
	if !are(args, text, text) {
		return t, false
	}
	return term{code: join(hasPrefix, "(", args[0].code, ", ", args[1].code, ")"), sort: truth, binds: bindsTight}, true
}
