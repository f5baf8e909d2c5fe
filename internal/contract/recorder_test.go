package contract_test

import (
	"errors"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/kycbridge/kycbridge/internal/contract"
	"github.com/kycbridge/kycbridge/internal/record"
	"github.com/kycbridge/kycbridge/schemas"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// framed is an Encoder that is not ours: a byte in front of the plain value.
type framed struct{ contract.Protobuf }

func (f framed) Encode(m proto.Message) ([]byte, error) {
	value, err := f.Protobuf.Encode(m)
	return append([]byte{'#'}, value...), err
}

func (f framed) Decode(value []byte, m proto.Message) error {
	if len(value) == 0 || value[0] != '#' {
		return errors.New("not framed")
	}
	return f.Protobuf.Decode(value[1:], m)
}

func (framed) ContentType() string { return "application/x-framed" }

func (framed) Headers(message protoreflect.FullName) []record.Header {
	return []record.Header{{Key: "ce_schemasubject", Value: []byte(message + "-value")}}
}

// TestEncoderIsAsked: an event is written and read back by the Encoder, and everything else is plain.
func TestEncoderIsAsked(t *testing.T) {
	e := session()
	r := contract.NewRecorder(validator(t), contract.Domain(framed{}))
	out := appended(t, r, e, "complycube-live/a")[0]
	topic, _ := schemas.TopicFor(e)
	if out.Topic != topic.Base || out.Value[0] != '#' {
		t.Errorf("the record is %+v", out)
	}
	if got := lines(out.Headers); !strings.HasSuffix(got, "content-type: application/x-framed\nce_schemasubject: kyc.v1.SessionEvent-value\n") {
		t.Errorf("the headers of the encoder are not there:\n%s", got)
	}
	if back, err := contract.Decode(framed{}, topic, out.Value); err != nil || !proto.Equal(back, e) {
		t.Errorf("read back as %v, %v", back, err)
	}
	if _, err := contract.Decode(nil, topic, out.Value); err == nil {
		t.Error("a framed value was read as plain protobuf")
	}
	plain, err := contract.Marshal(disposition())
	if err != nil {
		t.Fatal(err)
	}
	dispositions, _ := schemas.TopicNamed("", schemas.DispositionTopic)
	if back, err := contract.Decode(framed{}, dispositions, plain); err != nil || !proto.Equal(back, disposition()) {
		t.Errorf("a disposition was read back as %v, %v", back, err)
	}
}

// TestEachForm: an event is written in each form, in their order, under one key, and what its headers say
// differs in the encoding alone.
func TestEachForm(t *testing.T) {
	r := contract.NewRecorder(validator(t), contract.Domain(nil), contract.Twins())
	before := []record.Outgoing{{Topic: schemas.Raw}}
	out, err := r.Append(before, session(), []byte("complycube-live/a"))
	if err != nil || r.Forms() != 2 || len(out) != 3 || out[0].Topic != schemas.Raw {
		t.Fatalf("%d forms gave %+v, %v", r.Forms(), out, err)
	}
	plain, twin := out[1], out[2]
	if plain.Topic != "session.v1" || twin.Topic != "session.v1.json" {
		t.Errorf("the topics are %s and %s", plain.Topic, twin.Topic)
	}
	if string(twin.Key) != string(plain.Key) || twin.Partition != record.ByKey {
		t.Errorf("the twin goes to %q in %d", twin.Key, twin.Partition)
	}
	if got, want := lines(twin.Headers), strings.Replace(lines(plain.Headers), "application/protobuf", "application/json", 1); got != want {
		t.Errorf("headers of the twin:\n%s\nwant:\n%s", got, want)
	}
	topic, _ := schemas.TopicNamed("kyc.", "kyc.session.v1.json")
	if back, err := contract.Decode(framed{}, topic, twin.Value); err != nil || !proto.Equal(back, session()) {
		t.Errorf("the twin was read back as %v, %v", back, err)
	}
	plain.Headers = append(plain.Headers, record.Header{Key: "dedupe"}) // into the room that is left
	if strings.Contains(lines(twin.Headers), "dedupe") {
		t.Error("the records of one event share their headers")
	}
}

// later is a form that another version of a message has: a check stands in for it, on a topic of its own.
func later(convert func(schemas.DomainEvent) (proto.Message, error)) contract.Form {
	return contract.Form{Topics: map[protoreflect.FullName]string{"kyc.v1.CheckEvent": "check.v2"}, Convert: convert}
}

// TestConvertedForm: a form may say an event as another message on a topic of its own, or leave it out, and the
// first form may be switched off.
func TestConvertedForm(t *testing.T) {
	converted := later(func(e schemas.DomainEvent) (proto.Message, error) {
		if _, ok := e.(*kycv1.SessionEvent); !ok {
			return nil, nil
		}
		return &kycv1.CheckEvent{Metadata: e.GetMetadata(), Result: kycv1.CheckResult_CHECK_RESULT_PASSED}, nil
	})
	both := contract.NewRecorder(validator(t), contract.Domain(nil), converted)
	out := appended(t, both, session(), "complycube-live/a")
	if len(out) != 2 || out[1].Topic != "check.v2" {
		t.Fatalf("both forms gave %+v", out)
	}
	for _, want := range []string{"ce_id: " + session().Metadata.EventId, "ce_type: kyc.v1.CheckEvent", "ce_dataschema: urn:kycbridge:kyc.v1.CheckEvent"} {
		if got := lines(out[1].Headers); !strings.Contains(got, want+"\n") {
			t.Errorf("the converted event has no %s:\n%s", want, got)
		}
	}
	if out := appended(t, both, aml(), "complycube-live/a"); len(out) != 1 || out[0].Topic != schemas.Aml {
		t.Errorf("an event that the second form leaves out gave %+v", out)
	}
	alone := contract.NewRecorder(validator(t), converted)
	if out := appended(t, alone, session(), "complycube-live/a"); len(out) != 1 || out[0].Topic != "check.v2" {
		t.Errorf("the second form alone gave %+v", out)
	}
	if out, err := alone.Append(nil, aml(), []byte("k")); err == nil || len(out) > 0 || !strings.Contains(err.Error(), "kyc.v1.AmlEvent") {
		t.Errorf("an event that no form writes gave %+v, %v", out, err)
	}
}

// TestFormRefuses: what one form cannot say is written in none.
func TestFormRefuses(t *testing.T) {
	var broken *contract.Violation
	for _, c := range []struct {
		what    string
		convert func(schemas.DomainEvent) (proto.Message, error)
		want    func(error) bool
	}{
		{"it cannot be converted", func(schemas.DomainEvent) (proto.Message, error) { return nil, errors.New("no such thing") },
			func(err error) bool { return errors.Is(err, contract.ErrUnencodable) }},
		{"what it becomes breaks a rule", func(schemas.DomainEvent) (proto.Message, error) { return &kycv1.CheckEvent{}, nil },
			func(err error) bool { return errors.As(err, &broken) }},
	} {
		r := contract.NewRecorder(validator(t), contract.Domain(nil), later(c.convert))
		before := []record.Outgoing{{Topic: schemas.Raw}}
		if out, err := r.Append(before, session(), []byte("k")); !c.want(err) || len(out) != 1 {
			t.Errorf("%s: %+v, %v", c.what, out, err)
		}
	}
}

// appended are the records of an event.
func appended(t *testing.T, r contract.Recorder, e schemas.DomainEvent, key string) []record.Outgoing {
	t.Helper()
	out, err := r.Append(nil, e, []byte(key))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestEventRefuses tells what breaks a rule from what cannot be encoded; neither quotes the event.
func TestEventRefuses(t *testing.T) {
	r := contract.NewRecorder(validator(t))
	broken := session()
	broken.Metadata.VendorSequence = "twelve"
	_, err := r.Append(nil, broken, []byte("k"))
	var v *contract.Violation
	if !errors.As(err, &v) || v.Field != "metadata.vendor_sequence" || v.Rule != "string.pattern" {
		t.Errorf("%v, want a violation of metadata.vendor_sequence", err)
	}
	unreadable := session()
	unreadable.VendorStatus = "\xff"
	if _, err := r.Append(nil, unreadable, []byte("k")); !errors.Is(err, contract.ErrUnencodable) {
		t.Errorf("%v, want ErrUnencodable", err)
	}
}
