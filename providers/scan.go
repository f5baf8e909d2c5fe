package providers

import "github.com/go-json-experiment/json/jsontext"

// ScanID reads the id at a path of names without building a tree: exactly what
// ReadObject(body) and At(path...).ID() would give, "" where they would fail. It
// reads to the end, because a later repeated name replaces an earlier one.
func ScanID(body []byte, path ...string) string {
	r := newReader(body)
	defer r.done()
	first, err := r.next()
	if err != nil || first.Kind() != '{' {
		return ""
	}
	id, err := r.find(first, path)
	if err != nil || r.end() != nil {
		return ""
	}
	return id
}

// find consumes the value that begins with tok and returns the id at path in it.
func (r *reader) find(tok jsontext.Token, path []string) (string, error) {
	switch {
	case len(path) == 0 && (tok.Kind() == '"' || tok.Kind() == '0'):
		return usableID(r.scalar(tok)), nil
	case len(path) == 0 || tok.Kind() != '{':
		return "", r.skip(tok)
	}
	id := ""
	for {
		tok, err := r.next()
		if err != nil || tok.Kind() == '}' {
			return id, err
		}
		hit := r.string(tok) == path[0]
		if err := r.item(); err != nil {
			return "", err
		}
		if tok, err = r.next(); err != nil {
			return "", err
		}
		if !hit {
			err = r.skip(tok)
		} else {
			id, err = r.find(tok, path[1:])
		}
		if err != nil {
			return "", err
		}
	}
}

func (r *reader) scalar(tok jsontext.Token) string {
	if tok.Kind() == '"' {
		return r.string(tok)
	}
	return r.source()
}

// skip consumes the rest of the value that begins with tok, counting as value
// does: in an object each name, in an array each element.
func (r *reader) skip(tok jsontext.Token) error {
	open := tok.Kind()
	if open != '{' && open != '[' {
		return nil
	}
	for {
		tok, err := r.next()
		if err != nil || tok.Kind() == '}' || tok.Kind() == ']' {
			return err
		}
		if err := r.item(); err != nil {
			return err
		}
		if open == '{' {
			if tok, err = r.next(); err != nil {
				return err
			}
		}
		if err := r.skip(tok); err != nil {
			return err
		}
	}
}
