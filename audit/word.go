package audit

import (
	"fmt"
	"regexp"
	"strings"
)

// Nobody can promise what a vendor will put next where it documents a word of a vocabulary, the name of a field or a
// version. So its text is shown by its shape: what has the form of such a word, and nothing else. A number, an address
// and a token have not, and stay in the raw topic. Several words are one only for a vendor that writes so: who makes
// News of a delivery knows.

// The bounds of a word that is shown. Vocabularies have few digits; dates, document numbers, telephone numbers and
// ids have more.
const (
	maxShown  = 80 // characters
	maxDigits = 4
)

var (
	word    = regexp.MustCompile(`^[A-Za-z_*\[(][ A-Za-z0-9_.:/()*\[\]-]*$`) // or the path of a field
	product = regexp.MustCompile(`^[A-Za-z][A-Za-z_-]*/[0-9]{1,4}(\.[0-9]{1,4}){0,3}$`)
	media   = regexp.MustCompile(`^[a-z]{1,16}/[a-z.+-]{1,32}(; ?charset=(utf|UTF|iso-8859|ISO-8859|windows|us-ascii|US-ASCII)(-[0-9]{1,4})?)?$`)
)

// showable is the word, or "" where it does not look like one of a vocabulary, or is a token ("eyJ" begins every JSON
// object in base64). The mappings put here what stood where
// the vendor documents an enum word, an event type or a field's name, and have left out what may be about a person.
func showable(text string) string {
	if len(text) > maxShown || !word.MatchString(text) || digits(text) > maxDigits || strings.HasPrefix(text, "eyJ") {
		return ""
	}
	return text
}

// Headline is what is shown of a header that was kept, or of a content type: the text where it is a word, the name and
// version of a program or a media type, else how long it is. A token that is the event is as much a body as the body.
func Headline(text string) string {
	if text == "" || showable(text) != "" && !strings.Contains(text, " ") || product.MatchString(text) || media.MatchString(text) {
		return text
	}
	return fmt.Sprintf("(%d bytes, not shown)", len(text))
}

func digits(text string) (n int) {
	for i := range len(text) {
		if strings.IndexByte("0123456789", text[i]) >= 0 {
			n++
		}
	}
	return n
}
