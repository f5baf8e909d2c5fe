package complycube

import (
	"strings"

	"github.com/kycbridge/kycbridge/providers"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// The kinds of object that the API is asked for.
const (
	apiCheck   = "check"
	apiSession = "workflowSession"
)

// hydration: the events about checks that ended carry neither the check's type nor
// the client, and the payload of a workflow session is not documented.
func hydration() *providers.Hydration {
	return &providers.Hydration{
		BaseURL: "https://api.complycube.com", // live and sandbox differ by the key
		Auth:    providers.APIAuth{Scheme: providers.APIKey},
		Objects: map[string]providers.APIObject{
			apiCheck:   {Path: "/v1/checks/{id}"},
			apiSession: {Path: "/v1/workflowSessions/{id}"},
		},
		Needs: needs,
		Check: isObject,
	}
}

func needs(_ *providers.Delivery, n *providers.Notice) (providers.Target, bool) {
	kind := apiCheck
	if strings.HasPrefix(n.MapAs, "workflow.") {
		kind = apiSession
	}
	return providers.Target{Kind: kind, ID: n.Doc.At("payload", "id").ID()}, true
}

// isObject: an answer about another id is none.
func isObject(t providers.Target, body []byte) error {
	doc, err := providers.ReadObject(body)
	if err != nil {
		return err
	}
	if doc.At("id").ID() != t.ID {
		return &providers.Problem{Field: "id", Detail: "the object has another id than was asked for", Err: providers.ErrMismatch}
	}
	return nil
}

// complete takes from the vendor's object what the webhook leaves open, and returns
// the object; nil where there is none. What the webhook says stays as it is said:
// the object may be of a later day, and a verdict changed since has a webhook of
// its own. So the verdict is not among it; see conclude.
func (r *run) complete() *providers.Value {
	if r.fetched == nil || r.fetched.Result != kycv1.FetchResult_FETCH_RESULT_FETCHED {
		return nil
	}
	object, err := providers.ReadObject(r.fetched.Body)
	if err != nil {
		r.Note("fetched", "")
		return nil
	}
	r.Shape("fetched.", object, r.tables...)
	r.payload = providers.Fill(r.payload, object, "clientId", "type", "enableMonitoring", "documentId", "addressId",
		"livePhotoId", "liveVideoId", "workflowId", "workflowTemplateId", "workflowVersion", "lastCompletedTaskId", "allRelatedChecks")
	return object
}

// conclude takes the verdict from the vendor's object. It is for a webhook that says
// that its subject is complete and leaves open how it ended. An object that is not
// complete, or names two outcomes, says no more than the webhook.
func (r *run) conclude(object *providers.Value) {
	if !providers.TermOf(object.At("status")).Is("complete") {
		return
	}
	full := providers.TermOf(object.At("result", "outcome"))
	if short := providers.TermOf(object.At("outcome")); short.Given && full.Given && !short.Is(full.Text) {
		r.Note("fetched", "")
		return
	}
	r.payload = providers.Fill(r.payload, object, "outcome", "result")
}
