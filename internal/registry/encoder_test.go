package registry

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/sr"
	"google.golang.org/protobuf/proto"

	"github.com/kycbridge/kycbridge/internal/contract"
	"github.com/kycbridge/kycbridge/internal/record"
	"github.com/kycbridge/kycbridge/schemas"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

const session = "kyc.v1.SessionEvent"

func newEncoder(t *testing.T, c *Client, place Place) *Encoder {
	t.Helper()
	e, err := c.Encoder(t.Context(), schemas.DefaultPrefix, place)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestEncoderWritesTheIDOfOurSchema(t *testing.T) {
	fake, c := newFake(t)
	register(t, c, ours)
	ids := map[string]int{}
	for _, subject := range subjects {
		got, _ := fake.GetSchema(subject, 1)
		ids[subject] = got.ID
	}
	// A newer release, or a stranger, has registered another one since.
	fake.SeedSchema("kyc.session.v1-value", 2, 90, sr.Schema{Schema: `syntax = "proto3"; message SessionEvent {}`, Type: sr.TypeProtobuf})

	e := newEncoder(t, c, InFront)
	for _, m := range []proto.Message{&kycv1.SessionEvent{}, &kycv1.SessionEvent{Decision: kycv1.Decision_DECISION_APPROVED}, &kycv1.AmlEvent{VendorStatus: "x"}} {
		value, err := e.Encode(m)
		if err != nil {
			t.Fatal(err)
		}
		id, rest, err := new(sr.ConfluentHeader).DecodeID(value)
		topic, _ := schemas.TopicFor(m)
		if want := ids[topic.Name(schemas.DefaultPrefix)+"-value"]; err != nil || id != want {
			t.Errorf("%s: id %d, want %d (%v)", topic.Base, id, want, err)
		}
		index, plain, err := new(sr.ConfluentHeader).DecodeIndex(rest, 0)
		want, _ := contract.Marshal(m)
		if err != nil || !slices.Equal(index, []int{0}) || len(rest)-len(plain) != 1 || !bytes.Equal(plain, want) {
			t.Errorf("%s: place %v in %d bytes, then %x, want %x (%v)", topic.Base, index, len(rest)-len(plain), plain, want, err)
		}
		for _, reader := range []contract.Encoder{nil, e, contract.Protobuf{}} {
			if got, err := contract.Decode(reader, topic, value); err != nil || !proto.Equal(got, m) {
				t.Errorf("%s: read with %T as %v, %v", topic.Base, reader, got, err)
			}
		}
	}
	want := []record.Header{{Key: "ce_schemasubject", Value: []byte("kyc.session.v1-value")}, {Key: "ce_schemaversion", Value: []byte("1")}}
	if got := e.Headers(session); !equalHeaders(got, want) || e.ContentType() != "application/octet-stream" {
		t.Errorf("headers %q beside %s, want %q", got, e.ContentType(), want)
	}
}

func TestEncoderKeepsValuesPlainBesideAHeader(t *testing.T) {
	fake, c := newFake(t)
	register(t, c, ours)
	got, _ := fake.GetSchema("kyc.session.v1-value", 1)
	e := newEncoder(t, c, InHeader)
	m := &kycv1.SessionEvent{Decision: kycv1.Decision_DECISION_APPROVED}
	plain, _ := contract.Marshal(m)
	if value, err := e.Encode(m); err != nil || !bytes.Equal(value, plain) {
		t.Errorf("value %x, want %x (%v)", value, plain, err)
	}
	want := []record.Header{
		{Key: "ce_schemasubject", Value: []byte("kyc.session.v1-value")}, {Key: "ce_schemaversion", Value: []byte("1")},
		{Key: "__value_schema_id", Value: []byte{0, 0, 0, 0, byte(got.ID), 0}},
	}
	if got := e.Headers(session); !equalHeaders(got, want) || e.ContentType() != "application/protobuf" {
		t.Errorf("headers %q beside %s, want %q", got, e.ContentType(), want)
	}
}

func equalHeaders(a, b []record.Header) bool {
	return slices.EqualFunc(a, b, func(a, b record.Header) bool { return a.Key == b.Key && bytes.Equal(a.Value, b.Value) })
}

// TestEncoderRefusesWithoutIDs: what is missing is named, and what to do.
func TestEncoderRefusesWithoutIDs(t *testing.T) {
	fake, c := newFake(t)
	_, err := c.Encoder(t.Context(), schemas.DefaultPrefix, InFront)
	if !errors.Is(err, ErrUnregistered) || !strings.Contains(err.Error(), "there is no subject kyc.aml.v1-value") || !strings.Contains(err.Error(), "kycbridge schema register") {
		t.Errorf("an empty registry: %v", err)
	}
	for i, s := range mustContract(t) {
		text := s.text
		if s.Path == "kyc/v1/session.proto" {
			text = strings.Replace(text, "Decision decision = 3", "Decision decision = 33", 1)
		}
		body := sr.Schema{Schema: text, Type: sr.TypeProtobuf}
		for _, path := range s.imports {
			body.References = append(body.References, sr.SchemaReference{Name: path, Subject: path, Version: 1})
		}
		fake.SeedSchema(s.Subject, 1, i+1, body)
	}
	_, err = c.Encoder(t.Context(), schemas.DefaultPrefix, InFront)
	if !errors.Is(err, ErrUnregistered) || !strings.Contains(err.Error(), ": none of the 1 versions of subject kyc.session.v1-value is the schema of this release:") {
		t.Errorf("another schema: %v", err)
	}
}

func mustContract(t *testing.T) []Schema {
	t.Helper()
	all, err := Contract(schemas.DefaultPrefix)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestFormsAskOnlyWhereThereIsAPlace: without one there need be no registry.
func TestFormsAskOnlyWhereThereIsAPlace(t *testing.T) {
	forms := []contract.Form{contract.Domain(contract.Protobuf{}), contract.Twins()}
	got, err := Use{}.Forms(t.Context(), forms)
	if err != nil || got[0].Encoder != (contract.Protobuf{}) {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := (Use{Place: InFront, Options: Options{URL: "http://127.0.0.1:1"}}).Forms(t.Context(), forms); err == nil || !strings.Contains(err.Error(), "without the ids of their schemas") {
		t.Errorf("nobody there: %v", err)
	}
	fake, c := newFake(t)
	register(t, c, ours)
	got, err = Use{Place: InHeader, Prefix: schemas.DefaultPrefix, Options: Options{URL: fake.URL()}}.Forms(t.Context(), forms)
	if err != nil || got[0].Encoder.Headers(session) == nil || got[1].Encoder.Headers(session) != nil || forms[0].Encoder != (contract.Protobuf{}) {
		t.Errorf("the first form alone must have the ids, and the forms given none: %v, %v", got, err)
	}
}
