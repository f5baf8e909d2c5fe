package proof_test

import (
	"slices"
	"testing"

	"github.com/kycbridge/kycbridge/internal/contract/proof"
)

// Whether they are what CEL has is tried in tools/protoc-gen-go-contract, on expressions.

func TestIf(t *testing.T) {
	if proof.If(true, 1, 2) != 1 || proof.If(false, 1, 2) != 2 {
		t.Error("the wrong value is chosen")
	}
}

func TestCount(t *testing.T) {
	if proof.Count() != 0 || proof.Count(false) != 0 || proof.Count(true, false, true) != 2 {
		t.Error("conditions are not counted")
	}
}

func TestUnique(t *testing.T) {
	for _, c := range []struct {
		items []string
		want  bool
	}{{nil, true}, {[]string{"a"}, true}, {[]string{"a", "b", "c"}, true}, {[]string{"a", "b", "a"}, false}, {[]string{"", ""}, false}} {
		if got := proof.Unique(c.items, func(s string) string { return s }); got != c.want {
			t.Errorf("%q are unique: %v", c.items, got)
		}
	}
}

func TestLowerASCII(t *testing.T) {
	in := []string{"", "@AZ[`az{", "ÄB\u212a", "\xffA"}
	want := []string{"", "@az[`az{", "Äb\u212a", "\ufffda"}
	for i, s := range in {
		in[i] = proof.LowerASCII(s)
	}
	if !slices.Equal(in, want) {
		t.Errorf("got %q, want %q", in, want)
	}
}
