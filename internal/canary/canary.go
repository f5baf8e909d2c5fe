// Package canary holds what a person's data may look like, made up, to be planted in deliveries and looked for
// wherever it must not come out: one value of each kind, the places of a body to put it, and the fields of the
// contract that may hold it.
//
// It is for tests and for what plays the vendors. It judges no real delivery, and nobody is behind its values.
package canary

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"slices"
	"strings"
)

// Mark is in every text of a fixture that could identify a person.
const Mark = "CANARY"

// Canary is one value of a kind that personal data come in.
type Canary struct {
	// Kind says what it is: "name", "mail", "phone".
	Kind string
	// Text is what is planted.
	Text string
	// Coded: by its form it could as well be a code or an id, such as the number of a passport. An event's ids
	// may be of any such form; everywhere else it may not be seen either.
	Coded bool
	// cores are the parts it is recognised by, also where the rest was cut off or spelled otherwise.
	cores []string
	// lower are the cores in lower case, forms what they are when encoded.
	lower, forms [][]byte
}

// All are one or more of each kind. No two share a part that they are recognised by.
func All() []Canary { return slices.Clone(all) }

var all = prepared([]Canary{
	{Kind: "name", Text: "Zoë Kanarienvogt", cores: []string{"Kanarienvogt"}},
	{Kind: "plain name", Text: "Max Mauersegler", cores: []string{"Mauersegler"}},
	{Kind: "address", Text: "Papageiengasse 17b, 10987 Vogelheim", cores: []string{"Papageiengasse", "Vogelheim"}},
	{Kind: "mail", Text: "zoe.stieglitz@girlitz.invalid", cores: []string{"zoe.stieglitz", "girlitz"}},
	{Kind: "phone", Text: "+49 1555 0198-2734", cores: []string{"0198-2734", "155501982734"}},
	{Kind: "document", Text: "P<UTOZEISIGWALD<<ZOE<L01X00T47", cores: []string{"ZEISIGWALD", "L01X00T47"}},
	{Kind: "iban", Text: "KX98 7654 3210 4711 0815", cores: []string{"7654 3210 4711", "765432104711"}},
	{Kind: "token", Text: "eyJhbGciOiJkb21wZmFmZiJ9." + strings.Repeat("Rotkehlchen", 12) + ".c2ln", cores: []string{"RotkehlchenRotkehlchen"}},
	{Kind: "password", Text: "Blaumeise!Futter#23", cores: []string{"Blaumeise"}},
	{Kind: "control", Text: "Gimpelmann\u009b31m\u202e\r\nInjected: Gimpelmann", cores: []string{"Gimpelmann"}},

	{Kind: "document number", Text: "T22KRANICH0K", Coded: true, cores: []string{"T22KRANICH0K"}},
	{Kind: "account number", Text: "KX11890123456077", Coded: true, cores: []string{"KX11890123456077"}},
	{Kind: "birth", Text: "1904-02-29", Coded: true, cores: []string{"1904-02-29", "29.02.1904"}},
	{Kind: "number", Text: "490155598712340", Coded: true, cores: []string{"490155598712340"}},
})

func prepared(all []Canary) []Canary {
	for i := range all {
		for _, core := range all[i].cores {
			all[i].lower = append(all[i].lower, []byte(strings.ToLower(core)))
			all[i].forms = append(all[i].forms, encoded(core)...)
		}
	}
	return all
}

// Of is the canary of a kind. It panics where there is none: a test that misspells one must not pass.
func Of(kind string) Canary {
	at := slices.IndexFunc(all, func(c Canary) bool { return c.Kind == kind })
	if at < 0 {
		panic("no canary of the kind " + kind)
	}
	return all[at]
}

// In reports whether a text holds the canary or a part of it: as it is, in another case, or encoded as a
// header, a token, a URL or a dump would.
func (c Canary) In(text []byte) bool {
	holds := func(text []byte, any [][]byte) bool {
		return slices.ContainsFunc(any, func(part []byte) bool { return bytes.Contains(text, part) })
	}
	return holds(text, c.forms) || holds(bytes.ToLower(text), c.lower)
}

// Seen are the kinds of canaries in a text, in the order of All.
func Seen(text []byte) (kinds []string) {
	for _, c := range all {
		if c.In(text) {
			kinds = append(kinds, c.Kind)
		}
	}
	return kinds
}

// encoded are other forms of a text: hex, and base64 wherever in a longer text it begins.
func encoded(s string) [][]byte {
	forms := [][]byte{[]byte(hex.EncodeToString([]byte(s))), []byte(strings.ToUpper(hex.EncodeToString([]byte(s))))}
	for shift := range 3 {
		whole := []byte(strings.Repeat("\x00", shift) + s)
		text := base64.RawStdEncoding.EncodeToString(whole[:len(whole)/3*3])
		// The first characters depend on what stands in front.
		forms = append(forms, []byte(text[(shift*8+5)/6:]))
	}
	return forms
}
