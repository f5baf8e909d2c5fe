package e2e

import (
	"bytes"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// abuses is what somebody may send or try, each of which docs/faults.md shows to be tested, or says why not.
var abuses = []string{
	"a signature that is missing, empty, cut, doubled, of another body, or under an empty key",
	"ten copies of one delivery at once, and copies at several processes",
	"a captured delivery, sent again minutes, days, or a mark's life later",
	"a clock that is ten minutes off",
	"a secret is replaced, process by process, under traffic",
	"a wrong secret is rolled out",
	"tokens: `none`, HS256 under the public key, another receiver, no end, of the future, a megabyte, a million dots, a key id that is a path or SQL, a key address of their own",
	"key sets that are away, slow, huge, replaced; made-up key ids at full speed",
	"guesses of a secret by their time",
	"forged `X-Forwarded-For`: left, many lines, zones, ports, garbage; a PROXY line",
	"slow heads, bodies and readers; thousands of idle connections",
	"a second request hidden behind a first: length and chunks, spellings of codings, bare line feeds, folded lines, two lengths",
	"bombs: gzip, forms of many parts, batches that unpack",
	"ids that lead an API's address away; redirects; names that change to an inside address",
	"forged ids by the hundred, each to be asked for",
	"one tenant's secret or ids at another's endpoint; names tried out",
	"a flood of forged requests",
	"hostile header values in logs: line breaks, escapes, a megabyte",
	"planted names, addresses, numbers and secrets, through every error",
	"a configuration that is unknown, empty, doubled, unreadable or half written",
	"a configuration that changes every second",
	"a person's data is to be unreadable at once",
}

var (
	abuseRow  = regexp.MustCompile(`^\| (.+) \| (.+) \| (.+) \|$`)
	abuseSpan = regexp.MustCompile("`([^`]+)`")
	abuseTest = regexp.MustCompile(`^(Test|Fuzz|Benchmark)[A-Z]\w*$`)
)

// TestAbuseRows holds the page's table of abuse against the list above and the tests that exist.
func TestAbuseRows(t *testing.T) {
	page, err := os.ReadFile("../docs/faults.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, ok := bytes.Cut(page, []byte("\n## Abuse\n"))
	if !ok {
		t.Fatal("docs/faults.md has no section Abuse")
	}
	section, _, _ = bytes.Cut(section, []byte("\n## "))
	source := testSource(t)
	var shown []string
	for line := range strings.Lines(string(section)) {
		row := abuseRow.FindStringSubmatch(strings.TrimSpace(line))
		if row == nil || row[1] == "Abuse" {
			continue
		}
		shown = append(shown, row[1])
		if problem := untested(row[3], source); problem != "" {
			t.Errorf("%s: %s", row[1], problem)
		}
	}
	if !slices.Equal(shown, abuses) {
		t.Errorf("docs/faults.md shows\n%s\nwant\n%s", strings.Join(shown, "\n"), strings.Join(abuses, "\n"))
	}
}

// TestUntestedCanBeSeen: a row without a test, or with one that is gone, is a problem.
func TestUntestedCanBeSeen(t *testing.T) {
	source := []byte("func TestHere(t *testing.T) {")
	for cell, sound := range map[string]bool{
		"`TestHere`": true, "`kill-ingest`, `TestHere`": true, "none: nothing is kept": true, "`make attacks`": true,
		"`TestGone`": false, "`TestHere`, `FuzzGone`": false, "`kill-nobody`": false, "by hand": false, "none:": false, "": false,
	} {
		if problem := untested(cell, source); (problem == "") != sound {
			t.Errorf("%q: %q", cell, problem)
		}
	}
}

// untested says what is wrong with the cell that names the tests of a row.
func untested(cell string, source []byte) string {
	if why, none := strings.CutPrefix(cell, "none:"); none {
		if strings.TrimSpace(why) == "" {
			return "there is no test, and no word why"
		}
		return ""
	}
	spans := abuseSpan.FindAllStringSubmatch(cell, -1)
	if len(spans) == 0 {
		return "no test is named"
	}
	for _, span := range spans {
		switch name := span[1]; {
		case strings.HasPrefix(name, "make "):
		case abuseTest.MatchString(name):
			if !bytes.Contains(source, []byte("func "+name+"(")) {
				return "the test " + name + " is not there"
			}
		case !named(name):
			return "there is no fault " + name
		}
	}
	return ""
}
