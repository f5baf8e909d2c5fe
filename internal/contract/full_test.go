package contract_test

import (
	"bytes"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// The full messages have every field set, several items in each list and pairs in each map, and keep all rules.

func fullMetadata() *kycv1.EventMetadata {
	m := metadata()
	m.VendorEventId, m.VendorEventType, m.VendorSequence = "65f077c3be2668dd30906e68", "check.completed.clear", "0042"
	m.Subject = &kycv1.Subject{
		SessionId: "s-1", CheckId: "c-1", ClientId: "cl-1", CompanyId: "co-1", DocumentId: "d-1", AddressId: "a-1", StepId: "st-1", AttemptId: "2",
		CustomerReference: "order 12/é", Party: kycv1.Party_PARTY_BENEFICIARY, PartyId: "p-1",
		RelatedSessionIds: []string{"s-2", "s-3", "s-4"}, RelatedCheckIds: []string{"c-2", "c-3", "c-4"},
	}
	m.OccurredAt = timestamppb.New(noon.AsTime())
	m.Hydrated, m.Hydration, m.FetchedAt = true, kycv1.Hydration_HYDRATION_FETCHED, noon
	m.FlowId, m.FlowVersion = "flow-1", "3"
	m.VendorAttributes = map[string]string{"trigger": "manual", "score": "0.97", "é": "x y"}
	m.Flags = []string{"dedupe=conflict", "stale=true", "replay=2026-01-02/é"}
	return m
}

func fullSteps() []*kycv1.RequiredStep {
	return []*kycv1.RequiredStep{
		{StepId: "st-1", ReasonCodes: codes(), Deadline: noon, VendorDeadline: "2026-02-01"},
		{StepId: "st-2", ReasonCodes: codes(), Deadline: noon, VendorDeadline: "soon"},
		{StepId: "st-3", ReasonCodes: codes(), Deadline: noon, VendorDeadline: "2026-02-01T10:00:00Z"},
	}
}

func codes() []string { return []string{"DOC_EXPIRED", "a.b/c:d-e", "1"} }

func fullSession() *kycv1.SessionEvent {
	return &kycv1.SessionEvent{
		Metadata: fullMetadata(), Transition: kycv1.SessionTransition_SESSION_TRANSITION_COMPLETED, Decision: kycv1.Decision_DECISION_APPROVED,
		DecidedBy: kycv1.DecidedBy_DECIDED_BY_HUMAN, Finality: kycv1.Finality_FINALITY_FINAL, ReasonCodes: codes(), RequiredSteps: fullSteps(),
		VendorStatus: "APPROVED", VendorOutcome: "clear",
	}
}

func fullCheck() *kycv1.CheckEvent {
	return &kycv1.CheckEvent{
		Metadata: fullMetadata(), Kind: kycv1.CheckKind_CHECK_KIND_DOCUMENT, Result: kycv1.CheckResult_CHECK_RESULT_PASSED,
		DecidedBy: kycv1.DecidedBy_DECIDED_BY_SYSTEM, Monitored: true, ReasonCodes: codes(), VendorKind: "document_check", VendorResult: "clear",
	}
}

func fullAml() *kycv1.AmlEvent {
	finding := func(s kycv1.AmlStatus) *kycv1.AmlFinding {
		return &kycv1.AmlFinding{Category: kycv1.AmlCategory_AML_CATEGORY_PEP, Status: s, HitCount: proto.Int32(0), VendorCategory: "pep", VendorStatus: "none"}
	}
	return &kycv1.AmlEvent{
		Metadata: fullMetadata(), Source: kycv1.AmlSource_AML_SOURCE_MONITORING, Status: kycv1.AmlStatus_AML_STATUS_CLEAR, HitCount: proto.Int32(1),
		ReasonCodes: codes(), MonitoringExpiresAt: noon,
		Findings:         []*kycv1.AmlFinding{finding(kycv1.AmlStatus_AML_STATUS_NOT_CHECKED), finding(kycv1.AmlStatus_AML_STATUS_DISMISSED), finding(kycv1.AmlStatus_AML_STATUS_CLEAR)},
		PreviousDecision: kycv1.Decision_DECISION_REVIEW, NewDecision: kycv1.Decision_DECISION_APPROVED,
		VendorPreviousDecision: "review", VendorNewDecision: "approved", VendorStatus: "clear",
	}
}

func fullRenewal() *kycv1.RenewalEvent {
	return &kycv1.RenewalEvent{
		Metadata: fullMetadata(), Kind: kycv1.RenewalKind_RENEWAL_KIND_DOCUMENT, State: kycv1.RenewalState_RENEWAL_STATE_DUE, Deadline: noon,
		DueInDays: proto.Int32(-3), Items: []string{"passport", "proof of address", "é"}, AffectedCount: proto.Int32(2), RequiredSteps: fullSteps(),
		ReasonCodes: codes(), VendorStatus: "due", VendorDeadline: "2026-02-01",
	}
}

func fullResource() *kycv1.ResourceEvent {
	return &kycv1.ResourceEvent{
		Metadata: fullMetadata(), Resource: kycv1.Resource_RESOURCE_CLIENT, Change: kycv1.Change_CHANGE_UPDATED,
		ChangedFields: []string{"email", "post address", "é"}, VendorResource: "client", VendorStatus: "updated",
	}
}

func fullEnvelope() *kycv1.RawEnvelope {
	e := envelope()
	e.ContentType, e.SecretId, e.Body = "application/json", "2026-01", []byte("{}")
	e.Headers = []*kycv1.HttpHeader{{Name: "User-Agent", Value: "synthetic/1.0"}, {Name: "X-A", Value: "é\r\n"}, {Name: "X-B", Value: " "}}
	return e
}

func fullTask() *kycv1.HydrateTask {
	return &kycv1.HydrateTask{
		Envelope: fullEnvelope(), Raw: position(), Attempt: 2, NotBefore: noon, FetchResult: kycv1.FetchResult_FETCH_RESULT_FETCHED,
		FetchedKind: "identification", Fetched: []byte("{}"), FetchedAt: noon, AskedAgain: true,
		RawTopicId: bytes.Repeat([]byte{4}, 16),
	}
}

func fullDisposition() *kycv1.Disposition {
	d := disposition()
	d.Tenant, d.Provider, d.Endpoint = "default", "complycube", "complycube-live"
	d.Stage, d.ReplayId = kycv1.Stage_STAGE_REPLAY, "r-1"
	d.DedupeKey, d.ContentHash, d.DuplicateOf = bytes.Repeat([]byte{1}, 16), bytes.Repeat([]byte{2}, 32), position()
	d.EventIds, d.Reason = []string{uuidA, uuidB, uuidA}, kycv1.DeadLetterReason_DEAD_LETTER_REASON_INVALID
	d.VendorEventId, d.VendorEventType, d.MapperVersion = "e-1", "check.completed", "complycube/1"
	d.ReceivedAt, d.Claimed, d.ClaimedTopicId = noon, position(), bytes.Repeat([]byte{3}, 16)
	d.PepperId, d.DuplicateOfTopicId, d.DedupeFlag = bytes.Repeat([]byte{4}, 8), bytes.Repeat([]byte{5}, 16), "unconfirmed"
	return d
}

func fullDeadLetter() *kycv1.DeadLetter {
	d := deadLetter()
	d.Field, d.Detail, d.Attempts, d.Envelope = "payload.id", "want a string", 3, fullEnvelope()
	return d
}

// fullMessages has one of each topic.
func fullMessages() []proto.Message {
	return []proto.Message{
		fullSession(), fullCheck(), fullAml(), fullRenewal(), fullResource(), fullEnvelope(), fullTask(), fullDisposition(), fullDeadLetter(),
	}
}

// smallMessages has the smallest one of each topic.
func smallMessages() []proto.Message {
	return []proto.Message{session(), check(), aml(), renewal(), accountNotice(), resource(), envelope(), task(), disposition(), deadLetter()}
}
