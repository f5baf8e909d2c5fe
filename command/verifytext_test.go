package command

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/kycbridge/kycbridge/audit"
)

// TestWriteVerdict prints what package audit gives in its own test.
func TestWriteVerdict(t *testing.T) {
	for _, name := range []string{"clean", "spoiled", "noledger"} {
		text, err := os.ReadFile("../audit/testdata/verdict_" + name + ".json")
		if err != nil {
			t.Fatal(err)
		}
		v := &audit.Verdict{}
		if err := json.Unmarshal(text, v); err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		if err := writeVerdict(&out, v); err != nil {
			t.Fatal(err)
		}
		table, summary, ok := strings.Cut(out.String(), "\n\n"+verdictSummary(v)+"\n")
		if !ok || summary != "" {
			t.Errorf("%s: the summary does not end the table:\n%s", name, out.String())
		}
		golden(t, "testdata/verdict_"+name+".txt", table+"\n"+verdictSummary(v)+"\n")
	}
}
