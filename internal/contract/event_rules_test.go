package contract_test

import (
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// spoil is one case: a sample with one change, and the rules it then breaks.
type spoil[M proto.Message] struct {
	name   string
	change func(M)
	breaks []string
}

func runSpoils[M proto.Message](t *testing.T, sample func() M, cases []spoil[M]) {
	t.Helper()
	v := validator(t)
	if got := broken(t, v, sample()); got != nil {
		t.Fatalf("the sample itself breaks %v", got)
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			m := sample()
			c.change(m)
			if got := broken(t, v, m); !slices.Equal(got, c.breaks) {
				t.Errorf("breaks %q, want %q", got, c.breaks)
			}
		})
	}
}

const longWord = 129

func TestMetadataRules(t *testing.T) {
	runSpoils(t, metadata, []spoil[*kycv1.EventMetadata]{
		{"no id", func(m *kycv1.EventMetadata) { m.EventId = "" }, []string{"event_id string.uuid_empty"}},
		{"id is no UUID", func(m *kycv1.EventMetadata) { m.EventId = "42" }, []string{"event_id string.uuid"}},
		{"no environment", func(m *kycv1.EventMetadata) { m.Environment = 0 }, []string{"environment required"}},
		{"no time of arrival", func(m *kycv1.EventMetadata) { m.ReceivedAt = nil }, []string{"received_at required"}},
		{"no raw position", func(m *kycv1.EventMetadata) { m.Raw = nil }, []string{"raw required"}},
		{"negative offset", func(m *kycv1.EventMetadata) { m.Raw.Offset = -1 }, []string{"raw.offset int64.gte"}},
		{"no mapper version", func(m *kycv1.EventMetadata) { m.MapperVersion = "" }, []string{"mapper_version string.min_len"}},
		{"endpoint with a slash", func(m *kycv1.EventMetadata) { m.Endpoint = "a/b" }, []string{"endpoint string.pattern"}},
		{"tenant with a slash", func(m *kycv1.EventMetadata) { m.Tenant = "a/b" }, []string{"tenant string.pattern"}},
		{"event type on two lines", func(m *kycv1.EventMetadata) { m.VendorEventType = "a\nb" }, []string{"vendor_event_type string.pattern"}},
		{"event type too long", func(m *kycv1.EventMetadata) { m.VendorEventType = strings.Repeat("ü", longWord) }, []string{"vendor_event_type string.max_len"}},
		{"event type just fits", func(m *kycv1.EventMetadata) { m.VendorEventType = strings.Repeat("ü", longWord-1) }, nil},
		{"sequence", func(m *kycv1.EventMetadata) { m.VendorSequence = "12" }, nil},
		{"sequence is no number", func(m *kycv1.EventMetadata) { m.VendorSequence = "1.0" }, []string{"vendor_sequence string.pattern"}},
		{"no subject", func(m *kycv1.EventMetadata) { m.Subject = nil }, nil},
		{"hydrated without a fetch", func(m *kycv1.EventMetadata) { m.Hydrated = true }, []string{"metadata.hydrated_means_fetched"}},
		{"fetched", func(m *kycv1.EventMetadata) {
			m.Hydrated, m.Hydration, m.FetchedAt = true, kycv1.Hydration_HYDRATION_FETCHED, noon
		}, nil},
		{"fetched, not said", func(m *kycv1.EventMetadata) { m.Hydration = kycv1.Hydration_HYDRATION_FETCHED },
			[]string{"metadata.fetched_has_time", "metadata.hydrated_means_fetched"}},
		{"not found, with the time", func(m *kycv1.EventMetadata) {
			m.Hydration, m.FetchedAt = kycv1.Hydration_HYDRATION_NOT_FOUND, noon
		}, nil},
		{"flags", func(m *kycv1.EventMetadata) { m.Flags = []string{"dedupe=conflict", "replay=2026-01-02/a"} }, nil},
		{"flag without value", func(m *kycv1.EventMetadata) { m.Flags = []string{"stale"} }, []string{"flags[0] string.pattern"}},
	})
}

func TestVendorAttributesAreBounded(t *testing.T) {
	with := func(pairs int, value string) *kycv1.EventMetadata {
		m := metadata()
		m.VendorAttributes = map[string]string{}
		for i := range pairs {
			m.VendorAttributes["k"+string(rune('A'+i))] = value
		}
		return m
	}
	v := validator(t)
	if got := broken(t, v, with(32, "x")); got != nil {
		t.Errorf("32 attributes break %v", got)
	}
	if got := broken(t, v, with(33, "x")); len(got) != 1 {
		t.Errorf("33 attributes break %v, want one rule", got)
	}
	if got := broken(t, v, with(1, strings.Repeat("x", longWord))); len(got) != 1 {
		t.Errorf("an attribute of %d characters breaks %v, want one rule", longWord, got)
	}
}

