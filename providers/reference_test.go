package providers

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// referring is a vendor with two events for each delivery, which carry its reference, and an attribute made of it.
var referring = &Provider{Maps: map[string]MapFunc{"": func(_ *Delivery, n *Notice) (Mapping, error) {
	m := Mapping{}
	for range 2 {
		m.Add(&kycv1.CheckEvent{Metadata: &kycv1.EventMetadata{
			Subject:          &kycv1.Subject{CustomerReference: m.Reference(n.Doc.At("r"))},
			VendorAttributes: map[string]string{"other": m.Reference(n.Doc.At("other"))},
		}})
	}
	return m, nil
}}}

// TestReferenceAsIs: where the endpoint says so, a reference leaves as it came, without blanks around it, in
// subject.customer_reference and nowhere else; what may not leave in any case is hashed and is drift.
func TestReferenceAsIs(t *testing.T) {
	long := strings.Repeat("é ", 170) + "zz" // 512 bytes
	for body, tc := range map[string]struct {
		want  string // "": the digest of text
		text  string
		drift bool
	}{
		`{"r":"client-1"}`:                                  {want: "client-1"},
		`{"r":"someone@example.invalid"}`:                   {want: "someone@example.invalid"},
		`{"r":" Zoë\tKanarienvogt "}`:                       {text: "Zoë\tKanarienvogt", drift: true}, // a control character
		`{"r":"\u00a0Zoë Kanarienvogt \u3000"}`:             {want: "Zoë Kanarienvogt"},
		`{"r":"` + long + `"}`:                              {want: long},
		`{"r":"` + long + `z"}`:                             {text: long + "z", drift: true},
		`{"r":"` + strings.Repeat("x", 513) + `"}`:          {text: strings.Repeat("x", 513), drift: true},
		`{"r":"two\nlines"}`:                                {text: "two\nlines", drift: true},
		`{"r":"two\u2028lines"}`:                            {text: "two\u2028lines", drift: true},
		`{"r":"` + token + `"}`:                             {text: token, drift: true},
		`{"r":" \t"}`:                                       {want: ""},
		`{"r":null}`:                                        {want: ""},
		`{"r":true}`:                                        {want: ""}, // an id is a text or a number
		`{"r":7}`:                                           {want: "7"},
		`{"r":"a@b.invalid","other":"a@b.invalid"}`:         {want: "a@b.invalid"},
		`{"r":"a@b.invalid","other":"c@d.invalid"}`:         {want: "a@b.invalid", drift: true}, // the other is hashed
		`{"r":"client-1","other":"c@d.invalid"}`:            {want: "client-1", drift: true},
		"{\"r\":\"a b\xff\"}":                               {want: "a b\ufffd"},
		`{"r":"a b\u0000"}`:                                 {want: "a b\ufffd"},
		`{"r":"` + Digest("x") + `"}`:                       {want: Digest("x")},
		`{"r":"someone@example.invalid","other":" \u00a0"}`: {want: "someone@example.invalid"},
	} {
		n := &Notice{Doc: parsed(t, body)}
		m, err := referring.Map(&Delivery{ReferenceAsIs: true}, n)
		if err != nil {
			t.Fatal(err)
		}
		if tc.text != "" {
			tc.want = Digest(tc.text)
		}
		for _, e := range m.Events {
			if got := e.GetMetadata().GetSubject().GetCustomerReference(); got != tc.want {
				t.Errorf("%s leaves as %q, want %q", body, got, tc.want)
			}
			if other := e.GetMetadata().GetVendorAttributes()["other"]; strings.Contains(other, "@") {
				t.Errorf("%s: an attribute holds %q", body, other)
			}
		}
		var drift []Drift
		if tc.drift {
			drift = []Drift{{Kind: "reference_hashed"}}
		}
		if !slices.Equal(m.Drift, drift) {
			t.Errorf("%s is drift %v, want %v", body, m.Drift, drift)
		}
		hashed, err := referring.Map(&Delivery{}, n)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range hashed.Events {
			if got := e.GetMetadata().GetSubject().GetCustomerReference(); got != "" && !isID(got) {
				t.Errorf("%s leaves as %q from an endpoint that does not say so", body, got)
			}
		}
	}
}

// TestReferenceAsIsKeepsOtherDrift: only what is said about references is taken back.
func TestReferenceAsIsKeepsOtherDrift(t *testing.T) {
	p := &Provider{Maps: map[string]MapFunc{"": func(_ *Delivery, n *Notice) (Mapping, error) {
		m := Mapping{}
		m.Note("status", "new")
		m.Add(&kycv1.CheckEvent{Metadata: &kycv1.EventMetadata{Subject: &kycv1.Subject{CustomerReference: m.Reference(n.Doc.At("r"))}}})
		m.Note("field", "x")
		return m, nil
	}}}
	m, err := p.Map(&Delivery{ReferenceAsIs: true}, &Notice{Doc: parsed(t, `{"r":`+strconv.Quote("a b")+`}`)})
	if want := []Drift{{Kind: "status", Word: "new"}, {Kind: "field", Word: "x"}}; err != nil || !slices.Equal(m.Drift, want) {
		t.Errorf("drift is %v, %v, want %v", m.Drift, err, want)
	}
}
