package simulate

import (
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"reflect"
	"strconv"
	"testing"
	"time"

	"github.com/kycbridge/kycbridge/normalize/dedupe"
)

// defaultSeeds are run where nothing else is asked for.
const defaultSeeds = 2

// longest is the virtual time of traffic and faults in one seed, at most.
const longest = 45 * time.Minute

func TestMain(m *testing.M) {
	if !talkative() {
		dedupe.LogTo(slog.New(slog.DiscardHandler))
	}
	os.Exit(m.Run())
}

// TestSimulation runs the other tests with the tag that they need.
func TestSimulation(t *testing.T) {
	switch {
	case tagged:
		t.Skip("this is the run with the tag")
	case testing.Short():
		t.Skip("a simulation takes a while")
	case raceDetector:
		t.Skip("the race detector slows it too much; the chaos tests of package normalize run under it")
	}
	cmd := exec.CommandContext(t.Context(), "go", "test", "-tags=synctests", "-vet=off", "-count=1", "-v", "-timeout=8m", ".")
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Errorf("%v: %v", cmd, err)
	}
}

// needTag skips a simulation that would stand still.
func needTag(t *testing.T) {
	t.Helper()
	if !tagged {
		t.Skip("run by TestSimulation, with -tags synctests")
	}
}

func TestSeeds(t *testing.T) {
	needTag(t)
	begin := time.Now()
	var all effort
	n := 0
	first, enough := span(t)
	for seed := first; !enough(n, time.Since(begin)); seed++ {
		n++
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			out := simulate(t, newPlan(seed, longest), mutant{})
			t.Logf("%s", out.seen)
			all.add(out.seen)
			out.report(t, seed)
		})
	}
	t.Logf("%d seeds from %d: %s", n, first, all)
}

// A seed is worth printing only if it gives the same deliveries and faults again.
func TestSeedDecidesThePlan(t *testing.T) {
	p := newPlan(7, longest)
	if len(p.steps) == 0 || len(p.sends) == 0 {
		t.Fatalf("%d faults and %d deliveries, want some of each", len(p.steps), len(p.sends))
	}
	if !reflect.DeepEqual(p, newPlan(7, longest)) {
		t.Error("the same seed gives another plan")
	}
	if reflect.DeepEqual(p.steps, newPlan(8, longest).steps) {
		t.Error("another seed gives the same faults")
	}
}

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
