//go:build !race

// Everything here runs in processes of their own, which are built without the race detector: with it,
// the same would be tested twice.

package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestLaidOut lays a vendor out in a module of its own, where nothing of this one's is
// internal to it, and does there what its README asks for.
func TestLaidOut(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds the whole program with one more vendor")
	}
	t.Setenv("GOWORK", "off")
	here, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	module := privateModule(t, here)
	output, err := goIn(module, "run", "github.com/kycbridge/kycbridge/tools/newvendor", "-in", "vendors", "-name", "zenith", "-title", "Zenith ID")
	if want := "\"example.invalid/private/vendors/zenith\" and hands it on:\n\n\t\tcommand.Main(append(catalog.All(), zenith.Provider))\n"; err != nil || !strings.Contains(output, want) {
		t.Fatalf("newvendor gives %v and says %q, want %s", err, output, want)
	}
	for _, args := range [][]string{{"vet", "./..."}, {"test", "./..."}} {
		if output, err := goIn(module, args...); err != nil {
			t.Errorf("go %q: %v\n%s", args, err, output)
		}
	}
	dir := filepath.Join(module, "vendors", "zenith")
	t.Run("becomes what the example becomes", func(t *testing.T) { checkGoldens(t, dir) })
	t.Run("fails when it is wrong", func(t *testing.T) { checkFailures(t, dir) })
	t.Run("is listed", func(t *testing.T) { checkListed(t, here, dir) })

}

// privateModule is a module that takes kycbridge from here.
func privateModule(t *testing.T, here string) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	ours := read(t, filepath.Join(here, "go.mod"))
	mod := strings.Replace(ours, "module github.com/kycbridge/kycbridge", "module example.invalid/private", 1) +
		"\nrequire github.com/kycbridge/kycbridge v0.0.0\n\nreplace github.com/kycbridge/kycbridge => " + here + "\n"
	save(t, filepath.Join(dir, "go.mod"), mod)
	save(t, filepath.Join(dir, "go.sum"), read(t, filepath.Join(here, "go.sum")))
	if err := os.Mkdir(filepath.Join(dir, "vendors"), 0o777); err != nil {
		t.Fatal(err)
	}
	return dir
}

// eventID depends on the vendor's name.
var eventID = regexp.MustCompile(`"event_id": "[0-9a-f-]+"`)

// checkGoldens compares what the suite wrote with the example's, which a person has read.
func checkGoldens(t *testing.T, dir string) {
	compared := 0
	for _, file := range filesOf(t, dir) {
		if !isGolden(file) {
			continue
		}
		compared++
		example, err := example.ReadFile(exampleFolder + "/" + file)
		if err != nil {
			t.Fatal(err)
		}
		want := strings.NewReplacer(`"raw_key": "acme/`, `"raw_key": "zenith/`, "Acme Identity", "Zenith ID").Replace(string(example))
		hide := func(text string) string { return bodyHash.ReplaceAllString(eventID.ReplaceAllString(text, ""), "$1") }
		if got := read(t, filepath.Join(dir, file)); hide(got) != hide(want) {
			t.Errorf("%s is\n%s\nand the example's is\n%s", file, got, want)
		}
	}
	if compared < 2 {
		t.Errorf("%d goldens, want those of the fixtures and of the story", compared)
	}
}

// bodyHash is the key of a delivery without an id.
var bodyHash = regexp.MustCompile(`("raw_key": "zenith/)[0-9a-f]{64}`)

// checkFailures: the suite that passed does not pass whatever there is.
func checkFailures(t *testing.T, dir string) {
	for _, tc := range []struct {
		name, file, old, new string
		want                 string // of its output; -update is no way round
	}{
		{"a new word is good", "map.go", "decision = kycv1.Decision_DECISION_UNDETERMINED", "decision = kycv1.Decision_DECISION_APPROVED", "still says [DECISION_APPROVED]"},
		{"null is final", "map.go", `if v.At("final").True() {`, `if v.At("final").Scalar() != "false" {`, "verification.final says DECISION_APPROVED that may be acted on"},
		{"a type is not read", "map.go", "providers.ListField(providers.TextField)", "providers.AnyField", "verification.reasons is as if it were absent"},
	} {
		path := filepath.Join(dir, tc.file)
		before := read(t, path)
		if !strings.Contains(before, tc.old) {
			t.Fatalf("%s: %s does not have %q", tc.name, tc.file, tc.old)
		}
		save(t, path, strings.Replace(before, tc.old, tc.new, 1))
		output, err := goIn(dir, "test", "-vet=off", ".", "-update")
		if err == nil || !strings.Contains(output, tc.want) {
			t.Errorf("%s: the suite gives %v, want a failure with %q:\n%s", tc.name, err, tc.want, output)
		}
		save(t, path, before)
	}
	readme := filepath.Join(dir, "README.md")
	before := read(t, readme)
	if err := os.Remove(readme); err != nil {
		t.Fatal(err)
	}
	if output, err := goIn(dir, "test", "-vet=off", "."); err == nil || !strings.Contains(output, `write it, with "## In the vendor's dashboard"`) {
		t.Errorf("without README.md the suite gives %v, want a failure that says what to write:\n%s", err, output)
	}
	save(t, readme, before)
	if output, err := goIn(dir, "test", ".", "-update"); err != nil {
		t.Errorf("as it was, it fails: %v\n%s", err, output)
	}
}
