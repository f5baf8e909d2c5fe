package main

import (
	"embed"
	"errors"
	"fmt"
	"go/format"
	"io/fs"
	"os"
	"path"
	"path/filepath"
)

// example is a whole vendor, which the tests of this repository compile and run.
//
//go:embed acme
var example embed.FS

const exampleFolder = "acme"

// goldenFile is what a fixture becomes, written by the suite, as goldenSuffix is for a story:
// the ids of events depend on the vendor's name.
const (
	goldenFile   = "want.json"
	goldenSuffix = ".want"
)

func isGolden(file string) bool {
	return path.Base(file) == goldenFile || path.Ext(file) == goldenSuffix
}

// render gives the vendor's files by their path in its folder.
func (n naming) render() (map[string][]byte, error) {
	inside, err := fs.Sub(example, exampleFolder)
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	return files, fs.WalkDir(inside, ".", func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || isGolden(file) {
			return err
		}
		text, err := fs.ReadFile(inside, file)
		if err != nil {
			return err
		}
		text = []byte(n.rename(string(text)))
		if path.Ext(file) == ".go" { // names are of other lengths, and comments are aligned
			if text, err = format.Source(text); err != nil {
				return fmt.Errorf("%s: %w", file, err)
			}
		}
		files[file] = text
		return nil
	})
}

// layOut writes the folder of a vendor that is not there yet, all of it or nothing.
func layOut(in string, n naming) (dir string, err error) {
	files, err := n.render()
	if err != nil {
		return "", err
	}
	dir = filepath.Join(in, n.name)
	switch err := os.Mkdir(dir, 0o777); {
	case errors.Is(err, fs.ErrExist):
		return "", fmt.Errorf("%s is there already; want a name that no vendor has: choose another, or remove what was laid out by mistake", dir)
	case errors.Is(err, fs.ErrNotExist):
		return "", fmt.Errorf("no folder %s; run it from the root of the repository, or name with -in the folder that is to hold the vendor's", in)
	case err != nil:
		return "", err
	}
	for file, text := range files {
		if err := write(filepath.Join(dir, filepath.FromSlash(file)), text); err != nil {
			return "", errors.Join(err, os.RemoveAll(dir))
		}
	}
	return dir, nil
}

func write(file string, text []byte) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
		return err
	}
	return os.WriteFile(file, text, 0o666)
}