func TestSessionRules(t *testing.T) {
	const completed, changed = kycv1.SessionTransition_SESSION_TRANSITION_COMPLETED, kycv1.SessionTransition_SESSION_TRANSITION_DECISION_CHANGED
	verdict := func(tr kycv1.SessionTransition, d kycv1.Decision, f kycv1.Finality) func(*kycv1.SessionEvent) {
		return func(e *kycv1.SessionEvent) { e.Transition, e.Decision, e.Finality = tr, d, f }
	}
	const approved, declined, review = kycv1.Decision_DECISION_APPROVED, kycv1.Decision_DECISION_DECLINED, kycv1.Decision_DECISION_REVIEW
	const preliminary, final = kycv1.Finality_FINALITY_PRELIMINARY, kycv1.Finality_FINALITY_FINAL
	runSpoils(t, session, []spoil[*kycv1.SessionEvent]{
		{"no header", func(e *kycv1.SessionEvent) { e.Metadata = nil }, []string{"metadata required", "session.has_subject"}},
		{"a broken header", func(e *kycv1.SessionEvent) { e.Metadata.EventId = "x" }, []string{"metadata.event_id string.uuid"}},
		{"completed without verdict", verdict(completed, 0, 0), []string{"session.verdict_on_completion"}},
		{"changed without verdict", verdict(changed, 0, 0), []string{"session.verdict_on_completion"}},
		{"completed, approved, final", verdict(completed, approved, final), nil},
		{"completed, approved, provisional", verdict(completed, approved, preliminary), []string{"session.provisional_is_not_completed"}},
		{"completed, declined, provisional", verdict(completed, declined, preliminary), []string{"session.provisional_is_not_completed"}},
		{"completed, review, provisional", verdict(completed, review, preliminary), nil},
		{"processing, approved, provisional", verdict(kycv1.SessionTransition_SESSION_TRANSITION_PROCESSING, approved, preliminary), nil},
		{"expired without verdict", verdict(kycv1.SessionTransition_SESSION_TRANSITION_EXPIRED, 0, 0), nil},
		{"nothing said", verdict(0, 0, 0), []string{"session.transition_or_word"}},
		{"a new word", func(e *kycv1.SessionEvent) { e.Transition, e.Decision, e.VendorStatus = 0, 0, "PONDERING" }, nil},
		{"word on two lines", func(e *kycv1.SessionEvent) { e.VendorStatus = "a\r\nb" }, []string{"vendor_status string.pattern"}},
		{"no subject", func(e *kycv1.SessionEvent) { e.Metadata.Subject = nil }, []string{"session.has_subject"}},
		{"empty subject", func(e *kycv1.SessionEvent) { e.Metadata.Subject = &kycv1.Subject{StepId: "1"} }, []string{"session.has_subject"}},
		{"a company as subject", func(e *kycv1.SessionEvent) { e.Metadata.Subject = &kycv1.Subject{CompanyId: "c"} }, nil},
		{"reason codes", func(e *kycv1.SessionEvent) { e.ReasonCodes = []string{"DOC_EXPIRED", "a.b/c:d-e", "1"} }, nil},
		{"free text as reason", func(e *kycv1.SessionEvent) { e.ReasonCodes = []string{"the photo was dark"} }, []string{"reason_codes[0] string.pattern"}},
		{"step without id", func(e *kycv1.SessionEvent) { e.RequiredSteps = []*kycv1.RequiredStep{{}} }, nil},
		{"step with an unread date", func(e *kycv1.SessionEvent) {
			e.RequiredSteps = []*kycv1.RequiredStep{{VendorDeadline: "2026-05-01"}}
		}, []string{"required_steps[0] required_step.deadline_has_date"}},
	})
}

func TestCheckRules(t *testing.T) {
	runSpoils(t, check, []spoil[*kycv1.CheckEvent]{
		{"nothing said", func(e *kycv1.CheckEvent) { e.Result = 0 }, []string{"check.result_or_word"}},
		{"a new word", func(e *kycv1.CheckEvent) { e.Result, e.VendorResult = 0, "MEDIUM" }, nil},
		{"no subject", func(e *kycv1.CheckEvent) { e.Metadata.Subject = nil }, []string{"check.has_subject"}},
		{"a check as subject", func(e *kycv1.CheckEvent) { e.Metadata.Subject = &kycv1.Subject{CheckId: "c"} }, nil},
	})
}

