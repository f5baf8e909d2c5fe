package providers

import (
	"strings"
	"testing"
	"testing/fstest"
	"time"

	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// storyOf is a story of these deliveries, given as JSON.
func storyOf(t *testing.T, ids, fixed, deliveries string) Story {
	t.Helper()
	all, err := book(`{"about":"One.","begins":"2026-03-02T09:00:00Z","ids":[` + ids + `],"fixed":[` + fixed + `],"deliveries":[` + deliveries + `]}`).ReadStories()
	if err != nil {
		t.Fatal(err)
	}
	return all[0]
}

func book(text string) *Provider {
	return &Provider{Name: "acme", Stories: fstest.MapFS{"stories/one.json": {Data: []byte(text)}, "stories/one.want": {Data: []byte("no story")}}}
}

func TestStories(t *testing.T) {
	s := storyOf(t, `"ref-1"`, `"f"`, `
		{"after": "0s", "headers": {"acme-event": "begun"}, "body": { "id": "a" }},
		{"after": "3d", "body": {}, "dead_letter": "UNMAPPED"},
		{"after": "1h30m", "body": {}, "fetched": {"result": "FETCHED", "kind": "check", "object": {"id":1}}}`)
	first, last := s.Deliveries[0], s.Deliveries[2]
	if s.Name != "one" || s.About != "One." || len(s.Deliveries) != 3 || s.Lasts() != 73*time.Hour+30*time.Minute || s.IDs[0] != "ref-1" || s.Fixed[0] != "f" {
		t.Errorf("the story is %+v", s)
	}
	if string(first.Body) != `{"id":"a"}` || first.Headers.Get("Acme-Event") != "begun" || first.Name != "one 1" || first.Becomes != 0 {
		t.Errorf("the first delivery is %+v", first)
	}
	if s.Deliveries[1].Becomes != kycv1.DeadLetterReason_DEAD_LETTER_REASON_UNMAPPED || last.Fetched.Kind != "check" || string(last.Fetched.Body) != `{"id":1}` {
		t.Errorf("the others are %+v", s.Deliveries[1:])
	}
	if all, err := (&Provider{}).ReadStories(); all != nil || err != nil {
		t.Errorf("a vendor without stories has %v, %v", all, err)
	}
}

func TestFaultyStories(t *testing.T) {
	story := func(delivery string) string {
		return `{"about":"One.","begins":"2026-03-02T09:00:00Z","deliveries":[` + delivery + `]}`
	}
	for text, want := range map[string]string{
		``:                                  "want an object with about, begins and deliveries",
		`{}`:                                "none of them empty",
		story(""):                           "none of them empty",
		`{"about":"x","end":"y"}`:           `unknown field "end"`,
		story(`{"after":"0s"}`):             "delivery 1: want a body",
		story(`{"after":"soon","body":{}}`): `after is "soon"; want a duration`,
		story(`{"after":"-1s","body":{}}`):  `after is "-1s"; want a duration`,
		story(`{"body":{}}`):                `after is ""; want a duration`,
		story(`{"after":"-1d","body":{}}`):  `after is "-1d"; want a duration`,
		story(`{"after":"0s","body":{},"dead_letter":"GONE"}`):                                 `dead_letter is "GONE"; want the name of a reason, such as UNMAPPED`,
		story(`{"after":"0s","body":{},"fetched":{"result":"PENDING"}}`):                       `fetched: result is "PENDING"`,
		story(`{"after":"0s","body":{},"fetched":{"result":"FETCHED"}}`):                       "fetched: want an object exactly where result is FETCHED",
		story(`{"after":"0s","body":{}},{"after":"0s","body":{},"dead_letter":"UNSPECIFIED"}`): "delivery 2: dead_letter",
	} {
		if _, err := book(text).ReadStories(); err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "acme: stories/one.json: ") {
			t.Errorf("%s\nis told with %v, want %q", text, err, want)
		}
	}
}

// TestTellMovesTimes: whatever form a time of the story has, it keeps it, and moves as all others do.
func TestTellMovesTimes(t *testing.T) {
	for written, want := range map[string]string{
		`"2026-03-02T09:00:00.964Z"`:              `"2026-11-28T12:30:00.964Z"`,
		`"2026-03-02T09:00:00Z"`:                  `"2026-11-28T12:30:00Z"`,
		`"2026-03-02T09:00:00+00:00"`:             `"2026-11-28T12:30:00+00:00"`,
		`"2026-03-02T09:00:00.454774"`:            `"2026-11-28T12:30:00.454774"`,
		`"2026-03-02 09:00:00"`:                   `"2026-11-28 12:30:00"`,
		`"2026-03-02"`:                            `"2026-11-28"`, // no earlier than the day of the delivery
		`"2026-03-12T00:00:00Z"`:                  `"2026-12-08T00:00:00Z"`,
		`1772442000`:                              `1795869000`,
		`"https://x.invalid/?Expires=1772442600"`: `"https://x.invalid/?Expires=1795869600"`,
		`"1988-03-02"`:                            `"1988-03-02"`, // of a person
		`"2031-03-02"`:                            `"2031-03-02"`, // of a passport
		`1554726960`:                              `1554726960`,
		`"840000001772442000"`:                    `"840000001772442000"`, // of a number
		`"2026-13-02"`:                            `"2026-13-02"`,
		`17724420`:                                `17724420`,
	} {
		s := storyOf(t, "", "", `{"after":"0s","body":{"at":`+written+`}},{"after":"2d","body":{}}`)
		end := time.Date(2026, 11, 30, 12, 30, 0, 999, time.UTC)
		if got := string(s.Tell(1, end)[0].Body); got != `{"at":`+want+`}` {
			t.Errorf("%s is told as %s, want %s", written, got, want)
		}
	}
}

