package providers

import (
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// pass goes over a body once, byte by byte, several times as fast as reader takes
// tokens from it. It refuses nothing: where anything is not as it should be, or a
// limit is passed, its methods answer false, and the body is for reader to judge.
// What it does read, reader reads alike.
type pass struct {
	body  []byte
	at    int // where the next byte stands
	depth int
	items int
}

// next passes over white space; 0 at the end.
func (p *pass) next() byte {
	for ; p.at < len(p.body); p.at++ {
		if c := p.body[p.at]; c > ' ' || c != ' ' && c != '\n' && c != '\r' && c != '\t' {
			return c
		}
	}
	return 0
}

// ended says that nothing follows but white space.
func (p *pass) ended() bool { return p.next() == 0 && p.at == len(p.body) }

// enter begins an object or array: false where it would be too deep.
func (p *pass) enter() bool {
	p.at++
	p.depth++
	return p.depth <= maxDepth
}

// leave ends one.
func (p *pass) leave() bool {
	p.at++
	p.depth--
	return true
}

// item counts one name or array element.
func (p *pass) item() bool {
	p.items++
	return p.items <= maxItems
}

// colon passes over the colon behind a name, and counts the name.
func (p *pass) colon() bool {
	if p.next() != ':' || !p.item() {
		return false
	}
	p.at++
	return true
}

// more goes on behind a value: true at a comma, false where end stands or neither.
func (p *pass) more(end byte) (more, ok bool) {
	switch p.next() {
	case ',':
		p.at++
		return true, true
	case end:
		return false, p.leave()
	}
	return false, false
}

// content reads a string and gives what it says: plainly a part of the body, or
// unescaped and repaired.
func (p *pass) content() (text []byte, plain, ok bool) {
	from := p.at
	escaped, ok := p.quoted()
	switch {
	case !ok:
		return nil, false, false
	case !escaped:
		return p.body[from+1 : p.at-1], true, true
	}
	text, err := jsontext.AppendUnquote(nil, p.body[from:p.at])
	if err != nil {
		return nil, false, false
	}
	return []byte(repair(string(text))), false, true
}

// special are the bytes that a string cannot be passed over: its end, escapes,
// control characters and what is beyond ASCII.
var special = func() (s [256]bool) {
	for c := range s {
		s[c] = c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf
	}
	return s
}()

// quoted passes over a string and says whether there are escapes in it.
func (p *pass) quoted() (escaped, ok bool) {
	from, beyond := p.at, false
	for i := from + 1; i < len(p.body); i++ {
		c := p.body[i]
		switch {
		case !special[c]:
		case c == '"':
			p.at = i + 1
			return escaped, !beyond || utf8.Valid(p.body[from:p.at])
		case c == '\\':
			escaped = true
			i++
		case c >= utf8.RuneSelf:
			beyond = true
		default:
			return false, false
		}
	}
	return false, false
}

// scalar passes over a number, true, false or null.
func (p *pass) scalar(c byte) bool {
	switch c {
	case 't':
		return p.word("true")
	case 'f':
		return p.word("false")
	case 'n':
		return p.word("null")
	}
	return p.number()
}

func (p *pass) word(w string) bool {
	if len(p.body)-p.at < len(w) || string(p.body[p.at:p.at+len(w)]) != w {
		return false
	}
	p.at += len(w)
	return true
}

func (p *pass) number() bool {
	if p.peek() == '-' {
		p.at++
	}
	if p.peek() == '0' {
		p.at++
	} else if !p.digits() {
		return false
	}
	if p.peek() == '.' {
		if p.at++; !p.digits() {
			return false
		}
	}
	if p.peek()|0x20 != 'e' {
		return true
	}
	if p.at++; p.peek() == '+' || p.peek() == '-' {
		p.at++
	}
	return p.digits()
}

// peek is the next byte, 0 at the end.
func (p *pass) peek() byte {
	if p.at < len(p.body) {
		return p.body[p.at]
	}
	return 0
}

// digits passes over one digit or more.
func (p *pass) digits() bool {
	from := p.at
	for p.at < len(p.body) && p.body[p.at]-'0' < 10 {
		p.at++
	}
	return p.at > from
}
