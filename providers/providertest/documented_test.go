package providertest

import (
	"os"
	"strings"
	"testing"
)

// TestChecksAreDocumented: the README of the vendors says of each check what it wants to see.
func TestChecksAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range checks {
		if row := "| `" + c.name + "` | "; !strings.Contains(string(text), row) {
			t.Errorf("providers/README.md has no row %q in the table of what the suite checks", row)
		}
	}
}
