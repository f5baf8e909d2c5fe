package contract

import (
	"fmt"

	"buf.build/go/protovalidate"
	"google.golang.org/protobuf/proto"

	"github.com/kycbridge/kycbridge/schemas"
	configv1 "github.com/kycbridge/kycbridge/schemas/kycbridge/config/v1"
)

// NewValidator compiles the rules of every message of the contract and of the
// configuration, so that a broken rule is found at start and not in the middle
// of a batch. The validator compiles nothing later: it refuses messages of
// other files. What is surely sound it passes over, see quick. It is safe for
// concurrent use; make one and keep it.
func NewValidator() (protovalidate.Validator, error) {
	messages := []proto.Message{&configv1.Config{}}
	for _, t := range schemas.Topics() {
		messages = append(messages, t.Message)
	}
	v, err := protovalidate.New(protovalidate.WithMessages(messages...), protovalidate.WithDisableLazy())
	if err != nil {
		return nil, fmt.Errorf("compile the rules of the contract: %w", err)
	}
	return newValidator(v, messages), nil
}
