package contract

import (
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"

	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

func TestEnumWord(t *testing.T) {
	decision, mark := kycv1.Decision(0).Descriptor(), kycv1.SessionTransition(0).Descriptor()
	for n, want := range map[protoreflect.EnumNumber]string{0: "UNSPECIFIED", 1: "APPROVED", 99: "99"} {
		if got := EnumWord(decision, n); got != want {
			t.Errorf("%d is %s, want %s", n, got, want)
		}
	}
	if got := EnumPrefix(mark); got != "SESSION_TRANSITION_" {
		t.Errorf("the names begin with %q", got)
	}
}
