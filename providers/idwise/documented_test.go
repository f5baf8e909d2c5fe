package idwise

import (
	"slices"
	"strings"
	"testing"
)

// TestNoDriftOverWhatTheVendorShows: fixtures named documented_ are the samples of the
// vendor's pages, old and new, with invented people; those named library_ are from code
// of others. Nothing in them is new to us, or merely inferred.
func TestNoDriftOverWhatTheVendorShows(t *testing.T) {
	all, err := Provider.Fixtures()
	if err != nil {
		t.Fatal(err)
	}
	shown := map[string]bool{}
	for _, f := range all {
		if !strings.HasPrefix(f.Name, "documented_") && !strings.HasPrefix(f.Name, "library_") {
			continue
		}
		s := see(t, f.Body, f.Fetched)
		if s.err != nil || len(s.Drift) > 0 {
			t.Errorf("%s: error %v, drift %v; want neither", f.Name, s.err, s.Drift)
			continue
		}
		shown[s.notice.MapAs] = true
		if f.Fetched != nil {
			shown[f.Fetched.Kind] = true
		}
	}
	kinds := []string{kindJourney, kindAML, kindSpotCheck}
	for typ := range Provider.Maps {
		kinds = append(kinds, typ)
	}
	for _, what := range slices.Sorted(slices.Values(kinds)) {
		if !shown[what] {
			t.Errorf("no fixture documented_ or library_ shows a %s", what)
		}
	}
}
