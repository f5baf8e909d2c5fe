package operate

import (
	"strings"
	"testing"

	"github.com/kycbridge/kycbridge/internal/config"
	configv1 "github.com/kycbridge/kycbridge/schemas/kycbridge/config/v1"
)

// TestServersOfAMovedDeployment: only topics that were copied with their offsets are taken for the raw topic.
func TestServersOfAMovedDeployment(t *testing.T) {
	c := &config.Config{File: &configv1.Config{Dedupe: &configv1.Dedupe{FormerTopics: []*configv1.FormerTopics{
		{RawId: "AAAAAAAAAAAAAAAAAAAAAQ", SameOffsets: true}, {RawId: "AAAAAAAAAAAAAAAAAAAAAg"},
	}}}}
	former, _ := c.FormerTopics()
	if got := sameOffsets(former); len(got) != 1 || got[0] != [16]byte{15: 1} {
		t.Errorf("the former topics are %v", got)
	}
}

// TestFormerTopicsReachTheCommands: a command that needs no stage still reads them from the file.
func TestFormerTopicsReachTheCommands(t *testing.T) {
	const file = "kafka:\n  brokers: [\"127.0.0.1:9092\"]\ndedupe:\n  former_topics:\n    - raw_id: \"AAAAAAAAAAAAAAAAAAAAAQ\"\n      same_offsets: true\n"
	c, err := config.Parse("kycbridge.yaml", []byte(strings.TrimSpace(file)), func(string) (string, bool) { return "", false }, config.Needs{})
	if err != nil {
		t.Fatal(err)
	}
	if s := FromConfig(c); len(s.Former) != 1 || len(s.Limits.Former) != 1 {
		t.Errorf("the former topics are %v and %v", s.Former, s.Limits.Former)
	}
}
