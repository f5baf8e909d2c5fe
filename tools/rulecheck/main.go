// Program rulecheck compares a contract with the one that was released, in what `buf breaking`
// does not see: the rules of protovalidate, which may be loosened and never tightened, and which
// message is the first of its file. Both are images of `buf build`. It is not a check of names,
// numbers and types, which are buf's, nor of the configuration, which no consumer reads.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
)

func main() {
	var o options
	flag.StringVar(&o.image, "image", "", "image of the contract as it is")
	flag.StringVar(&o.released, "released", "", "image of the contract as it was released")
	flag.StringVar(&o.reviewed, "reviewed", "", "file that lists changes of rules which were read and only loosen")
	flag.StringVar(&o.pkg, "package", "kyc", "package to check, with those below it")
	flag.Parse()
	if err := run(o, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "rulecheck:", err)
		os.Exit(1)
	}
}

type options struct{ image, released, reviewed, pkg string }

// errRefused says that the findings are on standard output.
var errRefused = errors.New("what was released has changed in a way that consumers cannot follow; docs/evolution.md says what may change")

// run writes a line for each refusal.
func run(o options, out io.Writer) error {
	released, err := readImage(o.released)
	if err != nil {
		return err
	}
	image, err := readImage(o.image)
	if err != nil {
		return err
	}
	text, err := os.ReadFile(o.reviewed)
	if err != nil {
		return err
	}
	found, err := compare(released, image, o.pkg)
	if err != nil {
		return err
	}
	refused := review(found, reviewedLines(string(text)), o.reviewed)
	for _, line := range refused {
		fmt.Fprintln(out, line)
	}
	if len(refused) > 0 {
		return errRefused
	}
	return nil
}

// reviewedLines are the lines of the file of reviewed changes that say something.
func reviewedLines(text string) map[string]bool {
	lines := map[string]bool{}
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			lines[line] = true
		}
	}
	return lines
}

// review gives a line for each finding that no reviewed line excuses, and for each reviewed line
// that excuses nothing: it would otherwise wait for a change that nobody has read.
func review(found []finding, reviewed map[string]bool, file string) (refused []string) {
	used := map[string]bool{}
	for _, f := range found {
		line := f.reviewLine()
		if line != "" && reviewed[line] {
			used[line] = true
			continue
		}
		refused = append(refused, f.text(file))
	}
	for _, line := range slices.Sorted(maps.Keys(reviewed)) {
		if !used[line] {
			refused = append(refused, fmt.Sprintf("%s: %q excuses no change against the released contract; remove the line", file, line))
		}
	}
	return refused
}
