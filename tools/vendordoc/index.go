package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"regexp"
	"strings"

	"github.com/kycbridge/kycbridge/internal/readme"
	"github.com/kycbridge/kycbridge/providers"
	"github.com/kycbridge/kycbridge/tools/docpage"
)

const (
	indexPath   = "docs/vendors.md" // from the root of the repository, as is the next
	pagesFolder = "docs/vendors"    // one page for each vendor, and nothing else

	source = "providers/" // what they are made from
)

// sourceMark is a reference to a source of the README.
var sourceMark = regexp.MustCompile(`\[\d+\]`)

const written = "<!-- Written by `make docs` from providers/; change it there. -->\n\n"

const intro = `# Vendors

What every documented delivery of every vendor becomes, a page for each:

| Vendor | Proof of the sender | The vendor's API |
| --- | --- | --- |
`

const howToRead = `
## How to read a page

The tables come from the fixtures in ''providers/<vendor>/testdata'', which the tests compare
with the mappings. Each is a delivery you can read and send: ''kycbridge send VENDOR --case NAME''.

* An event is shown as its topic without prefix and version (''check'' is
  ''kyc.check.v1''), then its fields, which [events.md](events.md) explains. Codes,
  steps and times are shown by name only.
* A row shows one fixture and at most three events. What more there is, ''+ 4'', stands folded
  below the table, under the name of that fixture.
* ''hydration'' is shown unless it is NOT_NEEDED: FETCHED with the object from the vendor's
  API, OFF without it although the API knows more, NOT_FOUND and GAVE_UP after fetching in
  vain.
* Nothing normalised depends on ''vendor_attributes''. The keys are those of the fixtures;
  no event is guaranteed to have any of them.
* All configured proofs of an endpoint must pass; ''allow_from'' may be added to any.
* A type that is not listed is answered with success and kept as a dead letter
  (UNMAPPED). Anything else that is new is drift: ''kycbridge drift'' lists it.
* A delivery that becomes more than the limits of its vendor is answered with success and
  kept as a dead letter (REJECTED_CONTENT) that names the limit.
`

// documents are the index and the page of each vendor.
func documents(all []providers.Provider, root fs.FS) ([]docpage.Page, error) {
	var index bytes.Buffer
	index.WriteString(written + intro)
	var pages []docpage.Page
	for _, p := range all {
		v, err := readVendor(p, root)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&index, "| [%s](vendors/%s.md) | %s | %s |\n", v.Title, v.Name, settings(p), use(v.Hydration))
		pages = append(pages, docpage.Page{Path: pagesFolder + "/" + v.Name + ".md", Text: v.page(), From: source})
	}
	index.WriteString(strings.ReplaceAll(howToRead, "''", "`"))
	return append(pages, docpage.Page{Path: indexPath, Text: index.Bytes(), From: source}), nil
}

// page is all about one vendor.
func (v vendor) page() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s# %s\n\nMapping `%s`. Facts and where they come from: [providers/%s](../../providers/%s/README.md). "+
		"[How to read this page](../vendors.md#how-to-read-a-page).\n", written, v.Title, v.MapperVersion, v.Name, v.Name)
	fmt.Fprintf(&b, "\n## Proof of the sender\n\n%s", proofs(v.Provider))
	fmt.Fprintf(&b, "\n## The answer\n\n%s", answers(v.Ack))
	fmt.Fprintf(&b, "\n## Limits of a delivery\n\n%s", limits(v.Limits))
	fmt.Fprintf(&b, "\n## Events\n\n")
	v.events(&b)
	fmt.Fprintf(&b, "\n## Dead letters\n\n")
	v.dead(&b)
	v.words(&b)
	fmt.Fprintf(&b, "\n## The vendor's API\n\n%s", hydration(v.Hydration))
	fmt.Fprintf(&b, "\n## %s\n\n%s\n", readme.Setup, v.setup)
	fmt.Fprintf(&b, "\n## %s\n\n%s\n", readme.Open, v.open)
	if sourceMark.MatchString(v.setup + v.open) {
		fmt.Fprintf(&b, "\nNumbers in brackets are the sources of the [README](../../providers/%s/README.md).\n", v.Name)
	}
	return b.Bytes()
}
