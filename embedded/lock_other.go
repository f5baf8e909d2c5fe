//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package embedded

import (
	"errors"
	"os"
)

// tryLock refuses: without a lock that ends with the process, two of them could
// write the same files.
func tryLock(*os.File) (held bool, err error) {
	return false, errors.New("file locks are not supported on this system; run kycbridge against a Kafka and a Redis of your own")
}
