package registry

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/sr"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/kycbridge/kycbridge/internal/contract"
	"github.com/kycbridge/kycbridge/internal/record"
)

// idHeader is the header in which Confluent's newer clients look for the id of a value's schema before they look for
// it in front of the value.
const idHeader = "__value_schema_id"

// ErrUnregistered: a registry lacks schemas that events would be written with.
var ErrUnregistered = errors.New("schemas are not registered")

// Encoder writes domain events with the ids that a registry gave their schemas when it was made, either in front of
// the values or in a header beside them. It reads both, and plain protobuf.
type Encoder struct {
	contract.Protobuf
	inHeader bool
	schemas  map[protoreflect.FullName]registered
}

// registered is a schema of a topic with what each value or each record says of it.
type registered struct {
	frame   []byte // magic byte, id, and the place of the message in its file: the first
	subject string
	version int
}

// Place is where the id of a value's schema is written.
type Place int

// The places.
const (
	Nowhere  Place = iota
	InFront        // of the value
	InHeader       // beside it
)

// Use is a registry, and what of it events are written with.
type Use struct {
	Options
	Prefix string // of the topics
	Place  Place
}

// Forms gives forms of which the first, that of the domain topics, has the encoder for the place. It asks the
// registry, and only where there is a place.
func (u Use) Forms(ctx context.Context, forms []contract.Form) ([]contract.Form, error) {
	if u.Place == Nowhere || len(forms) == 0 {
		return forms, nil
	}
	client, err := New(u.Options)
	if err != nil {
		return nil, err
	}
	encoder, err := client.Encoder(ctx, u.Prefix, u.Place)
	if err != nil {
		return nil, fmt.Errorf("events cannot be written without the ids of their schemas: %w", err)
	}
	forms = slices.Clone(forms)
	forms[0].Encoder = encoder
	return forms, nil
}

// Encoder asks for the ids of the schemas of all domain topics with a prefix: those of versions that say what this
// program's own schemas say, and no others.
func (c *Client) Encoder(ctx context.Context, prefix string, place Place) (*Encoder, error) {
	contract, err := Contract(prefix)
	if err != nil {
		return nil, err
	}
	e := &Encoder{inHeader: place == InHeader, schemas: map[protoreflect.FullName]registered{}}
	imports, lacking := map[string]held{}, []string(nil)
	for i := range contract {
		s := &contract[i]
		has, err := c.find(ctx, s, imports, AnyForm)
		if err != nil {
			return nil, err
		}
		imports[s.Path] = has
		if !has.found() {
			lacking = append(lacking, lack(s, has))
			continue
		}
		if s.Message != "" {
			if e.schemas[s.Message], err = newRegistered(s, has.newest); err != nil {
				return nil, err
			}
		}
	}
	if len(lacking) > 0 {
		return nil, fmt.Errorf("%w at %s: %s: run `kycbridge schema register`, and see `kycbridge schema diff`", ErrUnregistered, c.o.URL, strings.Join(lacking, ", "))
	}
	return e, nil
}

func lack(s *Schema, has held) string {
	if has.versions == 0 {
		return "there is no subject " + s.Subject
	}
	return fmt.Sprintf("none of the %d versions of subject %s is the schema of this release", has.versions, s.Subject)
}

func newRegistered(s *Schema, v Version) (registered, error) {
	frame, err := new(sr.ConfluentHeader).AppendEncode(nil, v.ID, []int{0})
	return registered{frame, s.Subject, v.Version}, err
}

// ContentType implements contract.Encoder: with something in front, a value is no protobuf.
func (e *Encoder) ContentType() string {
	if e.inHeader {
		return e.Protobuf.ContentType()
	}
	return "application/octet-stream"
}

// Encode implements contract.Encoder.
func (e *Encoder) Encode(m proto.Message) ([]byte, error) {
	if e.inHeader {
		return e.Protobuf.Encode(m)
	}
	name := m.ProtoReflect().Descriptor().FullName()
	s, ok := e.schemas[name]
	if !ok {
		return nil, fmt.Errorf("%s has no schema id", name)
	}
	return contract.Append(append(make([]byte, 0, len(s.frame)+proto.Size(m)), s.frame...), m)
}

// Headers implements contract.Encoder: the schema in the registry's terms, and its id where the value has none.
func (e *Encoder) Headers(message protoreflect.FullName) []record.Header {
	s, ok := e.schemas[message]
	if !ok {
		return nil
	}
	headers := []record.Header{
		{Key: "ce_schemasubject", Value: []byte(s.subject)},
		{Key: "ce_schemaversion", Value: strconv.AppendInt(nil, int64(s.version), 10)},
	}
	if e.inHeader {
		headers = append(headers, record.Header{Key: idHeader, Value: s.frame})
	}
	return headers
}
