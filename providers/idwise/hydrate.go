package idwise

import (
	"errors"

	"github.com/kycbridge/kycbridge/providers"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// The kinds of object.
const (
	kindJourney   = "journey"
	kindAML       = "aml_check"
	kindSpotCheck = "spot_check"
)

// hydration is the vendor's API. Its pages give the base address and, for AML,
// the path ("AML Check Id (in case of journey use journey id)"). Those of a journey's
// and a spot check's result are from a description by others, which leaves out the
// /journey that the vendor's own pages have before the same calls (summary,
// start-journey, manual-review). A wrong one answers 404: the events then go out from
// the webhook alone and say so.
var hydration = providers.Hydration{
	BaseURL: "https://api.idwise.com", // EU; UAE is api-uae, Qatar api-qat
	Auth:    providers.APIAuth{Scheme: providers.APIBasic},
	Objects: map[string]providers.APIObject{
		kindJourney:   {Path: "/journey/v2/get/{id}"},
		kindAML:       {Path: "/checks/aml/{id}", OrElse: kindJourney},
		kindSpotCheck: {Path: "/journey/v2/spot-checks/{id}", OrElse: kindJourney},
	},
	Check: check,
	Needs: needs,
}

// needs names the object that says what a delivery leaves out: the decision that
// counts, what changed in a screening, what a spot check found.
func needs(_ *providers.Delivery, n *providers.Notice) (providers.Target, bool) {
	body := n.Doc.At("body")
	id := body.At(subjectOf(n.MapAs)).ID()
	switch n.MapAs {
	case finishedSpotCheck, finishedOngoing:
		return providers.Target{Kind: kindSpotCheck, ID: id}, true
	case amlMonitorUpdate:
		return providers.Target{Kind: kindAML, ID: id}, true
	case finishedJourney, manuallyReviewed, updatedJourney:
		if !body.At("finalDecision").Given() && !body.At("manualDecision").Given() {
			return providers.Target{Kind: kindJourney, ID: id}, true
		}
		if n.MapAs == updatedJourney && isAML(providers.TermOf(body.At("action"))) {
			return providers.Target{Kind: kindAML, ID: id}, true
		}
	}
	return providers.Target{}, false
}

// check refuses an answer that is not the object: another journey's, or one
// without any of the fields the object is asked for.
func check(t providers.Target, body []byte) error {
	object, err := providers.ReadObject(body)
	if err != nil {
		return err
	}
	if t.Kind == kindJourney {
		if id := field(object, "journey_id"); id.Given() && id.ID() != t.ID {
			return errors.New("idwise: the answer is about another journey")
		}
	}
	for _, name := range signs[t.Kind] {
		if field(object, name).Kind() != providers.Absent {
			return nil
		}
	}
	return errors.New("idwise: the answer has none of the fields of a " + t.Kind)
}

// signs are fields of which an object of a kind has at least one.
var signs = map[string][]string{
	kindJourney:   {"system_decision", "manual_decision", "final_decision"},
	kindAML:       {"aml", "aml_matches", "final_decision"},
	kindSpotCheck: {"system_decision", "spot_checks", "selfie"},
}

// fetched is the object that was fetched, nil where there is none or where what
// came is not one.
func fetched(d *providers.Delivery) *providers.Value {
	if d.Fetched == nil || d.Fetched.Result != kycv1.FetchResult_FETCH_RESULT_FETCHED {
		return nil
	}
	object, err := providers.ReadObject(d.Fetched.Body)
	if err != nil {
		return nil
	}
	return object
}
