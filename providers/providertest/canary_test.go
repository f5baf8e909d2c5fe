package providertest

import (
	"regexp"
	"strings"
	"testing"

	"github.com/kycbridge/kycbridge/providers"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// mapping changes what the toy's mapper says about a delivery.
func mapping(change func(d *providers.Delivery, n *providers.Notice, m *providers.Mapping)) func(*providers.Provider) {
	return func(p *providers.Provider) {
		p.Maps = map[string]providers.MapFunc{"done": func(d *providers.Delivery, n *providers.Notice) (providers.Mapping, error) {
			m, err := mapToy(d, n)
			change(d, n, &m)
			return m, err
		}}
	}
}

func problem(field, detail func(v *providers.Value) string) func(*providers.Provider) {
	return func(p *providers.Provider) {
		p.Maps = map[string]providers.MapFunc{"done": func(_ *providers.Delivery, n *providers.Notice) (providers.Mapping, error) {
			return providers.Mapping{}, &providers.Problem{Field: field(n.Doc), Detail: "want a word" + detail(n.Doc), Err: providers.ErrInvalid}
		}}
	}
}

func verdict(v *providers.Value) string { return v.At("verdict").Text() }
func nothing(*providers.Value) string   { return "" }

// names are those of the members that the toy does not know.
func names(v *providers.Value) string {
	var all []string
	for name := range v.Members() {
		if name != "id" && name != "check" && name != "verdict" && name != "name" {
			all = append(all, name)
		}
	}
	return strings.Join(all, " ")
}

func subject(m *providers.Mapping) *kycv1.Subject {
	if len(m.Events) == 0 {
		return &kycv1.Subject{}
	}
	return m.Events[0].GetMetadata().GetSubject()
}

// TestCanariesCanFail lets a planted canary out at each exit that the suite looks at.
func TestCanariesCanFail(t *testing.T) {
	for _, tc := range []struct {
		name, planted, seen string
		breakIt             func(*providers.Provider)
	}{
		{"a key", "body check", "the record's key", func(p *providers.Provider) { p.IDs = regexp.MustCompile("") }},
		{"a kind of drift", "body verdict", "the kind of drift", mapping(func(_ *providers.Delivery, n *providers.Notice, m *providers.Mapping) { m.Note(verdict(n.Doc), "") })},
		{"a word of drift", "body name", "a note of drift name", mapping(func(_ *providers.Delivery, n *providers.Notice, m *providers.Mapping) {
			m.Drift = append(m.Drift, providers.Drift{Kind: "name", Word: n.Doc.At("name").Text()})
		})},
		{"a name that nobody knows", "body (more)", "a note of drift field", mapping(func(_ *providers.Delivery, n *providers.Notice, m *providers.Mapping) {
			m.Drift = append(m.Drift, providers.Drift{Kind: "field", Word: names(n.Doc)})
		})},
		{"an error's detail", "body verdict", "the dead letter's detail", problem(nothing, verdict)},
		{"an error's field", "body (name) check", "the dead letter's field", problem(names, nothing)},
		{"an id of an event", "body verdict", "kyc.v1.Subject.party_id", mapping(func(_ *providers.Delivery, n *providers.Notice, m *providers.Mapping) {
			subject(m).PartyId = verdict(n.Doc)
		})},
		{"a word from where a name stands", "body name", "kyc.v1.CheckEvent.vendor_kind", after(func(n *providers.Notice, e *kycv1.CheckEvent) {
			e.VendorKind = providers.Word(n.Doc.At("name").Text())
		})},
		{"the name of an attribute", "body verdict", "kyc.v1.EventMetadata.vendor_attributes", after(func(n *providers.Notice, e *kycv1.CheckEvent) {
			e.Metadata.VendorAttributes = map[string]string{providers.Word(verdict(n.Doc)): "1"}
		})},
		{"a kept header", "header X-Kept", "kyc.v1.Subject.step_id", func(p *providers.Provider) {
			p.KeepHeaders = []string{"X-Kept"}
			mapping(func(d *providers.Delivery, _ *providers.Notice, m *providers.Mapping) {
				subject(m).StepId = d.Headers.Get("X-Kept")
			})(p)
		}},
		{"a media type", "header Content-Type", "kyc.v1.Subject.step_id", mapping(func(d *providers.Delivery, _ *providers.Notice, m *providers.Mapping) {
			subject(m).StepId = d.ContentType
		})},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := toy()
			tc.breakIt(&p)
			want := "planted at " + tc.planted
			for line := range strings.Lines(complaints(t, p)) {
				if strings.Contains(line, want) && strings.Contains(line, "seen in "+tc.seen) {
					return
				}
			}
			t.Errorf("the suite does not notice %s, seen in %s; it says\n%s", want, tc.seen, complaints(t, p))
		})
	}
}
