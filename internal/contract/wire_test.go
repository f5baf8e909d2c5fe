package contract_test

import (
	"bytes"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/kycbridge/kycbridge/internal/contract"
	"github.com/kycbridge/kycbridge/schemas"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// sameBytes compares the generated encoder of a message with the library's.
func sameBytes(t *testing.T, m proto.Message) {
	t.Helper()
	want, wantErr := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	got, err := contract.Marshal(m)
	if (err == nil) != (wantErr == nil) || err == nil && !bytes.Equal(got, want) {
		t.Fatalf("%T is encoded as %x, error %v; the library gives %x, error %v", m, got, err, want, wantErr)
	}
}

// TestMarshalIsTheLibrarys tries all messages of the contract with values at the edges of what the format
// writes otherwise.
func TestMarshalIsTheLibrarys(t *testing.T) {
	for _, topic := range schemas.Topics() {
		random := rand.New(rand.NewPCG(3, 4))
		refused := 0
		for range 1000 {
			m := topic.Message.ProtoReflect().New()
			awkward(random, m, 3)
			if _, err := contract.Marshal(m.Interface()); err != nil {
				refused++
			}
			sameBytes(t, m.Interface())
		}
		if refused == 0 || refused > 500 {
			t.Errorf("%s: %d of 1000 messages could not be encoded: that says little", topic.Base, refused)
		}
	}
	var none *kycv1.SessionEvent
	for _, m := range []proto.Message{none, &kycv1.SessionEvent{RequiredSteps: []*kycv1.RequiredStep{nil}}} {
		sameBytes(t, m)
	}
}

// awkward fills a message with values at the edges.
func awkward(random *rand.Rand, m protoreflect.Message, depth int) {
	for i := range m.Descriptor().Fields().Len() {
		f := m.Descriptor().Fields().Get(i)
		if random.IntN(2) == 0 {
			continue
		}
		switch {
		case f.IsMap():
			for range random.IntN(40) {
				m.Mutable(f).Map().Set(awkwardText(random).MapKey(), awkwardText(random))
			}
		case f.IsList():
			for range random.IntN(4) {
				m.Mutable(f).List().Append(awkwardValue(random, f, m.Mutable(f).List().NewElement(), depth))
			}
		default:
			m.Set(f, awkwardValue(random, f, m.NewField(f), depth))
		}
	}
	if random.IntN(8) == 0 {
		m.SetUnknown([]byte{0x98, 0x7d, 0x01}) // field 2003, varint 1
	}
}

func awkwardText(random *rand.Rand) protoreflect.Value {
	texts := []string{"", "a", "é", strings.Repeat("x", 127), strings.Repeat("y", 128), strings.Repeat("z", 20000), "b", "c"}
	if random.IntN(500) == 0 {
		return protoreflect.ValueOfString("\xff")
	}
	return protoreflect.ValueOfString(texts[random.IntN(len(texts))])
}

func awkwardValue(random *rand.Rand, f protoreflect.FieldDescriptor, v protoreflect.Value, depth int) protoreflect.Value {
	numbers := []int64{0, 1, -1, 127, 128, math.MaxInt32, math.MinInt32, math.MaxInt64, math.MinInt64}
	n := numbers[random.IntN(len(numbers))]
	switch f.Kind() {
	case protoreflect.MessageKind:
		if depth > 0 {
			awkward(random, v.Message(), depth-1)
		}
	case protoreflect.StringKind:
		return awkwardText(random)
	case protoreflect.BytesKind:
		return protoreflect.ValueOfBytes([]byte(awkwardText(random).String()))
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(n > 0)
	case protoreflect.EnumKind:
		return protoreflect.ValueOfEnum(protoreflect.EnumNumber(int32(n)))
	case protoreflect.Int32Kind:
		return protoreflect.ValueOfInt32(int32(n))
	case protoreflect.Int64Kind:
		return protoreflect.ValueOfInt64(n)
	}
	return v
}

// FuzzMarshal reads any bytes as any message, those of newer contracts too, and writes them.
func FuzzMarshal(f *testing.F) {
	for i, m := range benchMessages() {
		value, err := contract.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(uint8(i), value)
	}
	topics := schemas.Topics()
	f.Fuzz(func(t *testing.T, kind uint8, value []byte) {
		m := topics[int(kind)%len(topics)].Message.ProtoReflect().New().Interface()
		if contract.Unmarshal(value, m) == nil {
			sameBytes(t, m)
		}
	})
}
