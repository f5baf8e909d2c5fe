package main

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// patterns are those that a package asks about. One that is a shape becomes straight code with a table for
// each class of characters, any other a regular expression.
type patterns struct {
	names   []string // by number
	classes []class  // as above
}

// named is the function that reports whether a text matches; false for a pattern that is none.
func (p *patterns) named(pattern string) (name string, ok bool) {
	if _, err := regexp.Compile(pattern); err != nil {
		return "", false
	}
	if !slices.Contains(p.names, pattern) {
		p.names = append(p.names, pattern)
	}
	return "matches" + strconv.Itoa(slices.Index(p.names, pattern)), true
}

// inside is a condition for a byte: that it is, or is part of, a character of the class.
func (p *patterns) inside(c class, b string) code {
	if char, ok := c.only(); ok {
		return code{b, " == ", char}
	}
	if c.beyond { // the table is of the others
		return code{"!", p.table(c), "[", b, "]"}
	}
	return code{p.table(c), "[", b, "]"}
}

// outside is the opposite.
func (p *patterns) outside(c class, b string) code {
	if char, ok := c.only(); ok {
		return code{b, " != ", char}
	}
	if c.beyond {
		return code{p.table(c), "[", b, "]"}
	}
	return code{"!", p.table(c), "[", b, "]"}
}

func (p *patterns) table(c class) string {
	if !slices.Contains(p.classes, c) {
		p.classes = append(p.classes, c)
	}
	name := "in"
	if c.beyond {
		name = "notIn"
	}
	return name + strconv.Itoa(slices.Index(p.classes, c))
}

// patternFile holds the functions for the patterns that the other files ask about.
func (g *generator) patternFile() {
	p := &g.patterns
	out := g.begin("patterns", "the patterns of package "+string(g.of))
	for _, pattern := range p.names {
		name, _ := p.named(pattern)
		out.P()
		out.P("// ", name, " reports whether s matches ", quoted(pattern), ".")
		if s, ok := shapeOf(pattern); ok {
			p.straight(out, name, s)
		} else {
			search(out, name, pattern)
		}
	}
	for _, c := range p.classes {
		out.P()
		out.P("var ", p.table(c), " = [256]bool{")
		for _, line := range c.lines() {
			out.P(line, ",")
		}
		out.P("}")
	}
}

// straight is a function that reads run after run.
func (p *patterns) straight(out goFile, name string, s shape) {
	out.P("func ", name, "(s string) bool {")
	if s.orEmpty {
		out.P(`if s == "" { return true }`)
	}
	rest := `s == ""` // nothing is left
	for i, r := range s.runs {
		last := i == len(s.runs)-1
		switch {
		case r.least == 1 && r.most == 1:
			out.print(unproven(join(`s == "" || `, p.outside(r.class, "s[0]")))...)
			out.P("s = s[1:]")
		case r.least == r.most:
			out.print(unproven(code{"len(s) < ", r.least})...)
			out.P("for i := range ", r.least, " {")
			out.print(unproven(p.outside(r.class, "s[i]"))...)
			out.P("}")
			out.P("s = s[", r.least, ":]")
		default:
			n := "n" + strconv.Itoa(i)
			if p.span(out, n, r); last {
				rest = n + " == len(s)"
			} else {
				out.P("s = s[", n, ":]")
			}
		}
	}
	out.P("return ", rest)
	out.P("}")
}

// span counts the bytes of a run of any length, as far as it goes.
func (p *patterns) span(out goFile, n string, r run) {
	out.P(n, " := 0")
	out.print(join("for ", n, " < len(s) && ", p.inside(r.class, "s["+n+"]"), " {"))
	out.P(n, "++")
	out.P("}")
	count := code{n}
	if r.beyond { // bytes are no characters
		count = join(runeCount, "(s[:", n, "])")
	}
	var broken []code
	if r.least > 0 {
		broken = append(broken, join(count, " < ", r.least))
	}
	if r.most >= 0 {
		broken = append(broken, join(count, " > ", r.most))
	}
	if len(broken) > 0 {
		out.print(unproven(anyOf(broken))...)
	}
}

// search is a function for what is no shape. Most texts are empty, so that is decided here; the expression is
// compiled for the first that is not, since it is large for a process that has none.
func search(out goFile, name, pattern string) {
	empty := `s != "" && `
	if regexp.MustCompile(pattern).MatchString("") {
		empty = `s == "" || `
	}
	out.P("func ", name, "(s string) bool { return ", empty, name, "Pattern().MatchString(s) }")
	out.P()
	out.P("var ", name, "Pattern = ", onceValue, "(func() *", regularExpr, " { return ", mustCompile, "(", quoted(pattern), ") })")
}

func quoted(s string) string {
	if strconv.CanBackquote(s) {
		return "`" + s + "`"
	}
	return strconv.Quote(s)
}

// only is the one character of a class that has one.
func (c class) only() (char string, ok bool) {
	n := 0
	for i, in := range c.ascii {
		if in {
			n++
			char = strconv.QuoteRune(rune(i))
		}
	}
	return char, n == 1 && !c.beyond
}

// perLine is how many characters of a class stand in a line of its table.
const perLine = 8

// lines are a table of the characters in ASCII that are in a class, or of those that are not where all others
// are: for a byte at or above utf8.RuneSelf, a piece of another character, the table holds false.
func (c class) lines() (lines []string) {
	var line []string
	for b, in := range c.ascii {
		if in == c.beyond {
			continue
		}
		if line = append(line, strconv.QuoteRune(rune(b))+": true"); len(line) == perLine {
			lines, line = append(lines, strings.Join(line, ", ")), nil
		}
	}
	if len(line) > 0 {
		lines = append(lines, strings.Join(line, ", "))
	}
	return lines
}
