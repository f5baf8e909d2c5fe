//go:build !race

// Everything here runs in processes of their own, which are built without the race detector: with it,
// the same would be tested twice.

package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// ownVendor is the example of a binary with a vendor that this repository does not have: a
// module of its own, which takes this one from here.
const ownVendor = "../examples/own-vendor"

// TestOwnVendor does with the example what its README says: its vendor passes the suite from
// outside this module, and its binary takes, maps and shows a delivery of that vendor, and
// those of the others as ever.
func TestOwnVendor(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "own-vendor")
	inExample(t, "build", "-o", binary, ".")
	inExample(t, "test", "./...")

	listen, kafka, admin, data := freePort(t), freePort(t), freePort(t), filepath.Join(t.TempDir(), "data")
	p := startBinary(t, binary, admin, nil, "dev", "--listen", listen, "--kafka", kafka, "--admin", admin, "--data", data)
	p.ready(t)
	call := func(args ...string) string {
		t.Helper()
		out, errs, code := commandOf(t, binary, nil, args...)
		if code != 0 {
			t.Fatalf("%q ends with %d:\n%s%s", args, code, out, errs)
		}
		return out
	}
	for _, vendor := range []string{"acme", "complycube"} {
		call("send", vendor, "--to", "http://"+listen+"/hooks/"+vendor, "--admin", "http://"+admin, "--data", data)
	}
	checkOwnEvent(t, call("tail", "session", "check", "--brokers", kafka, "--from-start", "--count", "2"))

	call("send", "acme", "--case", "bad_environment", "--to", "http://"+listen+"/hooks/acme", "--admin", "http://"+admin, "--data", data)
	call("tail", "deadletter", "--brokers", kafka, "--from-start", "--count", "1")
	if letters := call("deadletter", "list", "--vendor", "acme", "--brokers", kafka); !strings.Contains(letters, "mismatch") {
		t.Errorf("the dead letters of acme are\n%s\nexpected one of the wrong environment", letters)
	}
	for command, want := range map[string]string{"--help": "Vendors: acme, complycube, ", "version": ", with kycbridge "} {
		if out := call(command); !strings.Contains(out, want) {
			t.Errorf("%s says\n%s\nexpected %q in it", command, out, want)
		}
	}
	p.stop(t)
}

// inExample runs the go command in the example's folder, which has nothing of this module's
// but what its go.mod names.
func inExample(t *testing.T, args ...string) {
	t.Helper()
	c := exec.Command("go", args...)
	c.Dir, c.Env = ownVendor, append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=readonly")
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("go %q in %s: %v\n%s", args, ownVendor, err, out)
	}
}

// checkOwnEvent looks for the event of acme's sample, and one of complycube, in what tail printed.
func checkOwnEvent(t *testing.T, lines string) {
	t.Helper()
	found := map[string]bool{}
	for line := range strings.Lines(lines) {
		var record struct {
			Topic, Key string
			Value      struct {
				Metadata struct{ Provider, MapperVersion string }
				Decision string
			}
		}
		if err := json.Unmarshal([]byte(line), &record); err != nil {
			t.Fatalf("tail printed %q: %v", line, err)
		}
		m := record.Value.Metadata
		found[m.Provider] = true
		if m.Provider != "acme" {
			continue
		}
		if record.Topic != "kyc.session.v1" || !strings.HasPrefix(record.Key, "acme/") || m.MapperVersion != "acme/1" || record.Value.Decision != "DECISION_DECLINED" {
			t.Errorf("acme's sample became %s", line)
		}
	}
	if !found["acme"] || !found["complycube"] {
		t.Errorf("tail printed\n%s\nexpected an event of acme and one of complycube", lines)
	}
}
