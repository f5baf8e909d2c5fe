package ingest

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/kycbridge/kycbridge/internal/contract"
	"github.com/kycbridge/kycbridge/providers"
	"github.com/kycbridge/kycbridge/providers/auth"
)

// eventToken is a header whose value proves the sender and is the event, as a token is.
type eventToken struct{ auth.Header }

func (e eventToken) Traits() auth.Traits {
	t := e.Header.Traits()
	t.Claim = "data"
	return t
}

// TestProofsAreNotKept: whatever header of a delivery proves its sender, nothing of it is in the record, its key or
// what the key rule sees, though the vendor keeps a header of that name or the envelope has a field for it.
func TestProofsAreNotKept(t *testing.T) {
	const canary = "synthetic-secret-new"
	for _, tc := range []struct {
		name   string
		scheme auth.Scheme
		kept   []string // by the vendor
		want   []string // of what is kept, the media type first
	}{
		{"a header that the vendor keeps", auth.Header{Name: "User-Agent"}, []string{"User-Agent"}, []string{"application/json"}},
		{"in another spelling", auth.Header{Name: "user-agent"}, []string{"uSER-aGENT"}, []string{"application/json"}},
		{"one that names the type", auth.Header{Name: "X-Test-Kind"}, []string{"X-Test-Kind", "X-Another"}, []string{"application/json", "X-Another: other"}},
		{"the media type", auth.Header{Name: "content-type"}, []string{"X-Another"}, []string{"", "X-Another: other"}},
		{"the media type, which is also kept", auth.Header{Name: "Content-Type"}, []string{"Content-Type"}, []string{""}},
		{"a signature", testScheme, []string{testHeader}, []string{"application/json"}},
		{"a token that is the event", eventToken{auth.Header{Name: "X-Token"}}, []string{"X-Token"}, []string{"application/json", "X-Token: " + canary}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			log := ackAll()
			o := testOptions(t, log)
			var seen *providers.Delivery
			e := &o.Endpoints[0]
			e.Proofs, e.Provider.KeepHeaders = proofs(tc.scheme, testSecret(t, "new")), tc.kept
			e.Provider.Key = func(d *providers.Delivery) string { seen = d; return "subject-1" }
			r := httptest.NewRequest(http.MethodPost, "/hooks/one", strings.NewReader(testBody))
			r.Header.Set("Content-Type", "application/json")
			r.Header.Set("X-Another", "other")
			proved := auth.Request{Header: r.Header, Body: []byte(testBody)}
			tc.scheme.Sign(testSecret(t, "new"), &proved)
			proof := r.Header.Get(tc.scheme.Traits().Header)

			if w := serve(newServer(t, o), r); w.Code != http.StatusOK || len(log.all()) != 1 {
				t.Fatalf("answered %d with %d records, want 200 and one", w.Code, len(log.all()))
			}
			got := log.all()[0]
			kept := []string{got.envelope.GetContentType()}
			for _, h := range got.envelope.GetHeaders() {
				kept = append(kept, h.GetName()+": "+h.GetValue())
			}
			if !slices.Equal(kept, tc.want) {
				t.Errorf("kept are %q, want %q", kept, tc.want)
			}
			if tc.scheme.Traits().Claim != "" {
				return
			}
			value, err := contract.Marshal(got.envelope)
			if err != nil {
				t.Fatal(err)
			}
			if all := fmt.Sprintf("%s %s %q %+v", value, got.key, got.headers, seen); strings.Contains(all, proof) {
				t.Errorf("the proof is in the record: %s", all)
			}
		})
	}
}
