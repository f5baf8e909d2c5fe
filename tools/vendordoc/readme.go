package main

import (
	"fmt"
	"regexp"
	"strings"
)

// The sections of a vendor's README.md that a person writes and this page repeats.
const (
	setupHeading = "In the vendor's dashboard"
	openHeading  = "Uncertain"
)

var (
	link       = regexp.MustCompile(`\]\(([^)]*)\)`)
	sourceMark = regexp.MustCompile(`\[\d+\]`)
)

// section gives the text below a heading, up to the next heading of its level or
// above. One below it would stand on the wrong level of the page, and a relative
// link would lead nowhere there.
func section(readme, title string) (string, error) {
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
		return "", fmt.Errorf("no heading %q; the page takes that section from there", title)
	}
	return checked(text.String(), title)
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
		return "", fmt.Errorf("the section %q is empty", title)
	}
	for _, found := range link.FindAllStringSubmatch(text, -1) {
		if !strings.HasPrefix(found[1], "https://") {
			return "", fmt.Errorf("the section %q has the link %s; only absolute ones (https://) work on another page", title, found[1])
		}
	}
	return text, nil
}
