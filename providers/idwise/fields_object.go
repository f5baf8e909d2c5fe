package idwise

import (
	"maps"

	"github.com/kycbridge/kycbridge/providers"
)

// What the reference of the API shows of its answers. Most of an answer is about a
// person: it is known by name and not looked into.

var journeyFields = both(providers.Fields{
	"journey_id": providers.IDField, "customer_id": providers.AnyField, "reference_number": providers.IDField,
	"flow_id":                providers.IDField,
	"journey_definintion_id": providers.IDField, // the page's own spelling, for what is now flow_id
	"journey_definition_id":  providers.IDField.Inferred(),
	"start_time":             providers.AnyField, "end_time": providers.AnyField, "model_version": providers.AnyField,
	"system_decision": providers.TextField, "manual_decision": providers.TextField, "final_decision": providers.TextField,
	"documents": providers.ObjectField(nil), "document": providers.ObjectField(nil), "rule_results": providers.ObjectField(nil),
	"selfie": providers.ObjectField(selfieFields), "applicant": providers.ObjectField(applicantFields),
	"aml": providers.ObjectField(screeningFields), "screening_checks": providers.AnyField, "device_intelligence": providers.AnyField,
})

var amlCheckFields = both(providers.Fields{
	"check_id": providers.AnyField, "check_time": providers.AnyField, "reference_number": providers.IDField,
	"final_decision": providers.TextField, "aml": providers.ObjectField(screeningFields),
	"aml_matches": providers.ListField(providers.ObjectField(matchFields)),
})

var spotObjectFields = both(providers.Fields{
	"journey_id": providers.AnyField, "tenant_id": providers.AnyField, "environment_name": providers.AnyField,
	"start_time": providers.AnyField, "end_time": providers.AnyField, "model_version": providers.AnyField,
	"reference_number": providers.IDField, "system_decision": providers.TextField, "rule_results": providers.ObjectField(nil),
	"selfie": providers.ObjectField(selfieFields), "applicant": providers.ObjectField(applicantFields),
	"spot_checks": providers.AnyField,
})

var applicantFields = both(providers.Fields{
	"applicant_id": providers.IDField, "profile_image_path": providers.AnyField, "full_name": providers.AnyField,
	"personal_number": providers.AnyField, "birth_date": providers.AnyField,
})

var selfieFields = both(providers.Fields{
	"status": providers.TextField, "is_live": providers.FlagField, "liveness_status_code": providers.TextField,
	"image_path": providers.AnyField,
})

var documentFields = both(providers.Fields{
	"progress": providers.TextField, "has_passed_rules": providers.FlagField, "step_title": providers.AnyField,
	"document_type": providers.AnyField, "issuing_country": providers.AnyField, "issuing_country_code": providers.AnyField,
	"extracted_fields": providers.AnyField, "images": providers.AnyField,
	"validation_result": providers.ObjectField(both(providers.Fields{
		"validation_outcome": providers.TextField, "validation_checks": providers.AnyField,
	})),
	"face_match_result": providers.ObjectField(both(providers.Fields{
		"is_matched": providers.FlagField, "score": providers.AnyField, "images": providers.AnyField,
	})),
})

var ruleFields = providers.Fields{
	"result": providers.TextField, "name": providers.AnyField, "description": providers.AnyField,
	"information": providers.AnyField, "tips": providers.AnyField, "details": providers.AnyField,
}

var screeningFields = both(providers.Fields{
	"applicability": providers.TextField, "matches": providers.ListField(providers.ObjectField(matchFields)),
	"ongoing_monitoring_enabled": providers.AnyField, "last_ongoing_monitoring_update": providers.AnyField,
})

var matchFields = both(providers.Fields{
	"datasets": providers.ListField(providers.TextField), "is_whitelisted": providers.FlagField, "match_status": providers.TextField,
	"name": providers.AnyField, "countries": providers.AnyField, "datesOfBirth": providers.AnyField, "notes": providers.AnyField,
	"aliases": providers.AnyField, "addresses": providers.AnyField, "sex": providers.AnyField, "score": providers.AnyField,
	"details": providers.AnyField, "resource_id": providers.AnyField, "match_id": providers.AnyField,
	"aml_record_version": providers.AnyField, "ongoing_monitor_update_type": providers.AnyField,
})

// both adds to the names of the API how the webhooks would write them. Which of the
// two an answer uses has not been seen; the reference prints the first.
func both(fields providers.Fields) providers.Fields {
	out := maps.Clone(fields)
	for name, field := range fields {
		if other := camel(name); other != name {
			out[other] = field.Inferred()
		}
	}
	return out
}

// shownFor are the fields that the page about a kind of object shows.
var shownFor = map[string]providers.Fields{
	kindJourney: journeyFields, kindAML: amlCheckFields, kindSpotCheck: spotObjectFields,
}

// anyObject are the fields of all kinds, since all are read alike. On an object whose
// own page does not show it, a field is inferred.
var anyObject = providers.Join(spotObjectFields, amlCheckFields, journeyFields).Inferred() // what a journey's page types counts

// shapeObject holds the fetched object against what is known of its kind.
func (r *run) shapeObject(kind string) {
	r.Shape(objectPath, r.object, shownFor[kind], anyObject)
	r.shapeEach(objectPath+"documents", r.documents(), documentFields)
	r.shapeEach(objectPath+"rule_results", field(r.object, "rule_results"), ruleFields)
}

// shapeEach is for an object whose names are ids: of steps, of rules.
func (r *run) shapeEach(path string, byID *providers.Value, known providers.Fields) {
	for _, v := range byID.Members() {
		if v.Given() && v.Kind() != providers.Object {
			r.Note("type", path)
		}
		r.Shape(path+".", v, known)
	}
}
