package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// parse reads exactly one YAML document. The error quotes nothing of the file:
// a secret that breaks the syntax must not end in a log.
func parse(data []byte) (*yaml.Node, []Problem) {
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var document, second yaml.Node
	if err := decoder.Decode(&document); errors.Is(err, io.EOF) {
		return nil, []Problem{{Text: "the file is empty; `deploy/local.yaml` is an example to start from"}}
	} else if err != nil {
		return nil, []Problem{syntaxProblem(err)}
	}
	if err := decoder.Decode(&second); err == nil {
		return nil, []Problem{{Line: max(second.Line, 1), Column: max(second.Column, 1), Text: "a second YAML document starts here; a configuration is one document"}}
	} else if !errors.Is(err, io.EOF) {
		return nil, []Problem{syntaxProblem(err)}
	}
	return document.Content[0], nil
}

var (
	syntaxLine = regexp.MustCompile(`line (\d+): `)
	quoted     = regexp.MustCompile(`'[^']*'|"[^"]*"|` + "`[^`]*`")
)

func syntaxProblem(err error) Problem {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	p := Problem{}
	if at := syntaxLine.FindStringSubmatchIndex(text); at != nil {
		p.Line, _ = strconv.Atoi(text[at[2]:at[3]])
		p.Column = 1
		text = text[at[1]:]
	}
	p.Text = "not valid YAML: " + quoted.ReplaceAllString(text, "a value")
	if strings.Contains(text, "cannot start any token") {
		p.Text += "; indent with spaces, not tabs, and quote values with special characters"
	}
	return p
}

// separators break lines in YAML but nowhere else; a line number after one
// would mislead. Carriage returns are turned into line feeds instead.
var separators = []string{"\u0085", "\u2028", "\u2029"}

func normalLines(data []byte) ([]byte, []Problem) {
	data = bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n"))
	data = bytes.ReplaceAll(data, []byte("\r"), []byte("\n"))
	for _, s := range separators {
		if before, _, found := bytes.Cut(data, []byte(s)); found {
			line := bytes.Count(before, []byte("\n")) + 1
			return nil, []Problem{{Line: line, Column: 1, Text: fmt.Sprintf("holds the line separator %+q; use plain line ends", s)}}
		}
	}
	return data, nil
}

// keys checks the names in a document against a message: unknown ones, ones
// set twice (the later would silently win), and aliases.
type keys struct {
	problems []Problem
	spoilt   []position            // messages with a name that nobody knows: something may be missing in them
	paths    map[position]string   // where each value stands, for the decoder's errors
	within   map[position]position // the message that each value stands in
}

func (k *keys) add(n *yaml.Node, field, text string) {
	k.problems = append(k.problems, Problem{Line: n.Line, Column: n.Column, Field: field, Text: text})
}

func (k *keys) message(n *yaml.Node, md protoreflect.MessageDescriptor, at string) {
	if n.Kind == yaml.AliasNode {
		k.add(n, at, "YAML aliases are not supported; write the value out")
		return
	}
	if n.Kind != yaml.MappingNode || strings.HasPrefix(string(md.FullName()), "google.protobuf.") {
		return
	}
	seen := map[protoreflect.Name]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		fd := fieldNamed(md, key.Value)
		if fd == nil {
			k.add(key, at, unknown("field", key.Value, fieldNames(md)))
			k.spoilt = append(k.spoilt, position{n.Line, n.Column})
			continue
		}
		here := join(at, string(fd.Name()))
		if first, twice := seen[fd.Name()]; twice {
			k.add(key, here, fmt.Sprintf("set twice, first in line %d; keep one", first))
		}
		seen[fd.Name()] = key.Line
		k.within[position{value.Line, value.Column}] = position{n.Line, n.Column}
		k.field(value, fd, here)
	}
}

func (k *keys) field(n *yaml.Node, fd protoreflect.FieldDescriptor, at string) {
	k.paths[position{n.Line, n.Column}] = at
	if n.Kind == yaml.AliasNode {
		k.add(n, at, "YAML aliases are not supported; write the value out")
		return
	}
	switch {
	case fd.IsMap():
		for i := 1; i < len(n.Content) && fd.MapValue().Message() != nil; i += 2 {
			k.message(n.Content[i], fd.MapValue().Message(), fmt.Sprintf("%s[%q]", at, n.Content[i-1].Value))
		}
	case fd.Message() == nil:
	case fd.IsList():
		for i, item := range n.Content {
			k.message(item, fd.Message(), fmt.Sprintf("%s[%d]", at, i))
		}
	default:
		k.message(n, fd.Message(), at)
	}
}

// fieldNamed accepts both spellings of a field, as protobuf's own formats do.
func fieldNamed(md protoreflect.MessageDescriptor, name string) protoreflect.FieldDescriptor {
	if fd := md.Fields().ByTextName(name); fd != nil {
		return fd
	}
	return md.Fields().ByJSONName(name)
}

func fieldNames(md protoreflect.MessageDescriptor) []string {
	names := make([]string, md.Fields().Len())
	for i := range names {
		names[i] = string(md.Fields().Get(i).Name())
	}
	return names
}

func join(at, name string) string {
	if at == "" {
		return name
	}
	return at + "." + name
}
