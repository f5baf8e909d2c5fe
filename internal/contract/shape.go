package contract

import (
	"regexp/syntax"
	"unicode/utf8"
)

// uuidPattern is what protovalidate takes for a UUID.
const uuidPattern = `^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$`

// A shape is a pattern that needs no search: runs of characters, one after the other, from the
// beginning to the end of a text. A regular expression says the same and takes ten times as long.
type shape []run

// A run is least to most characters of one class. Outside of ASCII all are in it, or none.
type run struct {
	ascii       [utf8.RuneSelf]bool
	beyond      bool
	least, most int // most -1: any number
}

// fits reads each run as far as it goes. That is right because shapeOf takes no pattern in which the
// rest of a run could begin the next one.
func (s shape) fits(text string) bool {
	for i := range s {
		n := 0
		for len(text) > 0 && n != s[i].most {
			c, width := rune(text[0]), 1
			if c >= utf8.RuneSelf {
				c, width = utf8.DecodeRuneInString(text)
			}
			if !s[i].has(c) {
				break
			}
			text = text[width:]
			n++
		}
		if n < s[i].least {
			return false
		}
	}
	return text == ""
}

func (r *run) has(c rune) bool {
	if c < utf8.RuneSelf {
		return r.ascii[c]
	}
	return r.beyond
}

// shapeOf reads a pattern; false where it is more than a shape.
func shapeOf(pattern string) (shape, bool) {
	tree, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil || tree.Op != syntax.OpConcat || len(tree.Sub) < 2 {
		return nil, false
	}
	last := len(tree.Sub) - 1
	if tree.Sub[0].Op != syntax.OpBeginText || tree.Sub[last].Op != syntax.OpEndText {
		return nil, false
	}
	s := shape{}
	for _, sub := range tree.Sub[1:last] {
		runs, ok := runsOf(sub)
		if !ok {
			return nil, false
		}
		s = append(s, runs...)
	}
	for i := range len(s) - 1 {
		if s[i].least != s[i].most && meet(&s[i], &s[i+1]) {
			return nil, false
		}
	}
	return s, true
}

func runsOf(e *syntax.Regexp) ([]run, bool) {
	least, most := 1, 1
	switch e.Op {
	case syntax.OpLiteral:
		return literal(e)
	case syntax.OpRepeat:
		least, most, e = e.Min, e.Max, e.Sub[0]
	case syntax.OpStar:
		least, most, e = 0, -1, e.Sub[0]
	case syntax.OpPlus:
		least, most, e = 1, -1, e.Sub[0]
	}
	if e.Op != syntax.OpCharClass {
		return nil, false
	}
	r := run{least: least, most: most}
	for i := 0; i < len(e.Rune); i += 2 {
		from, to := e.Rune[i], e.Rune[i+1]
		if to >= utf8.RuneSelf {
			if from > utf8.RuneSelf || to != utf8.MaxRune {
				return nil, false
			}
			r.beyond = true
		}
		for c := from; c <= min(to, utf8.RuneSelf-1); c++ {
			r.ascii[c] = true
		}
	}
	return []run{r}, true
}

func literal(e *syntax.Regexp) (runs []run, ok bool) {
	for _, c := range e.Rune {
		if c >= utf8.RuneSelf || e.Flags&syntax.FoldCase != 0 {
			return nil, false
		}
		r := run{least: 1, most: 1}
		r.ascii[c] = true
		runs = append(runs, r)
	}
	return runs, true
}

// meet says whether a character is in both. A run that may be empty would hide the one behind it.
func meet(a, b *run) bool {
	if a.beyond && b.beyond || b.least == 0 {
		return true
	}
	for c := range a.ascii {
		if a.ascii[c] && b.ascii[c] {
			return true
		}
	}
	return false
}
