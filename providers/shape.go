package providers

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// What a vendor sends may be about a person wherever it stands: in an id, a reference or
// the name of an event, too. So text leaves by its shape. Events carry ids and references
// that have the form of one (IDOf), and a Digest of any other. Keys of records take ids of
// a documented shape alone (RecordKey), and so do dispositions, which are kept for a year
// and longer and in which a hash needs a key (Gate).

// How texts that may not leave are marked. Neither has the form of an id of any vendor.
const (
	digestMark = "sha256:"
	keyedMark  = "hmac-sha256:"
)

// Digest is "sha256:" and the hex SHA-256 of the text without blanks around it. It needs
// no key, so that whoever knows the text finds what stands for it.
func Digest(text string) string {
	sum := sha256.Sum256([]byte(strings.TrimSpace(text)))
	return digestMark + hex.EncodeToString(sum[:])
}

// isID reports whether a text has the form of an id: a letter or digit, then more of
// those and of _ . : / | + = ~ -. A token of three parts has not: it opens something.
func isID(s string) bool {
	if s == "" || !isAlnum(s[0]) || isToken(s) {
		return false
	}
	for i := 1; i < len(s); i++ {
		if c := s[i]; !isAlnum(c) && c != '-' && strings.IndexByte("_.:/|+=~", c) < 0 {
			return false
		}
	}
	return true
}

// isToken reports whether a text is a JWT: its first part is a JSON object in base64.
func isToken(s string) bool { return strings.HasPrefix(s, "eyJ") && strings.Count(s, ".") == 2 }

// IDOf is the id that leaves for one that a vendor sent: itself, or its Digest where it
// has not the form of one. "" for what is no id at all: blank, longer than 256 bytes, or
// with control characters.
func IDOf(s string) string {
	switch {
	case len(s) > maxID || strings.ContainsFunc(s, isControl) || strings.TrimSpace(s) == "":
		return ""
	case isID(s):
		return s
	}
	return Digest(s)
}

// maxReference is what subject.customer_reference holds, in bytes.
const maxReference = 512

// Reference is the customer's own reference in a value. Some put a mail address or a name
// there: what has not the form of an id leaves as its digest, by which the customer still
// finds its own record, and is drift of the kind "reference_hashed". Where the endpoint
// wants it as it is, Map puts it back into subject.customer_reference: see asIs.
func (m *Mapping) Reference(v *Value) string {
	switch s := strings.TrimSpace(v.Scalar()); {
	case s == "" || v.Kind() == Bool:
		return ""
	case len(s) <= maxReference && isID(s):
		return s
	default:
		m.Note(referenceHashed, "")
		return m.hide(s)
	}
}

// RecordKey is the key of a delivery's raw record, which what is made of it takes over. It
// holds the Digest of an id without one of the shapes of hasIDShape.
func (p *Provider) RecordKey(d *Delivery) []byte {
	id := p.Key(d)
	if id != AccountLevel {
		id = Gate{}.ID(p, id)
	}
	return RawKey(d.Endpoint, id, d.Body)
}

// Gate is what a vendor's text passes on its way into dispositions. Its hashes are keyed
// with the pepper; without one they are Digests. It is the only way there, and safe for
// concurrent use.
type Gate struct{ pepper string }

// NewGate returns a Gate. An empty pepper is allowed.
func NewGate(pepper []byte) Gate { return Gate{string(pepper)} }

// ID is an id of a vendor's as it may be kept: itself where it has one of the shapes of
// hasIDShape, else a hash. p may be nil.
func (g Gate) ID(p *Provider, id string) string {
	if id == "" || p.hasIDShape(id) {
		return id
	}
	return g.hash(id)
}

// Type is the name of an event as it may be kept: itself where it is one that the vendor
// documents, else a hash. p may be nil.
func (g Gate) Type(p *Provider, word string) string {
	if word == "" || p.knowsType(word) {
		return word
	}
	return g.hash(word)
}

// Key is the key of a raw record as it may be kept: what follows the endpoint in it is an
// id. p may be nil.
func (g Gate) Key(p *Provider, rawKey []byte) []byte {
	at := bytes.IndexByte(rawKey, '/') + 1
	id := string(rawKey[at:])
	kept := g.ID(p, id)
	if kept == id {
		return rawKey
	}
	return append(bytes.Clone(rawKey[:at]), kept...)
}

