package audit

import (
	"strings"
	"unicode"
)

// The bounds of a word that is shown. Vocabularies have few digits; dates,
// document numbers, telephone numbers and ids have more.
const (
	maxShown  = 80 // characters
	maxDigits = 4
)

// showable is the word, or "" where it does not look like a word of a
// vocabulary. The mappings put here what stood where the vendor documents an
// enum word, an event type or a field's name, and have left out what may be
// about a person. Nobody can promise what a vendor will put there next, so what
// looks like a sentence, a number or an address stays in the raw topic.
func showable(word string) string {
	letters, digits := 0, 0
	for _, r := range word {
		letters++
		switch {
		case unicode.IsLetter(r):
		case unicode.IsDigit(r):
			digits++
		case !strings.ContainsRune(" _.:/-[]()*", r):
			return ""
		}
	}
	if letters > maxShown || digits > maxDigits {
		return ""
	}
	return strings.TrimSpace(word)
}
