package contract

import (
	"regexp"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"cel.dev/cel-go/common"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/parser"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// The rules of a message as a whole are expressions in CEL. Those of the contract use little of that
// language: fields, constants, and, or, not, equal, in, has, size, matches, all and exists. Of these
// a condition is made; an expression with anything else in it is left to protovalidate.

// A condition says whether a message keeps a rule; a reading takes one value out of it.
type (
	condition      = func(protoreflect.Message) bool
	reading[T any] = func(protoreflect.Message) T
)

// wholeCheck are the rules of a message as a whole.
func wholeCheck(d protoreflect.MessageDescriptor) (all []condition, known bool) {
	rules, _ := proto.GetExtension(d.Options(), validate.E_Message).(*validate.MessageRules)
	if rules == nil {
		return nil, true
	}
	rules = proto.CloneOf(rules)
	for _, rule := range rules.GetCel() {
		c, ok := conditionOf(rule.GetExpression(), d)
		if !ok {
			return nil, false
		}
		all = append(all, c)
	}
	rules.SetCel(nil)
	return all, proto.Size(rules) == 0
}

func conditionOf(expression string, d protoreflect.MessageDescriptor) (condition, bool) {
	p, err := parser.NewParser() // without macros: has, all and exists stay what is written
	if err != nil {
		return nil, false
	}
	tree, errs := p.Parse(common.NewTextSource(expression))
	if len(errs.GetErrors()) > 0 {
		return nil, false
	}
	return scope{"this", d}.condition(tree.Expr())
}

// scope is the one variable that an expression may name, and the type of its messages.
type scope struct {
	name string
	protoreflect.MessageDescriptor
}

func (s scope) condition(e ast.Expr) (condition, bool) {
	if e.Kind() != ast.CallKind {
		return scalar[bool](s, e)
	}
	call := e.AsCall()
	switch args := call.Args(); call.FunctionName() {
	case operators.LogicalAnd, operators.LogicalOr:
		a, knownA := s.condition(args[0])
		b, knownB := s.condition(args[1])
		if call.FunctionName() == operators.LogicalAnd {
			return func(m protoreflect.Message) bool { return a(m) && b(m) }, knownA && knownB
		}
		return func(m protoreflect.Message) bool { return a(m) || b(m) }, knownA && knownB
	case operators.LogicalNot:
		a, known := s.condition(args[0])
		return func(m protoreflect.Message) bool { return !a(m) }, known
	case operators.Equals:
		return s.equal(args[0], args[1])
	case operators.NotEquals:
		equal, known := s.equal(args[0], args[1])
		return func(m protoreflect.Message) bool { return !equal(m) }, known
	case operators.In:
		return s.in(args[0], args[1])
	case operators.Has:
		f, of, known := s.field(args[0])
		return func(m protoreflect.Message) bool { return of(m).Has(f) }, known && f.HasPresence()
	case "matches":
		return s.matches(call)
	case operators.All, operators.Exists:
		return s.items(call)
	}
	return nil, false
}

// field is what a path of names leads to, and how to come to the message that it is a field of. As in
// CEL, what a message that is not set has are defaults.
func (s scope) field(e ast.Expr) (f protoreflect.FieldDescriptor, of reading[protoreflect.Message], known bool) {
	if e.Kind() != ast.SelectKind {
		return nil, nil, false
	}
	name, from := protoreflect.Name(e.AsSelect().FieldName()), e.AsSelect().Operand()
	if from.Kind() == ast.IdentKind && from.AsIdent() == s.name {
		f = s.Fields().ByName(name)
		return f, func(m protoreflect.Message) protoreflect.Message { return m }, f != nil
	}
	parent, above, known := s.field(from)
	if !known || parent.Message() == nil || parent.Cardinality() == protoreflect.Repeated {
		return nil, nil, false
	}
	f = parent.Message().Fields().ByName(name)
	return f, func(m protoreflect.Message) protoreflect.Message { return above(m).Get(parent).Message() }, f != nil
}

// scalar is a constant or a field of a type that CEL has as T.
func scalar[T bool | int64 | string](s scope, e ast.Expr) (reading[T], bool) {
	if e.Kind() == ast.LiteralKind {
		constant, known := e.AsLiteral().Value().(T)
		return func(protoreflect.Message) T { return constant }, known
	}
	f, of, known := s.field(e)
	if !known || f.Cardinality() == protoreflect.Repeated {
		return nil, false
	}
	read, known := readers[f.Kind()].(func(protoreflect.Value) T)
	if !known {
		return nil, false
	}
	if fast, ok := inStruct[T](f); ok {
		return func(m protoreflect.Message) T {
			m = of(m)
			if v := fast.of(m); v.IsValid() {
				return fast.read(v)
			}
			return read(m.Get(f))
		}, true
	}
	return func(m protoreflect.Message) T { return read(of(m).Get(f)) }, true
}

// readers are by kind of field. CEL takes enums for their numbers.
var readers = map[protoreflect.Kind]any{
	protoreflect.BoolKind:   protoreflect.Value.Bool,
	protoreflect.StringKind: protoreflect.Value.String,
	protoreflect.Int32Kind:  protoreflect.Value.Int,
	protoreflect.Int64Kind:  protoreflect.Value.Int,
	protoreflect.EnumKind:   func(v protoreflect.Value) int64 { return int64(v.Enum()) },
}

func (s scope) equal(a, b ast.Expr) (condition, bool) {
	if c, ok := equality(s, scalar[string], a, b); ok {
		return c, true
	}
	if c, ok := equality(s, scope.number, a, b); ok {
		return c, true
	}
	return equality(s, scope.condition, a, b)
}

func equality[T comparable](s scope, read func(scope, ast.Expr) (reading[T], bool), a, b ast.Expr) (condition, bool) {
	left, knownLeft := read(s, a)
	right, knownRight := read(s, b)
	return func(m protoreflect.Message) bool { return left(m) == right(m) }, knownLeft && knownRight
}

// number is also the size of a list.
func (s scope) number(e ast.Expr) (reading[int64], bool) {
	if e.Kind() != ast.CallKind {
		return scalar[int64](s, e)
	}
	call := e.AsCall()
	if call.FunctionName() != "size" || !call.IsMemberFunction() || len(call.Args()) > 0 {
		return nil, false
	}
	f, of, known := s.field(call.Target())
	return func(m protoreflect.Message) int64 { return int64(of(m).Get(f).List().Len()) }, known && f.IsList()
}

func (s scope) in(e, list ast.Expr) (condition, bool) {
	n, known := s.number(e)
	if !known || list.Kind() != ast.ListKind {
		return nil, false
	}
	among := map[int64]bool{}
	for _, item := range list.AsList().Elements() {
		if item.Kind() != ast.LiteralKind {
			return nil, false
		}
		constant, ok := item.AsLiteral().Value().(int64)
		if !ok {
			return nil, false
		}
		among[constant] = true
	}
	return func(m protoreflect.Message) bool { return among[n(m)] }, true
}

// matches compares with a constant pattern. Most texts are empty, so that is known beforehand.
func (s scope) matches(call ast.CallExpr) (condition, bool) {
	if !call.IsMemberFunction() || len(call.Args()) != 1 || call.Args()[0].Kind() != ast.LiteralKind {
		return nil, false
	}
	pattern, _ := call.Args()[0].AsLiteral().Value().(string)
	re, err := regexp.Compile(pattern)
	text, known := scalar[string](s, call.Target())
	if err != nil || !known {
		return nil, false
	}
	empty := re.MatchString("")
	return func(m protoreflect.Message) bool {
		t := text(m)
		if t == "" {
			return empty
		}
		return re.MatchString(t)
	}, true
}

// items is a condition for all messages of a list, or for one of them.
func (s scope) items(call ast.CallExpr) (condition, bool) {
	if !call.IsMemberFunction() || len(call.Args()) != 2 || call.Args()[0].Kind() != ast.IdentKind {
		return nil, false
	}
	f, of, known := s.field(call.Target())
	if !known || !f.IsList() || f.Message() == nil {
		return nil, false
	}
	item, known := scope{call.Args()[0].AsIdent(), f.Message()}.condition(call.Args()[1])
	exists := call.FunctionName() == operators.Exists
	return func(m protoreflect.Message) bool {
		list := of(m).Get(f).List()
		for i := range list.Len() {
			if item(list.Get(i).Message()) == exists {
				return exists
			}
		}
		return !exists
	}, known
}
