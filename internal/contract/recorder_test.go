package contract_test

import (
	"errors"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/kycbridge/kycbridge/internal/contract"
	"github.com/kycbridge/kycbridge/schemas"
)

// framed is an Encoder that is not ours: a byte in front of the plain value.
type framed struct{ contract.Protobuf }

func (f framed) Encode(e schemas.DomainEvent) ([]byte, error) {
	value, err := f.Protobuf.Encode(e)
	return append([]byte{'#'}, value...), err
}

func (f framed) Decode(value []byte, m proto.Message) error {
	if len(value) == 0 || value[0] != '#' {
		return errors.New("not framed")
	}
	return f.Protobuf.Decode(value[1:], m)
}

func (framed) ContentType() string { return "application/x-framed" }

// TestEncoderIsAsked: an event is written and read back by the Encoder, and everything else is plain.
func TestEncoderIsAsked(t *testing.T) {
	e := session()
	out, err := contract.NewRecorder(validator(t), framed{}).Event(e, []byte("complycube-live/a"))
	if err != nil {
		t.Fatal(err)
	}
	topic, _ := schemas.TopicFor(e)
	if out.Topic != topic.Base || out.Value[0] != '#' || string(out.Headers[len(out.Headers)-1].Value) != "application/x-framed" {
		t.Errorf("the record is %+v", out)
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

// TestEventRefuses tells what breaks a rule from what cannot be encoded; neither quotes the event.
func TestEventRefuses(t *testing.T) {
	r := contract.NewRecorder(validator(t), nil)
	broken := session()
	broken.Metadata.VendorSequence = "twelve"
	_, err := r.Event(broken, []byte("k"))
	var v *contract.Violation
	if !errors.As(err, &v) || v.Field != "metadata.vendor_sequence" || v.Rule != "string.pattern" {
		t.Errorf("%v, want a violation of metadata.vendor_sequence", err)
	}
	unreadable := session()
	unreadable.VendorStatus = "\xff"
	if _, err := r.Event(unreadable, []byte("k")); !errors.Is(err, contract.ErrUnencodable) {
		t.Errorf("%v, want ErrUnencodable", err)
	}
}
