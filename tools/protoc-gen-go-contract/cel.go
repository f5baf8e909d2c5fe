package main

import (
	"errors"
	"fmt"

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
	case operators.Conditional:
		return s.choice(args)
	case operators.Equals, operators.NotEquals, operators.Less, operators.LessEquals, operators.Greater, operators.GreaterEquals:
		return s.compare(args, comparisons[name])
	case operators.In:
		return s.among(args[0], args[1])
	case operators.Has:
		return s.has(args[0])
	case operators.All, operators.Exists:
		return s.items(c)
	case operators.Filter:
		return s.filter(c)
	case "unique":
		return s.unique(c)
	default:
		return s.function(c)
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

// choice is ?:, which Go has not. Both values are looked at, since neither can fail.
func (s scope) choice(args []ast.Expr) (term, error) {
	condition, errC := s.need(truth, args[0])
	a, errA := s.term(args[1])
	b, errB := s.need(a.sort, args[2])
	err := errors.Join(errC, errA, errB)
	if err == nil && a.sort != truth && a.sort != span {
		err = errors.New("a choice of values of this type")
	}
	return term{code: join(proof.Ident("If"), "(", condition.code, ", ", a.code, ", ", b.code, ")"), sort: a.sort, binds: bindsTight}, err
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
	case a.sort == real, a.sort == span:
	case a.sort == instant:
		left, right = join(left, ".Compare(", right, ")"), code{"0"}
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

// function is any other call.
func (s scope) function(c ast.CallExpr) (term, error) {
	name, args := c.FunctionName(), c.Args()
	if c.IsMemberFunction() {
		args = append([]ast.Expr{c.Target()}, args...)
	}
	known, ok := functions[name]
	if !ok {
		return term{}, fmt.Errorf("the function %s", name)
	}
	var terms []term
	for _, arg := range args {
		t, err := s.term(arg)
		if err != nil {
			return term{}, err
		}
		terms = append(terms, t)
	}
	if t, ok := known(s.generator, terms); ok {
		return t, nil
	}
	return term{}, fmt.Errorf("the function %s, of this", name)
}
