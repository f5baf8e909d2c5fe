package idenfy

import (
	"strings"
	"testing"

	"github.com/kycbridge/kycbridge/providers"
)

// shown are the fixtures made after a delivery that the vendor's pages, its definitions or
// the libraries and handlers of integrators show.
func shown(t testing.TB) []providers.Fixture {
	t.Helper()
	var all []providers.Fixture
	for _, f := range fixtures(t) {
		if strings.HasPrefix(f.Name, "documented_") || strings.HasPrefix(f.Name, "library_") {
			all = append(all, f)
		}
	}
	return all
}

// Drift is for what is new, so whatever a source shows has none: neither a name nor a word
// nor a type of value.
func TestWhatSourcesShowIsNoDrift(t *testing.T) {
	types := map[string]bool{}
	for _, f := range shown(t) {
		s := see(delivery(f.Body, f.Headers.Get(typeHeader)))
		if s.err != nil || len(s.Drift) > 0 {
			t.Errorf("%s: drift %v, %v", f.Name, s.Drift, s.err)
			continue
		}
		types[s.Events[0].GetMetadata().GetVendorEventType()] = true
	}
	for eventType := range Provider.Maps {
		if eventType != videoCall && !types[eventType] && !strings.HasPrefix(eventType, legacy) {
			t.Errorf("no fixture is made after a shown %s", eventType)
		}
	}
	if !types[legacy] || !types[autoFinished] || !types[manualFinished] {
		t.Errorf("types of verifications shown: %v", types)
	}
}

// What nothing of the vendor's shows is counted, each name and word of it.
func TestInferredIsCounted(t *testing.T) {
	for name, want := range map[string][]string{
		"inferred_monitoring":    {"monitoring_id", "is_active", "clientId"},
		"inferred_kyc_aml_check": {"aml_check"},
		"inferred_company_review": {
			"companyId", "pepsCheckStatus", "aml_check", "beneficiaryCheck", "beneficiaries.aml_check", "beneficiaries.companyCheck",
		},
		"inferred_document_expiration_of_beneficiary": {"companyId", "beneficiaryId"},
		"inferred_bank_card_of_session":               {"scanRef", "clientId"},
		"inferred_company_expiration":                 {"companyId", "clientId"},
		"inferred_face_cancelled":                     {"face_authentication=Cancelled"},
		"inferred_info_request_cancelled":             {"request_status=CANCELLED", "clientId"},
	} {
		got := map[string]bool{}
		for _, d := range seeFixture(t, name).Drift {
			if d.Kind != "inferred" {
				t.Errorf("%s: drift %v", name, d)
			}
			got[d.Word] = true
		}
		if len(got) != len(want) {
			t.Errorf("%s: inferred %v, want %v", name, got, want)
		}
		for _, word := range want {
			if !got[word] {
				t.Errorf("%s: %s is not counted as inferred", name, word)
			}
		}
	}
}
