package providers

import (
	"strings"
	"unicode"
)

// Term is a word of a vendor's vocabulary as a delivery or an object of the API has
// it: a status, an outcome, a type.
type Term struct {
	Text  string // trimmed; "" where it is not given or is no scalar
	Given bool
}

// TermOf reads a word. An object or a list is given and unreadable, hence never one of
// the words that a mapping knows.
func TermOf(v *Value) Term { return Term{Text: strings.TrimSpace(v.Scalar()), Given: v.Given()} }

// singleBlanks is a text with one space where there is any white space, and none around it:
// the words of some vendors have blanks.
func singleBlanks(s string) string {
	if !strings.ContainsFunc(s, unicode.IsSpace) {
		return s
	}
	return strings.Join(strings.Fields(s), " ")
}

// Is reports whether it is that word, whatever its case and its blanks.
func (t Term) Is(word string) bool { return strings.EqualFold(singleBlanks(t.Text), word) }

// Attributes makes vendor_attributes of pairs of name and value; values that are
// empty after Word are left out.
func Attributes(pairs ...string) map[string]string {
	out := make(map[string]string, len(pairs)/2)
	for i := 0; i < len(pairs); i += 2 {
		if v := Word(pairs[i+1]); v != "" {
			out[pairs[i]] = v
		}
	}
	return out
}
