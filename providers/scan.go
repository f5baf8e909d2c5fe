package providers

import "bytes"

// ScanID reads the id at a path of names without building a tree: exactly what
// ReadObject(body) and At(path...).ID() would give, "" where they would fail. It
// reads to the end, because a later repeated name replaces an earlier one.
func ScanID(body []byte, path ...string) string {
	p := pass{body: bytes.TrimPrefix(body, byteOrderMark)}
	if p.next() == '{' {
		if id, ok := p.find('{', path); ok && p.ended() {
			return id
		}
	}
	v, err := readTokens(body)
	if err != nil {
		return ""
	}
	return v.At(path...).ID()
}

// ScanIDs asks of each name at the top of a body where the id that is its value is
// to go, nil where it is not wanted: ScanID for several names at once. It returns
// false, and what it wrote means nothing, where ReadObject would fail.
func ScanIDs(body []byte, where func(name []byte) *string) bool {
	p := pass{body: bytes.TrimPrefix(body, byteOrderMark)}
	if p.next() == '{' && p.each(where) && p.ended() {
		return true
	}
	v, err := readTokens(body)
	for name, value := range v.Members() {
		if to := where([]byte(name)); to != nil {
			*to = value.ID()
		}
	}
	return err == nil
}

func (p *pass) each(where func(name []byte) *string) bool {
	if !p.enter() {
		return false
	}
	if p.next() == '}' {
		return p.leave()
	}
	for more := true; more; {
		name, ok := p.name()
		if !ok {
			return false
		}
		if to := where(name); to != nil {
			*to, ok = p.id(p.next())
		} else {
			ok = p.skip(p.next())
		}
		if !ok {
			return false
		}
		if more, ok = p.more('}'); !ok {
			return false
		}
	}
	return true
}

func (p *pass) name() ([]byte, bool) {
	if p.next() != '"' {
		return nil, false
	}
	name, _, ok := p.content()
	return name, ok && p.colon()
}

// find consumes the value that begins with c and returns the id at path in it.
func (p *pass) find(c byte, path []string) (id string, ok bool) {
	switch {
	case len(path) == 0:
		return p.id(c)
	case c != '{':
		return "", p.skip(c)
	case !p.enter():
		return "", false
	case p.next() == '}':
		return "", p.leave()
	}
	for more := true; more; {
		name, ok := p.name()
		if !ok {
			return "", false
		}
		if hit := string(name) == path[0]; !hit {
			ok = p.skip(p.next())
		} else {
			id, ok = p.find(p.next(), path[1:])
		}
		if !ok {
			return "", false
		}
		if more, ok = p.more('}'); !ok {
			return "", false
		}
	}
	return id, true
}

// id consumes the value that begins with c and returns the id that it is.
func (p *pass) id(c byte) (string, bool) {
	from := p.at
	switch c {
	case '"':
		text, _, ok := p.content()
		if !ok {
			return "", false
		}
		return usableID(string(text)), true
	case '{', '[', 't', 'f', 'n':
		return "", p.skip(c)
	}
	ok := p.number()
	return usableID(string(p.body[from:p.at])), ok
}

// skip consumes the value that begins with c, counting as a tree would.
func (p *pass) skip(c byte) bool {
	switch c {
	case '"':
		_, _, ok := p.content()
		return ok
	case '{', '[':
	default:
		return p.scalar(c)
	}
	end := c + 2 // in ASCII
	if !p.enter() {
		return false
	}
	if p.next() == end {
		return p.leave()
	}
	for more, ok := true, true; more; {
		if c == '{' {
			if _, ok := p.name(); !ok {
				return false
			}
		} else if !p.item() {
			return false
		}
		if !p.skip(p.next()) {
			return false
		}
		if more, ok = p.more(end); !ok {
			return false
		}
	}
	return true
}
