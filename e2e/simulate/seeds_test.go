//go:build synctests

package simulate

import (
	"os"
	"strconv"
	"testing"
	"time"
)

// defaultSeeds are run where nothing else is asked for.
const defaultSeeds = 3

// span says which seeds to run, by the environment:
//
//	KYCBRIDGE_TEST_SIM_SEED     only this one
//	KYCBRIDGE_TEST_SIM_SEEDS    so many new ones
//	KYCBRIDGE_TEST_SIM_SECONDS  new ones until so much real time is over
//	none of them                always the same few
func span(t *testing.T) (first uint64, enough func(done int, spent time.Duration) bool) {
	t.Helper()
	count := func(n uint64) func(int, time.Duration) bool {
		return func(done int, _ time.Duration) bool { return uint64(done) >= n }
	}
	fresh := uint64(time.Now().Unix()) % 1_000_000_000 * 1000
	if seed, ok := number(t, "KYCBRIDGE_TEST_SIM_SEED"); ok {
		return seed, count(1)
	}
	if n, ok := number(t, "KYCBRIDGE_TEST_SIM_SEEDS"); ok {
		return fresh, count(n)
	}
	if n, ok := number(t, "KYCBRIDGE_TEST_SIM_SECONDS"); ok {
		return fresh, func(_ int, spent time.Duration) bool { return spent >= time.Duration(n)*time.Second }
	}
	return 1, count(defaultSeeds)
}

func number(t *testing.T, name string) (uint64, bool) {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return 0, false
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("%s=%q: expected a number", name, text)
	}
	return n, true
}
