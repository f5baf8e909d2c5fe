package main

import (
	"strings"
	"testing"
)

func TestNameOf(t *testing.T) {
	const titled = "Zenith ID"
	for _, tc := range []struct {
		name, title string
		want        string // of the error; "" where both are fine
	}{
		{"zenith", titled, ""},
		{"z2", "Zenith (Trust Platform)", ""},
		{"idnow-classic", "A & B's, Zürich", ""},
		{"acme", "Acme Identity", ""},
		{"", titled, `NAME is ""`},
		{"Zenith", titled, "lower-case"},
		{"zenith id", titled, "lower-case"},
		{"zenith_id", titled, "lower-case"},
		{"2zenith", titled, "a letter first"},
		{"-zenith", titled, "a letter first"},
		{"zenith-", titled, "joined by -"},
		{"zen--ith", titled, "joined by -"},
		{"zénith", titled, "lower-case"},
		{"../zenith", titled, "lower-case"},
		{strings.Repeat("z", maxName+1), titled, "at most 48"},
		{"func", titled, "something else to Go"},
		{"string", titled, "something else to Go"},
		{"main", titled, "something else to Go"},
		{"vendor", titled, "something else to Go"},
		{"internal", titled, "something else to Go"},
		{"testdata", titled, "something else to Go"},
		{"documentation", titled, "something else to Go"},
		{"providers", titled, "something else to Go"},
		{"go-to", titled, "something else to Go"},
		{"zenith", "", `TITLE is ""`},
		{"zenith", " ", "TITLE"},
		{"zenith", "Zenith ", "TITLE"},
		{"zenith", `Zenith "ID"`, "TITLE"},
		{"zenith", "Zenith\nID", "TITLE"},
		{"zenith", "Zenith `ID`", "TITLE"},
		{"zenith", "Zenith | ID", "TITLE"},
		{"zenith", `Zenith\ID`, "TITLE"},
		{"zenith", strings.Repeat("Z", 61), "at most 60"},
	} {
		_, err := nameOf(tc.name, tc.title)
		switch {
		case tc.want == "" && err != nil:
			t.Errorf("%q, %q: %v", tc.name, tc.title, err)
		case tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)):
			t.Errorf("%q, %q: error %v, want one with %q", tc.name, tc.title, err, tc.want)
		}
	}
}

func TestRename(t *testing.T) {
	n := naming{"idnow-classic", "Acme acme's"}
	got := n.rename("// Package acme is Acme Identity.\npackage acme\nAcme-Signature acme/1 ${ACME_WEBHOOK_SECRET} \"acme\"")
	want := "// Package idnowclassic is Acme acme's.\npackage idnowclassic\nIdnow-Classic-Signature idnow-classic/1 ${IDNOW_CLASSIC_WEBHOOK_SECRET} \"idnow-classic\""
	if got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
