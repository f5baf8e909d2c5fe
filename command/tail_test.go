package command

import (
	"strings"
	"testing"
)

func TestTopicBases(t *testing.T) {
	for _, tc := range []struct {
		names []string
		want  string
	}{
		{nil, "session.v1 check.v1 aml.v1 renewal.v1 resource.v1"},
		{[]string{"raw"}, "raw.v1"},
		{[]string{"raw.v1", "x.check.v1"}, "raw.v1 check.v1"},
		{[]string{"session.json", "aml.v1.json", "x.check.v1.json"}, "session.v1.json aml.v1.json check.v1.json"},
		{[]string{"hydrate", "hydrate.wait"}, "hydrate.v1 hydrate.wait.v1"},
	} {
		got, err := topicBases(tc.names, "x.")
		if err != nil || strings.Join(got, " ") != tc.want {
			t.Errorf("topicBases(%q) is %q and %v, want %q", tc.names, got, err, tc.want)
		}
	}
	if _, err := topicBases([]string{"kyc.check.v1"}, "x."); err == nil {
		t.Error("a full name under another prefix is accepted")
	}
}
