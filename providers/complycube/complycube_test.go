package complycube

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kycbridge/kycbridge/providers"
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

func see(t testing.TB, body []byte) seen {
	t.Helper()
	d := &providers.Delivery{Endpoint: "complycube", Tenant: "default", Body: body}
	s := seen{key: string(providers.RawKey(d.Endpoint, Provider.Key(d), d.Body))}
	n, err := Provider.Parse(d)
	if err != nil {
		s.err = err
		return s
	}
	s.identity, s.hash = string(n.Identity.Bytes()), n.ContentHash()
	if s.Mapping, s.err = Provider.Map(d, n); s.err == nil {
		Provider.Complete(d, n, []byte(s.key), nil, s.Mapping)
		s.eventID = s.Events[0].GetMetadata().GetEventId()
	}
	return s
}

func fixture(t testing.TB, name string) []byte {
	t.Helper()
	for _, file := range []string{"body.json", "body.bin"} {
		if b, err := os.ReadFile(filepath.Join("testdata", name, file)); err == nil {
			return b
		}
	}
	t.Fatalf("no fixture %s", name)
	return nil
}

// TestSame says which pairs of fixtures tell one fact: those, and only those,
// become one event.
func TestSame(t *testing.T) {
	for _, tc := range []struct {
		a, b           string
		identity, hash bool // equal
	}{
		{"check_completed", "check_completed_clear", true, true},
		{"check_completed_of_match_confirmed", "check_completed_match_confirmed", true, true},
		{"check_complete_legacy", "check_complete_clear_legacy", true, true},
		{"document_updated", "document_updated_image_uploaded", true, true},
		{"document_updated_image_uploaded", "document_updated_image_uploaded_other_link", true, true},
		{"same_compact", "same_spaced_and_reordered", true, true},
		{"same_compact", "same_escaped", true, true},
		{"same_compact", "form_byte_order_mark", true, true},

		{"check_completed", "check_completed_other_payload", false, false},
		{"check_completed_without_updated_at", "check_completed_clear_without_updated_at", false, false},
		{"check_completed_outcome_only_in_type", "check_completed_outcome_missing_same_payload", false, true},
		{"check_completed_attention", "check_monitoring_attention_after_completion", false, false},
		{"document_updated_without_updated_at", "document_updated_image_without_updated_at", false, false},
		{"document_updated", "document_updated_image_deleted", false, false},
		{"same_id_first", "same_id_other_content", true, false},
	} {
		t.Run(tc.a+" and "+tc.b, func(t *testing.T) {
			a, b := see(t, fixture(t, tc.a)), see(t, fixture(t, tc.b))
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

// A delivery that becomes a dead letter is never the same as a sound one, which
// would otherwise be dropped as its duplicate.
func TestDeadLettersSwallowNothing(t *testing.T) {
	sound := string(fixture(t, "check_completed"))
	for name, body := range map[string]string{
		"type contradicts outcome": strings.Replace(sound, `"check.completed"`, `"check.completed.rejected"`, 1),
		"no event id":              strings.Replace(sound, `{"id":`, `{"_id":`, 1),
	} {
		bad := see(t, []byte(body))
		if bad.err == nil || bad.identity == "" || bad.identity == see(t, []byte(sound)).identity {
			t.Errorf("%s: error %v, identity %q", name, bad.err, bad.identity)
		}
	}
}

func TestAtMostOneEventOnATopic(t *testing.T) {
	fixtures, err := Provider.Fixtures()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range fixtures {
		topics := map[string]bool{}
		for _, e := range see(t, f.Body).Events {
			topic, _ := schemas.TopicFor(e)
			if topics[topic.Base] {
				t.Errorf("%s: two events on %s", f.Name, topic.Base)
			}
			topics[topic.Base] = true
		}
	}
}

// TestOneUnknownWord: a single word that is new to us is enough to say nothing
// good, whatever the other words are.
func TestOneUnknownWord(t *testing.T) {
	fixtures, err := Provider.Fixtures()
	if err != nil {
		t.Fatal(err)
	}
	tried := 0
	for _, f := range fixtures {
		for _, word := range []string{`"status":"complete"`, `"status":"processing"`, `"outcome":"clear"`} {
			name, _, _ := strings.Cut(word, ":")
			for _, other := range []string{`"zzz_unknown"`, `{}`, `["clear"]`, `true`, `0`} {
				body := strings.Replace(string(f.Body), word, name+":"+other, 1)
				if body == string(f.Body) {
					continue
				}
				tried++
				for _, e := range see(t, []byte(body)).Events {
					if isGood(e) {
						t.Errorf("%s with %s:%s says that all is well: %v", f.Name, name, other, e)
					}
				}
			}
		}
	}
	if tried == 0 {
		t.Error("no fixture has the words that this test replaces")
	}
}

func isGood(e schemas.DomainEvent) bool {
	switch e := e.(type) {
	case *kycv1.SessionEvent:
		return e.Decision == kycv1.Decision_DECISION_APPROVED
	case *kycv1.CheckEvent:
		return e.Result == kycv1.CheckResult_CHECK_RESULT_PASSED
	case *kycv1.AmlEvent:
		return e.Status == kycv1.AmlStatus_AML_STATUS_CLEAR
	}
	return false
}

// TestCoversTheVendorsList holds Maps against the vendor's list of event types.
func TestCoversTheVendorsList(t *testing.T) {
	current := strings.Fields(`
		workflow.session.started workflow.session.cancelled workflow.session.processing workflow.session.completed
		workflow.session.updated check.pending check.completed check.completed.clear check.completed.attention
		check.completed.rejected check.completed.match_confirmed check.monitoring.attention check.failed check.updated
		client.created client.updated client.deleted document.created document.updated document.updated.image_uploaded
		document.updated.image_deleted document.deleted address.created address.updated address.deleted`)
	for _, typ := range current {
		if Provider.Maps[typ] == nil {
			t.Errorf("%s is not mapped", typ)
		}
	}
	if len(current) != 25 || len(Provider.Maps) != 25 {
		t.Errorf("%d types in the list, %d in Maps, want 25", len(current), len(Provider.Maps))
	}
}

func TestSpellings(t *testing.T) {
	for in, want := range map[string]string{
		"check.complete":           "check.completed",
		"check.complete.clear":     "check.completed.clear",
		"check.complete.attention": "check.completed.attention",
		"check.completed":          "check.completed",
		"check.completed.clear":    "check.completed.clear",
		"check.completely":         "check.completely",
		"client.created":           "client.created",
	} {
		if got := current(in); got != want {
			t.Errorf("%s is read as %s, want %s", in, got, want)
		}
	}
}

// TestCase: words in capitals are the same words, types are not.
func TestCase(t *testing.T) {
	sound := string(fixture(t, "check_completed_clear"))
	s := see(t, []byte(strings.Replace(sound, `"outcome":"clear"`, `"outcome":"Clear"`, 1)))
	if s.err != nil || !isGood(s.Events[0]) {
		t.Errorf("Clear is not read as clear: %v %v", s.err, s.Events)
	}
	s = see(t, []byte(strings.Replace(sound, "check.completed", "Check.Completed", 1)))
	if !errors.Is(s.err, providers.ErrUnmapped) {
		t.Errorf("an event type in capitals: %v", s.err)
	}
}
