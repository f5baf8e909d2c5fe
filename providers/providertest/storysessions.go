package providertest

import (
	"slices"
	"testing"

	"github.com/kycbridge/kycbridge/schemas"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// Transitions, for short.
const (
	started      = kycv1.SessionTransition_SESSION_TRANSITION_STARTED
	processing   = kycv1.SessionTransition_SESSION_TRANSITION_PROCESSING
	completed    = kycv1.SessionTransition_SESSION_TRANSITION_COMPLETED
	changed      = kycv1.SessionTransition_SESSION_TRANSITION_DECISION_CHANGED
	mustResubmit = kycv1.SessionTransition_SESSION_TRANSITION_RESUBMISSION_REQUIRED
	resubmitted  = kycv1.SessionTransition_SESSION_TRANSITION_RESUBMITTED
	cancelled    = kycv1.SessionTransition_SESSION_TRANSITION_CANCELLED
	expired      = kycv1.SessionTransition_SESSION_TRANSITION_EXPIRED
	failed       = kycv1.SessionTransition_SESSION_TRANSITION_FAILED
)

// follows says what may come after a transition in the life of a session; what is no key
// ends it.
var follows = map[kycv1.SessionTransition][]kycv1.SessionTransition{
	0:            {started, processing, completed, cancelled, expired, mustResubmit}, // the first the vendor says
	started:      {processing, completed, cancelled, expired, failed, mustResubmit},
	processing:   {processing, completed, cancelled, expired, failed, mustResubmit, resubmitted},
	completed:    {completed, changed, mustResubmit, resubmitted, cancelled}, // again: the same told twice
	changed:      {changed, mustResubmit, resubmitted, cancelled},
	mustResubmit: {resubmitted, processing, completed, changed, cancelled, expired},
	resubmitted:  {resubmitted, completed, changed, mustResubmit},
}

// openEnds are transitions after which something must come.
var openEnds = []kycv1.SessionTransition{started, processing, mustResubmit}

// checkSessions: each session begins, goes on and ends as sessions do.
func checkSessions(t testing.TB, story string, results []*result) {
	t.Helper()
	last := map[string]kycv1.SessionTransition{}
	for _, r := range results {
		for _, e := range events[*kycv1.SessionEvent](r) {
			id := e.GetMetadata().GetSubject().GetSessionId() + e.GetMetadata().GetSubject().GetCompanyId()
			if !slices.Contains(follows[last[id]], e.Transition) {
				t.Errorf("story %s: session %s is %s after %s", story, id, e.Transition, last[id])
			}
			last[id] = e.Transition
		}
	}
	for id, end := range last {
		if slices.Contains(openEnds, end) {
			t.Errorf("story %s ends while session %s is %s", story, id, end)
		}
	}
}

func events[E schemas.DomainEvent](r *result) (found []E) {
	if r.err != nil {
		return nil
	}
	for _, e := range r.Events {
		if e, ok := e.(E); ok {
			found = append(found, e)
		}
	}
	return found
}
