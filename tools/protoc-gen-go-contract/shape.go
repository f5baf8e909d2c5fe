package main

import (
	"regexp/syntax"
	"unicode/utf8"
)

// A shape is a pattern that needs no search: runs of characters, one after the other, from the beginning to
// the end of a text. A regular expression says the same and takes ten times as long.
type shape struct {
	runs    []run
	orEmpty bool // the empty text has it, too
}

// A run is least to most characters of one class.
type run struct {
	class
	least, most int // most -1: any number
}

// A class is a set of characters. Outside of ASCII all are in it, or none.
type class struct {
	ascii  [utf8.RuneSelf]bool
	beyond bool
}

// shapeOf reads a pattern; false where it is more than a shape.
func shapeOf(pattern string) (s shape, ok bool) {
	tree, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil || tree.Op != syntax.OpConcat || len(tree.Sub) < 2 {
		return s, false
	}
	last := len(tree.Sub) - 1
	if tree.Sub[0].Op != syntax.OpBeginText || tree.Sub[last].Op != syntax.OpEndText {
		return s, false
	}
	parts := tree.Sub[1:last]
	if len(parts) == 1 && parts[0].Op == syntax.OpQuest && parts[0].Sub[0].Op == syntax.OpCapture { // ^(...)?$
		s.orEmpty, parts = true, parts[0].Sub[0].Sub
	}
	if len(parts) == 1 && parts[0].Op == syntax.OpConcat {
		parts = parts[0].Sub
	}
	for _, part := range parts {
		runs, ok := runsOf(part)
		if !ok {
			return s, false
		}
		s.runs = append(s.runs, runs...)
	}
	return s, s.greedy()
}

// greedy reports whether it is right to read each run as far as it goes. It is where the rest of a run could
// never begin what comes next.
func (s shape) greedy() bool {
	for i := range len(s.runs) - 1 {
		if r := &s.runs[i]; r.least != r.most && r.meets(&s.runs[i+1]) {
			return false
		}
	}
	return true
}

// meets reports whether a character is in both. A run that may be empty would hide the one behind it.
func (r *run) meets(next *run) bool {
	if r.beyond && next.beyond || next.least == 0 {
		return true
	}
	for c := range r.ascii {
		if r.ascii[c] && next.ascii[c] {
			return true
		}
	}
	return false
}

// runsOf is one part of a pattern. Where characters are counted, each must be a byte, or all in one piece.
func runsOf(e *syntax.Regexp) ([]run, bool) {
	r := run{least: 1, most: 1}
	switch e.Op {
	case syntax.OpLiteral:
		return literalRuns(e)
	case syntax.OpRepeat:
		r.least, r.most, e = e.Min, e.Max, e.Sub[0]
	case syntax.OpStar:
		r.least, r.most, e = 0, -1, e.Sub[0]
	case syntax.OpPlus:
		r.least, r.most, e = 1, -1, e.Sub[0]
	case syntax.OpQuest:
		r.least, r.most, e = 0, 1, e.Sub[0]
	}
	var ok bool
	r.class, ok = classOf(e)
	return []run{r}, ok && !(r.beyond && r.least == r.most)
}

func literalRuns(e *syntax.Regexp) (runs []run, ok bool) {
	for _, c := range e.Rune {
		r := run{least: 1, most: 1}
		if c >= utf8.RuneSelf || e.Flags&syntax.FoldCase != 0 {
			return nil, false
		}
		r.ascii[c] = true
		runs = append(runs, r)
	}
	return runs, true
}

func classOf(e *syntax.Regexp) (c class, ok bool) {
	if e.Op == syntax.OpLiteral && len(e.Rune) == 1 {
		runs, ok := literalRuns(e)
		if ok {
			c = runs[0].class
		}
		return c, ok
	}
	if e.Op != syntax.OpCharClass {
		return c, false
	}
	for i := 0; i < len(e.Rune); i += 2 {
		from, to := e.Rune[i], e.Rune[i+1]
		if to >= utf8.RuneSelf {
			if from > utf8.RuneSelf || to != utf8.MaxRune {
				return c, false
			}
			c.beyond = true
		}
		for char := from; char <= min(to, utf8.RuneSelf-1); char++ {
			c.ascii[char] = true
		}
	}
	return c, true
}
