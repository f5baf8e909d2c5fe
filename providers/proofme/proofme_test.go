package proofme

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/kycbridge/kycbridge/providers"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

const (
	live    = kycv1.Environment_ENVIRONMENT_LIVE
	sandbox = kycv1.Environment_ENVIRONMENT_SANDBOX
)

// seen is one delivery as the stages see it.
type seen struct {
	key, identity string
	hash          [32]byte
	eventID       string // of the first event
	providers.Mapping
	err error
}

func see(environment kycv1.Environment, body []byte, fetched *providers.Fetched) seen {
	d := &providers.Delivery{Endpoint: "proofme", Tenant: "default", Environment: environment, Body: body, Fetched: fetched}
	s := seen{key: string(providers.RawKey(d.Endpoint, Provider.Key(d), d.Body))}
	n, err := Provider.Parse(d)
	if err != nil {
		s.err = err
		return s
	}
	s.identity, s.hash = string(n.Identity.Bytes()), n.ContentHash()
	if s.Mapping, s.err = Provider.Map(d, n); s.err == nil && len(s.Events) > 0 {
		Provider.Complete(d, n, []byte(s.key), nil, s.Mapping)
		s.eventID = s.Events[0].GetMetadata().GetEventId()
	}
	return s
}

// answer is an object of the API for the webhook of the id "a".
func answer(kind, object string) *providers.Fetched {
	return &providers.Fetched{Result: kycv1.FetchResult_FETCH_RESULT_FETCHED, Kind: kind, Body: []byte(object), At: time.Unix(1, 0)}
}

func seeObject(environment kycv1.Environment, object string) seen {
	return see(environment, []byte(`{"id":"a"}`), answer(identification, object))
}

// fixture is a webhook and what the API answered; nil where it was not asked.
func fixture(t testing.TB, name string) (body []byte, fetched *providers.Fetched) {
	t.Helper()
	body, err := testdata.ReadFile("testdata/" + name + "/body.json")
	if err != nil {
		body, err = testdata.ReadFile("testdata/" + name + "/body.bin")
	}
	if err != nil {
		t.Fatal(err)
	}
	text, err := testdata.ReadFile("testdata/" + name + "/fetched.json")
	if err != nil {
		return body, nil
	}
	var file struct {
		Result, Kind string
		Object       json.RawMessage
	}
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	fetched = answer(file.Kind, string(file.Object))
	fetched.Result = kycv1.FetchResult(kycv1.FetchResult_value["FETCH_RESULT_"+file.Result])
	return body, fetched
}

