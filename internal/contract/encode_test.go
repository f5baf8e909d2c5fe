package contract_test

import (
	"bytes"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/kycbridge/kycbridge/internal/contract"
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
	first, err := contract.Marshal(make())
	if err != nil {
		t.Fatal(err)
	}
	for range 50 {
		if again, err := contract.Marshal(make()); err != nil || !bytes.Equal(again, first) {
			t.Fatalf("the same message gave other bytes (error %v)", err)
		}
	}
	back := &kycv1.SessionEvent{}
	if err := contract.Unmarshal(first, back); err != nil || !proto.Equal(back, make()) {
		t.Errorf("read back as %v, error %v", back, err)
	}
}
