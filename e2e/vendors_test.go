package e2e

import (
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/kycbridge/kycbridge/schemas"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// vendorEndpoints are those of `kycbridge dev`: each vendor in each way it can
// prove itself.
var vendorEndpoints = []string{
	"complycube", "idenfy", "idenfy-headers", "idnow", "idnow-jwt-header", "idnow-headers",
	"idwise", "idwise-bearer", "idwise-headers", "proofme",
}

// TestEmbeddedVendors posts the samples of every vendor as the vendor would: each
// is answered with success and disposed of, and every vendor's events come out,
// those made of fetched objects included. Forged ones leave no trace.
func TestEmbeddedVendors(t *testing.T) {
	e := startEmbedded(t)
	sent := 0
	for _, endpoint := range vendorEndpoints {
		vendor, _, _ := strings.Cut(endpoint, "-")
		post := func(count int, more ...string) {
			t.Helper()
			args := append([]string{"send", vendor, "--as", endpoint, "--to", "http://" + e.listen + "/hooks/" + endpoint,
				"--admin", "http://" + e.adminAddr, "--data", filepath.Clean(e.data), "--count", strconv.Itoa(count)}, more...)
			if stdout, stderr, code := command(t, nil, args...); code != 0 {
				t.Errorf("%v: exit code %d\n%s%s", args, code, stdout, stderr)
			}
		}
		good := goodCases(t, vendor)
		post(good)
		post(3, "--corrupt")
		sent += good
	}
	r := read(t, e.kafka, schemas.DefaultPrefix)
	wanted := append(vendorEndpoints, "complycube hydrated", "idnow hydrated", "idwise hydrated", "proofme hydrated")
	var f found
	var missing []string
	// Some samples show an API that never answers right; those wait for hours.
	if !eventually(patience, func() bool {
		f = sorted(t, r.snapshot())
		missing = notSeen(wanted, f)
		return len(missing) == 0 && len(f.raw) >= sent && len(normalized(f)) == len(f.raw)
	}) {
		t.Fatalf("no event of %v; %d of %d raw records, %d of them normalised", missing, len(f.raw), sent, len(normalized(f)))
	}
	if len(f.raw) != sent {
		t.Errorf("%d raw records of %d genuine deliveries: forged ones left a trace", len(f.raw), sent)
	}
	for _, letter := range f.dead {
		if reason := letter.GetReason(); reason != kycv1.DeadLetterReason_DEAD_LETTER_REASON_HYDRATION_FAILED {
			t.Errorf("a sound sample of %s is a dead letter %s: %s %s", letter.GetEnvelope().GetEndpoint(), reason, letter.GetField(), letter.GetDetail())
		}
	}
	t.Logf("%d deliveries, %d events, %d dead letters", sent, len(f.events), len(f.dead))
	e.stop(t)
}

// notSeen says of which endpoints, and of which vendors' APIs, there is no event.
func notSeen(wanted []string, f found) []string {
	seen := map[string]bool{}
	for _, event := range f.events {
		seen[event.metadata.GetEndpoint()] = true
		if event.metadata.GetHydrated() {
			seen[event.metadata.GetProvider()+" hydrated"] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(wanted), func(name string) bool { return seen[name] })
}

// normalized are the raw records that the normaliser has disposed of.
func normalized(f found) map[position]bool {
	done := map[position]bool{}
	for _, d := range f.dispositions {
		if d.GetStage() == kycv1.Stage_STAGE_NORMALIZE {
			done[rawOf(d.GetRaw())] = true
		}
	}
	return done
}

// goodCases counts the samples that become events.
func goodCases(t testing.TB, vendor string) int {
	t.Helper()
	stdout, stderr, code := command(t, nil, "send", vendor, "--list")
	if code != 0 {
		t.Fatalf("send %s --list: exit code %d\n%s", vendor, code, stderr)
	}
	good := 0
	for _, name := range strings.Fields(stdout) {
		if !strings.HasPrefix(name, "bad_") {
			good++
		}
	}
	return good
}
