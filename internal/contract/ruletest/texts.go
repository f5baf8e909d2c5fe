package ruletest

import (
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
)

const uuidPattern = `^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$`

// aPattern is one in an expression.
var aPattern = regexp.MustCompile(`matches\('([^']*)'\)`)

// patternsOf are those that a text is asked for.
func patternsOf(rules *validate.FieldRules) (all []*regexp.Regexp) {
	if p := rules.GetString().GetPattern(); p != "" {
		all = append(all, regexp.MustCompile(p))
	}
	if rules.GetString().GetUuid() {
		all = append(all, regexp.MustCompile(uuidPattern))
	}
	for _, r := range rules.GetCel() {
		for _, found := range aPattern.FindAllStringSubmatch(r.GetExpression(), -1) {
			if p, err := strconv.Unquote(`"` + found[1] + `"`); err == nil {
				all = append(all, regexp.MustCompile(p))
			}
		}
	}
	return all
}

// textsFor are texts around a valid one: of lengths at the limits, and with another character at each place.
func textsFor(rules *validate.FieldRules, valid string) []string {
	all := []string{"", valid + "\n", "\n" + valid, strings.ToUpper(valid), strings.ReplaceAll(valid, "-", "")}
	lengths := []int{1, 2, int(rules.GetString().GetMinLen()), int(rules.GetString().GetMaxLen())}
	for _, limit := range limitsOf(rules) {
		if n, err := strconv.Atoi(limit); err == nil {
			lengths = append(lengths, n)
		}
	}
	for _, n := range lengths {
		for _, c := range []string{"x", "A", "é"} {
			all = append(all, strings.Repeat(c, n), strings.Repeat(c, n+1), strings.Repeat(c, max(n-1, 0)))
		}
	}
	for _, p := range patternsOf(rules) {
		if p.MatchString(valid) {
			all = append(all, textsAround(p, valid)...)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// odd are characters, and bytes that are none, at the edges of classes.
var odd = []string{"", "\r\n", "é", "\u2028", "\U0010ffff", "\xff", "\xc3", "\ufffd"}

// textsAround are texts around one that matches.
func textsAround(pattern *regexp.Regexp, valid string) (all []string) {
	const many = 300
	for i := range valid {
		_, width := utf8.DecodeRuneInString(valid[i:])
		before, here, after := valid[:i], valid[i:i+width], valid[i+width:]
		all = append(all, before, here+after, before+after)
		for _, other := range []string{"\n", " ", "%", "-", "=", "0", "G", "é", "\xff"} {
			all = append(all, before+other+after)
		}
		long := func(n int) string { return before + strings.Repeat(here, n) + after }
		if n := sort.Search(many, func(n int) bool { return !pattern.MatchString(long(n + 1)) }); n < many { // the longest run
			all = append(all, long(n), long(n+1), before+strings.Repeat("é", n)+after, before+strings.Repeat("é", n+1)+after)
		}
	}
	for _, i := range []int{0, 1, len(valid) / 2, max(len(valid)-1, 0)} {
		for _, c := range append(ascii(), odd...) {
			all = append(all, valid[:min(i, len(valid))]+c+valid[min(i+1, len(valid)):])
		}
	}
	return all
}

func ascii() (all []string) {
	for c := range rune(0x80) {
		all = append(all, string(c))
	}
	return all
}
