package command

import (
	"bytes"
	"fmt"
	"io"
	"sync"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// printable is the writer behind all that a command prints. What does not print leaves it
// as an escape, so that no text from outside can move a terminal's cursor, turn a line
// round, or hide in it: control characters but newline and tab, format characters
// (directions, zero widths, tags), blanks other than the space, code points that nobody
// has assigned, and bytes that are not UTF-8.
//
// A character becomes \uXXXX, two of them beyond U+FFFF, and a byte \xXX. Inside a JSON
// string, which is the only place of a JSON text where such a character can be, the escape
// means the same character, so JSON says what it said.
type printable struct {
	mu   sync.Mutex
	out  io.Writer
	part []byte // the beginning of a character whose end has not been written yet
}

func newPrintable(out io.Writer) *printable { return &printable{out: out} }

// Write writes all of p, or nothing and an error, save for the bytes of an unfinished
// character at its end, which wait for the next call.
func (w *printable) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	text := p
	if len(w.part) > 0 {
		text = append(w.part, p...)
	}
	whole := len(text) - unfinished(text)
	w.part = bytes.Clone(text[whole:])
	if whole == 0 {
		return len(p), nil
	}
	if _, err := w.out.Write(escaped(text[:whole], isLayout)); err != nil {
		return 0, err
	}
	return len(p), nil
}

// end writes what still waits for its end, as the bytes that it is.
func (w *printable) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.part) > 0 {
		_, _ = w.out.Write(escaped(w.part, isLayout))
		w.part = nil
	}
}

// unfinished is how many bytes at the end of text begin a character without ending it.
func unfinished(text []byte) int {
	for n := 1; n < utf8.UTFMax && n <= len(text); n++ {
		if at := text[len(text)-n:]; utf8.RuneStart(at[0]) {
			if utf8.FullRune(at) {
				return 0
			}
			return n
		}
	}
	return 0
}

// isLayout reports the control characters that lay a text out.
func isLayout(r rune) bool { return r == '\n' || r == '\t' }

// escapeLine is text on one line, with what does not print escaped.
func escapeLine(text string) string {
	return string(escaped([]byte(text), func(rune) bool { return false }))
}

// escaped is text itself where all of it prints or is allowed, else a copy with escapes.
func escaped(text []byte, allowed func(rune) bool) []byte {
	var out []byte
	kept := 0 // of text, what out has
	for at := 0; at < len(text); {
		r, size := utf8.DecodeRune(text[at:])
		if bad := r == utf8.RuneError && size == 1; bad || !prints(r) && !allowed(r) {
			out = append(out, text[kept:at]...)
			if bad {
				out = fmt.Appendf(out, `\x%02x`, text[at])
			} else {
				out = appendEscape(out, r)
			}
			kept = at + size
		}
		at += size
	}
	if kept == 0 {
		return text
	}
	return append(out, text[kept:]...)
}

// prints reports whether a character shows by itself, in the order in which it is read.
func prints(r rune) bool {
	if r < utf8.RuneSelf {
		return ' ' <= r && r <= '~'
	}
	return unicode.IsPrint(r) && !unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

func appendEscape(out []byte, r rune) []byte {
	if high, low := utf16.EncodeRune(r); high != unicode.ReplacementChar {
		return fmt.Appendf(out, `\u%04x\u%04x`, high, low)
	}
	return fmt.Appendf(out, `\u%04x`, r)
}
