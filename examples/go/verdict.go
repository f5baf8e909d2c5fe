package main

import (
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// A verdict is a decision of a vendor, and what this program does about it. Times are RFC 3339, or empty where the
// vendor gives none.
type verdict struct {
	endpoint, subject, customerReference string
	decision, finality                   string
	acted                                string
	occurredAt, receivedAt               string
}

func decide(event *kycv1.SessionEvent, key string, sandboxToo bool) *verdict {
	m := event.GetMetadata()
	_, subject, _ := strings.Cut(key, "/")
	return &verdict{
		endpoint: m.GetEndpoint(), subject: subject, customerReference: m.GetSubject().GetCustomerReference(),
		decision: word(event.GetDecision(), "DECISION_"), finality: word(event.GetFinality(), "FINALITY_"),
		acted:      act(event, sandboxToo),
		occurredAt: rfc3339(m.GetOccurredAt()), receivedAt: rfc3339(m.GetReceivedAt()),
	}
}

// act says what to do; only "open" opens an account.
func act(event *kycv1.SessionEvent, sandboxToo bool) string {
	if event.GetMetadata().GetEnvironment() != kycv1.Environment_ENVIRONMENT_LIVE && !sandboxToo {
		return "sandbox" // approves nobody; an environment that is new to us does not either
	}
	if _, known := kycv1.Decision_name[int32(event.GetDecision())]; !known {
		return "unknown" // a word that came after this code: never an approval
	}
	if event.GetFinality() == kycv1.Finality_FINALITY_PRELIMINARY {
		return "wait"
	}
	if event.GetMetadata().GetSubject().GetCustomerReference() == "" {
		return "no reference" // whose account? somebody has to look
	}
	switch event.GetDecision() {
	case kycv1.Decision_DECISION_APPROVED:
		return "open"
	case kycv1.Decision_DECISION_DECLINED:
		return "refuse"
	default:
		return "ask"
	}
}

// word is an enum's value without the name of its enum. The String of a number that the code does not know is the
// number.
func word(value fmt.Stringer, prefix string) string {
	if name, known := strings.CutPrefix(value.String(), prefix); known {
		return name
	}
	return "UNKNOWN_" + value.String()
}

func rfc3339(at *timestamppb.Timestamp) string {
	if at == nil {
		return ""
	}
	return at.AsTime().Format(time.RFC3339Nano)
}

func (v *verdict) String() string {
	return fmt.Sprintf("%s %s %s/%s %s -> %s", v.decision, v.finality, v.endpoint, v.subject, v.customerReference, v.acted)
}
