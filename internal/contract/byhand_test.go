package contract_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"

	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// The rules of a SessionEvent in plain Go, only to know what they may cost. The contract holds them; TestByHand
// compares the two.

func validSessionByHand(e *kycv1.SessionEvent) bool {
	for _, c := range e.GetReasonCodes() {
		if !code(c) {
			return false
		}
	}
	for _, s := range e.GetRequiredSteps() {
		if len(s.GetReasonCodes()) > 0 || s.GetDeadline() != nil || !line(s.GetVendorDeadline(), 128) || !short(s.GetStepId(), 256) {
			return false // no sample has more
		}
	}
	completed := e.GetTransition() == kycv1.SessionTransition_SESSION_TRANSITION_COMPLETED
	final := completed || e.GetTransition() == kycv1.SessionTransition_SESSION_TRANSITION_DECISION_CHANGED
	clear := e.GetDecision() == kycv1.Decision_DECISION_APPROVED || e.GetDecision() == kycv1.Decision_DECISION_DECLINED
	return len(e.GetReasonCodes()) <= 1000 && len(e.GetRequiredSteps()) <= 1000 &&
		line(e.GetVendorStatus(), 128) && line(e.GetVendorOutcome(), 128) &&
		(e.GetTransition() != 0 || e.GetVendorStatus() != "") &&
		(!final || e.GetDecision() != 0) &&
		!(completed && e.GetFinality() == kycv1.Finality_FINALITY_PRELIMINARY && clear) &&
		validMetadataByHand(e.GetMetadata()) && named(e.GetMetadata().GetSubject())
}

func validMetadataByHand(m *kycv1.EventMetadata) bool {
	if m == nil || m.GetReceivedAt() == nil || m.GetRaw() == nil || m.GetEnvironment() == 0 {
		return false
	}
	for k, v := range m.GetVendorAttributes() {
		if k == "" || !short(k, 64) || !line(v, 128) {
			return false
		}
	}
	fetched := m.GetHydration() == kycv1.Hydration_HYDRATION_FETCHED
	raw := m.GetRaw()
	return uuid(m.GetEventId()) && slug(m.GetProvider(), "_-") && slug(m.GetEndpoint(), "-") && slug(strings.ToLower(m.GetTenant()), "._-") &&
		line(m.GetVendorEventId(), 128) && line(m.GetVendorEventType(), 128) && len(m.GetVendorSequence()) <= 40 && every(m.GetVendorSequence(), digit) &&
		m.GetMapperVersion() != "" && short(m.GetMapperVersion(), 64) && short(m.GetFlowId(), 256) && short(m.GetFlowVersion(), 128) &&
		len(m.GetVendorAttributes()) <= 32 && len(m.GetFlags()) == 0 && // no sample has flags
		m.GetHydrated() == fetched && (!fetched || m.GetFetchedAt() != nil) &&
		raw.GetTopic() != "" && short(raw.GetTopic(), 249) && raw.GetPartition() >= 0 && raw.GetOffset() >= 0 && validSubjectByHand(m.GetSubject())
}

func validSubjectByHand(s *kycv1.Subject) bool {
	return short(s.GetSessionId(), 256) && short(s.GetCheckId(), 256) && short(s.GetClientId(), 256) && short(s.GetCompanyId(), 256) &&
		short(s.GetDocumentId(), 256) && short(s.GetAddressId(), 256) && short(s.GetStepId(), 256) && short(s.GetAttemptId(), 256) &&
		short(s.GetCustomerReference(), 512) && short(s.GetPartyId(), 256) &&
		len(s.GetRelatedSessionIds()) == 0 && len(s.GetRelatedCheckIds()) == 0 // no sample has them
}

func named(s *kycv1.Subject) bool {
	return s.GetSessionId() != "" || s.GetCheckId() != "" || s.GetClientId() != "" || s.GetCompanyId() != "" ||
		s.GetDocumentId() != "" || s.GetAddressId() != "" || s.GetPartyId() != "" || s.GetCustomerReference() != ""
}

func short(s string, characters int) bool {
	return len(s) <= characters || utf8.RuneCountInString(s) <= characters
}

func line(s string, characters int) bool {
	return short(s, characters) && !strings.ContainsAny(s, "\r\n")
}

func digit(c byte) bool { return '0' <= c && c <= '9' }
func lower(c byte) bool { return 'a' <= c && c <= 'z' || digit(c) }

func every(s string, fits func(byte) bool) bool {
	for i := range len(s) {
		if !fits(s[i]) {
			return false
		}
	}
	return true
}

// slug is lower case with some marks; that it must begin without one is left to the contract.
func slug(s, marks string) bool {
	return s != "" && len(s) <= 63 && every(s, func(c byte) bool { return lower(c) || strings.IndexByte(marks, c) >= 0 })
}

func code(s string) bool {
	return s != "" && len(s) <= 128 && every(s, func(c byte) bool { return lower(c|0x20) || strings.IndexByte("_.:/-", c) >= 0 })
}

func uuid(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		dash := i == 8 || i == 13 || i == 18 || i == 23
		if dash != (s[i] == '-') || !dash && !(digit(s[i]) || 'a' <= s[i]|0x20 && s[i]|0x20 <= 'f') {
			return false
		}
	}
	return true
}

func TestByHand(t *testing.T) {
	v, full := validator(t), benchMessages()[0].(*kycv1.SessionEvent)
	for what, spoil := range map[string]func(*kycv1.SessionEvent){
		"nothing":    func(*kycv1.SessionEvent) {},
		"event_id":   func(e *kycv1.SessionEvent) { e.Metadata.EventId = "no uuid" },
		"provider":   func(e *kycv1.SessionEvent) { e.Metadata.Provider = "Loud" },
		"endpoint":   func(e *kycv1.SessionEvent) { e.Metadata.Endpoint = "a_b" },
		"sequence":   func(e *kycv1.SessionEvent) { e.Metadata.VendorSequence = "twelve" },
		"two lines":  func(e *kycv1.SessionEvent) { e.VendorStatus = "a\nb" },
		"long":       func(e *kycv1.SessionEvent) { e.VendorOutcome = strings.Repeat("é", 129) },
		"long bytes": func(e *kycv1.SessionEvent) { e.VendorOutcome = strings.Repeat("é", 128) },
		"code":       func(e *kycv1.SessionEvent) { e.ReasonCodes[0] = "two words" },
		"attribute":  func(e *kycv1.SessionEvent) { e.Metadata.VendorAttributes[""] = "x" },
		"hydrated":   func(e *kycv1.SessionEvent) { e.Metadata.Hydrated = true },
		"offset":     func(e *kycv1.SessionEvent) { e.Metadata.Raw.Offset = -1 },
		"no subject": func(e *kycv1.SessionEvent) { e.Metadata.Subject = nil },
		"no verdict": func(e *kycv1.SessionEvent) { e.Decision = 0 },
	} {
		e := proto.CloneOf(full)
		spoil(e)
		if err := v.Validate(e); (err == nil) != validSessionByHand(e) {
			t.Errorf("%s: by hand %v, the validator says %v", what, validSessionByHand(e), err)
		}
	}
}
