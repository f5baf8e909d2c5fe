package providers

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

var errFixture = errors.New("no problem of ours")

func parsed(t testing.TB, body string) *Value {
	t.Helper()
	v, err := ReadObject([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestWord(t *testing.T) {
	for _, tc := range []struct{ in, want string }{
		{"clear", "clear"},
		{"  clear\n", "clear"},
		{"two\r\nlines", "two  lines"},
		{"a\u2028b\u2029c\u0085d\x7fe", "a b c d e"},
		{strings.Repeat("ä", 128), strings.Repeat("ä", 128)},
		{strings.Repeat("ä", 129), strings.Repeat("ä", 128)},
		{strings.Repeat("w", 127) + " tail", strings.Repeat("w", 127)},
		{"\t\n", ""},
		{" someone@example.invalid ", Digest("someone@example.invalid")},
		{" " + token, Digest(token)},
		{"eyJ.hbGciOi", "eyJ.hbGciOi"},
	} {
		if got := Word(tc.in); got != tc.want {
			t.Errorf("Word(%q) is %q, want %q", tc.in, got, tc.want)
		}
	}
}

func FuzzWord(f *testing.F) {
	f.Add("a\nb")
	f.Add(strings.Repeat("ä", 200))
	f.Fuzz(func(t *testing.T, s string) {
		got := Word(s)
		if utf8.RuneCountInString(got) > 128 || strings.ContainsFunc(got, isControl) || Word(got) != got {
			t.Errorf("Word(%q) is %q", s, got)
		}
	})
}

func TestFirstWord(t *testing.T) {
	if got := FirstWord("", " \n", "status", "type"); got != "status" {
		t.Errorf("FirstWord is %q", got)
	}
}

func TestIsCode(t *testing.T) {
	for s, want := range map[string]bool{
		"document_has_expired": true, "DOC-1.2:a/b": true, "7": true, strings.Repeat("a", 128): true,
		"": false, "_a": false, ".a": false, "two words": false, "a@b": false, "ä": false, "a\n": false,
		"a|b": false, "[": false, "@": false, strings.Repeat("a", 129): false,
	} {
		if IsCode(s) != want {
			t.Errorf("IsCode(%.20q) is %v", s, !want)
		}
	}
}

func TestEnum(t *testing.T) {
	e := Enum[int]{"clear": 1, "linked to": 2}
	for word, want := range map[string]bool{"Linked \t to": true, "linkedto": false, "clear": true, "CLEAR": true, " Clear ": true, "cleared": false, "": false} {
		if _, ok := e.Of(word); ok != want {
			t.Errorf("Of(%q) finds it: %v", word, ok)
		}
	}
}

func TestListsAndTimes(t *testing.T) {
	v := parsed(t, `{"codes":["OK_1","free text about Erika",7,"B"],"ids":[{"id":"a"},{"id":1},{"id":"a"},{}],"no":"x",
		"at":"2026-01-02T03:04:05.006+02:00","zero":"0000-01-01T00:00:00Z","word":"yesterday","number":1767323045,"null":null}`)
	var m Mapping
	if got := m.Codes("reason_code", v.At("codes")); !slices.Equal(got, []string{"OK_1", "B"}) {
		t.Errorf("Codes gives %q", got)
	}
	if got := m.IDs("id", v.At("ids"), "id"); !slices.Equal(got, []string{"a", "1"}) {
		t.Errorf("IDs gives %q", got)
	}
	if m.Codes("x", v.At("no")) != nil || m.IDs("x", v.At("nothing")) != nil {
		t.Error("a list out of nothing")
	}
	if got := m.Time("t", v.At("at")); got == nil || !got.AsTime().Equal(time.Date(2026, 1, 2, 1, 4, 5, 6e6, time.UTC)) {
		t.Errorf("Time gives %v", got)
	}
	if m.Time("t", v.At("null")) != nil || m.Time("t", v.At("nothing")) != nil {
		t.Error("a time out of nothing")
	}
	for _, name := range []string{"zero", "word", "number"} {
		if got := m.Time("time", v.At(name)); got != nil {
			t.Errorf("%s: Time gives %v", name, got)
		}
	}
	want := []Drift{{"reason_code", ""}, {"id", ""}, {"time", ""}}
	if !slices.Equal(m.Drift, want) {
		t.Errorf("drift is %v, want %v", m.Drift, want)
	}
}

func TestDriftIsBounded(t *testing.T) {
	var m Mapping
	body := `{"known":1,"a name with Erika":1`
	for range 100 {
		body += `,"new` + strings.Repeat("x", len(m.Drift)+1) + `":1`
		m.Note("status", strings.Repeat("w", 1000)+"\n") // once, whatever is cut off
		m.Note("status", strings.Repeat("w", len(m.Drift)))
	}
	if len(m.Drift) != maxDrift || m.Drift[0].Word != strings.Repeat("w", 128) {
		t.Errorf("%d entries, the first %v", len(m.Drift), m.Drift[0])
	}
	m = Mapping{}
	m.Shape("payload.", parsed(t, body+"}"), Fields{"known": AnyField})
	if len(m.Drift) < 2 || m.Drift[0] != (Drift{"field", "payload."}) || m.Drift[1] != (Drift{"field", "payload.newx"}) {
		t.Errorf("drift is %v", m.Drift)
	}
}

func TestAckBudget(t *testing.T) {
	for limit, want := range map[time.Duration]time.Duration{0: 3 * time.Second, time.Second: 3 * time.Second, 10 * time.Second: 8 * time.Second, 15 * time.Second: 13 * time.Second} {
		if got := (Ack{Limit: limit}).Budget(); got != want {
			t.Errorf("limit %s gives a budget of %s, want %s", limit, got, want)
		}
	}
	final := Ack{FinalStatuses: []StatusRange{{400, 428}, {430, 499}}}
	for status, want := range map[int]bool{399: false, 400: true, 401: true, 428: true, 429: false, 430: true, 499: true, 503: false} {
		if final.Final(status) != want {
			t.Errorf("status %d is final: %v, want %v", status, !want, want)
		}
	}
	if (Ack{}).Code() != 200 || (Ack{Success: 202}).Code() != 202 {
		t.Error("Code is wrong")
	}
}

func TestVaryIDs(t *testing.T) {
	body := []byte(`{"id":"e-0001","p":{"id":"e-0001-long-enough","list":[{"id":"third-0123456789"}],"text":"e-0001"},"n":7}`)
	one := VaryIDs(body, 1, "id", "p.id", "p.list.id", "n", "missing.id")
	a, b := parsed(t, string(one)), parsed(t, string(body))
	for _, path := range [][]string{{"id"}, {"p", "id"}} {
		if a.At(path...).Text() == b.At(path...).Text() || a.At(path...).Text() == "" {
			t.Errorf("%q is %q", path, a.At(path...).Text())
		}
	}
	if a.At("id").Text() != a.At("p", "text").Text() {
		t.Error("one id became two")
	}
	if strings.Contains(string(one), "third") || string(one) == string(VaryIDs(body, 2, "id")) || string(one) != string(VaryIDs(body, 1, "id", "p.id", "p.list.id")) {
		t.Errorf("varied body is %s", one)
	}
	if got := VaryIDs([]byte("no json"), 1, "id"); string(got) != "no json" {
		t.Errorf("an unreadable body became %q", got)
	}
	uuid := "0197c55f-5af6-7e3d-af9b-f2359b134be8"
	if got := varied(uuid, 1); !isUUID(got) || got == uuid || got[14] != '7' || got[19] != 'a' {
		t.Errorf("%s becomes %s, want another UUID of that version", uuid, got)
	}
	if got := varied("0197c55f+5af6-7e3d-af9b-f2359b134be8", 1); strings.Contains(got, "-") {
		t.Errorf("what is no UUID becomes %s", got)
	}
}
