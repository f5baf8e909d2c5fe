package main

import (
	"errors"
	"strings"
	"testing"
)

func TestResolveInstance(t *testing.T) {
	for _, tc := range []struct {
		name string
		flag int
		role role
		host string
		want int
		note string
	}{
		{"the flag wins over the host name", 3, roleNormalize, "kycbridge-7", 3, ""},
		{"the flag may be 0", 0, roleNormalize, "kycbridge-7", 0, ""},
		{"a StatefulSet's ordinal", instanceUnset, roleNormalize, "kycbridge-7", 7, `host name "kycbridge-7"`},
		{"the ordinal comes from the first label", instanceUnset, roleNormalize, "kycbridge-12.kyc.svc-9.local", 12, "kycbridge-12.kyc"},
		{"all without a number takes 0", instanceUnset, roleAll, "laptop", 0, ""},
		{"all reads the host name too", instanceUnset, roleAll, "laptop-4", 4, "laptop-4"},
		{"a number without a dash is no ordinal", instanceUnset, roleAll, "host7", 0, ""},
		{"a dash at the end is no ordinal", instanceUnset, roleAll, "host-", 0, ""},
		{"letters after the dash are no ordinal", instanceUnset, roleAll, "kycbridge-5f7d-x2k8q", 0, ""},
		{"a sign is no digit", instanceUnset, roleAll, "host-+5", 0, ""},
		{"a long run of digits is an id, not an ordinal", instanceUnset, roleAll, "task-20260102030405", 0, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := resolveInstance(tc.flag, tc.role, func() (string, error) { return tc.host, nil })
			if err != nil {
				t.Fatal(err)
			}
			if got.number != tc.want || !strings.Contains(got.note, tc.note) || (tc.note == "") != (got.note == "") {
				t.Errorf("instance is %d with note %q, want %d with %q", got.number, got.note, tc.want, tc.note)
			}
		})
	}
}

func TestRandomInstance(t *testing.T) {
	none := func() (string, error) { return "", errors.New("no host name") }
	seen := map[int]bool{}
	for range 8 {
		got, err := resolveInstance(instanceUnset, roleNormalize, none)
		if err != nil {
			t.Fatal(err)
		}
		if got.number < firstRandomInstance || !strings.Contains(got.note, "random") {
			t.Errorf("instance is %d with note %q, want a random one that says so", got.number, got.note)
		}
		seen[got.number] = true
	}
	if len(seen) < 2 {
		t.Error("eight random instances are all the same")
	}
	if _, err := resolveInstance(-5, roleNormalize, none); err == nil {
		t.Error("instance -5 is accepted")
	}
}
