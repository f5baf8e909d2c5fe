package idenfy

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/kycbridge/kycbridge/providers"
	"github.com/kycbridge/kycbridge/providers/auth"
	"github.com/kycbridge/kycbridge/schemas"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// seen is one delivery as the normaliser sees it.
type seen struct {
	key, identity string
	hash          [32]byte
	eventID       string // of the first event
	providers.Mapping
	err error
}

func delivery(body []byte, label string) *providers.Delivery {
	h := http.Header{}
	if label != "" {
		h.Set(typeHeader, label)
	}
	return &providers.Delivery{
		Endpoint: "idenfy", Tenant: "default", Headers: h, Body: body, ReceivedAt: time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC),
	}
}

func see(d *providers.Delivery) seen {
	s := seen{key: string(providers.RawKey(d.Endpoint, Provider.Key(d), d.Body))}
	n, err := Provider.Parse(d)
	if n != nil {
		s.identity, s.hash = string(n.Identity.Bytes()), n.ContentHash()
	}
	if s.err = err; err != nil {
		return s
	}
	if s.Mapping, s.err = Provider.Map(d, n); s.err == nil {
		Provider.Complete(d, n, []byte(s.key), nil, s.Mapping)
		s.eventID = s.Events[0].GetMetadata().GetEventId()
	}
	return s
}

