package normalize_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/kycbridge/kycbridge/internal/contract"
	"github.com/kycbridge/kycbridge/providers"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// said is a delivery of the vendor these tests invent.
type said struct {
	Subject string `json:"subject"`          // the partition key
	ID      string `json:"id,omitempty"`     // the identity; empty: none
	Text    string `json:"text,omitempty"`   // the content
	Do      string `json:"do,omitempty"`     // what goes wrong
	Events  int    `json:"events,omitempty"` // how many come out; 0 means one
	AgeDays int    `json:"age,omitempty"`
	Pad     string `json:"pad,omitempty"` // is read over
}

const shop = "shop"

func (s said) body() []byte {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return b
}

func (s said) key() []byte { return providers.RawKey(shop, s.Subject, s.body()) }

// received is when every test delivery arrived.
var received = time.Date(2026, 5, 4, 10, 0, 0, 0, time.UTC)

func (s said) envelope() *kycv1.RawEnvelope {
	return &kycv1.RawEnvelope{
		Provider: "testvendor", Endpoint: shop, Tenant: "default", Environment: kycv1.Environment_ENVIRONMENT_LIVE,
		ReceivedAt: timestamppb.New(received), Method: "POST", Body: s.body(),
		DeliveryId: "01900000-0000-7000-8000-0000000000aa",
	}
}

// vendor is a provider small enough to read, with every way to go wrong.
func vendor() providers.Provider {
	return providers.Provider{
		Name: "testvendor", Title: "Test Vendor", MapperVersion: "testvendor/1",
		Limits: providers.Limits{Events: 20000, Output: 64 << 20},
		Parse: func(d *providers.Delivery) (*providers.Notice, error) {
			var s said
			if err := json.Unmarshal(d.Body, &s); err != nil {
				return nil, &providers.Problem{Detail: "no JSON", Err: providers.ErrMalformed}
			}
			n := &providers.Notice{ID: s.ID, Type: "test." + s.Do, MapAs: s.Do, Content: []byte(s.Text)}
			if s.ID != "" {
				n.Identity = providers.Identity{s.ID}
			}
			if s.Do == "mismatch" {
				return n, &providers.Problem{Field: "do", Detail: "contradicts itself", Err: providers.ErrMismatch}
			}
			return n, nil
		},
		Maps: map[string]providers.MapFunc{
			"": plain, "invalid": invalid, "none": none,
			"panic": func(*providers.Delivery, *providers.Notice) (providers.Mapping, error) { panic("secret of the body") },
			"index": func(d *providers.Delivery, _ *providers.Notice) (providers.Mapping, error) {
				return providers.Mapping{}, fmt.Errorf("%d", d.Body[1<<30])
			},
			"broken": func(*providers.Delivery, *providers.Notice) (providers.Mapping, error) {
				return providers.Mapping{}, fmt.Errorf("secret of the body")
			},
			"utf8": utf8,
		},
	}
}

func event(d *providers.Delivery) (said, *kycv1.SessionEvent) {
	var s said
	_ = json.Unmarshal(d.Body, &s)
	e := &kycv1.SessionEvent{
		Metadata:   &kycv1.EventMetadata{Subject: &kycv1.Subject{SessionId: s.Subject}},
		Transition: kycv1.SessionTransition_SESSION_TRANSITION_PROCESSING, VendorStatus: s.ID + "/" + s.Text,
	}
	if s.AgeDays > 0 {
		e.Metadata.OccurredAt = timestamppb.New(received.AddDate(0, 0, -s.AgeDays))
	}
	return s, e
}

func plain(d *providers.Delivery, _ *providers.Notice) (m providers.Mapping, err error) {
	s, e := event(d)
	m.Add(e)
	for range s.Events - 1 {
		m.Add(proto.CloneOf(e))
	}
	m.Note("field", "novel")
	return m, nil
}

func invalid(d *providers.Delivery, _ *providers.Notice) (m providers.Mapping, err error) {
	_, e := event(d)
	e.Metadata.VendorSequence = "twelve"
	m.Add(e)
	return m, nil
}

func utf8(d *providers.Delivery, _ *providers.Notice) (m providers.Mapping, err error) {
	_, e := event(d)
	e.VendorStatus = "\xff"
	m.Add(e)
	return m, nil
}

func none(*providers.Delivery, *providers.Notice) (providers.Mapping, error) {
	return providers.Mapping{}, nil
}

func rawValue(t *testing.T, s said) []byte {
	t.Helper()
	value, err := contract.Marshal(s.envelope())
	if err != nil {
		t.Fatal(err)
	}
	return value
}
