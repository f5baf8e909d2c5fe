package complycube

import (
	"slices"

	"github.com/kycbridge/kycbridge/providers"
)

// The objects of the vendor as its libraries and pages show them: README.md, "Evidence",
// says which shows what. A field is typed where the mapping reads it. What no source has
// of an object is not taken over from its neighbours, or marked as inferred.

// eventFields are those around a payload. Only the Python library has updatedAt.
var eventFields = providers.Fields{
	"id": providers.IDField, "type": providers.TextField, "resourceType": providers.TextField,
	"payload": providers.ObjectField(nil), "createdAt": providers.TextField, "updatedAt": providers.AnyField,
}

// common are the fields of every resource, owned those of what belongs to a client.
var (
	common = providers.Fields{"id": providers.IDField, "createdAt": providers.AnyField, "updatedAt": providers.TextField}
	owned  = providers.Fields{"clientId": providers.IDField}
)

// checkFields: the verdict is beside the status in a notice, and inside the result of a full
// object. One library types the result as a text, against the two others and every sample.
var checkFields = providers.Fields{
	"status": providers.TextField, "outcome": providers.TextField, "type": providers.TextField,
	"result":     providers.ObjectField(providers.Fields{"outcome": providers.TextField, "breakdown": providers.AnyField}),
	"documentId": providers.IDField, "addressId": providers.IDField,
	"livePhotoId": providers.IDField, "liveVideoId": providers.IDField,
	"enableMonitoring": providers.FlagField,
	"entityName":       providers.AnyField, "options": providers.AnyField,
	"clientConsent": providers.AnyField, "lastActionBy": providers.AnyField,
}

// sessionFields: a template's id is a boolean in the PHP library, and a version a number in
// two libraries and a text in the third. lastActionBy is in a request for a session.
var sessionFields = providers.Fields{
	"status": providers.TextField, "outcome": providers.TextField,
	"workflowId": providers.IDField, "workflowTemplateId": providers.IDField.Or(providers.FlagField),
	"workflowVersion": providers.IDField, "lastCompletedTaskId": providers.IDField,
	"allRelatedChecks": providers.ListField(providers.ObjectField(providers.Fields{
		"checkId": providers.IDField, "type": providers.AnyField, "taskId": providers.AnyField,
	})),
	"entityName": providers.AnyField, "completedAt": providers.AnyField, "tasks": providers.AnyField,
	"workflowTemplateName": providers.AnyField, "workflowTemplateDescription": providers.AnyField,
	"workflowDescription": providers.AnyField, "compliancePolicies": providers.AnyField, "policyAssurance": providers.AnyField,
	"lastActionBy": providers.AnyField.Inferred(),
}

var clientFields = providers.Fields{
	"externalId": providers.IDField,
	"type":       providers.AnyField, "entityName": providers.AnyField,
	"email": providers.AnyField, "mobile": providers.AnyField, "telephone": providers.AnyField,
	"joinedDate": providers.AnyField, "personDetails": providers.AnyField, "companyDetails": providers.AnyField,
	"metadata": providers.AnyField, "lastActionBy": providers.AnyField,
}

var documentFields = providers.Fields{
	"type": providers.AnyField, "classification": providers.AnyField, "issuingCountry": providers.AnyField,
	"images": providers.AnyField, "lastActionBy": providers.AnyField,
}

var addressFields = providers.Fields{
	"type": providers.AnyField, "propertyNumber": providers.AnyField, "buildingName": providers.AnyField,
	"line": providers.AnyField, "city": providers.AnyField, "state": providers.AnyField,
	"postalCode": providers.AnyField, "country": providers.AnyField,
	"fromDate": providers.AnyField, "toDate": providers.AnyField, "lastActionBy": providers.AnyField,
}

// Spellings of event types in older versions of the API: those that its pages show, and
// those that follow from them.
var (
	olderTypes         = []string{"check.complete", "check.complete.clear", "check.complete.attention"}
	inferredOlderTypes = []string{"check.complete.rejected", "check.complete.match_confirmed"}
)

// known notes what of the delivery is not as it is known.
func (r *run) known() {
	if slices.Contains(inferredOlderTypes, r.Type) {
		r.Note("inferred", "type="+r.Type)
	}
	r.Shape("", r.Doc, eventFields)
	r.Shape("payload.", r.payload, r.tables...)
}
