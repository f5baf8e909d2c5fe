package main

import (
	"errors"
	"fmt"
	"strconv"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
)

// items is a condition for all messages of a list, or for one of them.
func (s scope) items(c ast.CallExpr) (term, error) {
	all, item, holds, err := s.each(truth, c)
	if c.FunctionName() == operators.Exists {
		return some(all, item, holds), err
	}
	return not(some(all, item, not(holds))), err
}

func some(all term, item code, holds term) term {
	return term{code: join(containsFunc, "(", all.code, ", func(", item, ") bool { return ", holds.code, " })"), sort: truth, binds: bindsTight}
}

// unique is whether the messages of a list differ in a text.
func (s scope) unique(c ast.CallExpr) (term, error) {
	if !c.IsMemberFunction() || c.Target().Kind() != ast.CallKind || c.Target().AsCall().FunctionName() != operators.Map {
		return term{}, errors.New("unique, of anything but what map gives")
	}
	all, item, key, err := s.each(text, c.Target().AsCall())
	return term{code: join(proof.Ident("Unique"), "(", all.code, ", func(", item, ") string { return ", key.code, " })"), sort: truth, binds: bindsTight}, err
}

// each is what c asks of each message of a list: a term about item, the parameter of a function.
func (s scope) each(want sort, c ast.CallExpr) (all term, item code, of term, err error) {
	name, err := named(c)
	if err != nil {
		return all, nil, of, err
	}
	if all, err = s.need(list, c.Target()); err != nil || all.message == nil {
		return all, nil, of, errors.Join(err, fmt.Errorf("%s, of items that are no messages", c.FunctionName()))
	}
	v := "item" + strconv.Itoa(len(s.names))
	inner := s.with(name, term{code: code{v}, sort: message, binds: bindsTight, message: all.message})
	of, err = inner.need(want, c.Args()[1])
	return all, code{v, " *", all.message.GoIdent}, of, err
}

// named is the name by which c, one of the functions of items, asks about one.
func named(c ast.CallExpr) (string, error) {
	if !c.IsMemberFunction() || len(c.Args()) != 2 || c.Args()[0].Kind() != ast.IdentKind {
		return "", fmt.Errorf("%s, used otherwise than with one name", c.FunctionName())
	}
	return c.Args()[0].AsIdent(), nil
}

// filter chooses from the items of a list that is written out.
func (s scope) filter(c ast.CallExpr) (term, error) {
	name, err := named(c)
	if err != nil {
		return term{}, err
	}
	if c.Target().Kind() != ast.ListKind {
		return term{}, errors.New("filter, of anything but a list that is written out")
	}
	t := term{code: join(proof.Ident("Count"), "("), sort: chosen, binds: bindsTight}
	for i, e := range c.Target().AsList().Elements() {
		item, err := s.term(e)
		if err != nil {
			return term{}, err
		}
		holds, err := s.with(name, item).need(truth, c.Args()[1])
		if err != nil {
			return term{}, err
		}
		if i > 0 {
			t.code = join(t.code, ", ")
		}
		t.code = join(t.code, holds.code)
	}
	t.code = join(t.code, ")")
	return t, nil
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
