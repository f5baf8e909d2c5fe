package command

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/kycbridge/kycbridge/internal/dev"
)

// TestCommandsFindDev: a `dev` on any ports, with TLS and passwords, is found by its data directory, and one in the
// usual directory by nothing at all; once it has ended, it is said that none runs there.
func TestCommandsFindDev(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, tc := range []struct {
		name, dir string
		extra     []string
		flags     []string
	}{
		{"the usual directory", defaultData, nil, nil},
		{"another directory, TLS and passwords", "else where", []string{"--tls", "--passwords"}, []string{"--data", "else where"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d := startDev(t, tc.dir, nil, tc.extra...)
			with := func(args ...string) []string { return append(args, tc.flags...) }
			out, errs, code := call(t, nil, with("send", "complycube", "--wait")...)
			if code != 0 || !strings.Contains(out, "200 OK  delivery ") || !strings.Contains(out, "EMITTED 1 event") || !strings.Contains(out, "decision=APPROVED") {
				t.Errorf("send: code %d:\n%s%s", code, out, errs)
			}
			if out, errs, code := call(t, nil, with("send", "proofme", "--wait")...); code != 0 || !strings.Contains(out, "EMITTED") || errs != "" {
				t.Errorf("send of an id, whose object dev's API must be told: code %d:\n%s%s", code, out, errs)
			}
			for _, command := range []string{"tail session --from-start --count 1", "verify", "deadletter list", "drift", "replay --mode fill-gaps --all --dry-run"} {
				if out, errs, code := call(t, nil, with(strings.Fields(command)...)...); code != 0 {
					t.Errorf("%s: code %d:\n%s%s", command, code, out, errs)
				}
			}
			shownAs := " --data '" + mustAbs(t, tc.dir) + "'"
			if out := d.stdout.String(); !strings.Contains(out, " tail"+shownAs+"\n") || !strings.Contains(out, " send complycube --wait"+shownAs+"\n") {
				t.Errorf("the output does not say how it is found:\n%s", out)
			}
			d.stop(t)
			if _, err := dev.Find(tc.dir); err != dev.ErrNotFound {
				t.Errorf("after its end it is still found: %v", err)
			}
		})
	}
	_, errs, code := call(t, nil, "tail", "--data", "else where")
	if code != exitUsage || !strings.Contains(errs, "no `dev` runs on this directory") || !strings.Contains(errs, "dev --data 'else where'") {
		t.Errorf("a directory without a dev: code %d: %s", code, errs)
	}
}

func mustAbs(t *testing.T, path string) string {
	t.Helper()
	whole, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return whole
}

// TestSendTells: what became of a delivery is said whatever it is, and a wait that is in vain ends.
func TestSendTells(t *testing.T) {
	dir := t.TempDir()
	d := startDev(t, dir, nil)
	for _, tc := range []struct {
		args []string
		want []string
	}{
		{[]string{"complycube", "--duplicate", "3", "--wait"}, []string{"3 × 200 OK", "EMITTED 1 event", "DUPLICATE of "}},
		{[]string{"complycube", "--case", "bad_truncated", "--wait"}, []string{"DEAD_LETTERED MALFORMED", "  dead letter "}},
		{[]string{"complycube", "--corrupt", "--wait"}, []string{"1 × 401", "401 Unauthorized  delivery "}},
		{[]string{"complycube", "--count", "20"}, []string{"20 × 200 OK", "200 OK  delivery "}},
	} {
		out, errs, code := call(t, nil, append([]string{"send", "--data", dir}, tc.args...)...)
		if code != 0 {
			t.Errorf("%v: code %d: %s", tc.args, code, errs)
		}
		for _, want := range tc.want {
			if !strings.Contains(out, want) {
				t.Errorf("%v does not say %q:\n%s", tc.args, want, out)
			}
		}
	}
	out, errs, code := call(t, nil, "send", "complycube", "--data", dir, "--wait=1ns")
	if code != exitFailed || !strings.Contains(errs, "nothing was decided about delivery ") || !strings.Contains(errs, "kycbridge trace ") {
		t.Errorf("a wait in vain: code %d: %s%s", code, out, errs)
	}
	for id, want := range map[string]string{
		"0@999999": "no accepted delivery has the id 0@999999: the raw topic holds ",
		"9@0":      "kyc.raw.v1 has no partition 9: it has 4, from 0 to 3",
	} {
		if out, errs, code := call(t, nil, "trace", id, "--data", dir); code == 0 || !strings.Contains(errs, want) {
			t.Errorf("trace %s: code %d: %s%s, want %q", id, code, out, errs, want)
		}
	}
	d.stop(t)
}
