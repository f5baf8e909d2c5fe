//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package embedded

import "log/slog"

// makePrivate has nothing to do: without a lock, which comes first, no directory is opened.
func makePrivate(string, *slog.Logger) error { return nil }
