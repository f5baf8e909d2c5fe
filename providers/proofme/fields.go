package proofme

import (
	"github.com/kycbridge/kycbridge/providers"
)

// What the vendor's pages show of a webhook and of an object. What is read although only
// another object has it is marked as inferred, and counted.

var noticeFields = providers.Fields{"id": providers.IDField}

// identificationFields: the last two are the data's names, new and old, on the page
// about an endpoint that is never asked.
var identificationFields = providers.Fields{
	"id": providers.IDField, "organisationId": providers.IDField, "proofmeId": providers.IDField, "proofmeRevision": providers.IDField,
	"status": providers.TextField, "mode": providers.TextField, "isRequest": providers.FlagField,
	"scannedAt": providers.TextField, "updatedAt": providers.TextField, "createdAt": providers.AnyField,
	"description": providers.AnyField, "redirectUrl": providers.AnyField, "webhookUrl": providers.AnyField, "myPageUrl": providers.AnyField,
	"metadata": providers.AnyField, "notify": providers.AnyField, "proofme": providers.AnyField,
	"identificationData": providers.AnyField, "data": providers.AnyField,
}

// requestFields are those of an object that is not wrapped, on the page about
// authentication.
var requestFields = providers.Fields{
	"id": providers.IDField, "status": providers.TextField, "mode": providers.TextField, "createdAt": providers.AnyField,
	"description": providers.AnyField, "metadata": providers.AnyField, "redirectUrl": providers.AnyField,
	"method": providers.AnyField, "details": providers.AnyField, "profileId": providers.AnyField, "sequenceType": providers.AnyField,
	"expiresAt": providers.AnyField, "isCancelable": providers.AnyField, "_links": providers.AnyField, "resource": providers.AnyField,
}

// documentFields: metadata is promised in a text; mode decides what the environment is,
// as it does for identifications.
var documentFields = providers.Fields{
	"id": providers.IDField, "documentStatus": providers.TextField, "verificationLevel": providers.TextField,
	"updatedAt": providers.TextField, "createdAt": providers.AnyField,
	"userDocument": providers.ListField(providers.ObjectField(providers.Fields{
		"signStatus": providers.TextField, "updatedAt": providers.TextField, "message": providers.AnyField, "user": providers.AnyField,
	})),
	"message": providers.AnyField, "documentLocation": providers.AnyField, "documentName": providers.AnyField,
	"myPageUrl": providers.AnyField, "mimeType": providers.AnyField, "createdBy": providers.AnyField, "fingerprint": providers.AnyField,
	"size": providers.AnyField, "encryptedDocumentSecret": providers.AnyField, "encryptedInitialVector": providers.AnyField,
	"metadata": providers.AnyField, "mode": providers.TextField.Inferred(),
}

var wrappers = providers.Fields{
	identification: providers.ObjectField(identificationFields), document: providers.ObjectField(documentFields),
	"documentDownloadUrl": providers.AnyField,
}

// bareFields are known of objects that are not wrapped: an identification has more on
// its own page than on the one that does not wrap it, and no page shows a document so.
var bareFields = map[string]providers.Fields{
	identification: identificationFields.Inferred(),
	document:       providers.Join(documentFields, providers.Fields{"id": providers.IDField.Inferred()}),
}

// shapeNotice holds the webhook against what is known of it. After a fetch, too: only
// then is drift counted.
func (r *run) shapeNotice(body []byte) {
	if notice, err := readNotice(body); err == nil {
		r.Shape("", notice, noticeFields)
	}
}

// shapeObject holds what the API said against what its pages show.
func (r *run) shapeObject() {
	switch {
	case r.wrapped():
		r.Shape("", r.answer, wrappers)
	case r.kind == identification:
		r.Shape("", r.answer, requestFields, wrappers, bareFields[identification])
	default:
		r.Shape("", r.answer, wrappers, bareFields[document])
	}
}
