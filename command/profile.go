//go:build !profile

package command

// startProfile does nothing: only a binary built with the tag profile, for benchmarks, keeps one.
func startProfile() (stop func()) { return func() {} }
