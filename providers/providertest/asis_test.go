package providertest

import (
	"testing"

	"github.com/kycbridge/kycbridge/providers"
)

// TestAsIsCanFail breaks the toy where an endpoint lets references leave as they came.
func TestAsIsCanFail(t *testing.T) {
	noticed(t, []fault{
		{"the person's name is the reference", `plain name planted at body name leaves as the reference "Max Mauersegler"`,
			mapping(func(_ *providers.Delivery, n *providers.Notice, m *providers.Mapping) {
				subject(m).CustomerReference = m.Reference(n.Doc.At("name"))
			})},
		{"a reference that no endpoint hashes", `leaves as the reference`,
			mapping(func(d *providers.Delivery, n *providers.Notice, m *providers.Mapping) {
				if subject(m).CustomerReference = m.Reference(n.Doc.At("id")); d.ReferenceAsIs {
					subject(m).CustomerReference = n.Doc.At("id").Text()
				}
			})},
		{"an attribute as it came", "changes more than the reference",
			mapping(func(d *providers.Delivery, n *providers.Notice, m *providers.Mapping) {
				if d.ReferenceAsIs && len(m.Events) > 0 {
					m.Events[0].GetMetadata().VendorAttributes = map[string]string{"id": providers.Word(n.Doc.At("id").Text())}
				}
			})},
		{"an event of its own", "changes more than the reference",
			mapping(func(d *providers.Delivery, _ *providers.Notice, m *providers.Mapping) {
				if d.ReferenceAsIs && len(m.Events) > 0 {
					m.Add(m.Events[0])
				}
			})},
		{"drift of its own", "changes more than the reference",
			mapping(func(d *providers.Delivery, _ *providers.Notice, m *providers.Mapping) {
				if d.ReferenceAsIs {
					m.Note("reference", "")
				}
			})},
	})
	p := toy()
	mapping(func(_ *providers.Delivery, n *providers.Notice, m *providers.Mapping) {
		subject(m).CustomerReference = m.Reference(n.Doc.At("id"))
	})(&p)
	if got := complaints(t, p); got != "" {
		t.Errorf("the suite complains about a vendor with a reference:\n%s", got)
	}
}
