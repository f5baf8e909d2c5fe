package providertest

import (
	"errors"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/kycbridge/kycbridge/providers"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// The toy's story: a check is done, and a second one.
const (
	toyStory = `{"about":"Two checks.","begins":"2026-03-02T09:00:00Z","deliveries":[
		{"after":"0s","body":{"id":"5ed170fe99c81a0007b9a3d3","check":"65c12a6426d2ab000814037e","verdict":"fine","final":true,"name":"CANARY-NAME"}},
		{"after":"3d","body":{"id":"5ed170fe99c81a0007b9a3d4","check":"65c12a6426d2ab000814037f","verdict":"bad","final":true}}]}`
	toyStoryWant = `# Two checks.

+0s done
  check.v1 result=PASSED vendor_result=fine

+3d done
  check.v1 vendor_result=bad
`
)

// telling gives the toy its story, with a part of it replaced.
func telling(from, to string) func(*providers.Provider) {
	return func(p *providers.Provider) {
		text := strings.Replace(toyStory, from, to, 1)
		if text == toyStory && from != "" {
			panic("there is no " + from + " in the story")
		}
		p.Stories = fstest.MapFS{"stories/two.json": {Data: []byte(text)}, "stories/two.want": {Data: []byte(toyStoryWant)}}
	}
}

// asking makes the toy's API be asked about each check, and refuse each answer.
func asking(p *providers.Provider) {
	p.Maps = map[string]providers.MapFunc{"done": func(d *providers.Delivery, n *providers.Notice) (providers.Mapping, error) {
		m, err := mapToy(d, n)
		m.Incomplete = d.Fetched == nil
		return m, err
	}}
	p.Hydration = &providers.Hydration{
		Objects: map[string]providers.APIObject{"check": {Path: "/checks/{id}"}},
		Needs: func(_ *providers.Delivery, n *providers.Notice) (providers.Target, bool) {
			return providers.Target{Kind: "check", ID: n.Doc.At("check").ID()}, true
		},
		Check: func(providers.Target, []byte) error { return errors.New("another check") },
	}
}

func TestSoundStoryPasses(t *testing.T) {
	p := toy()
	telling("", "")(&p)
	if got := complaints(t, p); got != "" {
		t.Errorf("the suite complains about a sound story:\n%s", got)
	}
}

// TestFaultyStoriesAreNoticed: each check of a story can fail.
func TestFaultyStoriesAreNoticed(t *testing.T) {
	both := func(story, vendor func(*providers.Provider)) func(*providers.Provider) {
		return func(p *providers.Provider) { story(p); vendor(p) }
	}
	sound := telling("", "")
	session := func(transitions ...kycv1.SessionTransition) func(*providers.Provider) {
		return both(sound, func(p *providers.Provider) {
			p.Maps = map[string]providers.MapFunc{"done": func(_ *providers.Delivery, n *providers.Notice) (m providers.Mapping, _ error) {
				e := &kycv1.SessionEvent{Metadata: &kycv1.EventMetadata{Subject: &kycv1.Subject{SessionId: "s-1"}}, Transition: transitions[0]}
				if n.Doc.At("verdict").Text() == "bad" {
					e.Transition = transitions[1]
				}
				m.Add(e)
				return m, nil
			}}
		})
	}
	happened := func(at ...string) func(*providers.Provider) {
		return both(sound, after(func(n *providers.Notice, e *kycv1.CheckEvent) {
			text := at[0]
			if n.Doc.At("verdict").Text() == "bad" {
				text = at[1]
			}
			when, _ := time.Parse(time.RFC3339, text)
			e.Metadata.OccurredAt = timestamppb.New(when)
		}))
	}
	noticed(t, []fault{
		{"too long", "story two lasts 360h0m0s; want at most", telling(`"3d"`, `"15d"`)},
		{"other golden", "stories/two.want differs", telling("Two checks.", "Three checks.")},
		{"drift", "two 1: to the mapping [{field colour}] is new", telling(`"verdict":"fine"`, `"verdict":"fine","colour":"blue"`)},
		{"a dead letter that nobody foresaw", "two 1 becomes DEAD_LETTER_REASON_INVALID", telling(`"check":"65c12a6426d2ab000814037e",`, "")},
		{"no dead letter", "the story says DEAD_LETTER_REASON_UNMAPPED", telling(`"after":"3d",`, `"after":"3d","dead_letter":"UNMAPPED",`)},
		{"a word of fixtures", `two 2 has "perhaps", which no vendor sends`, telling(`"bad"`, `"perhaps"`)},
		{"a word that looks like a name", `two 2: vendor_result is "very bad", which is shown as its digest`, telling(`"bad"`, `"very bad"`)},
		{"a name without the mark", "body name is about a person", telling("CANARY-NAME", "Jane Roe")},
		{"an id of no vendor", "the key providertest/my-check is no id of the vendor's form", telling("65c12a6426d2ab000814037e", "my-check")},
		{"an id that stays", "two tellings have the key", telling(`"deliveries"`, `"fixed":["65c12a6426d2ab000814037e"],"deliveries"`)},
		{"an event that stays", "two tellings have the identity", telling(`"deliveries"`, `"fixed":["5ed170fe99c81a0007b9a3d3"],"deliveries"`)},
		{"an answer that nobody asked for", "nobody asks the API here", telling(`"after":"3d",`, `"after":"3d","fetched":{"result":"NOT_FOUND"},`)},
		{"no answer", "two 1: the API is asked for check ", both(sound, asking)},
		{"an answer that is refused", "the answer is refused: another check", both(telling(`"after":"3d",`, `"after":"3d","fetched":{"result":"FETCHED","kind":"check","object":{}},`), asking)},
		{"the same id for something else", "delivery 2 has the identity of delivery 1 and says something else", telling("5ed170fe99c81a0007b9a3d4", "5ed170fe99c81a0007b9a3d3")},
		{"not JSON", "stories/two.json: ", telling(`"about"`, `about`)},
		{"a session that goes back", "session s-1 is SESSION_TRANSITION_STARTED after SESSION_TRANSITION_COMPLETED", session(completed, started)},
		{"a session that begins as changed", "is SESSION_TRANSITION_DECISION_CHANGED after SESSION_TRANSITION_UNSPECIFIED", session(changed, changed)},
		{"a session without an end", "ends while session s-1 is SESSION_TRANSITION_PROCESSING", session(started, processing)},
		{"a time that stays", "two 1, told 48h0m0s later, says that it happened at 2026-05-29", happened("2026-05-29T00:00:00Z", "2026-06-01T00:00:00Z")},
		{"told in another order", "is told after what happened at 2026-05-31", happened("2026-05-31T00:00:00Z", "2026-05-30T00:00:00Z")},
		{"told before it happened", "and an event is of 2026-06-02", happened("2026-05-31T00:00:00Z", "2026-06-02T00:00:00Z")},
		{"told of long ago", "and an event is of 2026-04-01", happened("2026-04-01T00:00:00Z", "2026-05-31T00:00:00Z")},
		{"a session after its end", "is SESSION_TRANSITION_COMPLETED after SESSION_TRANSITION_EXPIRED", session(expired, completed)},
	})
}
