package contract_test

import (
	"slices"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// wholeCase is what is tried of one rule of a message as a whole: changes to a full message that break it and
// nothing else, and some that break nothing.
type wholeCase struct{ breaks, keeps []proto.Message }

// changed are full messages, each with one change.
func changed[M proto.Message](full func() M, changes ...func(M)) (all []proto.Message) {
	for _, change := range changes {
		m := full()
		change(m)
		all = append(all, m)
	}
	return all
}

// wholeCases are by the id of the rule.
func wholeCases() map[string]wholeCase {
	return map[string]wholeCase{
		"session.transition_or_word": {
			changed(fullSession, func(e *kycv1.SessionEvent) { e.Transition, e.VendorStatus = 0, "" }),
			changed(fullSession, func(e *kycv1.SessionEvent) { e.Transition = 0 }, func(e *kycv1.SessionEvent) { e.VendorStatus = "" }),
		},
		"session.verdict_on_completion":        verdictOnCompletion(),
		"session.provisional_is_not_completed": provisionalIsNotCompleted(),
		"session.has_subject":                  hasSubject(fullSession, func(e *kycv1.SessionEvent) {}),
		"check.result_or_word": {
			changed(fullCheck, func(e *kycv1.CheckEvent) { e.Result, e.VendorResult = 0, "" }),
			changed(fullCheck, func(e *kycv1.CheckEvent) { e.Result = 0 }, func(e *kycv1.CheckEvent) { e.VendorResult = "" }),
		},
		"check.has_subject": hasSubject(fullCheck, func(e *kycv1.CheckEvent) {}),
		"aml.status_or_word": {
			changed(fullAml, func(e *kycv1.AmlEvent) { e.Status, e.VendorStatus = 0, "" }),
			changed(fullAml, func(e *kycv1.AmlEvent) { e.Status = 0 }, func(e *kycv1.AmlEvent) { e.VendorStatus = "" }),
		},
		"aml.clear_means_clear": clearMeansClear(),
		"aml.clear_was_checked": clearWasChecked(),
		"aml.has_subject":       hasSubject(fullAml, func(e *kycv1.AmlEvent) {}),
		"aml_finding.status_or_word": {
			changed(fullAml,
				func(e *kycv1.AmlEvent) { e.Findings[0].Status, e.Findings[0].VendorStatus = 0, "" },
				func(e *kycv1.AmlEvent) { e.Findings[2].Status, e.Findings[2].VendorStatus = 0, "" }),
			changed(fullAml, func(e *kycv1.AmlEvent) { e.Findings[0].Status = 0 }, func(e *kycv1.AmlEvent) { e.Findings[2].VendorStatus = "" }),
		},
		"renewal.state_or_word": {
			changed(fullRenewal, func(e *kycv1.RenewalEvent) { e.State, e.VendorStatus = 0, "" }),
			changed(fullRenewal, func(e *kycv1.RenewalEvent) { e.State = 0 }, func(e *kycv1.RenewalEvent) { e.VendorStatus = "" }),
		},
		"renewal.deadline_has_date": deadlineHasDate(fullRenewal, func(e *kycv1.RenewalEvent, word string, at *timestamppb.Timestamp) {
			e.VendorDeadline, e.Deadline = word, at
		}),
		"required_step.deadline_has_date": deadlineHasDate(fullSession, func(e *kycv1.SessionEvent, word string, at *timestamppb.Timestamp) {
			e.RequiredSteps[2].VendorDeadline, e.RequiredSteps[2].Deadline = word, at
		}),
		"renewal.has_subject_or_count": hasSubject(fullRenewal, func(e *kycv1.RenewalEvent) { e.AffectedCount = nil }),
		"resource.changed_fields_on_update": {
			changed(fullResource, func(e *kycv1.ResourceEvent) { e.Change = 0 }, func(e *kycv1.ResourceEvent) { e.Change, e.ChangedFields = 3, e.ChangedFields[:1] }),
			changed(fullResource, func(e *kycv1.ResourceEvent) { e.ChangedFields = nil }, func(e *kycv1.ResourceEvent) { e.Change, e.ChangedFields = 3, nil }),
		},
		"resource.has_subject":            hasSubject(fullResource, func(e *kycv1.ResourceEvent) {}),
		"metadata.hydrated_means_fetched": hydratedMeansFetched(),
		"metadata.fetched_has_time": {
			changed(fullCheck, func(e *kycv1.CheckEvent) { e.Metadata.FetchedAt = nil }),
			changed(fullCheck, func(e *kycv1.CheckEvent) {
				e.Metadata.FetchedAt, e.Metadata.Hydrated, e.Metadata.Hydration = nil, false, 0
			}),
		},
		"hydrate.fetched_is_there": {
			changed(fullTask, func(h *kycv1.HydrateTask) { h.Fetched = nil }, func(h *kycv1.HydrateTask) { h.FetchedAt = nil }, func(h *kycv1.HydrateTask) { h.Fetched, h.FetchedAt = []byte{}, nil }),
			changed(fullTask, func(h *kycv1.HydrateTask) { h.Fetched, h.FetchedAt, h.FetchResult = nil, nil, 3 }, func(h *kycv1.HydrateTask) { h.Fetched, h.FetchedAt, h.FetchResult = nil, nil, 0 }),
		},
		"disposition.emitted_names_events": {
			changed(fullDisposition, func(d *kycv1.Disposition) { d.EventIds = nil }),
			changed(fullDisposition, func(d *kycv1.Disposition) { d.EventIds = d.EventIds[:1] }, func(d *kycv1.Disposition) { d.EventIds, d.Kind = nil, 2 }, func(d *kycv1.Disposition) { d.EventIds, d.Kind = nil, 4 }),
		},
		"disposition.duplicate_names_first": {
			changed(fullDisposition, func(d *kycv1.Disposition) { d.Kind, d.DuplicateOf = 2, nil }),
			changed(fullDisposition, func(d *kycv1.Disposition) { d.Kind = 2 }, func(d *kycv1.Disposition) { d.DuplicateOf = nil }, func(d *kycv1.Disposition) { d.Kind, d.DuplicateOf = 3, nil }),
		},
		"disposition.dead_letter_has_reason": {
			changed(fullDisposition, func(d *kycv1.Disposition) { d.Kind, d.Reason = 3, 0 }),
			changed(fullDisposition, func(d *kycv1.Disposition) { d.Kind = 3 }, func(d *kycv1.Disposition) { d.Reason = 0 }, func(d *kycv1.Disposition) { d.Kind, d.Reason = 2, 0 }),
		},
		"disposition.replay_has_id": {
			changed(fullDisposition, func(d *kycv1.Disposition) { d.ReplayId = "" }),
			changed(fullDisposition, func(d *kycv1.Disposition) { d.Stage, d.ReplayId = 1, "" }, func(d *kycv1.Disposition) { d.Stage, d.ReplayId = 2, "" }),
		},
		"disposition.claimed_has_topic_id": {
			changed(fullDisposition, func(d *kycv1.Disposition) { d.Claimed = nil }, func(d *kycv1.Disposition) { d.ClaimedTopicId = nil }),
			changed(fullDisposition, func(d *kycv1.Disposition) { d.Claimed, d.ClaimedTopicId = nil, nil }),
		},
	}
}

func verdictOnCompletion() (c wholeCase) {
	for transition := range kycv1.SessionTransition(12) {
		for decision := range kycv1.Decision(3) {
			e := fullSession()
			e.Transition, e.Decision = transition, decision
			if (transition == 3 || transition == 4) && decision == 0 {
				c.breaks = append(c.breaks, e)
			} else {
				c.keeps = append(c.keeps, e)
			}
		}
	}
	return c
}

func provisionalIsNotCompleted() (c wholeCase) {
	for transition := range kycv1.SessionTransition(5) {
		for finality := range kycv1.Finality(4) {
			for decision := kycv1.Decision(1); decision < 7; decision++ {
				e := fullSession()
				e.Transition, e.Finality, e.Decision = transition, finality, decision
				if transition == 3 && finality == 1 && decision <= 2 {
					c.breaks = append(c.breaks, e)
				} else {
					c.keeps = append(c.keeps, e)
				}
			}
		}
	}
	return c
}

func clearMeansClear() (c wholeCase) {
	for status := range kycv1.AmlStatus(12) {
		for _, place := range []int{0, 1, 2} {
			e := fullAml()
			e.Findings[place].Status = status
			if slices.Contains([]kycv1.AmlStatus{1, 3, 4, 7, 9}, status) {
				c.breaks = append(c.breaks, e)
			} else {
				c.keeps = append(c.keeps, e)
			}
			worse := fullAml()
			worse.Status, worse.Findings[place].Status = 4, status
			c.keeps = append(c.keeps, worse)
		}
	}
	return c
}

func clearWasChecked() wholeCase {
	unchecked := func(n int) func(*kycv1.AmlEvent) {
		return func(e *kycv1.AmlEvent) {
			e.Findings = e.Findings[:n]
			for _, f := range e.Findings {
				f.Status = kycv1.AmlStatus_AML_STATUS_NOT_CHECKED
			}
		}
	}
	return wholeCase{
		changed(fullAml, unchecked(1), unchecked(3)),
		changed(fullAml, unchecked(0),
			func(e *kycv1.AmlEvent) { unchecked(3)(e); e.Status = kycv1.AmlStatus_AML_STATUS_NOT_CHECKED },
			func(e *kycv1.AmlEvent) { unchecked(3)(e); e.Findings[0].Status = kycv1.AmlStatus_AML_STATUS_DISMISSED },
			func(e *kycv1.AmlEvent) { unchecked(3)(e); e.Findings[2].Status = kycv1.AmlStatus_AML_STATUS_CLEAR }),
	}
}

func hydratedMeansFetched() (c wholeCase) {
	for hydration := range kycv1.Hydration(7) {
		for _, hydrated := range []bool{true, false} {
			e := fullCheck()
			e.Metadata.Hydration, e.Metadata.Hydrated = hydration, hydrated
			if hydrated == (hydration == kycv1.Hydration_HYDRATION_FETCHED) {
				c.keeps = append(c.keeps, e)
			} else {
				c.breaks = append(c.breaks, e)
			}
		}
	}
	return c
}

// hasSubject asks for one of the ids of a subject.
func hasSubject[M interface {
	proto.Message
	GetMetadata() *kycv1.EventMetadata
}](full func() M, make func(M)) wholeCase {
	with := func(s *kycv1.Subject) func(M) {
		return func(e M) { make(e); e.GetMetadata().Subject = s }
	}
	return wholeCase{
		changed(full, with(nil), with(&kycv1.Subject{}),
			with(&kycv1.Subject{StepId: "a", AttemptId: "a", Party: 1, RelatedSessionIds: []string{"a"}, RelatedCheckIds: []string{"a"}})),
		changed(full, make,
			with(&kycv1.Subject{SessionId: "a"}), with(&kycv1.Subject{CheckId: "a"}), with(&kycv1.Subject{ClientId: "a"}), with(&kycv1.Subject{CompanyId: "a"}),
			with(&kycv1.Subject{DocumentId: "a"}), with(&kycv1.Subject{AddressId: "a"}), with(&kycv1.Subject{PartyId: "a"}), with(&kycv1.Subject{CustomerReference: "a"})),
	}
}

func deadlineHasDate[M proto.Message](full func() M, set func(m M, word string, at *timestamppb.Timestamp)) (c wholeCase) {
	for _, date := range []string{"2026-05-01", "1000-12-28", "2025-09-15T00:00:00Z", "2025-09-15T23:59:59.123456789+14:59"} {
		m, dated := full(), full()
		set(m, date, nil)
		set(dated, date, noon)
		c.breaks, c.keeps = append(c.breaks, m), append(c.keeps, dated)
	}
	for _, word := range []string{"", "soon", "0999-05-01", "2026-13-01", "2026-02-29", "2026-05-01T24:00:00Z", " 2026-05-01", "2026-05-01T00:00:00", "2026-05-01é"} {
		m := full()
		set(m, word, nil)
		c.keeps = append(c.keeps, m)
	}
	return c
}
