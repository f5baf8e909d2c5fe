package config

import (
	"strings"
	"testing"
)

func TestExpand(t *testing.T) {
	variables := map[string]string{"A": "one", "B_2": "two", "_c": "three", "EMPTY": "", "DOLLAR": "${A}$$"}
	lookup := func(name string) (string, bool) {
		v, ok := variables[name]
		return v, ok
	}
	for _, tc := range []struct{ in, want, fault string }{
		{"", "", ""},
		{"plain", "plain", ""},
		{"${A}", "one", ""},
		{"x${A}y${B_2}z${_c}", "xoneytwozthree", ""},
		{"${A:-other}", "one", ""},
		{"${NONE:-other}", "other", ""},
		{"${EMPTY:-other}", "other", ""},
		{"${NONE:-}", "", ""},
		{"${NONE:-a:-b}", "a:-b", ""},
		{"${NONE:-127.0.0.1:9092}", "127.0.0.1:9092", ""},
		{"$$", "$", ""},
		{"$${A}", "${A}", ""},
		{"$$$${A}", "$${A}", ""},
		{"a$b $1 $", "a$b $1 $", ""},
		{"${DOLLAR}", "${A}$$", ""}, // what a variable holds is not expanded again
		{"${NONE}", "", "NONE is not set"},
		{"${EMPTY}", "", "EMPTY is not set or empty"},
		{"${A", "", "never closed"},
		{"${}", "", "letters, digits"},
		{"${1A}", "", "letters, digits"},
		{"${A-B}", "", "letters, digits"},
		{"${A:+x}", "", "letters, digits"},
	} {
		t.Run(tc.in, func(t *testing.T) {
			got, err := expand(tc.in, lookup)
			switch {
			case tc.fault == "" && err != nil:
				t.Errorf("error %v, want %q", err, tc.want)
			case tc.fault != "" && (err == nil || !strings.Contains(err.Error(), tc.fault)):
				t.Errorf("error is %v, want one with %q", err, tc.fault)
			case got != tc.want:
				t.Errorf("expanded to %q, want %q", got, tc.want)
			}
		})
	}
}

func TestUnknown(t *testing.T) {
	known := []string{"listen", "max_body_bytes", "drain_delay"}
	for name, want := range map[string]string{
		"lissten":    `did you mean "listen"`,
		"Listen":     `did you mean "listen"`,
		"maxbodyyte": `did you mean "max_body_bytes"`,
		"delay":      "known are: listen, max_body_bytes, drain_delay",
		"":           "known are",
	} {
		if got := unknown("field", name, known); !strings.Contains(got, want) {
			t.Errorf("unknown(%q) says %q, want %q in it", name, got, want)
		}
	}
}
