package main

import (
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

func TestDecide(t *testing.T) {
	const live, sandbox = kycv1.Environment_ENVIRONMENT_LIVE, kycv1.Environment_ENVIRONMENT_SANDBOX
	const approved, final = kycv1.Decision_DECISION_APPROVED, kycv1.Finality_FINALITY_FINAL
	for name, test := range map[string]struct {
		environment kycv1.Environment
		decision    kycv1.Decision
		finality    kycv1.Finality
		reference   string
		sandboxToo  bool
		want        string
	}{
		"approved":               {live, approved, final, "customer-42", false, "APPROVED FINAL shop/a/b customer-42 -> open"},
		"nobody says final":      {live, approved, 0, "customer-42", false, "APPROVED UNSPECIFIED shop/a/b customer-42 -> open"},
		"provisional":            {live, approved, kycv1.Finality_FINALITY_PRELIMINARY, "customer-42", false, "APPROVED PRELIMINARY shop/a/b customer-42 -> wait"},
		"whose account":          {live, approved, final, "", false, "APPROVED FINAL shop/a/b  -> no reference"},
		"declined":               {live, kycv1.Decision_DECISION_DECLINED, final, "customer-42", false, "DECLINED FINAL shop/a/b customer-42 -> refuse"},
		"review":                 {live, kycv1.Decision_DECISION_REVIEW, final, "customer-42", false, "REVIEW FINAL shop/a/b customer-42 -> ask"},
		"a new decision":         {live, 99, final, "customer-42", false, "UNKNOWN_99 FINAL shop/a/b customer-42 -> unknown"},
		"a new finality":         {live, approved, 99, "customer-42", false, "APPROVED UNKNOWN_99 shop/a/b customer-42 -> open"},
		"sandbox":                {sandbox, approved, final, "customer-42", false, "APPROVED FINAL shop/a/b customer-42 -> sandbox"},
		"a new environment":      {99, approved, final, "customer-42", false, "APPROVED FINAL shop/a/b customer-42 -> sandbox"},
		"sandbox, if wanted":     {sandbox, approved, final, "customer-42", true, "APPROVED FINAL shop/a/b customer-42 -> open"},
		"a new word, in sandbox": {sandbox, 99, final, "", true, "UNKNOWN_99 FINAL shop/a/b  -> unknown"},
	} {
		event := &kycv1.SessionEvent{Decision: test.decision, Finality: test.finality, Metadata: &kycv1.EventMetadata{
			Endpoint: "shop", Environment: test.environment, Subject: &kycv1.Subject{CustomerReference: test.reference},
		}}
		if got := decide(event, "shop/a/b", test.sandboxToo).String(); got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

func TestTimes(t *testing.T) {
	at := timestamppb.New(time.Date(2026, 1, 2, 3, 4, 5, 120_000_000, time.UTC))
	v := decide(&kycv1.SessionEvent{Metadata: &kycv1.EventMetadata{ReceivedAt: at}}, "", false)
	if v.occurredAt != "" || v.receivedAt != "2026-01-02T03:04:05.12Z" {
		t.Errorf("occurred %q, received %q", v.occurredAt, v.receivedAt)
	}
}
