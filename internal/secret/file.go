package secret

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// MaxFile bounds a file that holds one secret, in bytes.
const MaxFile = 64 << 10

// attempts are made to open a file: where a secret is mounted by a link to a folder that is swapped, a file may go
// between two steps.
const attempts = 3

// FromFile reads a secret from a file and drops one line break at its end, which editors and `echo` leave there.
// Warnings are what ReadFile says.
func FromFile(path string) (v Value, warnings []string, err error) {
	content, warnings, err := ReadFile(path, MaxFile)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Value{}, nil, fmt.Errorf("no file %s; create it with the secret, readable by this user only", path)
	case err != nil:
		return Value{}, nil, err
	}
	text := string(content)
	if whole, ended := strings.CutSuffix(text, "\n"); ended {
		text = strings.TrimSuffix(whole, "\r")
	}
	if text == "" {
		return Value{}, nil, fmt.Errorf("%s is empty; put the secret into it", path)
	}
	if what := fault(text); what != "" {
		return Value{}, nil, fmt.Errorf("%s %s: write the secret into it and nothing else, but for one line break at the end", path, what)
	}
	v = Of(text)
	v.file = path
	return v, warnings, nil
}

// ReadFile reads a file that nobody else should read, such as a key, by the rules of ReadTrusted. That others
// can read it is a warning, since mounted secrets often look like that.
func ReadFile(path string, limit int64) (content []byte, warnings []string, err error) {
	content, info, warnings, err := read(path, limit)
	if err == nil && info.Mode().Perm()&0o044 != 0 {
		warnings = append(warnings, fmt.Sprintf("%s has mode %04o, so others can read it: chmod 600 %s", path, info.Mode().Perm(), path))
	}
	return content, warnings, err
}

// ReadTrusted reads a file of at most limit bytes whose content is believed: a secret, or a certificate or key that
// proves others. One that others may change is refused, and so is one in a folder in which they may put
// another in its place. Whoever owns it may change it, which is a warning where that is neither this user nor root.
// Errors are of package fs, or name path.
func ReadTrusted(path string, limit int64) (content []byte, warnings []string, err error) {
	content, _, warnings, err = read(path, limit)
	return content, warnings, err
}

func read(path string, limit int64) (content []byte, info fs.FileInfo, warnings []string, err error) {
	for range attempts {
		if content, info, warnings, err = readOnce(path, limit); !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	return content, info, warnings, err
}

func readOnce(path string, limit int64) (content []byte, info fs.FileInfo, warnings []string, err error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a pipe that nobody writes to must not hold a start up
	if err != nil {
		return nil, nil, nil, err
	}
	defer f.Close()
	if info, err = f.Stat(); err != nil { // of what is read, whatever the name stands for by now
		return nil, nil, nil, err
	}
	switch mode := info.Mode(); {
	case !mode.IsRegular():
		return nil, nil, nil, fmt.Errorf("%s is not a regular file", path)
	case mode.Perm()&0o022 != 0:
		return nil, nil, nil, fmt.Errorf("%s has mode %04o, so others can change it: chmod go-w %s", path, mode.Perm(), path)
	case info.Size() > limit:
		return nil, nil, nil, fmt.Errorf("%s has more than %d bytes; is it the right file?", path, limit)
	}
	if warnings, err = folders(path); err != nil {
		return nil, nil, nil, err
	}
	if owner, foreign := foreignOwner(info); foreign {
		warnings = append(warnings, fmt.Sprintf("%s belongs to user %d, who can change it: chown it to root or to the user of this process", path, owner))
	}
	content, err = io.ReadAll(io.LimitReader(f, limit+1))
	switch {
	case err != nil:
		return nil, nil, nil, err
	case int64(len(content)) > limit:
		return nil, nil, nil, fmt.Errorf("%s has more than %d bytes; is it the right file?", path, limit)
	}
	return content, info, warnings, nil
}

// folders checks where the name is and, should it be a link, where what it leads to is. In a folder that is
// sticky, as /tmp and mounted secrets are, others cannot replace what is not theirs.
func folders(path string) (warnings []string, err error) {
	target, err := filepath.EvalSymlinks(path)
	if err != nil {
		return nil, err
	}
	all := []string{filepath.Dir(path)}
	if folder := filepath.Dir(target); folder != all[0] {
		all = append(all, folder)
	}
	for _, folder := range all {
		info, err := os.Stat(folder)
		switch {
		case err != nil:
			return nil, err
		case info.Mode()&fs.ModeSticky != 0:
		case info.Mode().Perm()&0o002 != 0:
			return nil, fmt.Errorf("%s is in %s, which has mode %04o, so others can replace it: chmod o-w %s", path, folder, info.Mode().Perm(), folder)
		case info.Mode().Perm()&0o020 != 0:
			warnings = append(warnings, fmt.Sprintf("%s is in %s, which has mode %04o, so its group can replace it: chmod g-w %s", path, folder, info.Mode().Perm(), folder))
		}
	}
	return warnings, nil
}