// TestTellRenames: ids are others in each telling, of the same form, and the same everywhere in one.
func TestTellRenames(t *testing.T) {
	const (
		session, hex = "0197c55f-5af6-7e3d-af9b-f2359b134be8", "5ed170fe99c81a0007b9a3d3"
		flow, ref    = "40cbb7b3-7468-4b5d-8bb5-ff8e82510c70", "customer-20417"
	)
	s := storyOf(t, `"`+ref+`"`, `"`+flow+`"`, `
		{"after":"0s","headers":{"X-Session":"`+session+`"},"body":{"session":"`+session+`","flow":"`+flow+`","ref":"`+ref+`","word":"facade","digits":"840000000000000023456789"}},
		{"after":"0s","body":{"id":"`+hex+`"},"fetched":{"result":"FETCHED","kind":"check","object":{"id":"`+hex+`","link":"https://x.invalid/`+session+`"}}}`)
	before := string(s.Deliveries[0].Body) + string(s.Deliveries[1].Fetched.Body) + s.Deliveries[0].Headers.Get("X-Session")
	seen := map[string]bool{}
	for n := range uint64(50) {
		told := s.Tell(n, s.Begins)
		doc, _ := ReadObject(told[0].Body)
		id, hex := doc.At("session").Text(), ""
		if doc, err := ReadObject(told[1].Body); err == nil {
			hex = doc.At("id").Text()
		}
		if !isUUID(id) || id[14] != '7' || id[19] != 'a' || !isHex(hex) || len(hex) != 24 {
			t.Fatalf("the ids are %s and %s", id, hex)
		}
		for _, id := range []string{id, hex, doc.At("ref").Text()} {
			if seen[id] {
				t.Errorf("%s is told twice", id)
			}
			seen[id] = true
		}
		if ref := doc.At("ref").Text(); len(ref) != len("customer-20417") || !strings.HasPrefix(ref, "customer-") {
			t.Errorf("the reference is %s", ref)
		}
		if doc.At("flow").Text() != flow || doc.At("word").Text() != "facade" || doc.At("digits").Text() != "840000000000000023456789" {
			t.Errorf("what is no id of the customer is told as %s", told[0].Body)
		}
		if got := told[0].Headers.Get("X-Session"); got != id {
			t.Errorf("the header has %s, the body %s", got, id)
		}
		if got, want := string(told[1].Fetched.Body), `{"id":"`+hex+`","link":"https://x.invalid/`+id+`"}`; got != want {
			t.Errorf("the API has %s, want %s", got, want)
		}
		if again := s.Tell(n, s.Begins); string(again[0].Body) != string(told[0].Body) {
			t.Errorf("telling %d differs from itself", n)
		}
	}
	if after := string(s.Deliveries[0].Body) + string(s.Deliveries[1].Fetched.Body) + s.Deliveries[0].Headers.Get("X-Session"); after != before {
		t.Errorf("telling changed the story to %s", after)
	}
}

// One id may begin another; each keeps its form, and both stay what they are everywhere.
func TestTellIDsThatBeginOthers(t *testing.T) {
	s := storyOf(t, `"customer-1","customer-12345678"`, ``, `{"after":"0s","body":{"a":"customer-12345678","b":"customer-1","c":"customer-12345678"}}`)
	told, alone := map[string]bool{}, 0
	for n := range uint64(50) {
		doc, _ := ReadObject(s.Tell(n, s.Begins)[0].Body)
		a, b := doc.At("a").Text(), doc.At("b").Text()
		if a != doc.At("c").Text() || len(a) != len("customer-12345678") || len(b) != len("customer-1") {
			t.Errorf("told as %q and %q", a, b)
		}
		if told[a] = true; !strings.HasPrefix(a, b) {
			alone++
		}
	}
	if alone == 0 || len(told) != 50 {
		t.Errorf("of 50 tellings %d have an id of their own, %d one that does not begin as the other", len(told), alone)
	}
}
