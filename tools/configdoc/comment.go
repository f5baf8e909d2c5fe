package main

import (
	"regexp"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// comment gives a descriptor's leading comment as one line.
func comment(d protoreflect.Descriptor) string {
	return oneLine(d.ParentFile().SourceLocations().ByDescriptor(d).LeadingComments)
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

// packageComment gives the comment above the package statement, with its line
// breaks. Field 2 of a file descriptor is its package.
func packageComment(file protoreflect.FileDescriptor) string {
	text := file.SourceLocations().ByPath(protoreflect.SourcePath{2}).LeadingComments
	return strings.ReplaceAll(strings.TrimSpace(text), "\n ", "\n")
}

// defaultSentence is a sentence that begins with "Default" or "Required"; it
// ends at a full stop before white space or the end.
var defaultSentence = regexp.MustCompile(`(?:^|\. )(Default:? .*?|Required.*?)\.(?: |$)`)

// splitDefault takes the default out of a comment. "required" stands for a
// setting that must be given, a dash for one whose default its type says.
func splitDefault(text string) (meaning, standard string) {
	at := defaultSentence.FindStringSubmatchIndex(text)
	if at == nil {
		return text, "–"
	}
	found := text[at[2]:at[3]]
	before, after := strings.TrimSpace(text[:at[2]]), strings.TrimSpace(text[at[3]+1:])
	meaning = strings.TrimSpace(before + " " + after)
	switch {
	case strings.HasPrefix(found, "Required"):
		return meaning, strings.ToLower(found[:1]) + found[1:]
	default:
		return meaning, strings.TrimSpace(strings.TrimPrefix(strings.TrimPrefix(found, "Default"), ":"))
	}
}
