package command

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// writeLine writes a value as JSON on one line.
func writeLine(out io.Writer, v any) error { return encodeJSON(out, v, "") }

// writeDocument writes a value as JSON for a person to read as well.
func writeDocument(out io.Writer, v any) error { return encodeJSON(out, v, "  ") }

func encodeJSON(out io.Writer, v any, indent string) error {
	e := json.NewEncoder(out)
	e.SetEscapeHTML(false) // no browser takes it for a page
	e.SetIndent("", indent)
	return cannotPrint(e.Encode(v))
}

// cannotPrint wraps an error of writing to an output; nil stays nil.
func cannotPrint(err error) error {
	if err != nil {
		return fmt.Errorf("cannot print: %w", err)
	}
	return nil
}

// shown quotes text from outside that does not print. The output would escape it too, but
// for line breaks and tabs, which could make a second line or column of one.
func shown(text string) string {
	if strings.ContainsFunc(text, func(r rune) bool { return !prints(r) }) {
		return strconv.Quote(text)
	}
	return text
}

// dash is shown, with a mark for what is empty.
func dash(text string) string {
	if text == "" {
		return "-"
	}
	return shown(text)
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
