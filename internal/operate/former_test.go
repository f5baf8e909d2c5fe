package operate

import (
	"testing"

	"github.com/kycbridge/kycbridge/internal/config"
	configv1 "github.com/kycbridge/kycbridge/schemas/kycbridge/config/v1"
)

// TestServersOfAMovedDeployment: only topics that were copied with their offsets are taken for the raw topic.
func TestServersOfAMovedDeployment(t *testing.T) {
	c := &config.Config{File: &configv1.Config{Dedupe: &configv1.Dedupe{FormerTopics: []*configv1.FormerTopics{
		{RawId: "AAAAAAAAAAAAAAAAAAAAAQ", SameOffsets: true}, {RawId: "AAAAAAAAAAAAAAAAAAAAAg"},
	}}}}
	if got := formerRaw(c); len(got) != 1 || got[0] != [16]byte{15: 1} {
		t.Errorf("the former topics are %v", got)
	}
}
