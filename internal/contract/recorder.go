package contract

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/kycbridge/kycbridge/internal/record"
	"github.com/kycbridge/kycbridge/schemas"
)

// Recorder makes records of events: validated, encoded, and with their headers. It
// is the one place where an event becomes records.
type Recorder struct {
	rules Rules
	forms []form
}

// form is a Form with what its records of each message share.
type form struct {
	encoder Encoder
	convert func(e schemas.DomainEvent) (proto.Message, error)
	kinds   map[protoreflect.FullName]*kind
}

// NewRecorder returns a Recorder that writes every event in each of the forms; none are the
// domain topics in plain protobuf.
func NewRecorder(rules Rules, forms ...Form) Recorder {
	if len(forms) == 0 {
		forms = []Form{Domain(nil)}
	}
	r := Recorder{rules: rules}
	for _, f := range forms {
		if f.Encoder == nil {
			f.Encoder = Protobuf{}
		}
		own := form{f.Encoder, f.Convert, make(map[protoreflect.FullName]*kind, len(f.Topics))}
		for message, topic := range f.Topics {
			own.kinds[message] = newKind(message, topic, f.Encoder)
		}
		r.forms = append(r.forms, own)
	}
	return r
}

// Forms is how many records an event becomes at most.
func (r *Recorder) Forms() int { return len(r.forms) }

// Append makes the records of an event under a key, one for each form that it is written in, in
// their order, and adds them to out. A Violation says that it breaks its rules, ErrUnencodable
// that it cannot be written; any other error is a fault of the rules or of the forms themselves.
//
// Their headers are those of CloudEvents, with room for more.
func (r *Recorder) Append(out []record.Outgoing, e schemas.DomainEvent, key []byte) ([]record.Outgoing, error) {
	if err := r.rules.Validate(e); err != nil {
		return out, err
	}
	from, about := len(out), newAbout(e, key)
	for i := range r.forms {
		f := &r.forms[i]
		m, err := f.message(r.rules, e)
		if err != nil {
			return out[:from], err
		}
		if m == nil {
			continue
		}
		kind, ok := f.kinds[fullName(m)]
		if !ok {
			continue
		}
		value, err := f.encoder.Encode(m)
		if err != nil {
			return out[:from], fmt.Errorf("%w: %w", ErrUnencodable, err)
		}
		out = append(out, record.Outgoing{Topic: kind.topic, Key: key, Value: value, Partition: record.ByKey, Headers: about.headers(kind)})
	}
	if len(out) == from {
		return out, fmt.Errorf("%s is no message of a topic", nameOf(e))
	}
	return out, nil
}

// message is what is written of an event in a form; nil: nothing.
func (f *form) message(rules Rules, e schemas.DomainEvent) (proto.Message, error) {
	if f.convert == nil {
		return e, nil
	}
	m, err := f.convert(e)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnencodable, err)
	}
	if m == nil {
		return nil, nil
	}
	return m, rules.Validate(m)
}

// ErrUnencodable says that a message cannot be written: a text in it is not UTF-8.
var ErrUnencodable = errors.New("cannot be encoded")
