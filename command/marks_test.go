package command

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/kycbridge/kycbridge/internal/operate"
	"github.com/kycbridge/kycbridge/internal/operate/operatetest"
)

// TestMarksDiscardSaysWhatItWouldDo: without --yes Redis is not even asked.
func TestMarksDiscardSaysWhatItWouldDo(t *testing.T) {
	t.Parallel()
	p := operatetest.Start(t)
	out, errs, code := call(t, nil, "marks", "discard", "--config", operatedConfig(t, p, "127.0.0.1:1"))
	for _, want := range []string{
		"kyc.disposition.v1: id ", "kycbridge-normalize, marks of kyc.raw.v1 (id ", "kycbridge-hydrate, marks of kyc.hydrate.v1 (id ",
		"would be discarded in partitions 0 1\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("want %q in\n%s", want, out)
		}
	}
	if code != exitUsage || !strings.Contains(errs, "nothing is discarded without --yes") || strings.Contains(out, "next:") {
		t.Errorf("code %d\n%s%s", code, out, errs)
	}
	if _, errs, code := call(t, nil, "marks", "discard", "--config", operatedConfig(t, p, "127.0.0.1:1"), "--yes"); code != exitFailed || !strings.Contains(errs, "redis at 127.0.0.1:1") {
		t.Errorf("without Redis: code %d\n%s", code, errs)
	}
}

func TestMarksDiscard(t *testing.T) {
	t.Parallel()
	servers := startPair(t, true)
	if out, errs, code := call(t, map[string]string{"SECRET": testSecret}, "topics", "create", "--config", servers.config); code != 0 {
		t.Fatalf("topics: code %d\n%s%s", code, out, errs)
	}
	secret := map[string]string{"SECRET": testSecret}
	out, errs, code := call(t, secret, "marks", "discard", "--config", servers.config, "--yes")
	if code != 0 || errs != "" || strings.Count(out, "discarded in 2 of 2 partitions") != 2 || !strings.Contains(out, "next:\n  1. ") || !strings.Contains(out, "kycbridge verify") {
		t.Errorf("code %d\n%s%s", code, out, errs)
	}
	out, _, code = call(t, secret, "marks", "discard", "--config", servers.config, "--partition", "1", "--yes", "--json")
	var r operate.MarksReport
	if err := json.Unmarshal([]byte(out), &r); err != nil || code != 0 || len(r.Partitions) != 1 || r.Partitions[0] != 1 || len(r.Stages) != 2 || r.Stages[1].Discarded != 1 || len(r.Stages[0].TopicID) != 32 {
		t.Errorf("code %d, %v\n%s", code, err, out)
	}
	for want, args := range map[string][]string{"there is no raw partition 2": {"discard", "--config", servers.config, "--partition", "2"}, "expected discard": nil} {
		if _, errs, code := call(t, secret, append([]string{"marks"}, args...)...); code == 0 || !strings.Contains(errs, want) {
			t.Errorf("%v: code %d, %s", args, code, errs)
		}
	}
}
