package simulate

import (
	"strings"
	"testing"
	"time"

	"github.com/kycbridge/kycbridge/normalize/dedupe"
)

// mutantSeeds is within how many seeds a wrong rule must be found out.
const mutantSeeds = 10

// booleanSetnx is the usual rule, "somebody has it, so drop". It loses what was claimed by a process that
// died before its transaction, and the simulation must see that: one that cannot fail proves nothing.
func booleanSetnx(_ dedupe.Claim, found *dedupe.Claim) dedupe.Step {
	if found == nil {
		return dedupe.Emit
	}
	return dedupe.Drop
}

// always is the other way to be wrong: nothing is ever a duplicate.
func always(dedupe.Claim, *dedupe.Claim) dedupe.Step { return dedupe.Emit }

func TestBooleanSetnxLoses(t *testing.T) { findsOut(t, mutant{rule: booleanSetnx}, "lost") }

func TestEmittingAlwaysDoubles(t *testing.T) { findsOut(t, mutant{rule: always}, "doubled") }

// A replay that claims as live traffic does, and dies before it commits, leaves a claim that says no more than
// that somebody once was there.
func TestReplayThatClaimsAsLiveTrafficLoses(t *testing.T) {
	findsOutBy(t, newGapPlan, mutant{replays: dedupe.Pending}, "lost")
}

// findsOut fails unless one of a few seeds sees what is wrong with a build.
func findsOut(t *testing.T, m mutant, check string) { findsOutBy(t, newPlan, m, check) }

func findsOutBy(t *testing.T, plans func(uint64, time.Duration) *plan, m mutant, check string) {
	t.Helper()
	needTag(t)
	for seed := range uint64(mutantSeeds) {
		out := simulate(t, plans(seed+1, 12*time.Minute), m)
		t.Logf("seed %d: %s", seed+1, out.seen)
		if all := out.found[check]; len(all) > 0 {
			t.Logf("seed %d: %s: %d, such as %q", seed+1, check, len(all), all[0])
			if steps := out.trace.String(); !strings.Contains(steps, "the faults are over") {
				t.Errorf("the steps of seed %d are %q, want all of them", seed+1, steps)
			}
			return
		}
	}
	t.Errorf("%d seeds and nothing was %s, so this simulation could not see it", mutantSeeds, check)
}
