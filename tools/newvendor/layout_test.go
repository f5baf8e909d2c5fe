package main

import (
	"bytes"
	"go/format"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// longName is aligned otherwise than the example's.
var longName = naming{"meridian-identity", "Meridian Identity"}

func TestLayOut(t *testing.T) {
	in := t.TempDir()
	dir, err := layOut(in, longName)
	if err != nil {
		t.Fatal(err)
	}
	got, want := filesOf(t, dir), slices.DeleteFunc(filesOf(t, exampleFolder), isGolden)
	if !slices.Equal(got, want) {
		t.Errorf("the files are %q, want those of the example, %q", got, want)
	}
	for _, file := range got {
		text, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(strings.ToLower(string(text)), exampleFolder) {
			t.Errorf("%s still names the example:\n%s", file, text)
		}
		if formatted, err := format.Source(text); filepath.Ext(file) == ".go" && !bytes.Equal(text, formatted) {
			t.Errorf("%s is not as gofmt writes it, %v:\n%s", file, err, text)
		}
	}
}

func filesOf(t *testing.T, dir string) (files []string) {
	t.Helper()
	err := fs.WalkDir(os.DirFS(dir), ".", func(file string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			files = append(files, file)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// TestLayOutRefuses: what is there stays as it is, and nothing is written elsewhere.
func TestLayOutRefuses(t *testing.T) {
	in := t.TempDir()
	there := filepath.Join(in, "zenith")
	if err := os.Mkdir(there, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(there, "provider.go"), []byte("mine"), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(in, "afile"), nil, 0o666); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ in, name, want string }{
		{in, "zenith", "is there already"},
		{in, "afile", "is there already"},
		{filepath.Join(in, "nowhere"), "zenith", "no folder " + filepath.Join(in, "nowhere")},
		{filepath.Join(in, "afile"), "zenith", "not a directory"},
	} {
		if _, err := layOut(tc.in, naming{tc.name, "Zenith ID"}); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s in %s: error %v, want one with %q", tc.name, tc.in, err, tc.want)
		}
	}
	if got := filesOf(t, in); !slices.Equal(got, []string{"afile", "zenith/provider.go"}) {
		t.Errorf("there is now %q", got)
	}
	if text, err := os.ReadFile(filepath.Join(there, "provider.go")); err != nil || string(text) != "mine" {
		t.Errorf("the file that was there holds %q, %v", text, err)
	}
}
