package providertest

import (
	"bytes"
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/kycbridge/kycbridge/internal/canary"
	"github.com/kycbridge/kycbridge/providers"
	"github.com/kycbridge/kycbridge/schemas"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// maxStory is how long a story may last: an event that is older on arrival than claims
// are kept, two weeks by default, is flagged as stale, and a story ends when it is told.
const maxStory = 14 * 24 * time.Hour

// nasty are words of fixtures that no vendor has.
var nasty = regexp.MustCompile(`(?i)perhaps|absurd|zzz|invented|nonsense|unknown_|scan-ref|"(client|company|check|ref)-1"`)

// checkStories: each story is one that a vendor could tell, and all of it is understood.
func (s *suite) checkStories(t testing.TB) {
	stories, err := s.ReadStories()
	if err != nil {
		t.Error(err)
	}
	if _, err := os.Stat("stories"); err == nil && len(stories) == 0 {
		t.Error("there is a folder stories, and the vendor has none; embed it with //go:embed stories and set Stories")
	}
	for _, story := range stories {
		s.checkStory(t, story)
	}
}

func (s *suite) checkStory(t testing.TB, story providers.Story) {
	if story.Lasts() > maxStory {
		t.Errorf("story %s lasts %s; want at most %s, or its first events are stale when they are told", story.Name, story.Lasts(), maxStory)
	}
	told := story.Tell(1, s.now)
	results := make([]*result, len(told))
	for i, one := range told {
		results[i] = s.checkTold(t, one)
	}
	checkSessions(t, story.Name, results)
	checkOrder(t, story.Name, results, s.now)
	s.checkRetold(t, story, results)
	s.checkStoryGolden(t, story, results)
}

// checkTold: a delivery becomes what the story says, and nothing of it is new to us.
func (s *suite) checkTold(t testing.TB, one providers.Told) *result {
	t.Helper()
	d := s.toldOne(t, one)
	s.checkAsked(t, one, *d)
	r := s.read(d)
	s.checkResult(t, d, r, r.format(t))
	if got := reasonOf(r); got != one.Becomes {
		t.Errorf("%s becomes %s (%v); the story says %s", one.Name, got, r.err, one.Becomes)
	}
	if len(r.Drift) > 0 {
		t.Errorf("%s: to the mapping %v is new; a story has nothing that is", one.Name, r.Drift)
	}
	if word := nasty.Find(append(bytes.Clone(one.Body), fetchedBody(one)...)); word != nil {
		t.Errorf("%s has %q, which no vendor sends", one.Name, word)
	}
	s.checkPeople(t, one)
	for _, e := range r.Events {
		s.checkShown(t, one.Name, e.ProtoReflect())
	}
	s.checkIDs(t, one.Name, d, r)
	return r
}

// checkShown: who watches a story reads the vendor's words, not their digests.
func (s *suite) checkShown(t testing.TB, name string, e protoreflect.Message) {
	t.Helper()
	for f, v := range e.Range {
		if f.Kind() != protoreflect.StringKind || f.IsList() || !strings.HasPrefix(string(f.Name()), "vendor_") {
			continue
		}
		if word := v.String(); !providers.IsCode(word) && !s.KnowsWord(word) {
			t.Errorf("%s: %s is %q, which is shown as its digest; where the vendor documents it, add it to Words", name, f.Name(), word)
		}
	}
}

// toldOne is a delivery of a story as it arrives: at an endpoint for sandbox, since nothing
// that is made up is anybody's business.
func (s *suite) toldOne(t testing.TB, one providers.Told) *providers.Delivery {
	t.Helper()
	return s.delivery(t, one.Fixture, one.Body)
}

// reasonOf is that of the dead letter; UNSPECIFIED for events.
func reasonOf(r *result) kycv1.DeadLetterReason {
	if r.err == nil {
		return kycv1.DeadLetterReason_DEAD_LETTER_REASON_UNSPECIFIED
	}
	return providers.Reason(r.err)
}

func fetchedBody(one providers.Told) []byte {
	if one.Fetched == nil {
		return nil
	}
	return one.Fetched.Body
}

// checkAsked: where the vendor's API would be asked, the story says what it answers, and
// the answer is one that is believed.
func (s *suite) checkAsked(t testing.TB, one providers.Told, d providers.Delivery) {
	t.Helper()
	d.Fetched = nil
	r := s.read(&d)
	asked := r.needs != (providers.Target{})
	switch f := one.Fetched; {
	case !asked && f != nil:
		t.Errorf("%s: nobody asks the API here; leave fetched out", one.Name)
	case asked && f == nil:
		t.Errorf("%s: the API is asked for %s %s; say in fetched what it answers", one.Name, r.needs.Kind, r.needs.ID)
	case asked && f.Result == kycv1.FetchResult_FETCH_RESULT_FETCHED:
		target := providers.Target{Kind: f.Kind, ID: r.needs.ID} // it may be asked for under another kind next
		if s.Hydration.Check != nil && s.Hydration.Check(target, f.Body) != nil {
			t.Errorf("%s: the answer is refused: %v", one.Name, s.Hydration.Check(target, f.Body))
		}
	}
}

// checkPeople: what could identify somebody in the samples is marked in a story too.
func (s *suite) checkPeople(t testing.TB, one providers.Told) {
	t.Helper()
	personal := s.personal()
	for what, body := range map[string][]byte{inBody: one.Body, inAnswer: fetchedBody(one)} {
		var doc any
		_ = json.Unmarshal(body, &doc) // no answer, or no JSON, holds nothing
		texts(doc, "", func(path, text string) {
			if personal[what+path] && !strings.Contains(text, canary.Mark) {
				t.Errorf("%s: %s%s is about a person; write %s into it", one.Name, what, path, canary.Mark)
			}
		})
	}
}

// texts visits the texts of a document that are not blank, with their paths as canary.Spots writes them.
func texts(v any, path string, visit func(path, text string)) {
	switch v := v.(type) {
	case map[string]any:
		for name, member := range v {
			texts(member, strings.TrimPrefix(path+"."+name, "."), visit)
		}
	case []any:
		for _, item := range v {
			texts(item, path+".", visit)
		}
	case string:
		if strings.TrimSpace(v) != "" {
			visit(path, v)
		}
	}
}

// checkIDs: the ids of subjects, and the key, have the form that the vendor documents.
func (s *suite) checkIDs(t testing.TB, name string, d *providers.Delivery, r *result) {
	t.Helper()
	if key := s.RecordKey(d); !bytes.Equal(key, r.rawKey) {
		t.Errorf("%s: the key %s is no id of the vendor's form", name, r.rawKey)
	}
	if r.err != nil {
		return
	}
	for _, e := range r.Events {
		sub := e.GetMetadata().GetSubject()
		ids := []string{sub.GetSessionId(), sub.GetCheckId(), sub.GetClientId(), sub.GetCompanyId(), sub.GetDocumentId(), sub.GetAddressId(), sub.GetPartyId()}
		for _, id := range slices.Concat(ids, sub.GetRelatedCheckIds(), sub.GetRelatedSessionIds()) {
			if (providers.Gate{}).ID(&s.Provider, id) != id {
				t.Errorf("%s: %q is no id of the vendor's form", name, id)
			}
		}
	}
}

// checkOrder: what happened later is told later, and nothing is told before it happened.
func checkOrder(t testing.TB, story string, results []*result, end time.Time) {
	t.Helper()
	var before time.Time
	for _, r := range results {
		for _, e := range events[schemas.DomainEvent](r) {
			at := e.GetMetadata().GetOccurredAt()
			if at == nil {
				continue
			}
			if at.AsTime().Before(before) {
				t.Errorf("story %s: what happened at %s is told after what happened at %s", story, at.AsTime(), before)
			}
			if at.AsTime().After(end.Add(time.Second)) || end.Sub(at.AsTime()) > maxStory {
				t.Errorf("story %s is told at %s, and an event is of %s", story, end, at.AsTime())
			}
			before = at.AsTime()
		}
	}
}

// checkRetold: another telling is about another customer, and becomes the same; a later
// one says the same of later times.
func (s *suite) checkRetold(t testing.TB, story providers.Story, first []*result) {
	t.Helper()
	const wait = 48 * time.Hour
	other, after := story.Tell(2, s.now), story.Tell(1, s.now.Add(wait))
	for i, one := range other {
		r := s.read(s.toldOne(t, one))
		if got, want := line(r), line(first[i]); got != want {
			t.Errorf("%s, told again, becomes\n%s\nand the first time it became\n%s", one.Name, got, want)
		}
		late := s.read(s.toldOne(t, after[i]))
		for k, e := range events[schemas.DomainEvent](late) {
			at, before := e.GetMetadata().GetOccurredAt(), first[i].Events[k].GetMetadata().GetOccurredAt()
			if at != nil && at.AsTime().Sub(before.AsTime()) != wait {
				t.Errorf("%s, told %s later, says that it happened at %s instead of %s; is its time of a form that moves?", one.Name, wait, at.AsTime(), before.AsTime())
			}
		}
		key := string(r.rawKey)
		if strings.HasSuffix(key, "/") {
			continue // about the account: every telling is
		}
		if key == string(first[i].rawKey) {
			t.Errorf("%s: two tellings have the key %s; are all its ids found?", one.Name, key)
		}
		if n := first[i].notice; n != nil && r.notice != nil && len(n.Identity) > 0 && slices.Equal(n.Identity, r.notice.Identity) {
			t.Errorf("%s: two tellings have the identity %q, so that the second is taken for a copy", one.Name, n.Identity)
		}
	}
}

// copyOf is the delivery of which another is a copy, counted from 1; 0: of none. A copy
// that says something else has no place in a story.
func copyOf(t testing.TB, results []*result, i int) int {
	t.Helper()
	n := results[i].notice
	if n == nil || len(n.Identity) == 0 {
		return 0
	}
	for k, earlier := range results[:i] {
		if earlier.notice == nil || !slices.Equal(earlier.notice.Identity, n.Identity) {
			continue
		}
		if earlier.notice.ContentHash() != n.ContentHash() {
			t.Errorf("delivery %d has the identity of delivery %d and says something else", i+1, k+1)
		}
		return k + 1
	}
	return 0
}
