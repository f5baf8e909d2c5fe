package idwise

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kycbridge/kycbridge/providers"
	"github.com/kycbridge/kycbridge/schemas"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// seen is one delivery as the normaliser sees it.
type seen struct {
	key, identity string
	hash          [32]byte
	eventIDs      []string
	notice        *providers.Notice
	providers.Mapping
	err error
}

// see reads a delivery, with an answer of the API where fetched is not nil.
func see(t testing.TB, body []byte, fetched *providers.Fetched) seen {
	t.Helper()
	d := &providers.Delivery{Endpoint: "idwise", Tenant: "default", Body: body, Fetched: fetched}
	s := seen{key: string(providers.RawKey(d.Endpoint, Provider.Key(d), d.Body))}
	if s.notice, s.err = Provider.Parse(d); s.err != nil {
		return s
	}
	s.identity, s.hash = string(s.notice.Identity.Bytes()), s.notice.ContentHash()
	if s.Mapping, s.err = Provider.Map(d, s.notice); s.err == nil {
		Provider.Complete(d, s.notice, []byte(s.key), nil, s.Mapping)
		for _, e := range s.Events {
			s.eventIDs = append(s.eventIDs, e.GetMetadata().GetEventId())
		}
	}
	return s
}

func fixture(t testing.TB, name string) []byte {
	t.Helper()
	for _, file := range []string{"body.json", "body.bin"} {
		if b, err := os.ReadFile(filepath.Join("testdata", name, file)); err == nil {
			return b
		}
	}
	t.Fatalf("no fixture %s", name)
	return nil
}

// fixtures are the bodies of all deliveries that are sound.
func fixtures(t testing.TB) map[string][]byte {
	t.Helper()
	all, err := Provider.Fixtures()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]byte{}
	for _, f := range all {
		if !f.Bad() {
			out[f.Name] = f.Body
		}
	}
	return out
}

// TestSame says which pairs of fixtures tell one fact: those, and only those,
// become one event.
func TestSame(t *testing.T) {
	for _, tc := range []struct {
		a, b                string
		identity, hash, key bool // equal
	}{
		{"same_first", "same_retry_in_other_bytes", true, true, true},
		{"same_first", "form_byte_order_mark", true, true, true},
		{"same_first", "same_id_other_content", true, false, true},
		{"step_submitted", "step_submitted_retry", true, true, true},
		{"step_submitted", "step_submitted_selfie", false, false, true},
		{"one_decision_updated_journey", "one_decision_manually_reviewed", false, false, true},
		{"one_decision_updated_journey", "one_decision_finished_journey", false, false, true},
		{"one_decision_manually_reviewed", "one_decision_finished_journey", false, false, true},
		{"finished_ongoing_check", "finished_ongoing_check_refer", false, false, false},
	} {
		t.Run(tc.a+" and "+tc.b, func(t *testing.T) {
			a, b := see(t, fixture(t, tc.a), nil), see(t, fixture(t, tc.b), nil)
			for what, pair := range map[string][2]bool{
				"identities":     {a.identity == b.identity, tc.identity},
				"content hashes": {a.hash == b.hash, tc.hash},
				"keys":           {a.key == b.key, tc.key},
				"event ids":      {a.eventIDs[0] == b.eventIDs[0], tc.identity && tc.hash},
			} {
				if pair[0] != pair[1] {
					t.Errorf("%s equal: %v, want %v", what, pair[0], pair[1])
				}
			}
		})
	}
}

// TestBlankIDs: blanks are no id. They fold no two deliveries, and lead to no journey.
func TestBlankIDs(t *testing.T) {
	const body = `{"event":"Finished Step","body":{"eventId":%q,"journeyId":%q,"referenceNo":" ","stepId":%q}}`
	first, second := see(t, fmt.Appendf(nil, body, " \t", "j", "1"), nil), see(t, fmt.Appendf(nil, body, " \t", "j", "2"), nil)
	if first.err != nil || second.err != nil || first.identity == second.identity || first.eventIDs[0] == second.eventIDs[0] {
		t.Errorf("two steps with a blank eventId are one: %v, %v, identity %q", first.err, second.err, first.identity)
	}
	if md := first.Events[0].GetMetadata(); md.VendorEventId != "" || md.Subject.CustomerReference != "" {
		t.Errorf("blanks leave: event id %q, reference %q", md.VendorEventId, md.Subject.CustomerReference)
	}
	blank := see(t, fmt.Appendf(nil, body, "e", "\u00a0", "1"), nil)
	if !errors.Is(blank.err, providers.ErrInvalid) || key(&providers.Delivery{Body: fmt.Appendf(nil, body, "e", " ", "1")}) != "" {
		t.Errorf("a blank journeyId gives %v and the key %q", blank.err, blank.key)
	}
}

