package idwise

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kycbridge/kycbridge/internal/contract"
	"github.com/kycbridge/kycbridge/providers"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// answer is what the API says.
func answer(kind, object string) *providers.Fetched {
	return &providers.Fetched{Result: kycv1.FetchResult_FETCH_RESULT_FETCHED, Kind: kind, Body: []byte(object)}
}

// objects are the fetched objects of all fixtures, by the fixture's name.
func objects(t testing.TB) map[string]*providers.Fetched {
	t.Helper()
	files, err := filepath.Glob("testdata/*/fetched.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no testdata/*/fetched.json: %v", err)
	}
	out := map[string]*providers.Fetched{}
	for _, file := range files {
		var f struct {
			Result, Kind string
			Object       json.RawMessage
		}
		b, err := os.ReadFile(file)
		if err == nil {
			err = json.Unmarshal(b, &f)
		}
		result, ok := kycv1.FetchResult_value["FETCH_RESULT_"+f.Result]
		if err != nil || !ok || Provider.Hydration.Objects[f.Kind].Path == "" {
			t.Fatalf("%s: %v, result %q, kind %q", file, err, f.Result, f.Kind)
		}
		out[filepath.Base(filepath.Dir(file))] = &providers.Fetched{Result: kycv1.FetchResult(result), Kind: f.Kind, Body: f.Object}
	}
	return out
}

// TestNeeds: an object is asked for exactly where the mapping is incomplete, and
// never where the webhook says what counts.
func TestNeeds(t *testing.T) {
	for name, body := range fixtures(t) {
		s := see(t, body, nil)
		target, ok := Provider.Hydration.Needs(nil, s.notice)
		if ok != s.Incomplete {
			t.Errorf("%s: needs an object: %v, incomplete: %v", name, ok, s.Incomplete)
		}
		_, id, _ := strings.Cut(s.key, "/")
		if ok && (target.ID != id || Provider.Hydration.Objects[target.Kind].Path == "") {
			t.Errorf("%s needs %v, and its key is %s", name, target, s.key)
		}
	}
	for name, want := range map[string]providers.Target{
		"finished_journey":               {Kind: kindJourney, ID: "67200000000000000000000c"},
		"finished_journey_old_body":      {},
		"finished_user_steps":            {},
		"updated_journey_manual_review":  {},
		"updated_journey_final_missing":  {Kind: kindJourney, ID: "67200000000000000000002e"},
		"updated_journey_aml_amend":      {Kind: kindAML, ID: "672000000000000000000028"},
		"aml_monitor_update":             {Kind: kindAML, ID: "672000000000000000000049"},
		"finished_spot_check_refer":      {Kind: kindSpotCheck, ID: "65ee00000000000000070053"},
		"manually_reviewed":              {},
		"update_required_renewal":        {},
		"one_decision_manually_reviewed": {},
	} {
		if got, ok := Provider.Hydration.Needs(nil, see(t, fixture(t, name), nil).notice); got != want || ok != (want.Kind != "") {
			t.Errorf("%s needs %v, %v; want %v", name, got, ok, want)
		}
	}
}

// Without the object the events are those of the webhook alone.
func TestNotFetched(t *testing.T) {
	for name, f := range objects(t) {
		if f.Result == kycv1.FetchResult_FETCH_RESULT_FETCHED {
			continue
		}
		alone, gaveUp := see(t, fixture(t, name), nil), see(t, fixture(t, name), f)
		if len(gaveUp.Events) != len(alone.Events) || !gaveUp.Incomplete {
			t.Errorf("%s: %d events after %v, %d without; incomplete %v", name, len(gaveUp.Events), f.Result, len(alone.Events), gaveUp.Incomplete)
		}
	}
}

