//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package embedded

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

// openToOthers lists what other users may use in a directory, itself included, and how many
// entries there are.
func openToOthers(t testing.TB, dir string) (found []string, all int) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if all++; err == nil && info.Mode().Perm()&others != 0 {
			found = append(found, fmt.Sprintf("%s %04o", path, info.Mode().Perm()))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found, all
}

// TestDataDirectoryIsPrivate: whatever the umask is, no other user may use anything in a
// new data directory, nor in one that a life before left open.
func TestDataDirectoryIsPrivate(t *testing.T) {
	before := syscall.Umask(0)
	defer syscall.Umask(before)
	dir := filepath.Join(t.TempDir(), "data")
	live := func() {
		s := start(t, dir)
		if err := produceOnce(t.Context(), s.Brokers()[0], &kgo.Record{Topic: "in", Value: []byte("v")}); err != nil {
			t.Fatal(err)
		}
		if found, all := openToOthers(t, dir); len(found) > 0 || all < 5 {
			t.Errorf("while it runs, other users may use %v of %d entries", found, all)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if found, _ := openToOthers(t, dir); len(found) > 0 {
			t.Errorf("when it has ended, other users may use %v", found)
		}
	}
	live()
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			return os.Chmod(path, 0o777)
		}
		return os.Chmod(path, 0o666)
	})
	if err != nil {
		t.Fatal(err)
	}
	syscall.Umask(0)
	live()
}

// TestDataDirectoryOfLinks: a link that another user laid while the directory was open
// would lead writes elsewhere.
func TestDataDirectoryOfLinks(t *testing.T) {
	dir, elsewhere := t.TempDir(), filepath.Join(t.TempDir(), "elsewhere")
	write(t, elsewhere, "mine")
	if err := os.Chmod(elsewhere, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := start(t, dir).Close(); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "kafka", "groups.log.tmp")
	if err := os.Symlink(elsewhere, link); err != nil {
		t.Fatal(err)
	}
	_, err := Start(context.Background(), testOptions(dir, "127.0.0.1:0"))
	wantError(t, err, dir, link, "neither file nor directory", "--data DIR")
	if info, err := os.Stat(elsewhere); err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("the file that the link names is %v, %v; expected it as it was", info.Mode(), err)
	}
}

// TestForeignDirectoryKeepsItsModes: a directory that is not ours is refused before
// anything in it changes.
func TestForeignDirectoryKeepsItsModes(t *testing.T) {
	dir := t.TempDir()
	diary := filepath.Join(dir, "diary.txt")
	write(t, diary, "dear diary")
	if err := os.Chmod(diary, 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := Start(context.Background(), testOptions(dir, "127.0.0.1:0"))
	wantError(t, err, "diary.txt")
	if info, err := os.Stat(diary); err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("the file is %v, %v; expected it as it was", info.Mode(), err)
	}
}
