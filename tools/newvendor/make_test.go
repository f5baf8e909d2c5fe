package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestMakeHandsNamesOn: a name reaches the tool as it was given, whatever a shell thinks of it.
func TestMakeHandsNamesOn(t *testing.T) {
	if _, err := exec.LookPath("make"); err != nil {
		t.Skip("there is no make here")
	}
	dir := t.TempDir()
	said := filepath.Join(dir, "said")
	script := "#!/bin/sh\nprintf '<%s>' \"$@\" > '" + said + "'\n"
	if err := os.WriteFile(filepath.Join(dir, "go"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("make", "-s", "-C", root, "vendor", "NAME=zenith", `TITLE=Zenith's "ID" ; false`)
	cmd.Env = append(os.Environ(), "PATH="+dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	if output, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("make vendor: %v\n%s", err, output)
	}
	if got, want := read(t, said), `<run><./tools/newvendor><-name><zenith><-title><Zenith's "ID" ; false>`; got != want {
		t.Errorf("make vendor runs go with %s, want %s", got, want)
	}
}
