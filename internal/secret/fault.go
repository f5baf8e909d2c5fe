package secret

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// fault says what a text holds that no secret does, as a clause that tells place and kind and quotes nothing; ""
// for a secret. Such a text is refused and not trimmed: guessing what was meant would prove senders by something that
// nobody wrote down.
func fault(text string) string {
	for i, r := range text {
		last := i+utf8.RuneLen(r) == len(text)
		switch kind := unseen(r); {
		case r == utf8.RuneError && !strings.HasPrefix(text[i:], string(utf8.RuneError)):
			return fmt.Sprintf("is no text in UTF-8 at byte %d", i+1)
		case kind == "":
		case i == 0:
			return "begins with " + kind
		case last:
			return "ends with " + kind
		case !unicode.IsSpace(r) || unicode.IsControl(r): // blanks between words are fine
			return fmt.Sprintf("holds %s at byte %d", kind, i+1)
		}
	}
	switch {
	case len(text) > 1 && strings.ContainsRune("'\"`", rune(text[0])) && text[0] == text[len(text)-1]:
		return "is in quotation marks, which would be part of it"
	case left.MatchString(text):
		return "holds a reference to a variable, which nobody replaced"
	}
	return ""
}

// unseen names a character that does not print; "" for one that does.
func unseen(r rune) string {
	what := ""
	switch {
	case r == '\n':
		what = "a line feed"
	case r == '\r':
		what = "a carriage return"
	case r == '\t':
		what = "a tab"
	case r == ' ':
		what = "a blank"
	case r == '\ufeff':
		what = "a byte order mark"
	case unicode.IsControl(r):
		what = "a control character"
	case unicode.IsSpace(r):
		what = "a white-space character"
	case unicode.Is(unicode.Cf, r):
		what = "an invisible character"
	default:
		return ""
	}
	return fmt.Sprintf("%s (%U)", what, r)
}
