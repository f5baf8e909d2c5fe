package schemas_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/kycbridge/kycbridge/schemas"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

func TestEqualMessagesGiveEqualBytes(t *testing.T) {
	make := func() *kycv1.SessionEvent {
		e := session()
		e.Metadata.VendorAttributes = map[string]string{}
		for c := 'a'; c <= 'z'; c++ {
			e.Metadata.VendorAttributes[string(c)] = "v"
		}
		return e
	}
	first, err := schemas.Marshal(make())
	if err != nil {
		t.Fatal(err)
	}
	for range 50 {
		if again, err := schemas.Marshal(make()); err != nil || !bytes.Equal(again, first) {
			t.Fatalf("the same message gave other bytes (error %v)", err)
		}
	}
	back := &kycv1.SessionEvent{}
	if err := schemas.Unmarshal(first, back); err != nil || !proto.Equal(back, make()) {
		t.Errorf("read back as %v, error %v", back, err)
	}
}

// Bytes as the Confluent documentation lays them out.
func TestFrameBytes(t *testing.T) {
	got := schemas.Frame(0x01020304, []byte("value"))
	if want := "000102030400" + hex.EncodeToString([]byte("value")); hex.EncodeToString(got) != want {
		t.Errorf("framed: %x, want %s", got, want)
	}
}

func TestUnframe(t *testing.T) {
	for name, c := range map[string]struct {
		framed string
		id     uint32
		index  []int
		value  string
	}{
		"short form":       {"00000000070001ff", 7, []int{0}, "01ff"},
		"long form":        {"0000000007020001", 7, []int{0}, "01"},
		"third message":    {"00000000070204ab", 7, []int{2}, "ab"},
		"nested":           {"0000000007040206", 7, []int{1, 3}, ""},
		"empty value":      {"00fffffffe00", 0xfffffffe, []int{0}, ""},
		"two-byte indexes": {"00000000070280018c", 7, []int{64}, "8c"},
	} {
		t.Run(name, func(t *testing.T) {
			framed, _ := hex.DecodeString(c.framed)
			id, index, value, err := schemas.Unframe(framed)
			if err != nil || id != c.id || !slices.Equal(index, c.index) || hex.EncodeToString(value) != c.value {
				t.Errorf("id %d, index %v, value %x, error %v; want %d, %v, %s", id, index, value, err, c.id, c.index, c.value)
			}
		})
	}
}

func TestUnframeRefuses(t *testing.T) {
	for name, framed := range map[string]string{
		"nothing":           "",
		"no index":          "0000000007",
		"other magic":       "010000000700",
		"negative count":    "000000000701",
		"endless count":     "0000000007ffffffffff",
		"too many indexes":  "0000000007420000",
		"indexes missing":   "00000000070602",
		"negative index":    "00000000070201",
		"index out of int":  "000000000702feffffffffff7f",
		"overflowing count": "0000000007ffffffffffffffffffff01",
	} {
		t.Run(name, func(t *testing.T) {
			b, err := hex.DecodeString(framed)
			if err != nil {
				t.Fatal(err)
			}
			if id, index, value, err := schemas.Unframe(b); !errors.Is(err, schemas.ErrNotFramed) {
				t.Errorf("gave %d, %v, %x, %v; want ErrNotFramed", id, index, value, err)
			}
		})
	}
}

func FuzzUnframe(f *testing.F) {
	f.Add([]byte{0, 0, 0, 0, 7, 0, 1})
	f.Add([]byte{0, 0, 0, 0, 7, 4, 2, 6, 1})
	f.Add([]byte{0, 0, 0, 0, 7, 0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Fuzz(func(t *testing.T, b []byte) {
		id, index, value, err := schemas.Unframe(b)
		if err != nil {
			if !errors.Is(err, schemas.ErrNotFramed) {
				t.Fatalf("%x: error %v is no ErrNotFramed", b, err)
			}
			return
		}
		if len(index) == 0 || !bytes.HasSuffix(b, value) {
			t.Fatalf("%x: index %v, value %x", b, index, value)
		}
		id2, index2, value2, err := schemas.Unframe(schemas.Frame(id, value))
		if err != nil || id2 != id || !slices.Equal(index2, []int{0}) || !bytes.Equal(value2, value) {
			t.Fatalf("%x: framed again and read as %d, %v, %x, %v", b, id2, index2, value2, err)
		}
	})
}
