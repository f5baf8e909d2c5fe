//go:build race

package hydrate_test

const raceEnabled = true
