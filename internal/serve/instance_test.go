package serve

import (
	"errors"
	"strings"
	"testing"
)

func TestPickInstance(t *testing.T) {
	for _, tc := range []struct {
		name string
		role Role
		host string
		want int
		note string
	}{
		{"a StatefulSet's ordinal", Normalize, "kycbridge-7", 7, `host name "kycbridge-7"`},
		{"the ordinal comes from the first label", Normalize, "kycbridge-12.kyc.svc-9.local", 12, "kycbridge-12.kyc"},
		{"all without a number takes 0", All, "laptop", 0, ""},
		{"all reads the host name too", All, "laptop-4", 4, "laptop-4"},
		{"a number without a dash is no ordinal", All, "host7", 0, ""},
		{"a dash at the end is no ordinal", All, "host-", 0, ""},
		{"letters after the dash are no ordinal", All, "kycbridge-5f7d-x2k8q", 0, ""},
		{"a sign is no digit", All, "host-+5", 0, ""},
		{"a long run of digits is an id, not an ordinal", All, "task-20260102030405", 0, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := PickInstance(tc.role, func() (string, error) { return tc.host, nil })
			if err != nil {
				t.Fatal(err)
			}
			if got.Number != tc.want || !strings.Contains(got.Note, tc.note) || (tc.note == "") != (got.Note == "") {
				t.Errorf("instance is %d with note %q, want %d with %q", got.Number, got.Note, tc.want, tc.note)
			}
		})
	}
}

func TestRandomInstance(t *testing.T) {
	none := func() (string, error) { return "", errors.New("no host name") }
	seen := map[int]bool{}
	for range 8 {
		got, err := PickInstance(Normalize, none)
		if err != nil {
			t.Fatal(err)
		}
		if got.Number < firstRandomInstance || !strings.Contains(got.Note, "random") {
			t.Errorf("instance is %d with note %q, want a random one that says so", got.Number, got.Note)
		}
		seen[got.Number] = true
	}
	if len(seen) < 2 {
		t.Error("eight random instances are all the same")
	}
}