// The objects of the fixtures are objects, and nothing about a person leaves.
func TestFetched(t *testing.T) {
	validator := contract.NewValidator()
	for name, f := range objects(t) {
		alone, s := see(t, fixture(t, name), nil), see(t, fixture(t, name), f)
		if s.err != nil || alone.identity != s.identity || alone.hash != s.hash || alone.key != s.key {
			t.Errorf("%s: %v; identity, content and key must not depend on the object", name, s.err)
		}
		if f.Result != kycv1.FetchResult_FETCH_RESULT_FETCHED {
			continue
		}
		_, id, _ := strings.Cut(s.key, "/")
		if err := check(providers.Target{Kind: f.Kind, ID: id}, f.Body); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, e := range s.Events {
			md := e.GetMetadata()
			if strings.Contains(strings.ToUpper(e.(interface{ String() string }).String()), "CANARY") {
				t.Errorf("%s: something about a person leaves: %v", name, e)
			}
			if md.Hydration == kycv1.Hydration_HYDRATION_UNSPECIFIED || s.Incomplete {
				t.Errorf("%s: incomplete with the object", name)
			}
			fill(md)
			if err := validator.Validate(e); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// fill sets what a delivery of the tests leaves out of the metadata.
func fill(md *kycv1.EventMetadata) {
	md.Environment = kycv1.Environment_ENVIRONMENT_SANDBOX
	md.Raw = &kycv1.RawPosition{Topic: "kyc.raw.v1"}
}

// TestObjects tells what an object adds to, or takes from, the webhook's word.
func TestObjects(t *testing.T) {
	const finished = `{"event":"Finished Journey","body":{"eventId":"e","journeyId":"j","systemDecision":"Complete"}}`
	const undetermined = kycv1.Decision_DECISION_UNDETERMINED
	for _, tc := range []struct {
		name, object string
		decision     kycv1.Decision
		by           kycv1.DecidedBy
		word         string
	}{
		{"a reviewer refused", `{"system_decision":"Complete","manual_decision":"Rejected","final_decision":"Rejected"}`, kycv1.Decision_DECISION_DECLINED, kycv1.DecidedBy_DECIDED_BY_HUMAN, "Rejected"},
		{"in camelCase", `{"systemDecision":"Complete","manualDecision":"Rejected","finalDecision":"Rejected"}`, kycv1.Decision_DECISION_DECLINED, kycv1.DecidedBy_DECIDED_BY_HUMAN, "Rejected"},
		{"without a final word", `{"system_decision":"Refer","manual_decision":null,"final_decision":null}`, kycv1.Decision_DECISION_REVIEW, kycv1.DecidedBy_DECIDED_BY_SYSTEM, "Refer"},
		{"only the reviewer's", `{"manual_decision":"Rejected"}`, kycv1.Decision_DECISION_DECLINED, kycv1.DecidedBy_DECIDED_BY_HUMAN, "Rejected"},
		{"an unknown final word", `{"system_decision":"Complete","final_decision":"Waived"}`, undetermined, 0, "Waived"},
		{"an unknown reviewer's word", `{"system_decision":"Complete","manual_decision":"Resubmit","final_decision":"Complete"}`, undetermined, kycv1.DecidedBy_DECIDED_BY_HUMAN, "Complete"},
		{"a reviewer asked again", `{"system_decision":"Refer","manual_decision":"Resubmission Requested"}`, kycv1.Decision_DECISION_INCOMPLETE, kycv1.DecidedBy_DECIDED_BY_HUMAN, "Resubmission Requested"},
		{"asked again, and complete", `{"system_decision":"Complete","manual_decision":"Resubmission Requested","final_decision":"Complete"}`, undetermined, kycv1.DecidedBy_DECIDED_BY_HUMAN, "Complete"},
		{"only a final word", `{"final_decision":"Rejected"}`, kycv1.Decision_DECISION_DECLINED, 0, "Rejected"},
		{"the same final word", `{"final_decision":"Complete"}`, kycv1.Decision_DECISION_APPROVED, kycv1.DecidedBy_DECIDED_BY_SYSTEM, "Complete"},
		{"a contradiction", `{"manual_decision":"Rejected","final_decision":"Approved"}`, undetermined, kycv1.DecidedBy_DECIDED_BY_HUMAN, "Approved"},
		{"no decision", `{"final_decision":null}`, kycv1.Decision_DECISION_APPROVED, kycv1.DecidedBy_DECIDED_BY_SYSTEM, "Complete"},
		{"no object", `[]`, kycv1.Decision_DECISION_APPROVED, kycv1.DecidedBy_DECIDED_BY_SYSTEM, "Complete"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			e := session(t, see(t, []byte(finished), answer(kindJourney, tc.object)))
			if e.Decision != tc.decision || e.DecidedBy != tc.by || e.VendorOutcome != tc.word {
				t.Errorf("got %v by %v, %q", e.Decision, e.DecidedBy, e.VendorOutcome)
			}
		})
	}
}

// A screening's object takes nothing from what the webhook says of the reviewer.
func TestScreeningKeepsTheReviewer(t *testing.T) {
	s := see(t, fixture(t, "updated_journey_aml_ogm_update"), answer(kindAML, `{"final_decision":"Refer","aml":{"matches":[{}]}}`))
	if e := session(t, s); e.Decision != kycv1.Decision_DECISION_APPROVED || e.DecidedBy != kycv1.DecidedBy_DECIDED_BY_HUMAN {
		t.Errorf("got %v by %v", e.Decision, e.DecidedBy)
	}
}

// TestScreening reads the AML part of an object.
func TestScreening(t *testing.T) {
	const update = `{"event":"AML Monitor Update","body":{"eventId":"e","journeyId":"j","systemDecision":"%","previousSystemDecision":"%"}}`
	for _, tc := range []struct {
		name, decision, object string
		want                   kycv1.AmlStatus
	}{
		{"a match", "Complete", `{"aml":{"matches":[{"datasets":["Sanctions"]}]}}`, amlHit},
		{"a match without a list", "Complete", `{"aml":{"matches":[{}]}}`, amlHit},
		{"no match", "Complete", `{"aml":{"applicability":"Applicable","matches":[]}}`, amlClear},
		{"no match, and referred", "Refer", `{"aml":{"applicability":"Applicable","matches":[]}}`, amlHit},
		{"no match, and a new word", "Odd", `{"aml":{"applicability":"Applicable","matches":[]}}`, amlUnclear},
		{"no match, not said to be checked", "Complete", `{"aml":{"matches":[]}}`, amlUnclear},
		{"matches unknown", "Complete", `{"aml":{"applicability":"Applicable","matches":null}}`, amlUnclear},
		{"nothing changed lately", "Complete", `{"aml_matches":[]}`, amlUnclear},
		{"a change", "Complete", `{"aml_matches":[{"datasets":["Insolvency"]}]}`, amlHit},
		{"whitelisted", "Complete", `{"aml":{"matches":[{"is_whitelisted":true}]}}`, amlDismissed},
		{"one of two whitelisted", "Complete", `{"aml":{"matches":[{"is_whitelisted":true},{"is_whitelisted":false}]}}`, amlHit},
		{"whitelisted, and a new word", "Odd", `{"aml":{"matches":[{"is_whitelisted":true}]}}`, amlUnclear},
		{"whitelisted, with a status", "Complete", `{"aml":{"matches":[{"is_whitelisted":true,"match_status":"True"}]}}`, amlUnclear},
		{"skipped", "Complete", `{"aml":{"applicability":"Skipped"}}`, kycv1.AmlStatus_AML_STATUS_NOT_CHECKED},
		{"not ready", "Complete", `{"aml":{"applicability":"not ready yet"}}`, kycv1.AmlStatus_AML_STATUS_PENDING},
		{"a person close to one", "Complete", `{"aml":{"matches":[{"datasets":["Linked to a Politically Exposed Persons"]}]}}`, amlHit},
		{"whitelisted in words", "Complete", `{"aml":{"matches":[{"is_whitelisted":"true"}]}}`, amlHit},
		{"a new applicability", "Complete", `{"aml":{"applicability":"Sometimes","matches":[]}}`, amlUnclear},
		{"a new applicability, whitelisted", "Complete", `{"aml":{"applicability":"Sometimes","matches":[{"is_whitelisted":true}]}}`, amlUnclear},
		{"none", "Complete", `{"aml":null}`, amlUnclear},
		{"not an object", "Complete", `{"aml":"clear"}`, amlUnclear},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := see(t, []byte(strings.ReplaceAll(update, "%", tc.decision)), answer(kindAML, tc.object))
			if s.err != nil || len(s.Events) != 1 {
				t.Fatalf("%d events, %v", len(s.Events), s.err)
			}
			if got := s.Events[0].(*kycv1.AmlEvent).Status; got != tc.want {
				t.Errorf("got %v, want %v", got, tc.want)
			}
		})
	}
}

