package providertest

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/kycbridge/kycbridge/providers"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// also gives the toy's delivery one more field, which nothing says the type of, and changes what
// is made of it.
func also(field string, change func(n *providers.Notice, e *kycv1.CheckEvent)) func(*providers.Provider) {
	return func(p *providers.Provider) {
		body := p.Testdata.(fstest.MapFS)["testdata/done/body.json"]
		body.Data = []byte(strings.TrimSuffix(string(body.Data), "}") + field + "}")
		after(change)(p)
	}
}

// TestOtherValuesCanFail breaks the toy where values are not what they should be.
func TestOtherValuesCanFail(t *testing.T) {
	noticed(t, []fault{
		{"drift in what the vendor shows", "the vendor shows it, and it has the drift [{field more}]", func(p *providers.Provider) {
			p.Testdata.(fstest.MapFS)["testdata/documented_done/body.json"] = &fstest.MapFile{Data: []byte(`{"id":"e-1","check":"c-1","verdict":"fine","more":1}`)}
		}},
		{"a text where a list is read", `each of [true,false,7,"7","x7",{},{"x7":true}] at more is as if it were absent`, also(`,"more":["x"]`, func(n *providers.Notice, e *kycv1.CheckEvent) {
			for item := range n.Doc.At("more").Items() {
				e.VendorKind = item.Text()
			}
		})},
		{"blanks for a word", "more: blanks give", also(`,"more":"x"`, func(n *providers.Notice, e *kycv1.CheckEvent) {
			e.VendorKind = n.Doc.At("more").Kind().String()
		})},
		{"blanks for an id", "the identity of blanks is", func(p *providers.Provider) {
			parse := p.Parse
			p.Parse = func(d *providers.Delivery) (*providers.Notice, error) {
				n, err := parse(d)
				if err == nil {
					n.Identity = append(n.Identity, providers.ScanText(d.Body, "id"))
				}
				return n, err
			}
		}},
		{"blanks for a key", "the key of blanks is", func(p *providers.Provider) {
			p.Key = func(d *providers.Delivery) string { return providers.ScanText(d.Body, "check") }
		}},
		{"whatever is not false is true", `"no","",[],{},[true]] at final says CHECK_RESULT_PASSED`, after(func(n *providers.Notice, e *kycv1.CheckEvent) {
			if n.Doc.At("final").Scalar() != "false" || n.Doc.At("final").Kind() != providers.Bool {
				e.Result = kycv1.CheckResult_CHECK_RESULT_PASSED
			}
		})},
	})
}
