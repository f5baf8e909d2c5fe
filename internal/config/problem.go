package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Problem is one thing wrong with a configuration file.
type Problem struct {
	Line   int    // 1-based; 0 where no line is to blame
	Column int    // 1-based; 0 with Line 0
	Field  string // path as in the file, "endpoints[0].secrets[1].value"; empty for the whole
	Text   string // what is wrong and what to do; never a secret
}

// Error is everything wrong with one file.
type Error struct {
	Path     string
	Problems []Problem // at least one, by line
	Warnings []string  // what a start would warn of beside them; one line each
}

// Error is one line: the first problem, and how many more there are.
func (e *Error) Error() string {
	text := e.format(e.Problems[0])
	if more := len(e.Problems) - 1; more > 0 {
		text += fmt.Sprintf(" (and %d more: `kycbridge config check %s` lists them)", more, e.Path)
	}
	return text
}

// Lines is one line for each problem.
func (e *Error) Lines() []string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = e.format(p)
	}
	return lines
}

func (e *Error) format(p Problem) string {
	var b strings.Builder
	b.WriteString(e.Path)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", p.Line, p.Column)
	}
	b.WriteString(": ")
	if p.Field != "" {
		b.WriteString(p.Field + ": ")
	}
	b.WriteString(p.Text)
	return b.String()
}

// newError is nil for no problem.
func newError(path string, problems []Problem) error {
	if len(problems) == 0 {
		return nil
	}
	return &Error{Path: path, Problems: sorted(problems)}
}

// sorted is problems in the order of the file, each once.
func sorted(problems []Problem) []Problem {
	sortProblems(problems)
	return slices.Compact(problems)
}

// sortProblems puts them into the order of the file.
func sortProblems(problems []Problem) {
	slices.SortStableFunc(problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
}
