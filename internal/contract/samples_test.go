package contract_test

import (
	"bytes"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// The samples are the smallest messages that a rule lets pass, made anew for
// each test, which then spoils one thing.

const (
	uuidA = "018f3c5e-7b2a-7c3d-9e4f-0a1b2c3d4e5f"
	uuidB = "b5c1a7d2-3e4f-5a6b-8c7d-9e0f1a2b3c4d"
)

var noon = timestamppb.New(time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC))

func position() *kycv1.RawPosition {
	return &kycv1.RawPosition{Topic: "kyc.raw.v1", Partition: 3, Offset: 41}
}

func metadata() *kycv1.EventMetadata {
	return &kycv1.EventMetadata{
		EventId: uuidB, Provider: "complycube", Endpoint: "complycube-live", Tenant: "default",
		Environment: kycv1.Environment_ENVIRONMENT_LIVE,
		Subject:     &kycv1.Subject{SessionId: "s-1"},
		ReceivedAt:  noon, Raw: position(), MapperVersion: "complycube/1",
	}
}

func session() *kycv1.SessionEvent {
	return &kycv1.SessionEvent{
		Metadata:   metadata(),
		Transition: kycv1.SessionTransition_SESSION_TRANSITION_COMPLETED,
		Decision:   kycv1.Decision_DECISION_UNDETERMINED,
	}
}

func check() *kycv1.CheckEvent {
	return &kycv1.CheckEvent{Metadata: metadata(), Result: kycv1.CheckResult_CHECK_RESULT_PASSED}
}

func aml() *kycv1.AmlEvent {
	return &kycv1.AmlEvent{Metadata: metadata(), Status: kycv1.AmlStatus_AML_STATUS_CLEAR}
}

func findings(statuses ...kycv1.AmlStatus) []*kycv1.AmlFinding {
	var findings []*kycv1.AmlFinding
	for _, s := range statuses {
		findings = append(findings, &kycv1.AmlFinding{Status: s})
	}
	return findings
}

func renewal() *kycv1.RenewalEvent {
	return &kycv1.RenewalEvent{Metadata: metadata(), State: kycv1.RenewalState_RENEWAL_STATE_DUE}
}

// accountNotice is a renewal notice about an account: no subject, but a count.
func accountNotice() *kycv1.RenewalEvent {
	e := renewal()
	e.Metadata.Subject = nil
	e.AffectedCount = proto.Int32(0)
	return e
}

func resource() *kycv1.ResourceEvent {
	return &kycv1.ResourceEvent{
		Metadata: metadata(), Resource: kycv1.Resource_RESOURCE_CLIENT, Change: kycv1.Change_CHANGE_UPDATED,
		ChangedFields: []string{"email"},
	}
}

func envelope() *kycv1.RawEnvelope {
	return &kycv1.RawEnvelope{
		Provider: "idenfy", Endpoint: "idenfy", Tenant: "default",
		Environment: kycv1.Environment_ENVIRONMENT_SANDBOX,
		ReceivedAt:  noon, Method: "POST", DeliveryId: uuidA,
	}
}

func task() *kycv1.HydrateTask {
	return &kycv1.HydrateTask{Envelope: envelope(), Raw: position(), FetchResult: kycv1.FetchResult_FETCH_RESULT_PENDING}
}

func disposition() *kycv1.Disposition {
	return &kycv1.Disposition{
		Raw: position(), RawTopicId: bytes.Repeat([]byte{7}, 16),
		Stage: kycv1.Stage_STAGE_NORMALIZE, Kind: kycv1.DispositionKind_DISPOSITION_KIND_EMITTED,
		EventIds: []string{uuidB}, DecidedAt: noon,
	}
}

func deadLetter() *kycv1.DeadLetter {
	return &kycv1.DeadLetter{
		Raw: position(), Reason: kycv1.DeadLetterReason_DEAD_LETTER_REASON_MALFORMED, Stage: "decode",
		// What is no envelope is kept as a body alone, against an envelope's rules.
		Envelope: &kycv1.RawEnvelope{Body: []byte("no envelope")},
	}
}
