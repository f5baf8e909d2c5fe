package embedded

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// The marker identifies our directory, so that a wrong --data never writes into
// somebody else's files.
const (
	markerName = "kycbridge-dev.json"
	lockName   = "lock"
	program    = "kycbridge dev"
	dataFormat = 1
)

type marker struct {
	Program string `json:"program"`
	Format  int    `json:"format"`
}

// dataDir is a data directory held by this process.
type dataDir struct {
	lock *os.File
}

// openDataDir makes the directory if it is missing and takes it for this
// process alone.
func openDataDir(dir string, logger *slog.Logger) (*dataDir, error) {
	if dir == "" {
		return nil, errors.New("no data directory given: pass --data DIR")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the data directory: %w; pass --data DIR", err)
	}
	if err := checkMarker(dir); err != nil {
		return nil, err
	}
	lock, err := takeLock(dir)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(makePrivate(dir, logger), writeMarker(dir)); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return &dataDir{lock: lock}, nil
}

// close gives the directory back. The lock goes with the open file.
func (d *dataDir) close() error { return d.lock.Close() }

// checkMarker accepts our own directory and an empty one.
func checkMarker(dir string) error {
	text, err := os.ReadFile(filepath.Join(dir, markerName))
	if errors.Is(err, fs.ErrNotExist) {
		return checkEmpty(dir)
	}
	if err != nil {
		return fmt.Errorf("read the data directory: %w", err)
	}
	var m marker
	switch err := json.Unmarshal(text, &m); {
	case err != nil || m.Program != program:
		return fmt.Errorf("data directory %s: %s is not ours: pass --data DIR with a new or empty directory", dir, markerName)
	case m.Format != dataFormat:
		return fmt.Errorf("data directory %s has format %d, this kycbridge reads format %d: pass --data DIR with a new directory, or use the kycbridge that made it", dir, m.Format, dataFormat)
	}
	return nil
}

// checkEmpty overlooks the lock: a process that was killed before it wrote the
// marker leaves it alone in the directory.
func checkEmpty(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("read the data directory: %w", err)
	}
	for _, e := range entries {
		if e.Name() != lockName && e.Name() != markerName+".tmp" {
			return fmt.Errorf("data directory %s holds files of another program (%s): pass --data DIR with a new or empty directory", dir, e.Name())
		}
	}
	return nil
}

func writeMarker(dir string) error {
	path := filepath.Join(dir, markerName)
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	text, err := json.Marshal(marker{Program: program, Format: dataFormat})
	if err != nil {
		return err
	}
	if err := os.WriteFile(path+".tmp", append(text, '\n'), 0o600); err != nil {
		return fmt.Errorf("mark the data directory: %w", err)
	}
	if err := os.Rename(path+".tmp", path); err != nil {
		return fmt.Errorf("mark the data directory: %w", err)
	}
	return nil
}

func takeLock(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the data directory: %w", err)
	}
	held, err := tryLock(f)
	switch {
	case err != nil:
		f.Close()
		return nil, fmt.Errorf("lock the data directory %s: %w", dir, err)
	case held:
		owner := lockOwner(f)
		f.Close()
		return nil, fmt.Errorf("data directory %s is in use by another kycbridge dev (pid %s): stop it or pass --data DIR", dir, owner)
	}
	if err := writePID(f); err != nil {
		f.Close()
		return nil, fmt.Errorf("lock the data directory: %w", err)
	}
	return f, nil
}

func lockOwner(f *os.File) string {
	var buf [20]byte
	n, _ := f.ReadAt(buf[:], 0)
	pid := strings.TrimSpace(string(buf[:n]))
	if _, err := strconv.Atoi(pid); err != nil {
		return "unknown"
	}
	return pid
}

func writePID(f *os.File) error {
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err := f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return err
}
