package main

import (
	"errors"
	"fmt"
	"strconv"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
)

func (s scope) call(c ast.CallExpr) (term, error) {
	args := c.Args()
	switch name := c.FunctionName(); name {
	case operators.LogicalAnd:
		return s.both(args, " && ", bindsAnd)
	case operators.LogicalOr:
		return s.both(args, " || ", bindsOr)
	case operators.LogicalNot:
		t, err := s.need(truth, args[0])
		return not(t), err
	case operators.Equals, operators.NotEquals, operators.Less, operators.LessEquals, operators.Greater, operators.GreaterEquals:
		return s.compare(args, comparisons[name])
	case operators.In:
		return s.among(args[0], args[1])
	case operators.Has:
		return s.has(args[0])
	case operators.All, operators.Exists:
		return s.items(c)
	case "size", "matches":
		if c.IsMemberFunction() {
			args = append([]ast.Expr{c.Target()}, args...)
		}
		return s.function(name, args)
	default:
		return term{}, fmt.Errorf("the function %s", name)
	}
}

func (s scope) both(args []ast.Expr, operator string, binds int) (term, error) {
	a, errA := s.need(truth, args[0])
	b, errB := s.need(truth, args[1])
	return term{code: join(a.in(binds), operator, b.in(binds)), sort: truth, binds: binds}, errors.Join(errA, errB)
}

func not(t term) term {
	if t.negates != nil {
		return *t.negates
	}
	return term{code: join("!", t.in(bindsTight)), sort: truth, binds: bindsTight, negates: &t}
}

var comparisons = map[string]string{
	operators.Equals: " == ", operators.NotEquals: " != ",
	operators.Less: " < ", operators.LessEquals: " <= ", operators.Greater: " > ", operators.GreaterEquals: " >= ",
}

func (s scope) compare(args []ast.Expr, operator string) (term, error) {
	a, errA := s.term(args[0])
	b, errB := s.need(a.sort, args[1])
	if err := errors.Join(errA, errB); err != nil {
		return term{}, err
	}
	return comparison(a, b, operator)
}

// comparison is about two terms of one sort.
func comparison(a, b term, operator string) (term, error) {
	equality := operator == " == " || operator == " != "
	left, right := a.in(bindsTight), b.in(bindsTight)
	switch {
	case a.sort == number:
		left, right = sized(a, b), sized(b, a)
	case !equality || a.sort != truth && a.sort != text:
		return term{}, errors.New("a comparison of values of this type")
	}
	return term{code: join(left, operator, right), sort: truth, binds: bindsCompare}, nil
}

// among compares with each item of a list that is written out.
func (s scope) among(e, items ast.Expr) (term, error) {
	t, err := s.term(e)
	if err != nil || items.Kind() != ast.ListKind || len(items.AsList().Elements()) == 0 {
		return term{}, errors.Join(err, errors.New("in, with anything but a list that is written out"))
	}
	var equal []code
	for _, item := range items.AsList().Elements() {
		other, err := s.need(t.sort, item)
		if err != nil {
			return term{}, err
		}
		one, err := comparison(t, other, " == ")
		if err != nil {
			return term{}, err
		}
		equal = append(equal, one.code)
	}
	return term{code: anyOf(equal), sort: truth, binds: bindsOr}, nil
}

// has reports whether a field is set that can be unset.
func (s scope) has(e ast.Expr) (term, error) {
	of, f, err := s.field(e)
	if err != nil {
		return term{}, err
	}
	switch v := join(of.code, ".", f.GoName, " != nil"); {
	case !f.Desc.HasPresence():
		return term{}, errors.New("has, of a field that is always there")
	case of.set:
		return term{code: v, sort: truth, binds: bindsCompare}, nil
	default:
		return term{code: join(of.code, " != nil && ", v), sort: truth, binds: bindsAnd}, nil
	}
}

func (s scope) function(name string, args []ast.Expr) (term, error) {
	if len(args) == 0 {
		return term{}, fmt.Errorf("the function %s, of nothing", name)
	}
	t, err := s.term(args[0])
	switch {
	case err != nil:
		return term{}, err
	case name == "matches" && len(args) == 2 && t.sort == text && args[1].Kind() == ast.LiteralKind:
		pattern, _ := args[1].AsLiteral().Value().(string)
		if matches, ok := s.patterns.named(pattern); ok {
			return term{code: join(matches, "(", t.code, ")"), sort: truth, binds: bindsTight}, nil
		}
	case name == "size" && len(args) == 1 && t.sort == text:
		return term{code: join(runeCount, "(", t.code, ")"), sort: number, binds: bindsTight}, nil
	case name == "size" && len(args) == 1 && (t.sort == octets || t.sort == list || t.sort == pairs):
		return term{code: join("len(", t.code, ")"), sort: number, binds: bindsTight}, nil
	}
	return term{}, fmt.Errorf("the function %s, of this", name)
}

// items is a condition for all messages of a list, or for one of them.
func (s scope) items(c ast.CallExpr) (term, error) {
	if !c.IsMemberFunction() || len(c.Args()) != 2 || c.Args()[0].Kind() != ast.IdentKind {
		return term{}, fmt.Errorf("%s, used otherwise than with one name", c.FunctionName())
	}
	all, err := s.need(list, c.Target())
	if err != nil || all.message == nil {
		return term{}, errors.Join(err, errors.New("a condition on items that are no messages"))
	}
	v := "item" + strconv.Itoa(len(s.names))
	inner := s.with(c.Args()[0].AsIdent(), term{code: code{v}, sort: message, binds: bindsTight, message: all.message})
	holds, err := inner.need(truth, c.Args()[1])
	if c.FunctionName() == operators.Exists {
		return some(all, v, holds), err
	}
	return not(some(all, v, not(holds))), err
}

// with adds a name.
func (s scope) with(name string, t term) scope {
	names := map[string]term{name: t}
	for other, t := range s.names {
		if other != name {
			names[other] = t
		}
	}
	return scope{s.generator, names}
}

func some(all term, v string, holds term) term {
	return term{code: join(containsFunc, "(", all.code, ", func(", v, " *", all.message.GoIdent, ") bool { return ", holds.code, " })"), sort: truth, binds: bindsTight}
}
