// Program newvendor lays out the folder of a new vendor: the example in acme under
// another name. What it writes compiles, is formatted and passes the conformance suite,
// so that each step from the invented format to the real one can be tested.
//
// It writes nothing outside that folder. The vendor is in no catalogue until somebody
// adds it, which is when what it says has become true.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// publicFolder is where the vendors of this repository are.
const publicFolder = "providers"

func main() {
	name := flag.String("name", "", "name of the vendor in lower case, such as zenith: its folder, and what configurations call it")
	title := flag.String("title", "", "name of the vendor as people write it, such as \"Zenith ID\"")
	in := flag.String("in", publicFolder, "folder in which to lay it out; it may be of another module, for a vendor that stays private")
	flag.Parse()
	if err := run(os.Stdout, *in, *name, *title); err != nil {
		fmt.Fprintln(os.Stderr, "newvendor:", err)
		os.Exit(1)
	}
}

func run(out io.Writer, in, name, title string) error {
	n, err := nameOf(name, title)
	if err != nil {
		return err
	}
	dir, err := layOut(in, n)
	if err != nil {
		return err
	}
	if output, err := goIn(dir, "test", ".", "-update"); err != nil {
		return fmt.Errorf("%s is laid out, but go test . -update fails there: %w\n%s", dir, err, output)
	}
	path, err := goIn(dir, "list", ".")
	if err != nil {
		return fmt.Errorf("%s is laid out, but go list . fails there: %w\n%s", dir, err, path)
	}
	fmt.Fprint(out, next(dir, in, n, strings.TrimSpace(path)))
	return nil
}

// goIn runs the go command in a folder.
func goIn(dir string, args ...string) (output string, err error) {
	cmd := exec.Command("go", args...)
	cmd.Dir = dir
	text, err := cmd.CombinedOutput()
	return string(text), err
}

// testCommand tests the vendor from where newvendor was called. A folder that is not below
// may be of another module.
func testCommand(dir string) string {
	if filepath.IsLocal(dir) {
		return "go test ./" + filepath.ToSlash(dir)
	}
	return "go test -C " + dir + " ."
}

// next says what is left to a person.
func next(dir, in string, n naming, path string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s is laid out and passes the suite, as an invented vendor under that name.\n", dir)
	fmt.Fprintf(&b, "Replace what is invented, in the order of providers/README.md; test with\n\n\t%s\n\n", testCommand(dir))
	if filepath.Clean(in) == publicFolder {
		fmt.Fprintf(&b, "Once it is true, add to All in providers/catalog/catalog.go, in the order of the names, the line\n\n"+
			"\t\t%s.Provider,\n\n(goimports, or your editor, adds its import %q) and run make docs.\n", n.pkg(), path)
	} else {
		fmt.Fprintf(&b, "Your own program imports %q and hands it on:\n\n\t\tcommand.Main(append(catalog.All(), %s.Provider))\n", path, n.pkg())
	}
	return b.String()
}
