package contract_test

import (
	"testing"

	"buf.build/go/protovalidate"
	"google.golang.org/protobuf/proto"

	"github.com/kycbridge/kycbridge/internal/contract"
	"github.com/kycbridge/kycbridge/internal/record"
	"github.com/kycbridge/kycbridge/schemas"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// benchMessages are messages as full as vendors' deliveries make them.
func benchMessages() []proto.Message {
	s, c, a, r, o, d := session(), check(), aml(), renewal(), resource(), disposition()
	s.ReasonCodes, s.VendorStatus, s.VendorOutcome = []string{"DOC_EXPIRED", "FACE_MISMATCH"}, "APPROVED", "clear"
	c.Kind, c.VendorKind, c.VendorResult = kycv1.CheckKind_CHECK_KIND_DOCUMENT, "document_check", "clear"
	a.Findings, a.VendorStatus = findings(kycv1.AmlStatus_AML_STATUS_CLEAR, kycv1.AmlStatus_AML_STATUS_CLEAR), "clear"
	r.VendorStatus, r.VendorDeadline, r.Deadline = "due", "2026-02-01", noon
	for _, e := range []schemas.DomainEvent{s, c, a, r, o} {
		md := e.GetMetadata()
		md.VendorEventId, md.VendorEventType, md.OccurredAt = "5ed170fe99c81a0007b9a3d3", "check.completed.clear", noon
		md.Subject.ClientId = "5eb04fcd0f3e360008035eb1"
		md.VendorAttributes = map[string]string{"trigger": "manual"}
	}
	d.Provider, d.Endpoint, d.Tenant, d.MapperVersion = "complycube", "complycube-live", "default", "complycube/1"
	d.DedupeKey, d.ContentHash, d.ReceivedAt = make([]byte, 16), make([]byte, 32), noon
	e := envelope()
	e.ContentType, e.SecretId, e.Body = "application/json", "2026-01", make([]byte, 1000)
	e.Headers = []*kycv1.HttpHeader{{Name: "User-Agent", Value: "synthetic/1.0"}}
	return []proto.Message{s, c, a, r, o, e, d, deadLetter(), task()}
}

// eachBenchMessage runs a benchmark for a message of each kind.
func eachBenchMessage(b *testing.B, run func(*testing.B, proto.Message)) {
	for _, m := range benchMessages() {
		b.Run(string(m.ProtoReflect().Descriptor().Name()), func(b *testing.B) {
			b.SetBytes(int64(proto.Size(m)))
			b.ReportAllocs()
			run(b, m)
		})
	}
}

func BenchmarkValidate(b *testing.B) {
	v := validator(b)
	eachBenchMessage(b, func(b *testing.B, m proto.Message) {
		for b.Loop() {
			if err := v.Validate(m); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkValidateByLibrary is what BenchmarkValidate saves: the same rules, without the precheck.
func BenchmarkValidateByLibrary(b *testing.B) {
	v, err := protovalidate.New()
	if err != nil {
		b.Fatal(err)
	}
	eachBenchMessage(b, func(b *testing.B, m proto.Message) {
		for b.Loop() {
			if err := v.Validate(m); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkValidateByHand is what BenchmarkValidate/SessionEvent is measured by: its rules, written by hand.
func BenchmarkValidateByHand(b *testing.B) {
	e := benchMessages()[0].(*kycv1.SessionEvent)
	b.ReportAllocs()
	for b.Loop() {
		if !validSessionByHand(e) {
			b.Fatal("the rules by hand refuse what the validator takes")
		}
	}
}

func BenchmarkMarshal(b *testing.B) {
	eachBenchMessage(b, func(b *testing.B, m proto.Message) {
		for b.Loop() {
			if _, err := contract.Marshal(m); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkMarshalByLibrary is what BenchmarkMarshal saves.
func BenchmarkMarshalByLibrary(b *testing.B) {
	inOrder := proto.MarshalOptions{Deterministic: true}
	eachBenchMessage(b, func(b *testing.B, m proto.Message) {
		for b.Loop() {
			if _, err := inOrder.Marshal(m); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkUnmarshal(b *testing.B) {
	value, err := contract.Marshal(benchMessages()[5])
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(value)))
	b.ReportAllocs()
	for b.Loop() {
		if err := contract.Unmarshal(value, &kycv1.RawEnvelope{}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkEvent makes the record of an event: validated, encoded, with its headers.
func BenchmarkEvent(b *testing.B) { benchEvent(b, contract.Domain(nil)) }

// BenchmarkEventAndTwin is BenchmarkEvent with the same event as JSON beside it.
func BenchmarkEventAndTwin(b *testing.B) { benchEvent(b, contract.Domain(nil), contract.Twins()) }

func benchEvent(b *testing.B, forms ...contract.Form) {
	e, key := benchMessages()[0].(schemas.DomainEvent), []byte("complycube-live/s-1")
	r := contract.NewRecorder(validator(b), forms...)
	room := make([]record.Outgoing, 0, len(forms))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Append(room, e, key); err != nil {
			b.Fatal(err)
		}
	}
}
