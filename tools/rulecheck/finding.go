package main

import (
	"crypto/sha256"
	"fmt"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// A finding is one change that is refused.
type finding struct {
	at   protoreflect.Descriptor // where in the contract as it is
	rule string                  // path of the rule in its options, such as string.max_len; "" for what is no rule
	was  string
	is   string
	do   string
	// A change of a rule that was there can loosen it, which only a reader can tell: the finding may be excused.
	readable bool
}

// What to do, by kind of change.
const (
	keepOrLoosen = "keep it, loosen it or drop it: an event that was right must stay right"
	noNewRule    = "leave it out: events already written do not keep it"
	noEnumRule   = "leave it out: consumers must be able to read a value that they do not know"
	notRequired  = "make it optional (ignore = IGNORE_IF_ZERO_VALUE): events already written do not have the field"
	stayFirst    = "put it back in the first place: the index of a topic's message is written into records"
)

// text is the finding as one line; file is where a reviewed change is listed.
func (f finding) text(file string) string {
	what := f.rule
	if what == "" {
		what = "order"
	}
	line := fmt.Sprintf("%s: %s: %s: was %s, is %s; %s; what must differ is a new version of the package",
		place(f.at), f.at.FullName(), what, said(f.was), said(f.is), f.do)
	if review := f.reviewLine(); review != "" {
		line += fmt.Sprintf("; where it has been read and surely only loosens, add to %s: %s", file, review)
	}
	return line
}

// reviewLine is the line that excuses the finding, and this one change alone: it holds a digest of what
// the rule was and is. "" where nothing excuses it.
func (f finding) reviewLine() string {
	if !f.readable {
		return ""
	}
	digest := sha256.Sum256([]byte(f.was + "\x00" + f.is))
	return fmt.Sprintf("%s %s %x", f.at.FullName(), f.rule, digest[:6])
}

func said(value string) string {
	if value == "" {
		return "not there"
	}
	return value
}

// place is file and line, as far as the image has them.
func place(d protoreflect.Descriptor) string {
	file := d.ParentFile()
	path := "proto/" + file.Path()
	if location := file.SourceLocations().ByDescriptor(d); location.Path != nil {
		return fmt.Sprintf("%s:%d", path, location.StartLine+1)
	}
	return path
}