// TestSame says which fetches show one state, and only those become one event.
func TestSame(t *testing.T) {
	for _, tc := range []struct {
		a, b           string
		identity, hash bool // equal
	}{
		{"same_first_fetched", "same_reordered_fetched", true, true},
		{"same_first_fetched", "same_of_a_form_fetched", true, true},
		{"same_first_fetched", "same_other_texts_fetched", true, true},
		{"same_first_fetched", "same_status_in_lower_case_fetched", true, true},
		{"same_document_fetched", "same_document_signers_reordered_fetched", true, true},

		{"same_first_fetched", "other_updated_at_fetched", false, false},
		{"same_first_fetched", "other_status_fetched", false, false},
		{"same_first_fetched", "other_object_gone", false, false},
		{"same_first_fetched", "other_scanned_at_fetched", true, false},
		{"same_document_fetched", "other_document_signed_fetched", false, false},
	} {
		t.Run(tc.a+" and "+tc.b, func(t *testing.T) {
			bodyA, fetchedA := fixture(t, tc.a)
			bodyB, fetchedB := fixture(t, tc.b)
			a, b := see(sandbox, bodyA, fetchedA), see(sandbox, bodyB, fetchedB)
			if a.err != nil || b.err != nil {
				t.Fatal(a.err, b.err)
			}
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

// The webhook alone claims nothing: the same bytes tell of each change.
func TestBareNotificationHasNoIdentity(t *testing.T) {
	for _, body := range []string{`{"id":"a"}`, "id=a"} {
		s := see(live, []byte(body), nil)
		if s.err != nil || s.identity != "" || len(s.Events) != 0 || !s.Incomplete {
			t.Errorf("%s: %+v; want no identity, no events and Incomplete", body, s)
		}
	}
}

// A dead letter never shares identity and content with a sound state, which would
// otherwise be dropped as its duplicate.
func TestDeadLettersSwallowNothing(t *testing.T) {
	const sound = `{"identification":{"id":"a","status":"SUCCESS","mode":"live","updatedAt":"2026-01-02T03:05:05Z"}}`
	good := seeObject(live, sound)
	if good.err != nil {
		t.Fatal(good.err)
	}
	for name, object := range map[string]string{
		"other mode": strings.Replace(sound, `"live"`, `"test"`, 1),
		"other id":   strings.Replace(sound, `"a"`, `"b"`, 1),
		"no status":  strings.Replace(sound, `"status":"SUCCESS",`, "", 1),
	} {
		bad := seeObject(live, object)
		if bad.err == nil || bad.hash == good.hash {
			t.Errorf("%s: error %v, hash equal %v", name, bad.err, bad.hash == good.hash)
		}
	}
}

// TestWrapperIsNoObject: what stands beside a wrapper that is no object is not what was asked for.
func TestWrapperIsNoObject(t *testing.T) {
	for _, wrapper := range []string{`[]`, `"SUCCESS"`, `true`, `7`} {
		s := seeObject(live, `{"identification":`+wrapper+`,"id":"a","status":"SUCCESS"}`)
		if !errors.Is(s.err, providers.ErrMalformed) {
			t.Errorf("identification %s: error %v, events %v", wrapper, s.err, s.Events)
		}
	}
	if s := seeObject(live, `{"identification":null,"id":"a","status":"SUCCESS"}`); s.err != nil {
		t.Errorf("identification null: %v", s.err)
	}
}

func TestEnvironment(t *testing.T) {
	for _, tc := range []struct {
		mode string // as JSON; "" for none
		is   kycv1.Environment
	}{
		{`"live"`, live},
		{`"Live"`, live},
		{`"test"`, sandbox},
		{`"staging"`, sandbox},
		{`["live"]`, sandbox},
		{`true`, sandbox},
	} {
		object := fmt.Sprintf(`{"identification":{"id":"a","status":"SUCCESS","mode":%s}}`, tc.mode)
		for _, endpoint := range []kycv1.Environment{live, sandbox} {
			s := seeObject(endpoint, object)
			if fits := endpoint == tc.is; fits != (s.err == nil) || !fits && !errors.Is(s.err, providers.ErrMismatch) {
				t.Errorf("mode %s on an endpoint of %s: %v", tc.mode, endpoint, s.err)
			}
		}
	}
	for _, object := range []string{`{"identification":{"id":"a","status":"SUCCESS"}}`, `{"identification":{"id":"a","status":"SUCCESS","mode":null}}`, `{"identification":{"id":"a","status":"SUCCESS","mode":" "}}`} {
		if s := seeObject(live, object); s.err != nil || len(s.Drift) == 0 {
			t.Errorf("without a mode: %v, drift %v; want an event and drift", s.err, s.Drift)
		}
	}
}

// TestStatuses: only two words approve, whatever stands beside them.
func TestStatuses(t *testing.T) {
	words := strings.Fields(`PENDING SUCCESS FAILED REVOKED open completed paid expired canceled failed_by_user
		SUCCESSFUL UNSUCCESSFUL NOT_SUCCESS success: 1 true`)
	for _, word := range words {
		for _, spelled := range []string{word, strings.ToLower(word), strings.ToUpper(word), " " + word + " "} {
			for _, scanned := range []string{"null", `"2026-01-02T03:04:30Z"`} {
				object := fmt.Sprintf(`{"identification":{"id":"a","mode":"live","status":%q,"scannedAt":%s}}`, spelled, scanned)
				s := seeObject(live, object)
				if s.err != nil {
					t.Fatal(spelled, s.err)
				}
				e := s.Events[0].(*kycv1.SessionEvent)
				good := strings.EqualFold(word, "success") || strings.EqualFold(word, "completed")
				if got := e.Decision == kycv1.Decision_DECISION_APPROVED; got != good {
					t.Errorf("%q is approved: %v, want %v", spelled, got, good)
				}
				if e.VendorStatus != strings.TrimSpace(spelled) {
					t.Errorf("%q is kept as %q", spelled, e.VendorStatus)
				}
				if _, known := statuses.Of(word); known == (len(s.Drift) > 0) {
					t.Errorf("%q: known %v, drift %v", spelled, known, s.Drift)
				}
			}
		}
	}
}

// TestCheck is what makes the hydrate stage ask again.
func TestCheck(t *testing.T) {
	for _, tc := range []struct {
		name, kind, answer string
		err                error
	}{
		{"wrapped", identification, `{"identification":{"id":"a","status":"PENDING"}}`, nil},
		{"unwrapped", identification, `{"id":"a","status":"open"}`, nil},
		{"unknown status", identification, `{"identification":{"id":"a","status":"NEW"}}`, nil},
		{"document", document, `{"document":{"id":"a","documentStatus":"PENDING"}}`, nil},
		{"document without status", document, `{"document":{"id":"a"}}`, nil},
		{"another id", identification, `{"identification":{"id":"A","status":"PENDING"}}`, providers.ErrMismatch},
		{"another document", document, `{"document":{"id":"b"}}`, providers.ErrMismatch},
		{"no id", identification, `{"identification":{"status":"PENDING"}}`, providers.ErrMalformed},
		{"no status", identification, `{"identification":{"id":"a"}}`, providers.ErrInvalid},
		{"empty", identification, `{}`, providers.ErrMalformed},
		{"null", identification, `{"identification":null}`, providers.ErrMalformed},
		{"an error", identification, `{"status":401,"title":"Unauthorized Request"}`, providers.ErrMalformed},
		{"no JSON", identification, `<html>CANARY</html>`, providers.ErrMalformed},
	} {
		err := Provider.Hydration.Check(providers.Target{Kind: tc.kind, ID: "a"}, []byte(tc.answer))
		if !errors.Is(err, tc.err) {
			t.Errorf("%s: %v, want %v", tc.name, err, tc.err)
		}
		if err != nil && strings.Contains(err.Error(), "CANARY") {
			t.Errorf("%s: the error quotes the answer: %v", tc.name, err)
		}
	}
}

// TestHydration: what is asked for goes where the API has it.
func TestHydration(t *testing.T) {
	h := Provider.Hydration
	if !h.Required || !h.AskAgain || h.Auth.Scheme != providers.APIKey {
		t.Errorf("Required %v, AskAgain %v, scheme %d", h.Required, h.AskAgain, h.Auth.Scheme)
	}
	first, second := h.Objects[identification], h.Objects[document]
	if first.Path != "/v1/identification/{id}" || first.OrElse != document || second.Path != "/v1/document/{id}" || second.OrElse != "" {
		t.Errorf("objects are %+v", h.Objects)
	}
	target, needed := h.Needs(&providers.Delivery{Body: []byte("id=tr_1")}, nil)
	if target != (providers.Target{Kind: identification, ID: "tr_1"}) || !needed {
		t.Errorf("needs %+v, %v", target, needed)
	}
	if Provider.Ack.Code() != http.StatusOK {
		t.Errorf("answers %d; the vendor takes 200 only", Provider.Ack.Code())
	}
}

// TestVary: a webhook and its object still belong together.
func TestVary(t *testing.T) {
	const object = `{"identification":{"id":"a-long-enough-identifier","status":"SUCCESS","mode":"test","proofmeId":"other"}}`
	for _, body := range []string{`{"id":"a-long-enough-identifier"}`, "id=a%2Dlong-enough-identifier"} {
		for n := range uint64(3) {
			s := see(sandbox, Provider.Vary([]byte(body), n), answer(identification, string(Provider.Vary([]byte(object), n))))
			if s.err != nil || len(s.Events) != 1 || strings.HasSuffix(s.key, "/a-long-enough-identifier") {
				t.Errorf("%s, %d: %+v", body, n, s)
			}
		}
	}
	for _, body := range []string{"hello", "id=", ""} {
		if got := Provider.Vary([]byte(body), 1); !bytes.Equal(got, []byte(body)) {
			t.Errorf("%q varies to %q", body, got)
		}
	}
}

// FuzzKey holds the two readers of an id against each other.
func FuzzKey(f *testing.F) {
	for _, seed := range []string{`{"id":"a"}`, `{"id":1}`, "id=a", "id=a&id=%62", "\xef\xbb\xbfid=a\n", "a=%zz", "[", "{}", " {\"id\":\"..\"}", "id=\xff"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		d := &providers.Delivery{Body: body}
		key := Provider.Key(d)
		n, err := Provider.Parse(d)
		if (err == nil) != (key != "") {
			t.Fatalf("Key gives %q, Parse %v", key, err)
		}
		if err == nil && (n.Doc.At("id").ID() != key || !providers.ValidObjectID(key)) {
			t.Errorf("Key gives %q, Parse %q", key, n.Doc.At("id").ID())
		}
	})
}

// FuzzObject reads whatever an API might answer.
func FuzzObject(f *testing.F) {
	all, err := Provider.Fixtures()
	if err != nil {
		f.Fatal(err)
	}
	for _, one := range all {
		if _, fetched := fixture(f, one.Name); fetched != nil {
			f.Add(fetched.Body, fetched.Kind == document)
		}
	}
	f.Fuzz(func(t *testing.T, body []byte, isDocument bool) {
		kind := identification
		if isDocument {
			kind = document
		}
		o, err := readObject(kind, body)
		if err != nil {
			return
		}
		s := see(live, []byte(`{"id":"`+o.id()+`"}`), answer(kind, string(body)))
		if s.err != nil {
			return
		}
		for _, e := range s.Events {
			session, ok := e.(*kycv1.SessionEvent)
			if ok == isDocument {
				t.Errorf("a %s becomes %T", kind, e)
			}
			word := strings.ToLower(o.status())
			if session.GetDecision() == kycv1.Decision_DECISION_APPROVED && word != "success" && word != "completed" {
				t.Errorf("%q is approved", word)
			}
		}
	})
}
