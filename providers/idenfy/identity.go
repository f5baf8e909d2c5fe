package idenfy

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"time"

	"github.com/kycbridge/kycbridge/providers"
)

// The vendor has no event id and one subject has many events, so what makes two
// deliveries the same is read from the states they tell. The event type is in the
// unsigned header and takes no part: the legacy stream and the specific one tell
// one fact under two types.

// identifier gives the parts of an identity that come after family and id.
type identifier func(d *providers.Delivery, n *providers.Notice) []string

// volatile are links with a signature and an end: they say nothing.
var volatile = providers.Paths(
	"fileUrls", "additionalStepPdfUrls", "files", "facePhoto", "file", "reportFile", "dataFile",
	"registryCenterCheck.facePhoto", "data.registryCenterCheck.facePhoto",
	"AML.data.linkedDocument", "aml.data.linkedDocument", "results.data.linkedDocument",
	"amlCheck.amlCheck.profileImage", "beneficiaries.amlCheck.amlCheck.profileImage",
	"aml_check.amlCheck.profileImage", "beneficiaries.aml_check.amlCheck.profileImage",
)

// signedLink finds the query of a link that carries its own permission, wherever
// one stands: in answers to a questionnaire, for instance.
var signedLink = regexp.MustCompile(`"(https?://[^"?\\]*)\?[^"]*(?:[Ss]ignature|Expires)=[^"]*"`)

// contentOf is the canonical form of what a body says.
func contentOf(doc *providers.Value) []byte {
	content := providers.Canonical(doc, volatile)
	if !bytes.Contains(content, []byte("ignature=")) && !bytes.Contains(content, []byte("Expires=")) {
		return content // searching takes longer than reading did
	}
	return signedLink.ReplaceAll(content, []byte(`"$1"`))
}

// identify builds the identity of a sound delivery. Without an id it is the
// content, so that its dead letter swallows no other.
func (f *family) identify(d *providers.Delivery, n *providers.Notice) providers.Identity {
	id := f.subjectID(n.Doc)
	if id == "" && !f.notice() || f == &vague {
		return providers.Identity{"content", hashOf(n.Content)}
	}
	return append(providers.Identity{f.types[0], id}, f.id(d, n)...)
}

// part is a state as it goes into an identity: a code as written, anything else as
// a hash, since goldens show identities.
func part(v *providers.Value) string {
	switch w := providers.TermOf(v); {
	case !w.Given:
		return ""
	case providers.IsCode(w.Text):
		return w.Text
	}
	return hashValue(v)
}

// fields are states that stand at the top.
func fields(names ...string) identifier {
	return func(_ *providers.Delivery, n *providers.Notice) []string {
		parts := make([]string, len(names))
		for i, name := range names {
			parts[i] = part(n.Doc.At(name))
		}
		return parts
	}
}

func wholeIdentity(*providers.Delivery, *providers.Notice) []string { return nil }

func identificationIdentity(_ *providers.Delivery, n *providers.Notice) []string {
	doc, status := n.Doc, n.Doc.At("status")
	return []string{part(doc.At("final")), part(status.At("overall")), part(doc.At("finishTime")), hashValue(status)}
}

// noticeIdentity holds the day: counts repeat, and a notice with the counts of
// yesterday is a new one. There is no date in the body, so the day is that of its
// arrival, in UTC.
func noticeIdentity(d *providers.Delivery, n *providers.Notice) []string {
	return []string{part(n.Doc.At("usersToExtend")), part(n.Doc.At("usersToExpire")), d.ReceivedAt.UTC().Format(time.DateOnly)}
}

func monitoringIdentity(d *providers.Delivery, n *providers.Notice) []string {
	parts := fields("status", "alertStatus", "alert_status")(d, n)
	parts = append(parts, part(active(n.Doc)))
	parts = append(parts, fields("pepsStatus", "sanctionsStatus", "adverseMediaStatus", "expiration")(d, n)...)
	setAt := v3Check(n.Doc).At("statusSetAt")
	if !setAt.Given() {
		setAt = n.Doc.At("status_set_at")
	}
	return append(parts, part(setAt), matchesHash(n.Doc))
}

// matchesHash is over what names a match, not over what is said about it.
func matchesHash(doc *providers.Value) string {
	h := sha256.New()
	add := func(v *providers.Value) { h.Write(append([]byte(v.Scalar()), 0)) }
	for item := range doc.At("results").Items() {
		for hit := range item.At("data").Items() {
			add(hit.At("listName"))
			add(hit.At("listNumber"))
			add(hit.At("url"))
		}
	}
	check := v3Check(doc)
	for hit := range check.At("amlCheck").Items() {
		add(hit.At("resourceId"))
	}
	for hit := range check.At("adverseMedia").Items() {
		add(hit.At("url"))
	}
	return hex.EncodeToString(h.Sum(nil))
}

func companyReviewIdentity(d *providers.Delivery, n *providers.Notice) []string {
	parts := fields("approvalStatus", "sanctionsStatusSetAt", "newsStatusSetAt")(d, n)
	return append(parts, part(v3Check(n.Doc).At("statusSetAt")))
}

func amlReviewIdentity(d *providers.Delivery, n *providers.Notice) []string {
	return fields("amlReviewSubjectType", "id",
		"overallStatus", "pepsCheckStatus", "sanctionsCheckStatus", "negativeNewsStatus",
		"statusSetAt", "pepsStatusSetAt", "sanctionsStatusSetAt", "newsStatusSetAt")(d, n)
}

// faceIdentity holds what names the authentication. Where it has no id of its own,
// that is the token: one customer may show the face many times.
func faceIdentity(_ *providers.Delivery, n *providers.Notice) []string {
	status := part(n.Doc.At("status"))
	if n.Doc.At("id").ID() != "" {
		return []string{status}
	}
	return []string{status, tokenHash(n)}
}

func infoRequestIdentity(_ *providers.Delivery, n *providers.Notice) []string {
	return []string{part(n.Doc.At("status")), tokenHash(n)}
}

// tokenHash stands for the token, which opens a form and leaves nowhere. Where none is
// given, nothing names what the delivery is about, so that only its content does.
func tokenHash(n *providers.Notice) string {
	if token := n.Doc.At("token"); token.Given() {
		return hashValue(token)
	}
	return hashOf(n.Content)
}

func hashValue(v *providers.Value) string { return hashOf(providers.Canonical(v, nil)) }

func hashOf(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}
