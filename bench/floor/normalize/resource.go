package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

var changes = map[string]kycv1.Change{
	"created": kycv1.Change_CHANGE_CREATED, "updated": kycv1.Change_CHANGE_UPDATED, "deleted": kycv1.Change_CHANGE_DELETED,
}

// change makes the event of a resource that was made, changed or deleted.
func (w *webhook) change(family, name string) []event {
	id, subject := w.payload.id.id(), &kycv1.Subject{}
	e := &kycv1.ResourceEvent{
		Change: changes[strings.Split(name, ".")[1]], VendorResource: firstWord(w.resource.str(), family),
		VendorStatus: word(name[strings.LastIndexByte(name, '.')+1:]),
	}
	switch family {
	case "client":
		e.Resource, subject.ClientId = kycv1.Resource_RESOURCE_CLIENT, id
		subject.CustomerReference = w.payload.externalID.id()
		if reference := subject.CustomerReference; reference != "" && !isCode(reference) { // such as an e-mail address
			sum := sha256.Sum256([]byte(reference))
			subject.CustomerReference = "sha256:" + hex.EncodeToString(sum[:])
		}
	case "document":
		e.Resource, subject.DocumentId = kycv1.Resource_RESOURCE_DOCUMENT, id
	case "address":
		e.Resource, subject.AddressId = kycv1.Resource_RESOURCE_ADDRESS, id
	case "check":
		e.Resource, subject.CheckId = kycv1.Resource_RESOURCE_CHECK, id
	}
	if e.Change == kycv1.Change_CHANGE_UPDATED {
		e.ChangedFields = w.payload.changedFields(strings.HasPrefix(name, "document.updated.image_"))
	}
	e.Metadata = w.metadata(subject, false)
	return []event{{resourceKind, e, e.Metadata}}
}

// unchanging are names that an update carries anyway.
var unchanging = []string{"id", "clientId", "documentId", "addressId", "livePhotoId", "liveVideoId", "createdAt", "updatedAt"}

// changedFields are the names in the payload of an update, which holds only what changed.
func (p *payload) changedFields(images bool) (names []string) {
	if images {
		names = []string{"images"}
	}
	dec := jsontext.NewDecoder(bytes.NewBuffer(p.said))
	for _, err := dec.ReadToken(); err == nil && dec.PeekKind() == '"'; err = dec.SkipValue() {
		name, _ := dec.ReadToken() // said was written here: it is JSON
		if n := name.String(); isCode(n) && !slices.Contains(unchanging, n) && !slices.Contains(names, n) {
			names = append(names, n)
		}
	}
	slices.Sort(names)
	return names
}

// isCode reports whether s is a name or an id, and not free text that may be about a person.
func isCode(s string) bool {
	for i := range len(s) {
		c := s[i]
		alnum := '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z'
		if !alnum && (i == 0 || !strings.ContainsRune("_.:/-", rune(c))) {
			return false
		}
	}
	return s != "" && len(s) <= maxWord
}
