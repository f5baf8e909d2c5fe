package contract

import (
	"errors"
	"fmt"
	"sync"

	"buf.build/go/protovalidate"
	"google.golang.org/protobuf/proto"

	"github.com/kycbridge/kycbridge/internal/contract/generated"
	"github.com/kycbridge/kycbridge/schemas"
)

// Rules judge messages. An error is a *Violation, the first rule that a message breaks,
// or else a fault of the rules themselves.
type Rules interface {
	Validate(m proto.Message) error
}

// Validator is the Rules of every message of the contract. It is safe for concurrent
// use. Make one and keep it.
//
// Nearly every message is provably valid, by code that is generated from the rules.
// Only the first that is not makes the rules themselves be compiled, which takes a
// tenth of a second and some megabytes: that they compile is known from tests.
type Validator struct {
	compiled func() (protovalidate.Validator, error)
}

// NewValidator compiles nothing yet.
func NewValidator() *Validator { return &Validator{sync.OnceValues(compile)} }

// compile knows every message there is, and refuses those of other files.
func compile() (protovalidate.Validator, error) {
	var messages []proto.Message
	for _, t := range schemas.Topics() {
		messages = append(messages, t.Message)
	}
	return protovalidate.New(protovalidate.WithMessages(messages...), protovalidate.WithDisableLazy())
}

// Validate implements Rules.
func (v *Validator) Validate(m proto.Message) error {
	if generated.Valid(m) {
		return nil
	}
	rules, err := v.compiled()
	if err == nil {
		err = rules.Validate(m)
	}
	if err == nil {
		return nil
	}
	var broken *protovalidate.ValidationError
	if !errors.As(err, &broken) || len(broken.Violations) == 0 {
		return fmt.Errorf("the validation rules of %s cannot be applied: %w", nameOf(m), err)
	}
	first := broken.Violations[0].Proto
	return &Violation{Field: protovalidate.FieldPathString(first.GetField()), Rule: first.GetRuleId(), all: broken}
}

// Violation is a message that breaks a rule of the contract.
type Violation struct {
	Field string // its path; "" for a rule of the message as a whole
	Rule  string // its id
	all   error
}

// Error quotes nothing of the message.
func (v *Violation) Error() string {
	if v.Field == "" {
		return "breaks the rule " + v.Rule
	}
	return v.Field + " breaks the rule " + v.Rule
}

// Unwrap gives protovalidate's error, with every rule that is broken.
func (v *Violation) Unwrap() error { return v.all }

func nameOf(m proto.Message) string { return string(m.ProtoReflect().Descriptor().FullName()) }