// The three events around one manual decision each say their own.
func TestOneManualDecision(t *testing.T) {
	changed, completed := kycv1.SessionTransition_SESSION_TRANSITION_DECISION_CHANGED, kycv1.SessionTransition_SESSION_TRANSITION_COMPLETED
	for _, tc := range []struct {
		fixture    string
		transition kycv1.SessionTransition
		decision   kycv1.Decision
		by         kycv1.DecidedBy
	}{
		{"one_decision_updated_journey", changed, kycv1.Decision_DECISION_APPROVED, kycv1.DecidedBy_DECIDED_BY_HUMAN},
		{"one_decision_manually_reviewed", changed, kycv1.Decision_DECISION_APPROVED, kycv1.DecidedBy_DECIDED_BY_HUMAN},
		{"one_decision_finished_journey", completed, kycv1.Decision_DECISION_REVIEW, kycv1.DecidedBy_DECIDED_BY_SYSTEM},
	} {
		e := session(t, see(t, fixture(t, tc.fixture), nil))
		if e.Transition != tc.transition || e.Decision != tc.decision || e.DecidedBy != tc.by {
			t.Errorf("%s is %v %v by %v", tc.fixture, e.Transition, e.Decision, e.DecidedBy)
		}
	}
}

// session is the one session event of a mapping.
func session(t testing.TB, s seen) *kycv1.SessionEvent {
	t.Helper()
	var found []*kycv1.SessionEvent
	for _, e := range s.Events {
		if e, ok := e.(*kycv1.SessionEvent); ok {
			found = append(found, e)
		}
	}
	if s.err != nil || len(found) != 1 {
		t.Fatalf("%d session events, %v", len(found), s.err)
	}
	return found[0]
}

// TestCoversTheVendorsList holds Maps against the vendor's list of event types.
func TestCoversTheVendorsList(t *testing.T) {
	list := []string{
		"AML Monitor Update", "Finished Journey", "Finished Ongoing Check", "Finished Spot Check", "Finished Step",
		"Finished User Steps", "KYC Renewal Deadline Exceeded", "Manually Reviewed", "Step Submitted",
		"Updated Journey", "Verification Update Required",
	}
	if got := slices.Sorted(maps.Keys(Provider.Maps)); !slices.Equal(got, list) {
		t.Errorf("Maps has %q, want %q", got, list)
	}
	for folded, name := range types {
		if fold(folded) != folded || Provider.Maps[name] == nil || fold(name) != folded && folded != "aml monior update" {
			t.Errorf("types has %q for %q", name, folded)
		}
	}
	if len(types) != len(list)+1 {
		t.Errorf("%d spellings of %d types", len(types), len(list))
	}
}

func TestSpellings(t *testing.T) {
	for spelling, want := range map[string]string{
		"AML Monitor Update": amlMonitorUpdate, "AML Monior Update": amlMonitorUpdate, "aml  MONIOR update ": amlMonitorUpdate,
		" finished journey": finishedJourney, "FinishedJourney": "FinishedJourney", "Finished_Journey": "Finished_Journey",
	} {
		n, err := Provider.Parse(&providers.Delivery{Body: []byte(`{"event":"` + spelling + `","body":{"journeyId":"j"}}`)})
		if err != nil || n.MapAs != want || n.Type != strings.TrimSpace(spelling) {
			t.Errorf("%q is %q, mapped as %q, %v; want %q", spelling, n.Type, n.MapAs, err, want)
		}
	}
}

