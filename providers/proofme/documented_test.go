package proofme

import (
	"strings"
	"testing"

	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// TestNoDriftOverWhatTheVendorShows: fixtures named documented_ are the webhooks and objects
// of the vendor's pages, old and new, with invented people. Nothing in them is new to us, or
// merely inferred.
func TestNoDriftOverWhatTheVendorShows(t *testing.T) {
	all, err := Provider.Fixtures()
	if err != nil {
		t.Fatal(err)
	}
	shown, asked := map[string]bool{}, 0
	for _, f := range all {
		if !strings.HasPrefix(f.Name, "documented_") {
			continue
		}
		s := see(sandbox, f.Body, f.Fetched)
		if s.err != nil || len(s.Drift) > 0 {
			t.Errorf("%s: error %v, drift %v; want neither", f.Name, s.err, s.Drift)
			continue
		}
		if f.Fetched == nil {
			asked++
			continue
		}
		shown[f.Fetched.Kind] = true
		for _, e := range s.Events {
			if e, ok := e.(*kycv1.SessionEvent); ok {
				shown[e.VendorStatus] = true
			}
		}
	}
	if asked == 0 {
		t.Error("no fixture documented_ shows a webhook alone")
	}
	for _, what := range []string{identification, document, "PENDING", "SUCCESS", "FAILED", "REVOKED", "completed", "open"} {
		if !shown[what] {
			t.Errorf("no fixture documented_ shows %s", what)
		}
	}
}
