//go:build !race

package hydrate_test

const raceEnabled = false
