package serve

import (
	"slices"
	"testing"

	"github.com/kycbridge/kycbridge/schemas"
	"github.com/kycbridge/kycbridge/sink"
)

// TestHungTransactionsAreLookedForEverywhere: a transaction may hang on any topic that one is written to, and on that
// of JSON alone.
func TestHungTransactionsAreLookedForEverywhere(t *testing.T) {
	for json, want := range map[bool]int{false: len(schemas.Topics()) - 1, true: len(schemas.Topics()) - 1 + len(schemas.JSONTopics())} {
		got := written(sink.Options{JSON: json})
		if len(got) != want || slices.Contains(got, schemas.Raw) || slices.Contains(got, "session.v1.json") != json {
			t.Errorf("with JSON %v: %v", json, got)
		}
	}
}
