package complycube

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/kycbridge/kycbridge/providers"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// TestSessionOutcomes holds the words of a session apart from those of a check.
func TestSessionOutcomes(t *testing.T) {
	body := string(fixture(t, "workflow_session_completed_decline"))
	for word, want := range map[string]struct {
		decision kycv1.Decision
		drift    []providers.Drift
	}{
		"clear":           {kycv1.Decision_DECISION_APPROVED, nil},
		"review":          {kycv1.Decision_DECISION_REVIEW, nil},
		"decline":         {kycv1.Decision_DECISION_DECLINED, nil},
		"Decline":         {kycv1.Decision_DECISION_DECLINED, nil},
		"attention":       {kycv1.Decision_DECISION_REVIEW, inferred("outcome=attention")},
		"rejected":        {kycv1.Decision_DECISION_DECLINED, inferred("outcome=rejected")},
		"match_confirmed": {kycv1.Decision_DECISION_REVIEW, inferred("outcome=match_confirmed")},
		"not_processed":   {kycv1.Decision_DECISION_UNDETERMINED, inferred("outcome=not_processed")},
		"declined":        {kycv1.Decision_DECISION_UNDETERMINED, []providers.Drift{{Kind: "outcome", Word: "declined"}}},
	} {
		s := see(t, []byte(strings.Replace(body, `"outcome":"decline"`, `"outcome":"`+word+`"`, 1)))
		if s.err != nil || len(s.Events) != 1 {
			t.Errorf("%s: error %v, events %v", word, s.err, s.Events)
			continue
		}
		if e := s.Events[0].(*kycv1.SessionEvent); e.Decision != want.decision || !slices.Equal(s.Drift, want.drift) {
			t.Errorf("%s: %v with drift %v, want %v with %v", word, e.Decision, s.Drift, want.decision, want.drift)
		}
	}
}

// TestWordsOfSessionsOnChecks: the words are not exchanged the other way either.
func TestWordsOfSessionsOnChecks(t *testing.T) {
	body := string(fixture(t, "check_completed"))
	for _, word := range []string{"review", "decline"} {
		s := see(t, []byte(strings.Replace(body, `"outcome":"clear"`, `"outcome":"`+word+`"`, 1)))
		want := []providers.Drift{{Kind: "outcome", Word: word}}
		if s.err != nil || !slices.Equal(s.Drift, want) || s.Events[0].(*kycv1.CheckEvent).Result != kycv1.CheckResult_CHECK_RESULT_UNSPECIFIED {
			t.Errorf("%s: error %v, drift %v, events %v", word, s.err, s.Drift, s.Events)
		}
	}
}

func inferred(word string) []providers.Drift {
	return []providers.Drift{{Kind: "inferred", Word: word}}
}

// TestBlanksFoldNothing: white space is no id and no time, so nothing is the same by it.
func TestBlanksFoldNothing(t *testing.T) {
	for field, name := range map[string]string{"id": "bad_event_id_blank", "payload.id": "bad_payload_id_blank"} {
		s := see(t, fixture(t, name))
		var problem *providers.Problem
		if !errors.As(s.err, &problem) || !errors.Is(s.err, providers.ErrInvalid) || problem.Field != field {
			t.Errorf("blank %s: %v", field, s.err)
		}
		if strings.Contains(s.identity, "check.completed") {
			t.Errorf("blank %s: the identity %q is that of a fold", field, s.identity)
		}
	}
	a, b := see(t, fixture(t, "check_completed_updated_at_blank")), see(t, fixture(t, "check_completed_clear_updated_at_blank"))
	if a.identity == b.identity {
		t.Errorf("two events with a blank updatedAt have one identity, %q", a.identity)
	}
}

// TestTypes: a field that is read is drift when it holds another kind of value, also where
// the events stay as they are.
func TestTypes(t *testing.T) {
	for _, tc := range []struct{ fixture, holds, instead, path string }{
		{"check_completed", `"resourceType":"check"`, `"resourceType":7`, "resourceType"},
		{"check_completed", `"updatedAt":"2026-01-02T03:09:10.011Z"`, `"updatedAt":1767323350`, "payload.updatedAt"},
		{"check_completed", `"status":"complete"`, `"status":true`, "payload.status"},
		{"check_completed_client_id", `"clientId":"65f0948fe603f61dc036b5c5"`, `"clientId":{}`, "payload.clientId"},
		{"client_created", `"externalId":"customer-0001"`, `"externalId":["customer-0001"]`, "payload.externalId"},
		{"workflow_session_completed", `"checkId":"65f0ca6cb4bea7c5b95f3312"`, `"checkId":true`, "payload.allRelatedChecks.checkId"},
		{"workflow_session_completed", `"workflowVersion":3`, `"workflowVersion":{}`, "payload.workflowVersion"},
	} {
		body := strings.Replace(string(fixture(t, tc.fixture)), tc.holds, tc.instead, 1)
		if s := see(t, []byte(body)); s.err != nil || !slices.Contains(s.Drift, providers.Drift{Kind: "type", Word: tc.path}) {
			t.Errorf("%s with %s: error %v, drift %v", tc.fixture, tc.instead, s.err, s.Drift)
		}
	}
}