// Forms are all that an id may have become on its way out, itself first: what a person
// who knows the id searches for.
func (g Gate) Forms(id string) []string {
	return slices.Compact([]string{id, Digest(id), g.hash(id)})
}

// hash cannot be undone by whoever lacks the pepper. It is made of the digest, so that a
// text and its digest have one.
func (g Gate) hash(text string) string {
	if !isDigest(text) {
		text = Digest(text)
	}
	if g.pepper == "" {
		return text
	}
	mac := hmac.New(sha256.New, []byte(g.pepper))
	mac.Write([]byte("kycbridge gate\x00")) // apart from all else that is made with it
	mac.Write([]byte(text))
	return keyedMark + hex.EncodeToString(mac.Sum(nil))
}

// isDigest reports whether a text has the form of a Digest, all of it.
func isDigest(s string) bool {
	digits, ok := strings.CutPrefix(s, digestMark)
	return ok && len(digits) == 2*sha256.Size && strings.Trim(digits, "0123456789abcdef") == ""
}

// running is an id as in the samples of vendors and in tests: words and a small number.
var running = regexp.MustCompile(`^([a-z]{1,12}[-_]){0,3}[a-z]{0,2}[0-9]{1,3}$`)

// hasIDShape reports whether an id has a shape that no name, address or number of a
// person has: a UUID, 16 to 64 hex digits, a running number, or one of the vendor's own.
func (p *Provider) hasIDShape(id string) bool {
	return isUUID(id) || isHex(id) || running.MatchString(id) || p != nil && p.IDs != nil && p.IDs.MatchString(id)
}

// isUUID wants the usual form, in either case.
func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		switch i {
		case 8, 13, 18, 23:
			if s[i] != '-' {
				return false
			}
		default:
			if c := s[i] | 0x20; s[i]-'0' > 9 && (c < 'a' || c > 'f') {
				return false
			}
		}
	}
	return true
}

// isHex wants 16 to 64 hex digits in lower case. With digits or letters alone they would
// be a number, or a word.
func isHex(s string) bool {
	if len(s) < 16 || len(s) > 64 {
		return false
	}
	digits, letters := 0, 0
	for i := range len(s) {
		switch c := s[i]; {
		case c-'0' <= 9:
			digits++
		case 'a' <= c && c <= 'f':
			letters++
		default:
			return false
		}
	}
	return digits > 0 && letters > 0
}

// knowsType reports whether the vendor documents the name of an event, whatever its case
// and blanks.
func (p *Provider) knowsType(word string) bool {
	if p == nil {
		return false
	}
	if _, ok := p.Maps[word]; ok {
		return true
	}
	is := func(known string) bool { return sameWord(word, known) }
	for known := range p.Maps {
		if is(known) {
			return true
		}
	}
	return slices.ContainsFunc(p.Spellings, is)
}

// KnowsWord reports whether a text is a word of the vendor's: the name of an event that it
// documents, or one of Words. Only then may text with blanks be shown to who watches, since
// a name has them too. p may be nil.
func (p *Provider) KnowsWord(text string) bool {
	return p.knowsType(text) || p != nil && slices.ContainsFunc(p.Words, func(known string) bool { return sameWord(text, known) })
}

// WritesSo reports whether one of several words is also in the name of an event that the
// vendor documents with blanks: who writes "Finished Journey" may write "Finished Visit".
func (p *Provider) WritesSo(words string) bool {
	shares := func(known string) bool {
		its := strings.Fields(known)
		return len(its) > 1 && slices.ContainsFunc(strings.Fields(words), func(w string) bool { return slices.Contains(its, w) })
	}
	for known := range p.Maps {
		if shares(known) {
			return true
		}
	}
	return slices.ContainsFunc(p.Spellings, shares)
}

// sameWord compares two spellings; blanks and underscores are the same.
func sameWord(a, b string) bool {
	return strings.EqualFold(strings.Join(strings.FieldsFunc(a, isBlank), " "), strings.Join(strings.FieldsFunc(b, isBlank), " "))
}

func isBlank(r rune) bool { return r == '_' || unicode.IsSpace(r) }
