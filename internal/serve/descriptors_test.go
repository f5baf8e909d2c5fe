package serve

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/kycbridge/kycbridge/ingest"
)

// TestConnectionsFitTheDescriptors: whatever the limit, what vendors may open leaves descriptors for the rest.
func TestConnectionsFitTheDescriptors(t *testing.T) {
	for _, tc := range []struct {
		descriptors               uint64
		requests, wantRequests    int
		wantConnections, warnings int
	}{
		{1024, 5000, 384, 384, 1},
		{1024, 100, 100, 384, 0},
		{65536, 5000, 5000, 24576, 0},
		{1 << 63, 5000, 5000, 402653184, 0},
	} {
		var log bytes.Buffer
		o := ingest.Options{MaxRequests: tc.requests}
		if err := limitConnections(&o, tc.descriptors, slog.New(slog.NewTextHandler(&log, nil))); err != nil {
			t.Errorf("%d descriptors: %v", tc.descriptors, err)
		}
		if o.MaxRequests != tc.wantRequests || o.MaxUnprovedConnections != tc.wantConnections {
			t.Errorf("%d descriptors allow %d requests and %d connections before them, want %d and %d", tc.descriptors, o.MaxRequests, o.MaxUnprovedConnections, tc.wantRequests, tc.wantConnections)
		}
		if n := strings.Count(log.String(), "level=WARN"); n != tc.warnings {
			t.Errorf("%d descriptors: %d warnings, want %d: %s", tc.descriptors, n, tc.warnings, log.String())
		}
		if all := uint64(o.MaxRequests + o.MaxUnprovedConnections); all > tc.descriptors*3/4 {
			t.Errorf("vendors may open %d connections of %d descriptors, want a quarter left", all, tc.descriptors)
		}
	}
}

func TestFewDescriptorsAreRefused(t *testing.T) {
	err := limitConnections(&ingest.Options{}, 256, slog.New(slog.DiscardHandler))
	if err == nil || !strings.Contains(err.Error(), "limit of open files is 256") || !strings.Contains(err.Error(), "ulimit -n") {
		t.Errorf("256 descriptors: %v, want an error that names both numbers and what to do", err)
	}
}
