// Package readme reads the README.md of a vendor: the sections that must be there, and
// what the vendor's mapping rests on. A person writes them; tools/vendordoc repeats two of
// them, and the conformance suite asks for all.
//
// It is no Markdown parser: it knows headings, fenced code and the one table.
package readme

import (
	"fmt"
	"regexp"
	"strings"
)

// The sections of every vendor's README.md.
const (
	Setup    = "In the vendor's dashboard"
	Evidence = "Evidence"
	Open     = "Uncertain"
)

// Sections are their headings and what each is for, in the order of the file.
var Sections = []struct{ Title, Says string }{
	{Setup, "what to click at the vendor, and the endpoint's configuration"},
	{Evidence, "a table of what was seen, what is documented and what is inferred, with its source"},
	{Open, "what the sources leave open, and what the mapping does about it"},
}

var link = regexp.MustCompile(`\]\(([^)]*)\)`)

// Section gives the text below a heading, up to the next heading of its level or
// above. Two of that name, none, or an empty one are errors, and so are what the vendor's page
// in docs/vendors could not repeat: a heading below it, which would stand on the wrong level
// there, and a relative link, which would lead nowhere.
func Section(readme, title string) (string, error) {
	var text strings.Builder
	level, found, fenced := 0, false, false // level: of the section we are in
	for line := range strings.Lines(readme) {
		if strings.HasPrefix(strings.TrimSpace(line), "```") {
			fenced = !fenced
		}
		depth, heading := headingOf(line)
		switch {
		case fenced || depth == 0:
			if level > 0 {
				text.WriteString(line)
			}
		case heading == title && found:
			return "", fmt.Errorf("two headings %q; join the sections", title)
		case heading == title:
			level, found = depth, true
		case level > 0 && depth > level:
			return "", fmt.Errorf("the section %q has a heading %q in it; keep it flat", title, heading)
		default:
			level = 0
		}
	}
	if !found {
		return "", fmt.Errorf("no heading %q; write that section: %s", title, says(title))
	}
	return checked(text.String(), title)
}

func says(title string) string {
	for _, s := range Sections {
		if s.Title == title {
			return s.Says
		}
	}
	return "the documents need it"
}

// headingOf gives the level of a heading, 0 for any other line.
func headingOf(line string) (level int, title string) {
	title = strings.TrimLeft(line, "#")
	if level = len(line) - len(title); level == 0 || !strings.HasPrefix(title, " ") {
		return 0, ""
	}
	return level, strings.TrimSpace(title)
}

func checked(text, title string) (string, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return "", fmt.Errorf("the section %q is empty; write %s", title, says(title))
	}
	for _, found := range link.FindAllStringSubmatch(text, -1) {
		if !strings.HasPrefix(found[1], "https://") {
			return "", fmt.Errorf("the section %q has the link %s; only absolute ones (https://) work on another page", title, found[1])
		}
	}
	return text, nil
}
