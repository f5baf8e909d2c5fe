//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package secret

import (
	"io/fs"
	"os"
	"syscall"
)

// foreignOwner is who owns a file, where that is neither this user nor root.
func foreignOwner(info fs.FileInfo) (owner uint32, foreign bool) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || stat.Uid == 0 || int(stat.Uid) == os.Geteuid() {
		return 0, false
	}
	return stat.Uid, true
}
