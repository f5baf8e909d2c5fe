package main

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"cel.dev/cel-go/common"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/parser"
	"google.golang.org/protobuf/compiler/protogen"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// The rules of a message as a whole, and some of a field, are expressions in CEL. Ours use little of that
// language: fields, constants, and, or, not, ?:, comparisons, in, has, a few functions, and lists in a few
// places. Of these an expression in Go is made, which has the same value for every message: nothing of it can
// fail at run time, and what is not set has defaults in both. An expression with anything else in it is not
// known.

// sort is what kind of value an expression has.
type sort int

const (
	truth sort = iota + 1
	number
	real
	text
	octets
	span    // of time
	instant // in time
	message
	list
	pairs
	chosen // items of a list, as their number
)

// Messages that are values in CEL.
const (
	duration  = "google.protobuf.Duration"
	timestamp = "google.protobuf.Timestamp"
)

// How tightly the outermost operator of an expression binds in Go.
const (
	bindsOr = iota + 1
	bindsAnd
	bindsCompare
	bindsTight
)

// term is an expression in Go.
type term struct {
	code
	sort
	binds    int
	constant any               // of literals
	message  *protogen.Message // of messages and of lists of them
	set      bool              // a message that is never nil
	negates  *term             // what it is the opposite of
}

// in is a term for use beside an operator that binds like that.
func (t term) in(binds int) code {
	if t.binds < binds {
		return join("(", t.code, ")")
	}
	return t.code
}

// about is the message x, as what an expression calls this.
func about(m *protogen.Message) term {
	return term{code: code{"x"}, sort: message, binds: bindsTight, message: m, set: true}
}

// condition is an expression about this.
func (g *generator) condition(this term, expression string) (term, error) {
	p, err := parser.NewParser() // without macros: has, all and the like stay what is written
	if err != nil {
		return term{}, err
	}
	tree, errs := p.Parse(common.NewTextSource(expression))
	if len(errs.GetErrors()) > 0 {
		return term{}, errors.New("an expression that cannot be parsed")
	}
	return scope{g, map[string]term{"this": this}}.need(truth, tree.Expr())
}

// scope is what an expression can name.
type scope struct {
	*generator
	names map[string]term
}

// need is a term of one sort.
func (s scope) need(want sort, e ast.Expr) (term, error) {
	t, err := s.term(e)
	if err == nil && t.sort != want {
		err = errors.New("a value of an unexpected type")
	}
	return t, err
}

func (s scope) term(e ast.Expr) (term, error) {
	switch e.Kind() {
	case ast.LiteralKind:
		return literal(e.AsLiteral().Value())
	case ast.IdentKind:
		if t, ok := s.names[e.AsIdent()]; ok {
			return t, nil
		}
		return term{}, fmt.Errorf("the name %s", e.AsIdent())
	case ast.SelectKind:
		of, f, err := s.field(e)
		if err != nil {
			return term{}, err
		}
		return read(of, f)
	case ast.CallKind:
		return s.call(e.AsCall())
	}
	return term{}, errors.New("an expression of an unknown kind")
}

func literal(v any) (term, error) {
	t := term{binds: bindsTight, constant: v}
	switch v := v.(type) {
	case bool:
		t.sort, t.code = truth, code{v}
	case int64:
		t.sort, t.code = number, code{v}
	case float64:
		t.sort, t.code = real, code{strconv.FormatFloat(v, 'g', -1, 64)}
	case string:
		t.sort, t.code = text, code{strconv.Quote(v)}
	default:
		return term{}, fmt.Errorf("a constant of type %T", v)
	}
	return t, nil
}

// field is what a path of names leads to, and the message that it is a field of.
func (s scope) field(e ast.Expr) (of term, f *protogen.Field, err error) {
	if e.Kind() != ast.SelectKind {
		return of, nil, errors.New("what is no field")
	}
	if of, err = s.need(message, e.AsSelect().Operand()); err != nil {
		return of, nil, err
	}
	if !s.ours(of.message) { // CEL has types of its own for some of them
		return of, nil, fmt.Errorf("a field of %s", of.message.Desc.FullName())
	}
	for _, f := range of.message.Fields {
		if string(f.Desc.Name()) == e.AsSelect().FieldName() {
			return of, f, nil
		}
	}
	return of, nil, fmt.Errorf("the field %s", e.AsSelect().FieldName())
}

// read is the value of a field, its default where the message or the field is not set.
func read(of term, f *protogen.Field) (term, error) {
	t := term{code: join(of.code, ".Get", f.GoName, "()"), binds: bindsTight}
	if of.set && !isPointer(f.Desc) {
		t.code = join(of.code, ".", f.GoName)
	}
	t.message, t.sort = f.Message, sorts[f.Desc.Kind()]
	switch {
	case f.Desc.IsMap():
		t.sort = pairs
	case f.Desc.IsList():
		t.sort = list
	case t.sort == message && f.Message.Desc.FullName() == duration:
		t.sort, t.code = span, join(t.code, ".AsDuration()")
	case t.sort == message && f.Message.Desc.FullName() == timestamp:
		t.sort, t.code = instant, join(t.code, ".AsTime()")
	case t.sort == 0:
		return term{}, fmt.Errorf("a field of the kind %s", f.Desc.Kind())
	}
	return t, nil
}

// sorts are by kind of field. CEL takes enums for their numbers.
var sorts = map[protoreflect.Kind]sort{
	protoreflect.BoolKind:    truth,
	protoreflect.StringKind:  text,
	protoreflect.BytesKind:   octets,
	protoreflect.Int32Kind:   number,
	protoreflect.Int64Kind:   number,
	protoreflect.EnumKind:    number,
	protoreflect.DoubleKind:  real,
	protoreflect.MessageKind: message,
}

// sized is a number for use beside another one. Go compares numbers of one type, or with a constant that fits.
func sized(t, beside term) code {
	if n, ok := beside.constant.(int64); t.constant != nil || ok && n >= math.MinInt32 && n <= math.MaxInt32 {
		return t.in(bindsTight)
	}
	return join("int64(", t.code, ")")
}

// spanOf is a constant.
func spanOf(d time.Duration) code {
	if d%time.Second == 0 {
		return code{int64(d / time.Second), " * ", second}
	}
	return code{timeDuration, "(", int64(d), ")"}
}
