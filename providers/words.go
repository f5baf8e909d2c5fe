package providers

import (
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/types/known/timestamppb"
)

// maxWord is the longest word of a vendor that leaves, in characters.
const maxWord = 128

// Word makes a vendor's word fit to leave: one line, at most 128 characters,
// trimmed. What it cuts stays in the raw record. A mail address and a token are no
// words: they leave as their Digest.
func Word(s string) string {
	if strings.IndexByte(s, '@') >= 0 || isToken(strings.TrimSpace(s)) {
		return Digest(s)
	}
	if len(s) <= maxWord && !strings.ContainsFunc(s, isControl) {
		return strings.TrimSpace(s)
	}
	s = strings.TrimSpace(strings.Map(blankControl, s))
	if utf8.RuneCountInString(s) <= maxWord {
		return s
	}
	return strings.TrimSpace(string([]rune(s)[:maxWord]))
}

func blankControl(r rune) rune {
	if isControl(r) {
		return ' '
	}
	return r
}

// isControl also holds the line breaks that are no ASCII control characters.
func isControl(r rune) bool {
	return r < ' ' || r >= 0x7f && r <= 0x9f || r == '\u2028' || r == '\u2029'
}

// FirstWord is the first word that is not empty after Word: a field's own word,
// then the status word, then the event type.
func FirstWord(words ...string) string {
	for _, w := range words {
		if w = Word(w); w != "" {
			return w
		}
	}
	return ""
}

// Enum is a vendor's vocabulary, in lower case.
type Enum[E any] map[string]E

// Words are all of it, sorted.
func (e Enum[E]) Words() []string { return slices.Sorted(maps.Keys(e)) }

// Of finds a word whatever its case and its blanks; false where it is new to us.
func (e Enum[E]) Of(word string) (E, bool) {
	v, ok := e[strings.ToLower(singleBlanks(word))]
	return v, ok
}

// Say finds the meaning of a word. One that is new to us is drift of the given kind, and
// its meaning is the zero value of E: unspecified, never good. One that only the inferred
// words have, which nothing of the vendor's shows, is drift of the kind "inferred".
func Say[E any](m *Mapping, kind string, words Enum[E], v *Value, inferred ...Enum[E]) (meaning E, word Term) {
	word = TermOf(v)
	if !word.Given {
		return meaning, word
	}
	if known, ok := words.Of(word.Text); ok {
		return known, word
	}
	for _, more := range inferred {
		if known, ok := more.Of(word.Text); ok {
			m.Note("inferred", kind+"="+word.Text)
			return known, word
		}
	}
	m.Note(kind, word.Text)
	return meaning, word
}

// IsCode reports whether s is a code and not free text: a letter or digit, then
// up to 127 more of [A-Za-z0-9_.:/-].
func IsCode(s string) bool {
	if s == "" || len(s) > maxWord || !isAlnum(s[0]) {
		return false
	}
	for i := 1; i < len(s); i++ {
		if !isAlnum(s[i]) && strings.IndexByte("_.:/-", s[i]) < 0 {
			return false
		}
	}
	return true
}

func isAlnum(c byte) bool {
	return c-'0' < 10 || c|0x20 >= 'a' && c|0x20 <= 'z'
}

// maxCodes bounds a list that leaves.
const maxCodes = 1000

// Codes keeps the strings of an array that are codes, in the vendor's order.
// Anything else is left out and noted as drift of the given kind, without the
// text, which may be about a person.
func (m *Mapping) Codes(kind string, list *Value) []string {
	var out []string
	for v := range list.Items() {
		switch s := v.Text(); {
		case !IsCode(s) || len(out) == maxCodes:
			m.Note(kind, "")
		default:
			out = append(out, s)
		}
	}
	return out
}

// IDs keeps the usable ids that at finds in an array's elements, without repeats.
func (m *Mapping) IDs(kind string, list *Value, at ...string) []string {
	var out []string
	for v := range list.Items() {
		id := v.At(at...).ID()
		switch {
		case id == "" || len(out) == maxCodes:
			m.Note(kind, "")
		case !slices.Contains(out, id):
			out = append(out, id)
		}
	}
	return out
}

// Time reads an RFC 3339 time. nil where it is not given, and nil with drift of
// the given kind where it is no time that an event can carry.
func (m *Mapping) Time(kind string, v *Value) *timestamppb.Timestamp {
	if !v.Given() {
		return nil
	}
	t, err := time.Parse(time.RFC3339, v.Text())
	if err == nil {
		if ts := timestamppb.New(t); ts.CheckValid() == nil {
			return ts
		}
	}
	m.Note(kind, "")
	return nil
}
