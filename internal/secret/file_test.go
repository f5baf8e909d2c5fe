package secret

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// put writes a file with a mode, whatever the umask is.
func put(t testing.TB, path, text string, mode os.FileMode) string {
	t.Helper()
	_ = os.Remove(path)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return chmod(t, path, mode)
}

func chmod(t testing.TB, path string, mode os.FileMode) string {
	t.Helper()
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestFromFile(t *testing.T) {
	dir := chmod(t, t.TempDir(), 0o700)
	for name, tc := range map[string]struct {
		text string
		mode os.FileMode
		want string // of the secret
		says string // in the error, or the warning
	}{
		"bare":              {hunter, 0o600, hunter, ""},
		"line":              {hunter + "\n", 0o400, hunter, ""},
		"windows":           {hunter + "\r\n", 0o600, hunter, ""},
		"two-lines":         {hunter + "\n\n", 0o600, "", "ends with a line feed"},
		"two-windows-lines": {hunter + "\r\n\r\n", 0o600, "", "a carriage return (U+000D) at byte 22"},
		"return":            {hunter + "\r", 0o600, "", "ends with a carriage return"},
		"blank":             {hunter + " \n", 0o600, "", "ends with a blank"},
		"mark":              {"\ufeff" + hunter, 0o600, "", "begins with a byte order mark"},
		"utf-16":            {"\xff\xfeh\x00u\x00", 0o600, "", "no text in UTF-8 at byte 1"},
		"quoted":            {"'" + hunter + "'\n", 0o600, "", "quotation marks"},
		"inside":            {"hunter\n2", 0o600, "", "a line feed (U+000A) at byte 7"},
		"empty":             {"", 0o600, "", "empty"},
		"only-line":         {"\n", 0o600, "", "empty"},
		"large":             {strings.Repeat("h", MaxFile+1), 0o600, "", "more than 65536 bytes"},
		"all-write":         {hunter, 0o602, "", "others can change it"},
		"group-writes":      {hunter, 0o620, "", "others can change it"},
		"all-read":          {hunter, 0o604, hunter, "others can read it"},
		"group-reads":       {hunter, 0o640, hunter, "others can read it"},
	} {
		v, warnings, err := FromFile(put(t, filepath.Join(dir, name), tc.text, tc.mode))
		said := strings.Join(warnings, "\n")
		if err != nil {
			said = err.Error()
		}
		if v.Reveal() != tc.want || (err == nil) != (tc.want != "") || (said == "") != (tc.says == "") || !strings.Contains(said, tc.says) || strings.Contains(said, "hunter") {
			t.Errorf("%s: %q, and %q; want %q, and %q", name, v.Reveal(), said, tc.want, tc.says)
		}
	}
	if _, _, err := FromFile(filepath.Join(dir, "none")); err == nil || !strings.Contains(err.Error(), "create it") {
		t.Errorf("no file: %v", err)
	}
	if _, _, err := ReadFile(filepath.Join(dir, "none"), 1); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v, want fs.ErrNotExist", err)
	}
	if _, _, err := FromFile(dir); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("a folder: %v", err)
	}
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := FromFile(pipe); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("a pipe that nobody writes to: %v", err)
	}
}

// TestFolders: who may write a folder may put another file there, unless it is sticky; the folder of a link counts as
// much as that of what it leads to.
func TestFolders(t *testing.T) {
	for _, tc := range []struct {
		mode os.FileMode
		says string
		fail bool
	}{
		{0o700, "", false},
		{0o755, "", false},
		{0o770, "its group can replace it", false},
		{0o707, "others can replace it", true},
		{0o777, "others can replace it", true},
		{0o777 | os.ModeSticky, "", false},
	} {
		root := chmod(t, t.TempDir(), 0o700)
		open := filepath.Join(root, "open")
		inside := put(t, filepath.Join(open, "secret"), hunter, 0o600)
		closed := put(t, filepath.Join(root, "closed", "secret"), hunter, 0o600)
		toOpen, fromOpen := filepath.Join(root, "link"), filepath.Join(open, "link")
		for link, target := range map[string]string{toOpen: inside, fromOpen: closed} {
			if err := os.Symlink(target, link); err != nil {
				t.Fatal(err)
			}
		}
		chmod(t, open, tc.mode)
		for _, path := range []string{inside, toOpen, fromOpen} {
			_, warnings, err := FromFile(path)
			said := strings.Join(warnings, "\n")
			if err != nil {
				said = err.Error()
			}
			if (err != nil) != tc.fail || (said == "") != (tc.says == "") || !strings.Contains(said, tc.says) {
				t.Errorf("%s in a folder of mode %v: %q (failed: %v), want %q", path, tc.mode, said, err != nil, tc.says)
			}
		}
		if _, warnings, err := FromFile(closed); err != nil || len(warnings) > 0 {
			t.Errorf("a file in no such folder: %v, %v", warnings, err)
		}
	}
}

