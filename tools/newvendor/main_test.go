package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// root is that of the repository, seen from here.
const root = "../.."

// TestNext: in this repository the catalogue's line is printed, as it is written there.
func TestNext(t *testing.T) {
	n := naming{"idnow-classic", "IDnow classic"}
	const path = "github.com/kycbridge/kycbridge/providers/idnow-classic"
	said := next("providers/idnow-classic", "./providers/", n, path)
	for _, want := range []string{"go test ./providers/idnow-classic\n", "\t\tidnowclassic.Provider,\n", `"` + path + `"`, "make docs"} {
		if !strings.Contains(said, want) {
			t.Errorf("it says %q, want %q in it", said, want)
		}
	}
	for _, dir := range []string{"/home/me/vendors/zenith", "../private/zenith"} {
		if said := next(dir, filepath.Dir(dir), n, path); !strings.Contains(said, "\tgo test -C "+dir+" .\n") {
			t.Errorf("for %s it says %q", dir, said)
		}
	}
	if said := next("vendors/zenith", "vendors", n, path); strings.Contains(said, "catalog.go") {
		t.Errorf("for another folder it says %q, and that is in no catalogue of this repository", said)
	}
}

// TestRunSaysWhatFails: a folder of no module is laid out and cannot be tested, and the go
// command says why.
func TestRunSaysWhatFails(t *testing.T) {
	t.Setenv("GOWORK", "off")
	var out bytes.Buffer
	err := run(&out, t.TempDir(), "zenith", "Zenith ID")
	if err == nil || !strings.Contains(err.Error(), "is laid out, but go test . -update fails there") || !strings.Contains(err.Error(), "go.mod") {
		t.Errorf("error %v, want one that says that the folder is there and what go said", err)
	}
	if out.Len() > 0 {
		t.Errorf("it says %q all the same", &out)
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func save(t *testing.T, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}