// A spot check is kept apart from the journey that it looks back to, and every
// key is the subject's own id, whatever else a body holds.
func TestKey(t *testing.T) {
	body := `{"event":"%","body":{"journeyId":"j","spotCheckJourneyId":"s","ongoingCheckId":"o"}}`
	for event, want := range map[string]string{
		"Finished Spot Check": "s", "finished  spot CHECK": "s", "Finished Ongoing Check": "o", "Finished Journey": "j", "Nobody Knows": "j",
	} {
		if got := key(&providers.Delivery{Body: []byte(strings.Replace(body, "%", event, 1))}); got != want {
			t.Errorf("the key of %q is %q, want %q", event, got, want)
		}
	}
}

// No event has a time of its own, since the vendor gives none.
func TestNoTime(t *testing.T) {
	for name, body := range fixtures(t) {
		for _, e := range see(t, body, nil).Events {
			if e.GetMetadata().OccurredAt != nil {
				t.Errorf("%s has occurred_at", name)
			}
		}
	}
}

// TestOneUnknownWord: a decision that counts and is new to us says nothing good.
func TestOneUnknownWord(t *testing.T) {
	tried := 0
	for name, body := range fixtures(t) {
		for _, field := range []string{"manualDecision", "finalDecision"} {
			for _, word := range []string{`"Complete"`, `"Approved"`, `null`} {
				for _, other := range []string{`"zzz_unknown"`, `{}`, `["Approved"]`, `true`, `0`} {
					changed := strings.Replace(string(body), `"`+field+`":`+word, `"`+field+`":`+other, 1)
					if changed == string(body) {
						continue
					}
					tried++
					for _, e := range see(t, []byte(changed), nil).Events {
						if isGood(e) {
							t.Errorf("%s with %s %s says that all is well: %v", name, field, other, e)
						}
					}
				}
			}
		}
	}
	if tried == 0 {
		t.Error("no fixture has the words that this test replaces")
	}
}

func isGood(e schemas.DomainEvent) bool {
	switch e := e.(type) {
	case *kycv1.SessionEvent:
		return e.Decision == kycv1.Decision_DECISION_APPROVED
	case *kycv1.CheckEvent:
		return e.Result == kycv1.CheckResult_CHECK_RESULT_PASSED
	case *kycv1.AmlEvent:
		return e.Status == kycv1.AmlStatus_AML_STATUS_CLEAR || e.Status == kycv1.AmlStatus_AML_STATUS_DISMISSED
	}
	return false
}

// A delivery that becomes a dead letter is never the same as a sound one.
func TestDeadLettersSwallowNothing(t *testing.T) {
	sound := string(fixture(t, "updated_journey_manual_review"))
	for name, body := range map[string]string{
		"no journey":      strings.Replace(sound, `"journeyId"`, `"_journeyId"`, 1),
		"no event id":     strings.Replace(strings.Replace(sound, `"eventId"`, `"_eventId"`, 1), `"journeyId"`, `"_journeyId"`, 1),
		"unknown event":   strings.Replace(sound, "Updated Journey", "Changed Journey", 1),
		"contradictory":   strings.Replace(sound, `"finalDecision":"Approved"`, `"finalDecision":"Rejected"`, 1),
		"event id is big": strings.Replace(sound, `"eventId":"`, `"eventId":"`+strings.Repeat("9", 256), 1),
	} {
		bad := see(t, []byte(body), nil)
		if name == "event id is big" {
			if bad.err != nil || bad.identity == see(t, []byte(sound), nil).identity {
				t.Errorf("%s: %v, identity %q", name, bad.err, bad.identity)
			}
			continue
		}
		if bad.err == nil || bad.identity == "" {
			t.Errorf("%s: error %v, identity %q", name, bad.err, bad.identity)
		}
		if bad.hash == see(t, []byte(sound), nil).hash {
			t.Errorf("%s has the content of a sound delivery", name)
		}
	}
	if s := see(t, fixture(t, "bad_manual_and_final_disagree"), nil); !errors.Is(s.err, providers.ErrMismatch) {
		t.Errorf("a contradiction is %v", s.err)
	}
}
