package providers

import (
	"slices"
	"testing"
)

var shapeFields = Fields{
	"any": AnyField, "text": TextField, "id": IDField, "number": NumberField, "flag": FlagField, "scalar": ScalarField,
	"object": ObjectField(Fields{"text": TextField, "deep": ObjectField(Fields{"flag": FlagField})}), "open": ObjectField(nil),
	"list":    ListField(ObjectField(Fields{"id": IDField})),
	"either":  ObjectField(Fields{"id": IDField}).Or(ListField(TextField)),
	"open or": AnyField.Or(IDField), "or open": ObjectField(Fields{"id": IDField}).Or(AnyField),
	"objects":     ObjectField(Fields{"a": TextField}).Or(ObjectField(Fields{"b": NumberField})),
	"open_object": ObjectField(Fields{"a": TextField}).Or(ObjectField(nil)),
	"lists":       ListField(TextField).Or(ListField(ObjectField(Fields{"id": IDField}))),
	"half_guess":  TextField.Inferred().Or(NumberField),
	"two_guesses": TextField.Inferred().Or(NumberField.Inferred()),
	"guess":       TextField.Inferred(),
}

func TestShape(t *testing.T) {
	for _, tc := range []struct {
		name, body string
		want       []Drift
	}{
		{"as it is known", `{"any":[1],"text":"a","id":"a","number":1,"flag":true,"scalar":false,"object":{"text":"a","deep":{"flag":false}},"open":{"x":1},"list":[{"id":7}]}`, nil},
		{"an id is a text or a number", `{"id":7,"scalar":"a"}`, nil},
		{"null fits all", `{"text":null,"id":null,"number":null,"flag":null,"object":null,"list":null}`, nil},
		{"blanks are absent", `{"number":" ","flag":"\t","object":"","list":" "}`, nil},
		{"a new name", `{"new":1}`, []Drift{{"field", "new"}}},
		{"a name that may be data", `{"Erika Muster":1}`, []Drift{{"field", ""}}},
		{"another type at the top", `{"text":1,"number":"1","flag":"true","id":true}`, []Drift{{"type", "flag"}, {"type", "id"}, {"type", "number"}, {"type", "text"}}},
		{"a text for an object", `{"object":"a","open":[],"list":{}}`, []Drift{{"type", "list"}, {"type", "object"}, {"type", "open"}}},
		{"inside an object", `{"object":{"text":1,"deep":{"flag":1,"new":2}}}`, []Drift{{"type", "object.deep.flag"}, {"field", "object.deep.new"}, {"type", "object.text"}}},
		{"inside a list, each once", `{"list":[{"id":true},{"id":false,"new":1},"a",{"new":2}]}`, []Drift{{"type", "list.id"}, {"field", "list.new"}, {"type", "list"}}},
		{"either of two", `{"either":{"id":[]}}`, []Drift{{"type", "either.id"}}},
		{"or the other", `{"either":["a",1]}`, []Drift{{"type", "either"}}},
		{"and no third", `{"either":1}`, []Drift{{"type", "either"}}},
		{"or any", `{"open or":[true],"or open":{"new":1}}`, nil},
		{"of two objects the members of both", `{"objects":{"a":"x","b":1,"c":1}}`, []Drift{{"field", "objects.c"}}},
		{"and an open one is open", `{"open_object":{"new":1}}`, nil},
		{"of two lists either item", `{"lists":["a",{"id":7},true]}`, []Drift{{"type", "lists"}}},
		{"inferred where both are", `{"half_guess":1,"two_guesses":1}`, []Drift{{"inferred", "two_guesses"}}},
		{"one that was inferred", `{"guess":"a"}`, []Drift{{"inferred", "guess"}}},
		{"inferred, and another type", `{"guess":1}`, []Drift{{"type", "guess"}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var m Mapping
			if m.Shape("", parsed(t, tc.body), shapeFields); !slices.Equal(m.Drift, tc.want) {
				t.Errorf("drift is %v, want %v", m.Drift, tc.want)
			}
		})
	}
}

// A path begins where Shape was told to begin, and the first table that has a name counts.
func TestShapeOfAPart(t *testing.T) {
	var m Mapping
	m.Shape("payload.", parsed(t, `{"text":1,"object":{"new":1}}`), Fields{"text": NumberField}, shapeFields)
	if want := []Drift{{"field", "payload.object.new"}}; !slices.Equal(m.Drift, want) {
		t.Errorf("drift is %v, want %v", m.Drift, want)
	}
}

// All of a table may be inferred, and the table it is made of stays as it was.
func TestFieldsInferred(t *testing.T) {
	known := Fields{"id": IDField, "object": ObjectField(Fields{"text": TextField})}
	for _, tc := range []struct {
		fields Fields
		want   []Drift
	}{
		{known.Inferred(), []Drift{{"inferred", "id"}, {"inferred", "object"}}},
		{known, nil},
	} {
		var m Mapping
		if m.Shape("", parsed(t, `{"id":1,"object":{"text":"a"}}`), tc.fields); !slices.Equal(m.Drift, tc.want) {
			t.Errorf("drift is %v, want %v", m.Drift, tc.want)
		}
	}
}

func TestSay(t *testing.T) {
	seen, inferred := Enum[int]{"clear": 1}, Enum[int]{"attention": 2}
	for _, tc := range []struct {
		json    string
		meaning int
		word    string
		drift   []Drift
	}{
		{`"Clear "`, 1, "Clear", nil},
		{`"Attention"`, 2, "Attention", []Drift{{"inferred", "outcome=Attention"}}},
		{`"zzz"`, 0, "zzz", []Drift{{"outcome", "zzz"}}},
		{`7`, 0, "7", []Drift{{"outcome", "7"}}},
		{`{}`, 0, "", []Drift{{"outcome", ""}}},
		{`" "`, 0, "", nil},
		{`null`, 0, "", nil},
	} {
		var m Mapping
		meaning, word := Say(&m, "outcome", seen, parsed(t, `{"w":`+tc.json+`}`).At("w"), inferred)
		if meaning != tc.meaning || word.Text != tc.word || !slices.Equal(m.Drift, tc.drift) {
			t.Errorf("%s: meaning %d, word %q, drift %v", tc.json, meaning, word.Text, m.Drift)
		}
	}
}

func TestBlankIsAbsent(t *testing.T) {
	v := parsed(t, `{"id":" \t\u00a0","full":{"id":"a"}}`)
	blank := v.At("id")
	if blank.Given() || blank.Text() != "" || blank.Scalar() != "" || blank.ID() != "" || TermOf(blank).Given {
		t.Error("blanks say something")
	}
	if got := Fill(v, v.At("full"), "id").At("id").Text(); got != "a" {
		t.Errorf("blanks keep what is known from elsewhere out: %q", got)
	}
	var m Mapping
	if m.Reference(blank) != "" || m.Time("t", blank) != nil || len(m.Drift) != 0 {
		t.Errorf("blanks are a reference or a time, with drift %v", m.Drift)
	}
}