func fixtures(t testing.TB) []providers.Fixture {
	t.Helper()
	all, err := Provider.Fixtures()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func body(t testing.TB, name string) []byte {
	t.Helper()
	for _, file := range []string{"body.json", "body.bin"} {
		if b, err := os.ReadFile(filepath.Join("testdata", name, file)); err == nil {
			return b
		}
	}
	t.Fatalf("no fixture %s", name)
	return nil
}

// TestVector is a signature made by hand over bytes that never change.
func TestVector(t *testing.T) {
	secret, err := auth.NewSecret("s", []byte("idenfy-test-signing-key"), time.Time{}, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	text := []byte(`{"final":true,"platform":"PC","status":{"overall":"APPROVED"},"scanRef":"00000000-0000-4000-8000-000000000001","clientId":"client-1"}`)
	const sum = "09b53b963c8d679cb84a755d3bd028192162ab1b093e61dfeeed173ae54b954f"
	for _, signature := range []string{sum, strings.ToUpper(sum)} {
		h := http.Header{"Idenfy-Signature": {signature}}
		if id, err := Provider.Scheme.Verify([]auth.Secret{secret}, auth.Request{Header: h, Body: text}); id != "s" || err != nil {
			t.Errorf("signature %s: %q, %v", signature, id, err)
		}
	}
}

func TestCoversTheVendorsList(t *testing.T) {
	if len(Provider.Maps) != 23 {
		t.Errorf("%d types in Maps, want 23", len(Provider.Maps))
	}
	for eventType := range Provider.Maps {
		if !known(eventType) {
			t.Errorf("%s is in no family", eventType)
		}
		if spelled(eventType) != eventType {
			t.Errorf("%s is read as %s", eventType, spelled(eventType))
		}
	}
	for _, f := range families {
		for _, eventType := range f.types {
			if Provider.Maps[eventType] == nil {
				t.Errorf("%s is not mapped", eventType)
			}
		}
	}
}

func TestSpellings(t *testing.T) {
	for in, want := range map[string]string{
		"IDENTIFICATION_CANCELED":         cancelled,
		"ID VERIFICATION CANCELED":        cancelled,
		"ID VERIFICATION AUTO FINISH":     autoFinished,
		"ID_VERIFICATION_MANUAL_FINISHED": manualFinished,
		"ID VERIFICATION":                 legacy,
		" aml_monitoring ":                amlMonitoring,
		"AML MONITORING EXPIRATION":       amlMonitoringExpiration,
		"VIDEO_CALL_FINISHED":             videoCall,
		"COMPANY_CANCELED":                "COMPANY_CANCELED",
	} {
		if got := spelled(in); got != want {
			t.Errorf("%s is read as %s, want %s", in, got, want)
		}
	}
}

// TestSame says which pairs of fixtures tell one fact: those, and only those,
// become one event.
func TestSame(t *testing.T) {
	for _, tc := range []struct {
		a, b           string
		identity, hash bool // equal
	}{
		{"same_plain", "same_other_links", true, true},
		{"same_plain", "same_legacy_type", true, true},
		{"same_plain", "same_reordered", true, true},
		{"same_plain", "form_byte_order_mark", true, true},
		{"same_plain", "kyc_header_missing", true, true},
		{"same_answer_link", "same_answer_other_link", true, true},
		{"gov_document_in_progress", "gov_document_in_progress", true, true},

		{"same_plain", "other_data", true, false},
		{"kyc_auto_preliminary_approved", "kyc_auto_final_approved", false, false},
		{"kyc_auto_final_approved", "kyc_manual_approved", false, false},
		{"kyc_auto_final_approved", "kyc_auto_final_denied", false, false},
		{"document_expiration_30_days", "document_expiration_7_days", false, false},
		{"document_expiration_expired", "document_expiration_1_day", false, false},
		{"monitoring_alert", "monitoring_active_clear", false, false},
		{"face_pending", "face_success", false, false},
		{"face_without_id", "face_without_id_other_token", false, false},
		{"company_info_request_requested", "company_info_request_expired", false, false},
		{"company_review_approved", "company_review_denied", false, false},
		{"company_expiration_pending", "company_expiration_expired", false, false},
		{"gov_document_in_progress", "gov_document_finished", false, false},
		{"monitoring_expiration", "monitoring_expiration_zero", false, false},
	} {
		t.Run(tc.a+" and "+tc.b, func(t *testing.T) {
			a, b := seeFixture(t, tc.a), seeFixture(t, tc.b)
			if got := a.identity == b.identity; got != tc.identity {
				t.Errorf("identities equal: %v, want %v", got, tc.identity)
			}
			if got := a.hash == b.hash; got != tc.hash {
				t.Errorf("content hashes equal: %v, want %v", got, tc.hash)
			}
			if got, want := a.eventID == b.eventID, tc.identity && tc.hash; got != want {
				t.Errorf("event ids equal: %v, want %v", got, want)
			}
			if a.key != b.key {
				t.Errorf("keys are %s and %s", a.key, b.key)
			}
		})
	}
}

func seeFixture(t testing.TB, name string) seen {
	t.Helper()
	for _, f := range fixtures(t) {
		if f.Name == name {
			return see(delivery(f.Body, f.Headers.Get(typeHeader)))
		}
	}
	t.Fatalf("no fixture %s", name)
	return seen{}
}

// A notice without a date is the same within a day, and another one on the next.
func TestNoticeOfTheDay(t *testing.T) {
	d := delivery(body(t, "monitoring_expiration"), "")
	morning := see(d)
	d.ReceivedAt = d.ReceivedAt.Add(23 * time.Hour)
	evening := see(d)
	d.ReceivedAt = d.ReceivedAt.Add(2 * time.Hour)
	next := see(d)
	if morning.identity != evening.identity || evening.identity == next.identity {
		t.Errorf("identities %q, %q, %q", morning.identity, evening.identity, next.identity)
	}
	if morning.key != "idenfy/" {
		t.Errorf("key %q", morning.key)
	}
}

// TestHeaderDecidesNothing puts every event type, an unknown one and none beside
// every sound body: key and content stay, and so does the identity wherever events
// come out; decisions, deciders and results are those of the body. A contradiction
// is a dead letter that swallows nothing.
func TestHeaderDecidesNothing(t *testing.T) {
	labels := []string{"", "SOMETHING_NEW"}
	for eventType := range Provider.Maps {
		labels = append(labels, eventType)
	}
	slices.Sort(labels)
	for _, f := range fixtures(t) {
		own := see(delivery(f.Body, f.Headers.Get(typeHeader)))
		if read, _ := scan(f.Body); f.Bad() || familyOf(read.seen) == &vague {
			continue
		}
		for _, label := range labels {
			got := see(delivery(f.Body, label))
			if got.key != own.key || got.hash != own.hash {
				t.Errorf("%s as %q: key or content differ", f.Name, label)
			}
			if got.err != nil {
				if got.identity == own.identity {
					t.Errorf("%s as %q: %v, under the identity of the sound delivery", f.Name, label, got.err)
				}
				continue
			}
			if got.identity != own.identity {
				t.Errorf("%s as %q: another identity", f.Name, label)
			}
			if label != videoCall && saysOf(got) != saysOf(own) && !endedByHeader(own, got) {
				t.Errorf("%s as %q says\n%s\nand not\n%s", f.Name, label, saysOf(got), saysOf(own))
			}
		}
	}
}

// saysOf is everything in the events that is no label.
func saysOf(s seen) string {
	var out strings.Builder
	for _, e := range s.Events {
		switch e := e.(type) {
		case *kycv1.SessionEvent:
			out.WriteString(e.Decision.String() + e.DecidedBy.String() + e.Finality.String() + strings.Join(e.ReasonCodes, ","))
		case *kycv1.CheckEvent:
			out.WriteString(e.Kind.String() + e.Result.String() + e.DecidedBy.String())
		case *kycv1.AmlEvent:
			out.WriteString(e.Source.String() + e.Status.String())
		case *kycv1.RenewalEvent:
			out.WriteString(e.Kind.String() + e.State.String())
		case *kycv1.ResourceEvent:
			out.WriteString(e.Resource.String() + e.Change.String())
		}
		out.WriteString("\n")
	}
	return out.String()
}

// endedByHeader: the one thing that a header may say, where the body holds no
// verdict, is how the session ended.
func endedByHeader(a, b seen) bool {
	for _, s := range []seen{a, b} {
		for _, e := range s.Events {
			if e, ok := e.(*kycv1.SessionEvent); ok && (ended(e.Transition) || e.Transition == kycv1.SessionTransition_SESSION_TRANSITION_RESUBMITTED) {
				switch e.Decision {
				case kycv1.Decision_DECISION_UNSPECIFIED, kycv1.Decision_DECISION_UNDETERMINED:
					return true
				}
			}
		}
	}
	return false
}

// TestKeyIsWhatParseFinds holds the token scan against the parsed body, whole and
// cut short.
func TestKeyIsWhatParseFinds(t *testing.T) {
	for _, f := range fixtures(t) {
		for _, b := range [][]byte{f.Body, bytes.ToUpper(f.Body), f.Body[:len(f.Body)/2], append(bytes.Clone(f.Body), '}')} {
			want := ""
			if doc, err := providers.ReadObject(b); err == nil {
				family := familyOf(namesOf(doc))
				want = family.subjectID(doc)
				_, counted := count(first(doc, "usersToExtend", "usersToExpire"))
				if family.notice() && counted {
					want = providers.AccountLevel
				}
			}
			if got := key(delivery(b, "")); got != want && f.Name != "bad_monitoring_expiration_negative" {
				t.Errorf("%s: key %q, want %q", f.Name, got, want)
			}
		}
	}
}

// A boolean cannot hold a word that is new to us, so a verified telephone is one
// beside any verdict.
func TestBooleansBesideAVerdict(t *testing.T) {
	text := strings.Replace(string(body(t, "kyc_blocks_booleans_true")), `"overall": null`, `"overall": "APPROVED"`, 1)
	passedKinds := map[kycv1.CheckKind]bool{}
	for _, e := range see(delivery([]byte(text), autoFinished)).Events {
		if e, ok := e.(*kycv1.CheckEvent); ok && e.Result == passed {
			passedKinds[e.Kind] = true
		}
	}
	if len(passedKinds) != 4 {
		t.Errorf("passed: %v, want registry, address, phone and e-mail", passedKinds)
	}
}

// A service that was not used checked nothing, with its word or without. It takes nothing
// from the classes, which say how their categories stand.
func TestUnusedService(t *testing.T) {
	unused := `[{"serviceName":"PilotApiAmlV2","status":{"serviceSuspected":false,"checkSuccessful":true,"serviceUsed":false%s}}]`
	for _, word := range []string{"", `,"overallStatus":null`, `,"overallStatus":"NOT_SUSPECTED"`} {
		for classes, want := range map[string]kycv1.AmlStatus{
			`null`: notChecked, `"NO_FLAGS"`: noHit,
		} {
			text := fmt.Sprintf(`{"final":true,"scanRef":"scan-1","status":{"overall":"APPROVED","sanctionsStatus":%s},"AML":`+unused+`}`, classes, word)
			var got []kycv1.AmlStatus
			for _, e := range see(delivery([]byte(text), autoFinished)).Events {
				if e, ok := e.(*kycv1.AmlEvent); ok {
					got = append(got, e.Status)
				}
			}
			if !slices.Equal(got, []kycv1.AmlStatus{want}) {
				t.Errorf("%s: statuses %v, want %s", text, got, want)
			}
		}
	}
}

// Every word of a vocabulary that means something good is written out here, so that
// adding one is seen.
func TestGoodWords(t *testing.T) {
	for name, tc := range map[string]struct {
		table results
		good  []string
	}{
		"faces": {faces, []string{"face_match"}}, "documents": {documents, []string{"doc_validated"}},
		"additionalSteps": {additionalSteps, []string{"valid"}}, "addressStatuses": {addressStatuses, []string{"verified"}},
		"cardStatuses": {cardStatuses, []string{"match"}}, "registryFields": {registryFields, []string{"match"}},
		"suspicions": {suspicions, []string{"not_suspected"}}, "faceAuthentications": {faceAuthentications, []string{"success"}},
		"ageOutcomes": {ageOutcomes, []string{"success"}}, "orders": {orders, []string{"finished"}},
		"ageStatuses": {ageStatuses, nil}, "accountStatuses": {accountStatuses, nil},
	} {
		var good []string
		for w, result := range tc.table {
			if result == passed {
				good = append(good, w)
			}
		}
		if !slices.Equal(good, tc.good) {
			t.Errorf("%s: %v pass, want %v", name, good, tc.good)
		}
	}
	for w, at := range overalls {
		if at.decision == kycv1.Decision_DECISION_APPROVED && w != "approved" {
			t.Errorf("%s approves", w)
		}
	}
}

// TestManyMatches: an event holds a thousand findings, and the gravest is kept.
func TestManyMatches(t *testing.T) {
	s := &screening{r: &run{Notice: &providers.Notice{Type: amlMonitoring}}}
	for range maxFindings + 10 {
		s.find(pep, "x", noHit, "NO_FLAGS")
	}
	s.find(sanctions, "x", confirmed, "TRUE_POSITIVE")
	if status, _ := s.close(); status != confirmed || len(s.findings) != maxFindings {
		t.Errorf("status %v of %d findings", status, len(s.findings))
	}
}

// No event shares a part with another: a consumer may change one.
func TestEventsShareNoSubject(t *testing.T) {
	subjects := map[*kycv1.Subject]bool{}
	for _, e := range seeFixture(t, "kyc_aml_v2_and_v3").Events {
		s := e.GetMetadata().GetSubject()
		if subjects[s] {
			t.Error("two events have one subject")
		}
		subjects[s] = true
		if _, ok := schemas.TopicFor(proto.Message(e)); !ok {
			t.Errorf("no topic for %T", e)
		}
	}
}
