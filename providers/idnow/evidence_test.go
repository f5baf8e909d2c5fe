package idnow

import (
	"strings"
	"testing"

	"github.com/kycbridge/kycbridge/providers"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// TestKnownDeliveries: what the vendor's pages and one integrator's own tests show is no news, in a token with the
// claims that they have.
func TestKnownDeliveries(t *testing.T) {
	v := newVendor(t, ecKey(), "ES256")
	seen := map[string]int{}
	for _, f := range fixtures(t) {
		source, _, _ := strings.Cut(f.Name, "_")
		if source != "library" && source != "documented" {
			continue
		}
		seen[source]++
		sub := see(v.send(v.body, f.Body)).notice.ID
		d := v.claims(t, `{"iss":"`+issuer+`","aud":"`+audience+`","sub":"`+sub+`","iat":1767225600,"exp":1767229200,"data":`+string(f.Body)+`}`)
		d.Fetched = f.Fetched
		if s := see(d); s.err != nil || len(s.Drift) > 0 {
			t.Errorf("%s: %v, drift %v; want an event and nothing new in it", f.Name, s.err, s.Drift)
		}
	}
	if seen["library"] < len(statusOfEvent) || seen["documented"] < len(statusOfEvent) {
		t.Errorf("there are fixtures of %v; want each event from both", seen)
	}
}

// TestInferred: what no source shows is read, and counted where it comes.
func TestInferred(t *testing.T) {
	v := newVendor(t, ecKey(), "ES256")
	const place = "data.payload.lastStep"
	for _, tc := range []struct {
		fixture  string
		old, new string
		want     []string // words of drift "inferred"; all of them
	}{
		{"documented_completed", "", "", nil},
		{"step_verified", "", "", []string{"step_type=Document-based IDV"}},
		{"step_verified", `"verified"`, `"fraud"`, []string{"step_type=Document-based IDV"}},
		{"step_verified", `"verified"`, `"accepted"`, []string{"step_type=Document-based IDV", "step_status=accepted"}},
		{"step_verified", `"verified"`, `"inconclusive"`, []string{"step_type=Document-based IDV", "step_status=inconclusive"}},
		{"step_verified", `"Document-based IDV"`, `"FACE"`, []string{"step_status=verified"}},
		{"step_aml_match", "", "", []string{"step_type=AML_SCREENING"}},
		{"step_aml_match", `"match"`, `"success"`, []string{"step_type=AML_SCREENING"}}, // and that is no word of a screening
		{"step_verified_under_payload", "", "", []string{place + "Id", place + "Status", place + "Type", "step_type=DOCUMENT_BASED_IDV"}},
	} {
		data := fixture(t, tc.fixture)
		if tc.old != "" {
			data = edited(t, data, tc.old, tc.new)
		}
		var got []string
		for _, d := range see(v.send(v.body, data)).Drift {
			if d.Kind == "inferred" {
				got = append(got, d.Word)
			}
		}
		if strings.Join(got, ",") != strings.Join(tc.want, ",") {
			t.Errorf("%s with %s: inferred %q, want %q", tc.fixture, tc.new, got, tc.want)
		}
	}
}

// TestOtherTypes: a field that holds another kind of value than is read there is as if it were absent, and its path
// is drift: of the claims, of the event, and of the session object.
func TestOtherTypes(t *testing.T) {
	v := newVendor(t, ecKey(), "ES256")
	data, object := string(fixture(t, "documented_completed")), `{"outcome":"accepted"`
	for name, tc := range map[string]struct {
		claims, object string
		want           string
	}{
		"a claim":                   {`"sub":true,`, object, "sub"},
		"a reference":               {``, object + `,"subjectId":true`, "fetched.subjectId"},
		"a reference in metadata":   {``, object + `,"metadata":[]`, "fetched.metadata"},
		"a version":                 {``, object + `,"flowVersion":true`, "fetched.flowVersion"},
		"a time":                    {``, object + `,"completedAt":1767225600`, "fetched.completedAt"},
		"a list for the step":       {``, object + `,"lastStep":[]`, "fetched.lastStep"},
		"a verdict inside the step": {``, object + `,"lastStep":{"verdict":true}`, "fetched.lastStep.verdict"},
		"an outcome":                {``, `{"sessionStatus":"COMPLETED","outcome":true`, "fetched.outcome"},
	} {
		d := v.claims(t, `{`+tc.claims+`"data":`+data+`}`)
		s := see(with(d, kycv1.FetchResult_FETCH_RESULT_FETCHED, tc.object+"}"))
		plain := see(with(v.claims(t, `{"data":`+data+`}`), kycv1.FetchResult_FETCH_RESULT_FETCHED, object+"}"))
		if s.err != nil || plain.err != nil {
			t.Fatal(s.err, plain.err)
		}
		said := false
		for _, drift := range s.Drift {
			said = said || drift == providers.Drift{Kind: "type", Word: tc.want}
		}
		if got := s.Events[0].GetMetadata(); !said || got.GetSubject().GetCustomerReference() != "" || got.GetFlowVersion() != "" || got.GetOccurredAt() != nil {
			t.Errorf("%s: drift %v, %v; want the type of %s and nothing read there", name, s.Drift, got, tc.want)
		}
		if approves(s.Events[0]) != (name != "an outcome") {
			t.Errorf("%s: approved is %v", name, approves(s.Events[0]))
		}
	}
}