func TestAmlRules(t *testing.T) {
	with := func(status kycv1.AmlStatus, found ...kycv1.AmlStatus) func(*kycv1.AmlEvent) {
		return func(e *kycv1.AmlEvent) { e.Status, e.Findings = status, findings(found...) }
	}
	const (
		clear, potential   = kycv1.AmlStatus_AML_STATUS_CLEAR, kycv1.AmlStatus_AML_STATUS_POTENTIAL_HIT
		confirmed, pending = kycv1.AmlStatus_AML_STATUS_CONFIRMED_HIT, kycv1.AmlStatus_AML_STATUS_PENDING
		undetermined       = kycv1.AmlStatus_AML_STATUS_UNDETERMINED
		dismissed, failed  = kycv1.AmlStatus_AML_STATUS_DISMISSED, kycv1.AmlStatus_AML_STATUS_ERROR
		unchecked          = kycv1.AmlStatus_AML_STATUS_NOT_CHECKED
	)
	hidden := []string{"aml.clear_means_clear"}
	runSpoils(t, aml, []spoil[*kycv1.AmlEvent]{
		{"nothing said", with(0), []string{"aml.status_or_word"}},
		{"a new word", func(e *kycv1.AmlEvent) { e.Status, e.VendorStatus = 0, "ODD" }, nil},
		{"clear over a hit", with(clear, clear, potential), hidden},
		{"clear over a confirmed hit", with(clear, confirmed), hidden},
		{"clear over pending", with(clear, clear, pending), hidden},
		{"clear over undetermined", with(clear, undetermined), hidden},
		{"clear over an error", with(clear, failed), hidden},
		{"clear beside dismissed", with(clear, clear, dismissed), nil},
		{"clear, one not checked", with(clear, clear, unchecked), nil},
		{"clear, none checked", with(clear, unchecked, unchecked), []string{"aml.clear_was_checked"}},
		{"not checked, none checked", with(unchecked, unchecked), nil},
		{"a hit", with(potential, clear, potential), nil},
		{"finding without status", with(potential, 0), []string{"findings[0] aml_finding.status_or_word"}},
		{"a count of none", func(e *kycv1.AmlEvent) { e.HitCount = proto.Int32(0) }, nil},
		{"a count below none", func(e *kycv1.AmlEvent) { e.HitCount = proto.Int32(-1) }, []string{"hit_count int32.gte"}},
		{"no subject", func(e *kycv1.AmlEvent) { e.Metadata.Subject = nil }, []string{"aml.has_subject"}},
	})
}

func TestRenewalRules(t *testing.T) {
	runSpoils(t, renewal, []spoil[*kycv1.RenewalEvent]{
		{"nothing said", func(e *kycv1.RenewalEvent) { e.State = 0 }, []string{"renewal.state_or_word"}},
		{"overdue without deadline", func(e *kycv1.RenewalEvent) { e.State = kycv1.RenewalState_RENEWAL_STATE_OVERDUE }, nil},
		{"no subject, no count", func(e *kycv1.RenewalEvent) { e.Metadata.Subject = nil }, []string{"renewal.has_subject_or_count"}},
		{"long overdue", func(e *kycv1.RenewalEvent) { e.DueInDays = proto.Int32(-3) }, nil},
	})
	runSpoils(t, accountNotice, []spoil[*kycv1.RenewalEvent]{
		{"empty subject", func(e *kycv1.RenewalEvent) { e.Metadata.Subject = &kycv1.Subject{} }, nil},
		{"a count below none", func(e *kycv1.RenewalEvent) { e.AffectedCount = proto.Int32(-1) }, []string{"affected_count int32.gte"}},
	})
}

// The rule holds a mapper to the dates that it must be able to read, and lets
// through whatever else a vendor may write.
func TestDeadlineWordsThatAreDates(t *testing.T) {
	v := validator(t)
	for word, isDate := range map[string]bool{
		"2026-05-01": true, "2025-09-15T00:00:00Z": true, "2025-09-15T00:00:00.123+02:00": true,
		"": false, "soon": false, "2026-02-30": false, "2026-13-01": false, "01.05.2026": false,
		"2026-05-01T25:00:00Z": false, "2026-05-01 or later": false, "0000-01-01": false,
	} {
		e := renewal()
		e.VendorDeadline = word
		if got := broken(t, v, e) != nil; got != isDate {
			t.Errorf("%q without deadline is refused: %v, want %v", word, got, isDate)
		}
		e.Deadline = timestamppb.Now()
		if got := broken(t, v, e); got != nil {
			t.Errorf("%q with deadline breaks %v", word, got)
		}
	}
}

func TestResourceRules(t *testing.T) {
	runSpoils(t, resource, []spoil[*kycv1.ResourceEvent]{
		{"deleted, with fields", func(e *kycv1.ResourceEvent) { e.Change = kycv1.Change_CHANGE_DELETED }, []string{"resource.changed_fields_on_update"}},
		{"deleted", func(e *kycv1.ResourceEvent) { e.Change, e.ChangedFields = kycv1.Change_CHANGE_DELETED, nil }, nil},
		{"no subject", func(e *kycv1.ResourceEvent) { e.Metadata.Subject = nil }, []string{"resource.has_subject"}},
	})
}