func TestCheck(t *testing.T) {
	for _, tc := range []struct {
		kind, body string
		ok         bool
	}{
		{kindJourney, `{"journey_id":"j","system_decision":"Refer"}`, true},
		{kindJourney, `{"journeyId":"j","finalDecision":"Refer"}`, true},
		{kindJourney, `{"final_decision":"Refer"}`, true},
		{kindJourney, `{"journey_id":"other","system_decision":"Refer"}`, false},
		{kindJourney, `{"journey_id":{},"system_decision":"Refer"}`, false},
		{kindJourney, `{"journey_id":" ","system_decision":"Refer"}`, true},
		{kindJourney, `{"journey_id":"j"}`, false},
		{kindJourney, `{"message":"not found"}`, false},
		{kindJourney, `<html>`, false},
		{kindAML, `{"check_id":"c","aml":null}`, true},
		{kindAML, `{"aml_matches":[]}`, true},
		{kindAML, `{"error":"no"}`, false},
		{kindSpotCheck, `{"journey_id":"other","system_decision":null}`, true},
		{kindSpotCheck, `{"tenant_id":"t"}`, false},
	} {
		err := check(providers.Target{Kind: tc.kind, ID: "j"}, []byte(tc.body))
		if (err == nil) != tc.ok {
			t.Errorf("%s %s: %v", tc.kind, tc.body, err)
		}
	}
}

