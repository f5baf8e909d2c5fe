package secret

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestFromVariable(t *testing.T) {
	variables := map[string]string{
		"GOOD": hunter, "_g2": "päss wörd ✓", "EMPTY": "", "DOLLARS": "a$b$$c${", "BOTH": "'" + hunter + `"`,
		"LINE": hunter + "\n", "WINDOWS": hunter + "\r\n", "RETURN": hunter + "\r", "BLANKS": hunter + "  ", "TAB": "\t" + hunter,
		"NO_BREAK": hunter + "\u00a0", "MARK": "\ufeff" + hunter, "ZERO_WIDTH": "hunter\u200b2", "RIGHT_TO_LEFT": "hunter\u202e2",
		"NUL": "hunter\x002", "C1": "hunter\u009b2", "INSIDE": "hunter\n2", "SEPARATOR": hunter + "\u2028", "BYTES": "hunter\xff\xfe2", "LAST_BYTE": hunter + "\xc3",
		"SINGLE": "'" + hunter + "'", "DOUBLE": `"` + hunter + `"`, "TICKS": "`" + hunter + "`", "BRACES": "${OTHER}", "BARE": "$OTHER", "COMPOSE": "${OTHER:?}",
		"ONLY_BLANK": " ",
	}
	lookup := func(name string) (string, bool) {
		v, ok := variables[name]
		return v, ok
	}
	for text, want := range map[string]string{ // "" for a secret
		"${GOOD}": "", "${_g2}": "", "${DOLLARS}": "", "${BOTH}": "",

		"${NONE}": "NONE is not set", "${EMPTY}": "EMPTY is not set or empty",
		"$GOOD": "without braces", "$": "the secret itself", "$$": "the secret itself", hunter: "the secret itself",
		"${GOOD:-}": "default", "${NONE:-" + hunter + "}": "default", "${GOOD:-x}${GOOD}": "default",
		"x${GOOD}": "not one variable", "${GOOD}x": "not one variable", "${GOOD}\n": "not one variable", " ${GOOD}": "not one variable",
		"${GOOD}${GOOD}": "not one variable", "$${GOOD}": "not one variable", "${GO OD}": "not one variable", "${}": "not one variable",
		"${GOOD": "not one variable", "${1}": "not one variable", "${GOOD:+x}": "not one variable",

		"${LINE}": "ends with a line feed (U+000A)", "${WINDOWS}": "carriage return (U+000D) at byte 22", "${RETURN}": "ends with a carriage return (U+000D)",
		"${BLANKS}": "ends with a blank (U+0020)", "${TAB}": "begins with a tab (U+0009)", "${NO_BREAK}": "ends with a white-space character (U+00A0)",
		"${MARK}": "begins with a byte order mark (U+FEFF)", "${ZERO_WIDTH}": "an invisible character (U+200B) at byte 7", "${RIGHT_TO_LEFT}": "an invisible character (U+202E)",
		"${NUL}": "a control character (U+0000) at byte 7", "${C1}": "a control character (U+009B)", "${INSIDE}": "a line feed (U+000A) at byte 7",
		"${SEPARATOR}": "ends with a white-space character (U+2028)", "${BYTES}": "no text in UTF-8 at byte 7", "${LAST_BYTE}": "no text in UTF-8 at byte 22",
		"${SINGLE}": "quotation marks", "${DOUBLE}": "quotation marks", "${TICKS}": "quotation marks",
		"${BRACES}": "nobody replaced", "${BARE}": "nobody replaced", "${COMPOSE}": "nobody replaced",
		"${ONLY_BLANK}": "begins with a blank",
	} {
		got, err := FromVariable(text, lookup)
		switch {
		case want == "" && (err != nil || got != variables[strings.Trim(text, "${}")]):
			t.Errorf("%q gives %q (%v)", text, got, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want) || got != ""):
			t.Errorf("%q gives %q and %v, want an error with %q", text, got, err, want)
		case err != nil && strings.Contains(err.Error(), "hunter"):
			t.Errorf("%q: the error shows the secret: %v", text, err)
		}
	}
}

// FuzzFromVariable: whatever a configuration and a variable hold, a secret comes out only of one variable, whole, and
// is text without anything at its ends that is not seen; and no error shows it.
func FuzzFromVariable(f *testing.F) {
	for _, text := range []string{"${NAME}", "$NAME", "${NAME:-x}", "x${NAME}", "$${NAME}", "${NAME", "", "${NAME}${NAME}"} {
		for _, value := range []string{hunter, hunter + "\n", "\ufeff" + hunter, `"` + hunter + `"`, "$X", "\xff", ""} {
			f.Add(text, value)
		}
	}
	f.Fuzz(func(t *testing.T, text, value string) {
		got, err := FromVariable(text, func(name string) (string, bool) { return value, name == "NAME" })
		if err != nil {
			if got != "" {
				t.Errorf("an error, and the secret %q", got)
			}
			if strings.Contains(err.Error(), "hunter") && !strings.Contains(text, "${") { // what is in braces is a name
				t.Errorf("the error shows a secret: %v", err)
			}
			if strings.ContainsFunc(err.Error(), unicode.IsControl) {
				t.Errorf("the error is not one line: %q", err)
			}
			return
		}
		first, _ := utf8.DecodeRuneInString(got)
		last, _ := utf8.DecodeLastRuneInString(got)
		if text != "${NAME}" || got != value || !utf8.ValidString(got) || unseen(first) != "" || unseen(last) != "" || strings.ContainsFunc(got, unicode.IsControl) {
			t.Errorf("%q with %q gives %q", text, value, got)
		}
	})
}
