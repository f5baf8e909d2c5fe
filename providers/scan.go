package providers

// ScanID reads the id at a path of names without building a tree: exactly what
// ReadObject(body) and At(path...).ID() would give, "" where they would fail. It
// reads to the end, because a later repeated name replaces an earlier one.
func ScanID(body []byte, path ...string) string { return IDOf(ScanText(body, path...)) }

// ScanText is ScanID for the text as it stands there, a string or a number: for a word
// that is compared and does not leave.
func ScanText(body []byte, path ...string) (text string) {
	r := newReader(body)
	defer r.done()
	if r.scan(func() (err error) { text, err = r.find(path); return err }) != nil {
		return ""
	}
	return text
}

// ScanIDs asks of each name at the top of a body where the id that is its value is
// to go, nil where it is not wanted: ScanID for several names at once. It returns
// false, and what it wrote means nothing, where ReadObject would fail.
func ScanIDs(body []byte, where func(name string) *string) bool {
	r := newReader(body)
	defer r.done()
	return r.scan(func() error {
		return r.members(func(name string) error {
			to := where(name)
			if to == nil {
				return r.skip()
			}
			text, err := r.id()
			*to = IDOf(text)
			return err
		})
	}) == nil
}

// ScanCount counts the elements of the array under a name at the top of a body, without building a tree: what
// ReadObject would find there. 0 where there is none, or ReadObject would fail.
func ScanCount(body []byte, name string) (n int) {
	r := newReader(body)
	defer r.done()
	if r.scan(func() error {
		return r.members(func(found string) error {
			switch {
			case found != name:
				return r.skip()
			case r.dec.PeekKind() != '[':
				n = 0
				return r.skip()
			}
			n = 0
			return r.elements(func() error { n++; return r.skip() })
		})
	}) != nil {
		return 0
	}
	return n
}

// scan reads a body whose top level must be an object, with a reader of that object.
func (r *reader) scan(object func() error) error {
	if r.dec.PeekKind() != '{' {
		_, err := r.next()
		if err == nil {
			err = errNoObject
		}
		return err
	}
	if err := object(); err != nil {
		return err
	}
	return r.end()
}

// find passes over a value and returns the text at a path of names in it.
func (r *reader) find(path []string) (text string, err error) {
	switch {
	case len(path) == 0:
		return r.id()
	case r.dec.PeekKind() != '{':
		return "", r.skip()
	}
	err = r.members(func(name string) (err error) {
		if name != path[0] {
			return r.skip()
		}
		text, err = r.find(path[1:])
		return err
	})
	return text, err
}

// members passes over an object, whose values are passed over by value.
func (r *reader) members(value func(name string) error) error {
	if _, err := r.next(); err != nil {
		return err
	}
	for {
		tok, err := r.next()
		if err != nil || tok.Kind() == '}' {
			return err
		}
		name := r.string(tok)
		if err := r.item(); err != nil {
			return err
		}
		if err := value(name); err != nil {
			return err
		}
	}
}

// id passes over a value and returns the text of a string or a number.
func (r *reader) id() (string, error) {
	if kind := r.dec.PeekKind(); kind != '"' && kind != '0' {
		return "", r.skip()
	}
	tok, err := r.next()
	switch {
	case err != nil:
		return "", err
	case tok.Kind() == '"':
		return r.string(tok), nil
	}
	return r.source(), nil
}

// skip passes over a value, counting as a tree would.
func (r *reader) skip() error {
	switch r.dec.PeekKind() {
	case '{':
		return r.members(func(string) error { return r.skip() })
	case '[':
		return r.elements(r.skip)
	}
	_, err := r.next()
	return err
}

// elements passes over an array, whose values are passed over by value.
func (r *reader) elements(value func() error) error {
	if _, err := r.next(); err != nil {
		return err
	}
	for r.dec.PeekKind() != ']' {
		if err := r.item(); err != nil {
			return err
		}
		if err := value(); err != nil {
			return err
		}
	}
	_, err := r.next()
	return err
}