// TestForeignOwner: whoever owns a file may change it.
func TestForeignOwner(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give a file away")
	}
	path := put(t, filepath.Join(chmod(t, t.TempDir(), 0o700), "secret"), hunter, 0o600)
	if err := os.Chown(path, 4711, 4711); err != nil {
		t.Fatal(err)
	}
	if v, warnings, err := FromFile(path); err != nil || v.Reveal() != hunter || len(warnings) != 1 || !strings.Contains(warnings[0], "belongs to user 4711") {
		t.Errorf("warnings %q, %v; want one that names the owner", warnings, err)
	}
}

// TestLatest: what Latest gives follows the file, and stays while the file is away, half written, changed by mistake
// or open to others.
func TestLatest(t *testing.T) {
	dir := chmod(t, t.TempDir(), 0o700)
	path := filepath.Join(dir, "password")
	v, _, err := FromFile(put(t, path, "at-start", 0o600))
	if err != nil {
		t.Fatal(err)
	}
	latest := v.Latest()
	for _, step := range []struct {
		does string
		do   func()
		want string
	}{
		{"as it was", func() {}, "at-start"},
		{"written", func() { put(t, path, "second\n", 0o600) }, "second"},
		{"emptied", func() { put(t, path, "", 0o600) }, "second"},
		{"quoted", func() { put(t, path, `"third"`, 0o600) }, "second"},
		{"open to others", func() { put(t, path, "theirs", 0o666) }, "second"},
		{"written again", func() { put(t, path, "third", 0o600) }, "third"},
		{"removed", func() { _ = os.Remove(path) }, "third"},
		{"back", func() { put(t, path, "fourth", 0o600) }, "fourth"},
		{"in an open folder", func() { put(t, path, "theirs", 0o600); chmod(t, dir, 0o777) }, "fourth"},
	} {
		step.do()
		if got := latest(); got != step.want {
			t.Errorf("the file is %s: %q, want %q", step.does, got, step.want)
		}
	}
	if got := Of("of-a-variable").Latest()(); got != "of-a-variable" {
		t.Errorf("without a file: %q", got)
	}
}

// TestMountedSecret: a secret as Kubernetes mounts it, a link to a link to a folder that is swapped, in a folder that
// everybody may write but that is sticky.
func TestMountedSecret(t *testing.T) {
	mount := chmod(t, t.TempDir(), 0o777|os.ModeSticky)
	swap := func(folder, text string) {
		t.Helper()
		put(t, filepath.Join(mount, folder, "password"), text, 0o600)
		next := filepath.Join(mount, "..data_tmp")
		if err := errors.Join(os.Symlink(folder, next), os.Rename(next, filepath.Join(mount, "..data"))); err != nil {
			t.Fatal(err)
		}
	}
	swap("..2026_01_01", "first")
	path := filepath.Join(mount, "password")
	if err := os.Symlink("..data/password", path); err != nil {
		t.Fatal(err)
	}
	v, warnings, err := FromFile(path)
	if err != nil || len(warnings) > 0 || v.Reveal() != "first" {
		t.Fatalf("%q, warnings %q, %v", v.Reveal(), warnings, err)
	}
	latest := v.Latest()
	swap("..2026_01_02", "second")
	if err := os.RemoveAll(filepath.Join(mount, "..2026_01_01")); err != nil {
		t.Fatal(err)
	}
	if got := latest(); got != "second" {
		t.Errorf("after the swap: %q, want %q", got, "second")
	}
}
