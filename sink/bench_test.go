package sink

import (
	"testing"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/kycbridge/kycbridge/internal/contract"
	"github.com/kycbridge/kycbridge/internal/record"
	"github.com/kycbridge/kycbridge/schemas"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// BenchmarkEncode makes the Kafka records of one delivery: an event with its headers, and its
// disposition.
func BenchmarkEncode(b *testing.B) {
	key := []byte("shop/5ed3918fbf06f30008e552c9")
	raw := &kycv1.RawPosition{Topic: "kyc.raw.v1", Partition: 3, Offset: 41}
	at := timestamppb.Now()
	event := &kycv1.SessionEvent{
		Metadata: &kycv1.EventMetadata{
			EventId: "b5c1a7d2-3e4f-5a6b-8c7d-9e0f1a2b3c4d", Provider: "complycube", Endpoint: "shop", Tenant: "default",
			Environment: kycv1.Environment_ENVIRONMENT_LIVE, Subject: &kycv1.Subject{SessionId: "5ed3918fbf06f30008e552c9"},
			VendorEventId: "5ed170fe99c81a0007b9a3d3", VendorEventType: "workflow.session.completed",
			OccurredAt: at, ReceivedAt: at, Raw: raw, MapperVersion: "complycube/1",
		},
		Transition: kycv1.SessionTransition_SESSION_TRANSITION_COMPLETED, Decision: kycv1.Decision_DECISION_APPROVED,
	}
	disposed := &kycv1.Disposition{
		Raw: raw, RawTopicId: make([]byte, 16), Tenant: "default", Provider: "complycube", Endpoint: "shop",
		Stage: kycv1.Stage_STAGE_NORMALIZE, Kind: kycv1.DispositionKind_DISPOSITION_KIND_EMITTED,
		DedupeKey: make([]byte, 16), ContentHash: make([]byte, 32), EventIds: []string{event.Metadata.EventId}, DecidedAt: at,
	}
	trace := []record.Header{{Key: "traceparent", Value: []byte("00-019000000000700080000000000000aa-b5c1a7d23e4f5a6b-01")}}
	o := Options{}
	b.ReportAllocs()
	for b.Loop() {
		out := []*record.Outgoing{
			{Message: event, Key: key, Partition: byKey, Headers: append(contract.CloudEventHeaders(event, key), trace...)},
			{Message: disposed, Key: key, Partition: 3, Headers: trace},
		}
		if _, err := o.encode(out); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRecord makes the raw record of one delivery.
func BenchmarkRecord(b *testing.B) {
	e := &kycv1.RawEnvelope{
		Provider: "complycube", Endpoint: "shop", Tenant: "default", Environment: kycv1.Environment_ENVIRONMENT_LIVE,
		ReceivedAt: timestamppb.Now(), Method: "POST", ContentType: "application/json", Body: make([]byte, 2000),
		SecretId: "2026-01", DeliveryId: "01900000-0000-7000-8000-0000000000aa",
	}
	key, o := []byte("shop/5ed3918fbf06f30008e552c9"), Options{}
	b.SetBytes(2000)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := o.record(schemas.Raw, e, key, byKey, nil); err != nil {
			b.Fatal(err)
		}
	}
}
