package contract

import (
	"fmt"

	"buf.build/go/protovalidate"
	"google.golang.org/protobuf/proto"

	"github.com/kycbridge/kycbridge/internal/contract/generated"
	"github.com/kycbridge/kycbridge/schemas"
	configv1 "github.com/kycbridge/kycbridge/schemas/kycbridge/config/v1"
)

// Validator checks messages of the contract and the configuration against their
// rules. It is safe for concurrent use.
type Validator struct{ rules protovalidate.Validator }

// NewValidator compiles the rules of every message of the contract and of the
// configuration, so that a broken rule is found at start and not in the middle
// of a batch. The validator compiles nothing later: it refuses messages of
// other files. Make one and keep it.
func NewValidator() (*Validator, error) {
	messages := []proto.Message{&configv1.Config{}}
	for _, t := range schemas.Topics() {
		messages = append(messages, t.Message)
	}
	rules, err := protovalidate.New(protovalidate.WithMessages(messages...), protovalidate.WithDisableLazy())
	if err != nil {
		return nil, fmt.Errorf("compile the rules of the contract: %w", err)
	}
	return &Validator{rules}, nil
}

// Validate gives nil for a valid message, else protovalidate's error. Nearly
// every message is provably valid, by code that is generated from the rules;
// whatever is not is protovalidate's to judge.
func (v *Validator) Validate(m proto.Message) error {
	if generated.Valid(m) {
		return nil
	}
	return v.rules.Validate(m)
}
