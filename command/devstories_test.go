package command

import (
	"encoding/base64"
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// ofFixtures are words that only fixtures have.
var ofFixtures = regexp.MustCompile(`(?i)perhaps|absurd|zzz_unknown`)

// simulated is what the topics of a `dev` hold once so many deliveries have come to an end, in three ways: the
// records, all their text, and the bodies of all deliveries.
func simulated(t *testing.T, dev *serving, deliveries int) (records []tailed, text, bodies string) {
	t.Helper()
	tail := func(args ...string) string {
		out, errs, code := call(t, nil, append([]string{"tail", "--brokers", dev.Kafka}, args...)...)
		if code != 0 {
			t.Fatalf("tail %v: code %d: %s", args, code, errs)
		}
		return out
	}
	tail("disposition", "--from-start", "--count", strconv.Itoa(deliveries))
	text = tail("session", "check", "aml", "renewal", "resource", "deadletter", "disposition", "raw", "--until-end")
	for line := range strings.Lines(text) {
		r := tailed{raw: line}
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatalf("not JSON: %s", line)
		}
		records = append(records, r)
		if body, ok := r.Value["body"].(string); ok {
			plain, err := base64.StdEncoding.DecodeString(body)
			if err != nil {
				t.Fatal(err)
			}
			bodies += string(plain) + "\n"
		}
	}
	return records, text, bodies
}

// ofStories is what the stories have to show, sooner or later.
func ofStories() []string {
	want := []string{
		"DISPOSITION_KIND_EMITTED", "DISPOSITION_KIND_DUPLICATE", "DISPOSITION_KIND_DEAD_LETTERED",
		"SESSION_TRANSITION_STARTED", "SESSION_TRANSITION_PROCESSING", "SESSION_TRANSITION_COMPLETED", "SESSION_TRANSITION_DECISION_CHANGED",
		"SESSION_TRANSITION_RESUBMISSION_REQUIRED", "SESSION_TRANSITION_RESUBMITTED", "SESSION_TRANSITION_CANCELLED", "SESSION_TRANSITION_EXPIRED",
		"SESSION_TRANSITION_FAILED", "DECISION_REVIEW", "RENEWAL_STATE_DUE", "RENEWAL_STATE_OVERDUE",
	}
	for _, vendor := range []string{"complycube", "idenfy", "idnow", "idwise", "proofme"} { // others need no stories
		want = append(want, vendor+" DECISION_APPROVED", vendor+" DECISION_DECLINED", vendor+" DISPOSITION_KIND_DEAD_LETTERED")
	}
	return want
}

// words counts the enum words of records, and those of each endpoint.
func words(records []tailed) map[string]int {
	seen := map[string]int{}
	for _, r := range records {
		endpoint, _, _ := strings.Cut(r.Key, "/")
		for _, of := range []string{"kind", "reason", "transition", "decision", "state"} {
			if word, ok := r.Value[of].(string); ok {
				seen[endpoint+" "+word]++
				seen[word]++
			}
		}
	}
	return seen
}

// TestDevTellsStories: over several rounds of every vendor's stories nothing is shown that only fixtures have, all of
// it is sandbox's and fresh, and copies and dead letters are seen as such.
func TestDevTellsStories(t *testing.T) {
	dev := startDev(t, t.TempDir(), nil, "--simulate=400")
	var seen map[string]int
	missing := ofStories()
	for deliveries := 1200; len(missing) > 0; deliveries += 1200 { // which customer comes next is left to chance
		records, text, bodies := simulated(t, dev, deliveries)
		checkStories(t, records)
		if word := ofFixtures.FindString(text + bodies + dev.stdout.String()); word != "" {
			t.Fatalf("%q is shown, which only fixtures have", word)
		}
		seen = words(records)
		missing = slices.DeleteFunc(missing, func(what string) bool { return seen[what] > 0 })
		if deliveries >= 12_000 && len(missing) > 0 {
			t.Fatalf("after %d deliveries nothing is any of %q; there is %v", deliveries, missing, seen)
		}
	}
	if events, letters := seen["DISPOSITION_KIND_EMITTED"], seen["DISPOSITION_KIND_DEAD_LETTERED"]; letters*5 > events {
		t.Errorf("%d of %d deliveries became dead letters", letters, letters+events)
	}
	for _, line := range []string{"  DEAD LETTER reason=UNMAPPED", "  DUPLICATE of "} {
		dev.stdout.await(t, line)
	}
}

// checkStories holds for every record of a story.
func checkStories(t *testing.T, records []tailed) {
	t.Helper()
	for _, r := range records {
		if r.Headers["stale"] != "" || r.Headers["dedupe"] != "" {
			t.Fatalf("an event of a story is flagged: %s", r.raw)
		}
		if metadata, ok := r.Value["metadata"].(map[string]any); ok && metadata["environment"] != "ENVIRONMENT_SANDBOX" {
			t.Fatalf("an event is of %v", metadata["environment"])
		}
		if reason, ok := r.Value["reason"].(string); ok && reason != "DEAD_LETTER_REASON_UNMAPPED" && reason != "DEAD_LETTER_REASON_HYDRATION_FAILED" {
			t.Fatalf("a delivery became a dead letter that no story foresees: %s", reason)
		}
	}
}

// TestDevChaos: whoever asks for it gets the fixtures, and is sandbox all the same.
func TestDevChaos(t *testing.T) {
	dev := startDev(t, t.TempDir(), nil, "--simulate", "chaos:400")
	var records []tailed
	for deliveries, bodies := 1200, ""; !ofFixtures.MatchString(bodies); deliveries += 1200 { // their order is left to chance
		if deliveries > 12_000 {
			t.Fatal("no delivery has a word that only fixtures have")
		}
		records, _, bodies = simulated(t, dev, deliveries)
	}
	for _, r := range records {
		if metadata, ok := r.Value["metadata"].(map[string]any); ok && metadata["environment"] != "ENVIRONMENT_SANDBOX" {
			t.Fatalf("an event is of %v", metadata["environment"])
		}
	}
}
