package providers

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

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
	text  string   // the body
	last  int64    // where the token before the current one ended
	open  []member // members of the objects and arrays that are not closed yet
	depth int
	items int
}

// readers are kept for reuse: a decoder costs more to make than to run.
var readers = sync.Pool{New: func() any { return &reader{dec: jsontext.NewDecoder(strings.NewReader(""))} }}

// maxKept is the room for open members that a kept reader may hold.
const maxKept = 256

var byteOrderMark = []byte("\xef\xbb\xbf")

func newReader(body []byte) *reader {
	body = bytes.TrimPrefix(body, byteOrderMark)
	r := readers.Get().(*reader)
	r.dec.Reset(bytes.NewBuffer(body), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	r.text, r.depth, r.items = string(body), 0, 0
	return r
}

// done gives a reader back, without anything of the body in it.
func (r *reader) done() {
	r.dec.Reset(strings.NewReader(""))
	clear(r.open[:cap(r.open)])
	r.text, r.open = "", r.open[:0]
	if cap(r.open) <= maxKept {
		readers.Put(r)
	}
}

// ReadObject parses a body whose top level must be one object. The error is a
// *Problem, ErrMalformed or ErrRejectedContent.
func ReadObject(body []byte) (v *Value, err error) {
	r := newReader(body)
	defer r.done()
	err = r.scan(func() error {
		read, err := r.whole()
		v = &read
		return err
	})
	if err != nil {
		return nil, err
	}
	return v, nil
}

var errNoObject = &Problem{Detail: "the top level is no JSON object", Err: ErrMalformed}

// next reads one token and keeps count of the depth.
func (r *reader) next() (jsontext.Token, error) {
	r.last = r.dec.InputOffset()
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
		return Value{kind: String, text: r.string(tok)}, nil
	case '0':
		return Value{kind: Number, text: r.source()}, nil
	case 't':
		return Value{kind: Bool, text: "true"}, nil
	case 'f':
		return Value{kind: Bool, text: "false"}, nil
	}
	return Value{kind: Null}, nil
}

func (r *reader) object() (Value, error) {
	from := len(r.open)
	for {
		tok, err := r.next()
		if err != nil {
			return Value{}, err
		}
		if tok.Kind() == '}' {
			return r.closed(Object, from), nil
		}
		name := r.string(tok)
		v, err := r.child()
		if err != nil {
			return Value{}, err
		}
		r.open = append(r.open, member{name, v})
	}
}

func (r *reader) array() (Value, error) {
	from := len(r.open)
	for {
		if r.dec.PeekKind() == ']' {
			_, err := r.next()
			return r.closed(Array, from), err
		}
		v, err := r.child()
		if err != nil {
			return Value{}, err
		}
		r.open = append(r.open, member{value: v})
	}
}

// closed moves the members from there on into a value of their own.
func (r *reader) closed(kind Kind, from int) Value {
	members := r.open[from:]
	r.open = r.open[:from]
	if kind == Object {
		return Value{kind: kind, children: lastOfEach(members)}
	}
	return Value{kind: kind, children: slices.Clone(members)}
}

// child reads the value of a name, or an array element.
func (r *reader) child() (Value, error) {
	if err := r.item(); err != nil {
		return Value{}, err
	}
	return r.whole()
}

// whole reads the value that comes next.
func (r *reader) whole() (Value, error) {
	tok, err := r.next()
	if err != nil {
		return Value{}, err
	}
	return r.value(tok)
}

// string is the content of a string token. Most are a part of the body as it is
// and cost nothing; the others are unescaped and repaired.
func (r *reader) string(tok jsontext.Token) string {
	src := r.source()
	if src = src[1 : len(src)-1]; strings.IndexByte(src, '\\') < 0 && utf8.ValidString(src) {
		return src
	}
	return repair(tok.String())
}

// source is the current token as written, without the white space and the comma
// or colon in front of it.
func (r *reader) source() string {
	src := r.text[r.last:r.dec.InputOffset()]
	for i := range len(src) {
		switch src[i] {
		case ' ', '\t', '\r', '\n', ',', ':':
		default:
			return src[i:]
		}
	}
	return ""
}

// repair takes NUL out; the decoder has replaced what is no UTF-8.
func repair(s string) string {
	if strings.IndexByte(s, 0) < 0 {
		return s
	}
	return strings.ReplaceAll(s, "\x00", "\ufffd")
}
