package providers

import (
	"errors"
	"maps"
	"testing"
)

func TestTermOf(t *testing.T) {
	for json, want := range map[string]Term{
		`"Clear"`:      {"Clear", true},
		`" clear\n"`:   {"clear", true},
		`"two  words"`: {"two  words", true},
		`7`:            {"7", true},
		`true`:         {"true", true},
		`""`:           {"", false},
		`" "`:          {"", false},
		`null`:         {"", false},
		`{"a":"b"}`:    {"", true}, // given and unreadable, hence no word that is known
		`["clear"]`:    {"", true},
	} {
		if got := TermOf(parsed(t, `{"word":`+json+`}`).At("word")); got != want {
			t.Errorf("%s is %+v, want %+v", json, got, want)
		}
	}
	if got := TermOf(nil); got != (Term{}) {
		t.Errorf("nothing is %+v", got)
	}
	if w := (Term{"two \t Words", true}); !w.Is("two words") || w.Is("twowords") {
		t.Error("Is does not read blanks as blanks")
	}
	if w := (Term{"Clear", true}); !w.Is("clear") || w.Is("clea") || w.Is("") {
		t.Error("Is compares whole words, whatever their case")
	}
}

func TestAttributes(t *testing.T) {
	got := Attributes("a", "one", "b", "", "c", " \n", "d", "two\nlines")
	if want := map[string]string{"a": "one", "d": "two lines"}; !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestProblemsOfAField(t *testing.T) {
	for _, tc := range []struct {
		err  error
		is   error
		want string
	}{
		{LacksID("payload.id"), ErrInvalid, "invalid: payload.id: want a string of 1 to 256 characters (128 for the event's own id)"},
		{Contradicts("status", "the event type says complete"), ErrMismatch, "mismatch: status: contradiction: the event type says complete"},
	} {
		if !errors.Is(tc.err, tc.is) || tc.err.Error() != tc.want {
			t.Errorf("%q, want %q", tc.err, tc.want)
		}
	}
}
