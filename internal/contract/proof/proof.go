// Package proof is what generated prechecks share: the functions of rules that take more than an
// operator in Go. Each gives what CEL gives. It knows no message and no rule.
package proof

import "strings"

// If is a where the condition holds, and b elsewhere.
func If[T any](condition bool, a, b T) T {
	if condition {
		return a
	}
	return b
}

// Count is how many conditions hold.
func Count(conditions ...bool) (n int) {
	for _, holds := range conditions {
		if holds {
			n++
		}
	}
	return n
}

// Unique reports whether every item has a key of its own.
func Unique[T any](items []T, key func(T) string) bool {
	seen := make(map[string]bool, len(items))
	for _, item := range items {
		k := key(item)
		if seen[k] {
			return false
		}
		seen[k] = true
	}
	return true
}

// LowerASCII is s with the capitals of ASCII made small, and no others. A byte that is no UTF-8
// becomes utf8.RuneError.
func LowerASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r - 'A' + 'a'
		}
		return r
	}, s)
}
