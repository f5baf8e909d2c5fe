package contract

import (
	"bytes"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/kycbridge/kycbridge/schemas"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// A topic may hold values with and without a frame, after its encoding was changed.
func TestDecodeReadsEither(t *testing.T) {
	event := &kycv1.SessionEvent{Metadata: &kycv1.EventMetadata{EventId: "1"}, Decision: kycv1.Decision_DECISION_APPROVED}
	plain, err := Marshal(event)
	if err != nil {
		t.Fatal(err)
	}
	if number, _, _ := protowire.ConsumeTag(plain); number != 1 || plain[0] == frameMagic {
		t.Fatalf("an event begins with field %d, byte %x; what tells it from a frame is that it begins with field 1", number, plain[0])
	}
	topic, _ := schemas.TopicFor(event)
	for name, c := range map[string]struct {
		value []byte
		want  proto.Message // nil: refused
	}{
		"plain":                      {plain, event},
		"framed, the short form":     {append([]byte{0, 0, 0, 0, 7, 0}, plain...), event},
		"framed, the long form":      {append([]byte{0, 0, 0, 0, 7, 2, 0}, plain...), event},
		"framed, a large id":         {append([]byte{0, 255, 255, 255, 255, 0}, plain...), event},
		"nothing":                    {[]byte{}, &kycv1.SessionEvent{}},
		"nothing, framed":            {[]byte{0, 0, 0, 0, 7, 0}, &kycv1.SessionEvent{}},
		"the second message":         {append([]byte{0, 0, 0, 0, 7, 2, 2}, plain...), nil},
		"a message within the first": {append([]byte{0, 0, 0, 0, 7, 4, 0, 0}, plain...), nil},
		"minus one places":           {append([]byte{0, 0, 0, 0, 7, 1}, plain...), nil},
		"an id that is cut off":      {[]byte{0, 0, 0, 7}, nil},
		"no place":                   {[]byte{0, 0, 0, 0, 7}, nil},
		"a place that is cut off":    {[]byte{0, 0, 0, 0, 7, 2}, nil},
		"places without end":         {append([]byte{0, 0, 0, 0, 7}, bytes.Repeat([]byte{0xff}, 11)...), nil},
	} {
		for _, enc := range []Encoder{nil, Protobuf{}} {
			got, err := Decode(enc, topic, c.value)
			if (err == nil) != (c.want != nil) || err == nil && !proto.Equal(got, c.want) {
				t.Errorf("%s: read as %v, %v; want %v", name, got, err, c.want)
			}
		}
	}
	raw, _ := schemas.TopicFor(&kycv1.RawEnvelope{})
	if _, err := Decode(nil, raw, []byte{0, 0, 0, 0, 7, 0}); err == nil {
		t.Error("a raw record was read behind a frame, which only events have")
	}
}

func FuzzUnframe(f *testing.F) {
	for _, seed := range [][]byte{nil, {10, 0}, {0, 0, 0, 0, 1, 0, 10, 0}, {0, 0, 0, 0, 1, 2, 0}, {0, 0, 0}, {0, 0, 0, 0, 1, 255}} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		plain, err := unframe(value)
		if err == nil && !bytes.HasSuffix(value, plain) {
			t.Errorf("%x became %x", value, plain)
		}
	})
}
