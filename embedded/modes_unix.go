//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package embedded

import (
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
)

// others are the permissions of everybody but the owner.
const others fs.FileMode = 0o077

// makePrivate takes from all other users what they may do with a data directory of ours
// and everything in it, and has the process make no file from now on that they could
// read: kfake asks for 0644.
//
// The directory itself goes first, so that nobody can put anything into it meanwhile.
func makePrivate(dir string, logger *slog.Logger) error {
	syscall.Umask(int(others))
	dir, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return fmt.Errorf("find the data directory: %w", err)
	}
	mended := 0
	err = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return fmt.Errorf("data directory %s: %w: pass --data DIR with a directory of your own", dir, err)
		}
		if !entry.IsDir() && !entry.Type().IsRegular() {
			return fmt.Errorf("data directory %s: %s is neither file nor directory, and kycbridge dev makes nothing else: remove it, or pass --data DIR", dir, path)
		}
		info, err := entry.Info()
		if err != nil {
			return fmt.Errorf("data directory %s: %w", dir, err)
		}
		if info.Mode().Perm()&others == 0 {
			return nil
		}
		mended++
		if err := os.Chmod(path, info.Mode().Perm()&^others); err != nil {
			return fmt.Errorf("data directory %s: other users may use %s (mode %04o), and this user cannot change that: run chmod -R go-rwx %s as its owner, or pass --data DIR", dir, path, info.Mode().Perm(), dir)
		}
		return nil
	})
	if err == nil && mended > 0 {
		logger.Info("other users could use the data directory: taken from them", "directory", dir, "files", mended)
	}
	return err
}
