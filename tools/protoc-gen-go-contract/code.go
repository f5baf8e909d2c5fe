package main

import (
	"google.golang.org/protobuf/compiler/protogen"
)

// code is a piece of Go in which names of other packages are not resolved yet: a file imports only what is
// printed into it.
type code []any

// join makes one piece of several, of texts, and of numbers.
func join(parts ...any) (c code) {
	for _, p := range parts {
		if inner, ok := p.(code); ok {
			c = append(c, inner...)
			continue
		}
		c = append(c, p)
	}
	return c
}

// anyOf is true where one of the conditions is.
func anyOf(conditions []code) (c code) {
	for i, one := range conditions {
		if i > 0 {
			c = append(c, " || ")
		}
		c = append(c, one...)
	}
	return c
}

// unproven ends a proof where a condition is true.
func unproven(condition code) []code {
	return []code{join("if ", condition, " {"), {"return false"}, {"}"}}
}

// Names of other packages that are written.
var (
	runeCount    = protogen.GoImportPath("unicode/utf8").Ident("RuneCountInString")
	containsFunc = protogen.GoImportPath("slices").Ident("ContainsFunc")
	hasPrefix    = protogen.GoImportPath("strings").Ident("HasPrefix")
	second       = protogen.GoImportPath("time").Ident("Second")
	timeDuration = protogen.GoImportPath("time").Ident("Duration")
	onceValue    = protogen.GoImportPath("sync").Ident("OnceValue")
	regularExpr  = protogen.GoImportPath("regexp").Ident("Regexp")
	mustCompile  = protogen.GoImportPath("regexp").Ident("MustCompile")
	appendVarint = protogen.GoImportPath("google.golang.org/protobuf/encoding/protowire").Ident("AppendVarint")
	appendBytes  = protogen.GoImportPath("google.golang.org/protobuf/encoding/protowire").Ident("AppendBytes")
	protoMessage = protogen.GoImportPath("google.golang.org/protobuf/proto").Ident("Message")
)

// What is written by hand: the parts of the protobuf format that take more than an append, and those of rules
// that take more than an operator.
const (
	wire  = protogen.GoImportPath("github.com/kycbridge/kycbridge/internal/contract/wire")
	proof = protogen.GoImportPath("github.com/kycbridge/kycbridge/internal/contract/proof")
)
