package config

import (
	"fmt"
	"strings"
)

// unknown words a message about a name that is not among the known ones: the
// nearest one if it is near, else all of them.
func unknown(what, name string, known []string) string {
	best, distance := "", len(name)/3+2
	for _, k := range known {
		if d := editDistance(strings.ToLower(name), k); d < distance {
			best, distance = k, d
		}
	}
	if best != "" {
		return fmt.Sprintf("unknown %s %q; did you mean %q?", what, name, best)
	}
	return fmt.Sprintf("unknown %s %q; known are: %s", what, name, strings.Join(known, ", "))
}

// editDistance counts the insertions, deletions and replacements of bytes
// that turn a into b.
func editDistance(a, b string) int {
	const longest = 64 // no field is that long; bounds the work
	a, b = a[:min(len(a), longest)], b[:min(len(b), longest)]
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			above := row[j+1]
			replace := diagonal
			if a[i] != b[j] {
				replace++
			}
			row[j+1] = min(replace, above+1, row[j]+1)
			diagonal = above
		}
	}
	return row[len(b)]
}
