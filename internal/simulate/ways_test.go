package simulate

import (
	"net/http"
	"slices"
	"testing"

	"github.com/kycbridge/kycbridge/providers"
	"github.com/kycbridge/kycbridge/providers/auth"
	"github.com/kycbridge/kycbridge/providers/auth/authtest"
	"github.com/kycbridge/kycbridge/providers/catalog"
)

// wrapped is a scheme that puts the event into an envelope, whoever signs it.
type wrapped struct{ authtest.Reversed }

func (w wrapped) Sign(s auth.Secret, r *auth.Request) {
	r.Body = slices.Concat([]byte(`{"event":`), r.Body, []byte("}"))
	w.Reversed.Sign(s, r)
}

// TestNewScheme: a scheme that nothing here knows decides what deliveries look like, signed
// or not, and what another proof comes on top of. Package dev tries what it signs.
func TestNewScheme(t *testing.T) {
	v, _ := catalog.Find("complycube")
	v.Scheme, v.Proofs = wrapped{}, []auth.Scheme{auth.Header{}}
	f := providers.Fixture{Body: []byte(`"it"`), Headers: http.Header{"X-Kept": {"yes"}}}
	const form = `{"event":"it"}`
	if d := unsigned(v, f); string(d.Body) != form || d.Header.Get("X-Kept") == "" || d.Header.Get("X-Reversed") != "" {
		t.Errorf("unsigned it is %s with %v", d.Body, d.Header)
	}
	ways, err := waysOf(v, "a secret of the test", nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, headers := range [][]string{{"X-Reversed"}, {"X-Reversed", "X-Auth-Token"}} {
		d := (&Sender{way: ways[i]}).Seal(f.Body, f.Headers)
		missing := slices.DeleteFunc(headers, func(name string) bool { return d.Header.Get(name) != "" })
		if string(d.Body) != form || len(missing) > 0 {
			t.Errorf("%s: it is %s, without %v", ways[i].Endpoint, d.Body, missing)
		}
	}
}

// TestTypical: `send` picks a sample that it has read, in the form that the vendor gives it.
func TestTypical(t *testing.T) {
	want := map[string]string{
		"complycube": "documented_session", "idenfy": "company_review_sample", "idnow": "documented_session",
		"idwise": "documented_finished_journey", "proofme": "documented_identification_fetched",
	}
	for _, v := range catalog.All() {
		good, err := v.GoodFixtures()
		if err != nil {
			t.Fatal(err)
		}
		if got, named := Typical(v, good).Name, want[v.Name]; got != named && named != "" {
			t.Errorf("%s: %s, want %s", v.Name, got, named)
		}
	}
}
