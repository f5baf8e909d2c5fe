package providers

import (
	"crypto"
	"slices"
	"strings"
	"testing"

	"github.com/kycbridge/kycbridge/providers/auth"
)

// whole is a vendor that lacks nothing.
func whole(name string) Provider {
	return Provider{
		Name: name, Title: "Acme", MapperVersion: name + "/1",
		Scheme: auth.HMAC{Header: "Acme-Signature", Hash: crypto.SHA256},
		Key:    func(*Delivery) string { return "" },
		Parse:  func(*Delivery) (*Notice, error) { return &Notice{}, nil },
		Maps:   map[string]MapFunc{"done": func(*Delivery, *Notice) (Mapping, error) { return Mapping{}, nil }},
	}
}

// TestCatalogueIsSorted: vendors come in any order, and the list handed in stays as it is.
func TestCatalogueIsSorted(t *testing.T) {
	in := []Provider{whole("b-2"), whole("c"), whole("a"), whole(strings.Repeat("x", 48))}
	got, err := Catalogue(in)
	if err != nil {
		t.Fatal(err)
	}
	if names := namesOf(got); !slices.Equal(names, []string{"a", "b-2", "c", strings.Repeat("x", 48)}) {
		t.Errorf("the catalogue is %q", names)
	}
	if in[0].Name != "b-2" {
		t.Errorf("the list handed in was sorted: %q", namesOf(in))
	}
}

func namesOf(all []Provider) (names []string) {
	for _, p := range all {
		names = append(names, p.Name)
	}
	return names
}

// TestCatalogueRefuses: what cannot work is said with the vendor, and with all that is wrong.
func TestCatalogueRefuses(t *testing.T) {
	but := func(change func(*Provider)) []Provider {
		p := whole("acme")
		change(&p)
		return []Provider{whole("other"), p}
	}
	named := func(name string) []Provider {
		return but(func(p *Provider) { p.Name, p.MapperVersion = name, name+"/1" })
	}
	for name, c := range map[string]struct {
		all  []Provider
		want []string
	}{
		"nobody":           {nil, []string{"there is no vendor"}},
		"one name":         {[]Provider{whole("acme"), whole("b"), whole("acme"), whole("acme")}, []string{`several vendors are named "acme"`}},
		"no name":          {named(""), []string{`vendor 2 of 2, named ""`, "Name must have 1 to 48 characters"}},
		"two without name": {[]Provider{{}, {}}, []string{"vendor 1 of 2", "vendor 2 of 2"}},
		"upper case":       {named("Acme"), []string{`vendor 2 of 2, named "Acme"`, "Name must have"}},
		"an underscore":    {named("acme_kyc"), []string{"Name must have"}},
		"a dot":            {named("acme.kyc"), []string{"Name must have"}},
		"a hyphen first":   {named("-acme"), []string{"Name must have"}},
		"a long name":      {named(strings.Repeat("a", 49)), []string{"Name must have"}},
		"a line break":     {named("acme\n"), []string{`named "acme\n"`}},
		"no title":         {but(func(p *Provider) { p.Title = "" }), []string{"Title is not set"}},
		"no version":       {but(func(p *Provider) { p.MapperVersion = "" }), []string{`MapperVersion is ""; expected "acme/1"`}},
		"another's":        {but(func(p *Provider) { p.MapperVersion = "complycube/1" }), []string{`MapperVersion is "complycube/1"; expected "acme/1"`}},
		"no number":        {but(func(p *Provider) { p.MapperVersion = "acme/one" }), []string{`MapperVersion is "acme/one"`}},
		"no proof":         {but(func(p *Provider) { p.Scheme = nil }), []string{"Scheme or Proofs is not set"}},
		"a proof of none":  {but(func(p *Provider) { p.Proofs = []auth.Scheme{nil} }), []string{"an entry of Proofs is nil"}},
		"no key":           {but(func(p *Provider) { p.Key = nil }), []string{"Key is not set"}},
		"no reader":        {but(func(p *Provider) { p.Parse = nil }), []string{"Parse is not set"}},
		"no mapping":       {but(func(p *Provider) { p.Maps = nil }), []string{"Maps is not set"}},
		"an empty mapping": {but(func(p *Provider) { p.Maps["soon"] = nil }), []string{`Maps["soon"] is nil`}},
		"half an API":      {but(func(p *Provider) { p.Hydration = &Hydration{Objects: map[string]APIObject{"check": {}}} }), []string{"Hydration needs both"}},
		"an API of none": {but(func(p *Provider) {
			p.Hydration = &Hydration{Needs: func(*Delivery, *Notice) (Target, bool) { return Target{}, false }}
		}), []string{"Hydration needs both"}},
		"all at once": {but(func(p *Provider) { *p = Provider{Name: "acme"} }), []string{"MapperVersion", "Title", "Scheme or Proofs", "Key", "Parse", "Maps"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Catalogue(c.all)
			if err == nil {
				t.Fatalf("accepted as %q", namesOf(got))
			}
			for _, want := range c.want {
				if strings.Count(err.Error(), want) != 1 {
					t.Errorf("the error is %q; expected %q in it, once", err, want)
				}
			}
		})
	}
}
