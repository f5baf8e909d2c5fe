// Package foreign runs what is not written in Go: the programs, decoders and tools of other languages that
// the tests hold the contract against.
//
// What they need is installed into the folder .foreign of the checkout, under a name made of the file that
// asks for it, so that it is installed once and never beside what is committed. Without KYCBRIDGE_TEST_FOREIGN
// the tests are skipped; with it, nothing that is missing is passed over.
package foreign

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Variable switches the tests on.
const Variable = "KYCBRIDGE_TEST_FOREIGN"

// Need skips a test that was not asked for, and fails one whose commands are not on the machine.
func Need(t testing.TB, commands ...string) {
	t.Helper()
	if os.Getenv(Variable) == "" {
		t.Skipf("runs programs of other languages, and installs what they need: set %s=1, or run `make foreign`", Variable)
	}
	for _, command := range commands {
		if _, err := exec.LookPath(command); err != nil {
			t.Fatalf("%s is not on this machine; `make foreign` installs it where that is possible: %v", command, err)
		}
	}
}

// Root is the folder of the checkout.
func Root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "buf.yaml")); err == nil {
			return dir
		}
		if dir == filepath.Dir(dir) {
			t.Fatal("no folder above this one is the root of a checkout")
		}
	}
}

// Store is the folder that holds whatever was installed for a file, such as a list of packages: fill is given an
// empty folder, once. The folder is put in its place when it is whole, so fill must not write its name anywhere.
func Store(t testing.TB, kind, file string, fill func(dir string)) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(data)
	home := filepath.Join(Root(t), ".foreign")
	dir := filepath.Join(home, kind+"-"+hex.EncodeToString(sum[:6]))
	if _, err := os.Stat(dir); err == nil {
		return dir
	}
	if err := os.MkdirAll(home, 0o755); err != nil {
		t.Fatal(err)
	}
	part, err := os.MkdirTemp(home, kind+"-part-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(part)
	fill(part)
	if err := os.Rename(part, dir); err != nil && !errors.Is(err, fs.ErrExist) { // another run was quicker
		t.Fatal(err)
	}
	return dir
}

// Python is an interpreter that has the packages of a requirements file. Their commands are run as modules,
// `python -m NAME`.
func Python(t testing.TB, requirements string) string {
	t.Helper()
	Need(t, "python3")
	dir := Store(t, "python", requirements, func(dir string) {
		Run(t, dir, nil, "python3", "-m", "venv", dir)
		Run(t, dir, nil, filepath.Join(dir, "bin", "python"), "-m", "pip", "install", "-q", "-r", absolute(t, requirements))
	})
	return filepath.Join(dir, "bin", "python")
}

// Node is a copy of a folder with a package.json and a package-lock.json, with all that the lock names
// installed in it. Its other files are those of today; what a build left in it stays.
func Node(t testing.TB, folder string) string {
	t.Helper()
	Need(t, "node", "npm")
	dir := Store(t, "node", filepath.Join(folder, "package-lock.json"), func(dir string) {
		Copy(t, folder, dir)
		Run(t, dir, nil, "npm", "ci", "--no-audit", "--no-fund", "--loglevel=error")
	})
	Copy(t, folder, dir)
	return dir
}

// Copy copies the files of a folder, but for those that git ignores.
func Copy(t testing.TB, from, to string) {
	t.Helper()
	list := exec.Command("git", "ls-files", "--cached", "--others", "--exclude-standard", "-z", ".")
	list.Dir = from
	names, err := list.Output()
	if err != nil {
		t.Fatalf("list the files of %s: %v", from, err)
	}
	for name := range strings.SplitSeq(strings.TrimRight(string(names), "\x00"), "\x00") {
		data, err := os.ReadFile(filepath.Join(from, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue // deleted, and still in the index
		}
		if err == nil {
			err = os.MkdirAll(filepath.Dir(filepath.Join(to, name)), 0o755)
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(to, name), data, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// Run runs a command in a folder and gives what it printed to its standard output. It must succeed.
func Run(t testing.TB, dir string, env []string, command ...string) string {
	t.Helper()
	c := exec.CommandContext(t.Context(), command[0], command[1:]...)
	var out, errs strings.Builder
	c.Dir, c.Env, c.Stdout, c.Stderr = dir, append(os.Environ(), env...), &out, &errs
	if err := c.Run(); err != nil {
		t.Fatalf("%s: %v\n%s%s", strings.Join(command, " "), err, out.String(), errs.String())
	}
	return out.String()
}

func absolute(t testing.TB, path string) string {
	t.Helper()
	whole, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return whole
}
