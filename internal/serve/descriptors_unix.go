//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package serve

import (
	"fmt"
	"syscall"
)

// openFiles is how many descriptors the process may have. Go has raised it to the hard limit.
func openFiles() (uint64, error) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0, fmt.Errorf("read the limit of open files: %w", err)
	}
	return uint64(limit.Cur), nil // int64 on some systems
}
