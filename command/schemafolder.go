package command

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kycbridge/kycbridge/schemas/export"
)

// exportMark is in every exported file: a file without it, where one of ours belongs, is somebody else's.
var exportMark = []byte("kycbridge")

// longestExport is far above any exported file, so that a longer one in its place need not be read to know that
// it is somebody else's.
const longestExport = 4 << 20

// writeFolder writes files below a folder, which need not be there, and says how many on report. What an earlier
// export wrote is replaced; where anything else is in the way, nothing is written and the error names all of it.
// A file that says the same already keeps its time, so that builds that go by it are not run again.
func writeFolder(report io.Writer, flag, dir string, files []export.File) error {
	if dir == "" {
		return usagef("%s is empty; expected a folder", flag)
	}
	if err := inTheWay(dir, files); err != nil {
		return fmt.Errorf("cannot export to %s: %w", dir, err)
	}
	for _, file := range files {
		if err := writeExported(placeOf(dir, file), file.Text); err != nil {
			return fmt.Errorf("cannot export to %s: %w", dir, err)
		}
	}
	if _, err := fmt.Fprintf(report, "wrote %d files to %s\n", len(files), dir); err != nil {
		return err
	}
	return nameStrangers(report, dir, files)
}

func placeOf(dir string, file export.File) string {
	return filepath.Join(dir, filepath.FromSlash(file.Path))
}

func writeExported(path string, text []byte) error {
	if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, text) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o644)
}

// inTheWay names what lies where files would be written and is not of an earlier export.
func inTheWay(dir string, files []export.File) error {
	var found []string
	for _, file := range files {
		obstacle, err := obstacleTo(dir, file)
		if err != nil {
			return err
		}
		if obstacle != "" && !slices.Contains(found, obstacle) {
			found = append(found, obstacle)
		}
	}
	if len(found) == 0 {
		return nil
	}
	return fmt.Errorf("%s: move it away or name another folder", strings.Join(found, "; "))
}

// obstacleTo says what is in the way of one file, empty when nothing is.
func obstacleTo(dir string, file export.File) (string, error) {
	folder := dir
	for _, part := range strings.Split(file.Path, "/") {
		info, err := os.Stat(folder)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return "", nil
		case err != nil:
			return "", err
		case !info.IsDir():
			return folder + " is a file where a folder belongs", nil
		}
		folder = filepath.Join(folder, part)
	}
	return strangeFile(folder)
}

func strangeFile(path string) (string, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", nil
	case err != nil:
		return "", err
	case info.IsDir():
		return path + " is a folder where a file belongs", nil
	case info.Mode().IsRegular() && info.Size() <= longestExport:
		text, err := os.ReadFile(path)
		if err != nil || bytes.Contains(text, exportMark) {
			return "", err
		}
	}
	return path + " was not written by an export", nil
}

// nameStrangers reports .proto files beside those of an export, of an earlier version or of somebody else:
// compilers take whole folders and would take them for a part of it.
func nameStrangers(report io.Writer, dir string, files []export.File) error {
	ours := map[string]bool{}
	var folders []string
	for _, file := range files {
		path := placeOf(dir, file)
		ours[path], folders = true, append(folders, filepath.Dir(path))
	}
	slices.Sort(folders)
	for _, folder := range slices.Compact(folders) {
		entries, err := os.ReadDir(folder)
		if err != nil {
			return err
		}
		for _, entry := range entries {
			path := filepath.Join(folder, entry.Name())
			if ours[path] || filepath.Ext(path) != ".proto" {
				continue
			}
			if _, err := fmt.Fprintf(report, "%s is no part of this export and was left alone; delete it if an earlier version wrote it\n", path); err != nil {
				return err
			}
		}
	}
	return nil
}