// TestFieldsOfOtherKinds: a field that only another kind of object shows has one type, whichever
// of the kinds are compared first.
func TestFieldsOfOtherKinds(t *testing.T) {
	got := see(t, fixture(t, "aml_monitor_update"), answer(kindAML, `{"check_id":"c-1","journey_id":true}`)).Drift
	if want := (providers.Drift{Kind: "type", Word: "fetched.journey_id"}); !slices.Contains(got, want) {
		t.Errorf("drift is %v, want %v in it", got, want)
	}
}

func TestCamel(t *testing.T) {
	for in, want := range map[string]string{"journey_id": "journeyId", "aml": "aml", "": "", "a__b_": "aB", "is_live": "isLive"} {
		if got := camel(in); got != want {
			t.Errorf("%q is %q, want %q", in, got, want)
		}
	}
}

// FuzzObject reads whatever an API may answer.
func FuzzObject(f *testing.F) {
	bodies := [][]byte{fixture(f, "finished_journey"), fixture(f, "aml_monitor_update"), fixture(f, "finished_spot_check"), fixture(f, "updated_journey_aml_amend")}
	for _, o := range objects(f) {
		f.Add(bytes.ReplaceAll(o.Body, []byte("CANARY"), []byte("name")))
	}
	validator := contract.NewValidator()
	f.Fuzz(func(t *testing.T, object []byte) {
		_ = check(providers.Target{Kind: kindJourney, ID: "j"}, object)
		for _, body := range bodies {
			s := see(t, body, answer(kindJourney, string(object)))
			if s.err != nil {
				t.Fatalf("an object makes a dead letter: %v", s.err)
			}
			for _, e := range s.Events {
				fill(e.GetMetadata())
				if err := validator.Validate(e); err != nil {
					t.Errorf("%v", err)
				}
			}
		}
	})
}
