package providers

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// The limits of a body, beyond its size. Both readers stop at the same byte.
const (
	maxDepth = 64     // nested objects and arrays
	maxItems = 100000 // names and array elements together
)

// reader walks JSON tokens under the limits. Names are exact in case, invalid
// UTF-8 and lone surrogates become U+FFFD, repeated names are allowed.
type reader struct {
	dec   *jsontext.Decoder
	depth int
	items int
}

var byteOrderMark = []byte("\xef\xbb\xbf")

func newReader(body []byte) *reader {
	body = bytes.TrimPrefix(body, byteOrderMark)
	return &reader{dec: jsontext.NewDecoder(bytes.NewBuffer(body),
		jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))}
}

// ReadObject parses a body whose top level must be one object. The error is a
// *Problem, ErrMalformed or ErrRejectedContent.
func ReadObject(body []byte) (*Value, error) {
	r := newReader(body)
	first, err := r.next()
	if err != nil {
		return nil, err
	}
	if first.Kind() != '{' {
		return nil, &Problem{Detail: "the top level is no JSON object", Err: ErrMalformed}
	}
	v, err := r.value(first)
	if err != nil {
		return nil, err
	}
	return &v, r.end()
}

// next reads one token and keeps count of the depth.
func (r *reader) next() (jsontext.Token, error) {
	tok, err := r.dec.ReadToken()
	if err != nil {
		return tok, r.syntax(err)
	}
	switch tok.Kind() {
	case '{', '[':
		if r.depth++; r.depth > maxDepth {
			return tok, &Problem{Detail: fmt.Sprintf("nested deeper than %d", maxDepth), Err: ErrRejectedContent}
		}
	case '}', ']':
		r.depth--
	}
	return tok, nil
}

// item counts one name or array element.
func (r *reader) item() error {
	if r.items++; r.items > maxItems {
		return &Problem{Detail: fmt.Sprintf("more than %d names and array elements", maxItems), Err: ErrRejectedContent}
	}
	return nil
}

// end makes sure that nothing follows the top-level value.
func (r *reader) end() error {
	_, err := r.dec.ReadToken()
	if errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	}
	return &Problem{Detail: fmt.Sprintf("something follows the JSON object, at byte %d", r.dec.InputOffset()), Err: ErrMalformed}
}

// syntax words an error of the decoder anew, since its text quotes the body.
func (r *reader) syntax(err error) error {
	at := r.dec.InputOffset()
	detail := fmt.Sprintf("not JSON after byte %d", at)
	switch {
	case errors.Is(err, io.EOF) && at == 0:
		detail = "the body is empty"
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		detail = fmt.Sprintf("the JSON text breaks off, complete up to byte %d", at)
	}
	return &Problem{Detail: detail, Err: ErrMalformed}
}

// value builds the value that begins with tok.
func (r *reader) value(tok jsontext.Token) (Value, error) {
	switch tok.Kind() {
	case '{':
		return r.object()
	case '[':
		return r.array()
	case '"':
		return Value{kind: String, text: repair(tok.String())}, nil
	case '0':
		return Value{kind: Number, text: tok.String()}, nil
	case 't':
		return Value{kind: Bool, text: "true"}, nil
	case 'f':
		return Value{kind: Bool, text: "false"}, nil
	}
	return Value{kind: Null}, nil
}

func (r *reader) object() (Value, error) {
	members := make([]member, 0, 8)
	for {
		tok, err := r.next()
		if err != nil {
			return Value{}, err
		}
		if tok.Kind() == '}' {
			return Value{kind: Object, children: lastOfEach(members)}, nil
		}
		name := repair(tok.String())
		v, err := r.child()
		if err != nil {
			return Value{}, err
		}
		members = append(members, member{name, v})
	}
}

func (r *reader) array() (Value, error) {
	var members []member
	for {
		if r.dec.PeekKind() == ']' {
			_, err := r.next()
			return Value{kind: Array, children: members}, err
		}
		v, err := r.child()
		if err != nil {
			return Value{}, err
		}
		members = append(members, member{value: v})
	}
}

// child reads the value of a name, or an array element.
func (r *reader) child() (Value, error) {
	if err := r.item(); err != nil {
		return Value{}, err
	}
	tok, err := r.next()
	if err != nil {
		return Value{}, err
	}
	return r.value(tok)
}

// repair takes NUL out; the decoder has replaced what is no UTF-8.
func repair(s string) string {
	if strings.IndexByte(s, 0) < 0 {
		return s
	}
	return strings.ReplaceAll(s, "\x00", "\ufffd")
}
