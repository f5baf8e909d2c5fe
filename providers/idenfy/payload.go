package idenfy

import (
	"strconv"
	"strings"

	"github.com/kycbridge/kycbridge/providers"
)

// parse finds out what kind of delivery this is: from the signed body, with the
// header as a label. A delivery that must become a dead letter because of its
// header has an identity of its own, so that it cannot swallow the sound delivery
// with the same body.
func parse(d *providers.Delivery) (*providers.Notice, error) {
	doc, err := providers.ReadObject(d.Body)
	if err != nil {
		return nil, err
	}
	label := d.Headers.Get(typeHeader)
	n := &providers.Notice{Type: providers.Word(label), MapAs: spelled(label), Doc: doc, Content: contentOf(doc)}
	f := familyOf(namesOf(doc))
	switch {
	case n.MapAs == "" && f != &vague:
		n.MapAs = f.types[0]
	case n.MapAs == "":
		return refused(n, "unmapped"), nil // nothing says what it is
	case !known(n.MapAs):
		return refused(n, "unmapped"), nil
	case !f.has(n.MapAs):
		return refused(n, "mismatch"), providers.Contradicts("header "+typeHeader, "the signed body is one of "+f.types[0])
	case neverApproved(n.MapAs) && providers.TermOf(doc.At("status", "overall")).Is("approved"):
		return refused(n, "mismatch"), providers.Contradicts("status.overall", "the header says "+n.MapAs+", the signed body APPROVED")
	}
	n.Identity = f.identify(d, n)
	return n, nil
}

// neverApproved are the types that end a session without an approval. Whether it
// was denied they leave open.
func neverApproved(eventType string) bool { return eventType == cancelled || eventType == expired }

func refused(n *providers.Notice, why string) *providers.Notice {
	n.Identity = providers.Identity{why, hashOf(n.Content)}
	return n
}

func lacks(field string) error {
	return &providers.Problem{Field: field, Detail: "want a string of 1 to 256 characters", Err: providers.ErrInvalid}
}

// first is the first of several fields that is given, and not null or blank: a field has
// been renamed, or is spelled in two ways.
func first(v *providers.Value, names ...string) *providers.Value {
	for _, name := range names {
		if at := v.At(name); at.Given() {
			return at
		}
	}
	return nil
}

// v3Check is the result of the third generation of AML checks. One page of the
// vendor spells it in snake case, as it does alert_status.
func v3Check(doc *providers.Value) *providers.Value { return first(doc, "amlCheck", "aml_check") }

// vary gives all objects new ids. A notice about the account has none: its counts
// change instead.
func vary(body []byte, n uint64) []byte {
	if doc, err := providers.ReadObject(body); err == nil && familyOf(namesOf(doc)).notice() {
		return varyCounts(doc, n)
	}
	return providers.VaryIDs(body, n, "id", "scanRef", "monitoringId", "monitoring_id", "companyId", "beneficiaryId", "token",
		"authToken", "scanRefList", "amlCheck.id", "aml_check.id", "beneficiaries.id", "bankVerification.id",
		"bankCardVerification.id", "relatedClientScanRefs")
}

func varyCounts(doc *providers.Value, n uint64) []byte {
	var counts []string
	for name, v := range doc.Members() {
		if v.Kind() == providers.Number {
			counts = append(counts, strconv.Quote(name)+":"+strconv.FormatUint(n%1000+1000, 10))
		}
	}
	return []byte("{" + strings.Join(counts, ",") + "}")
}
