package providers

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// token is a JWT without anything in it.
const token = "eyJhbGciOiJub25lIn0.e30.c2ln"

func TestIDOf(t *testing.T) {
	for id, leaves := range map[string]bool{
		"65f0fc7fe9c12d74a4246c13": true, "0197C55F-5af6-7e3d-af9b-f2359b134be8": true, "mon-1": true, "123": true,
		"ua3-ams-prd-1692971978.15306111": true, "auth0|5f7c8ec7": true, "urn:uuid:0197c55f": true, "a+b/c==": true,
		strings.Repeat("x", 256): true,

		"someone@example.invalid": false, "Zoë": false, "two words": false, " mon-1": false, "+491555019827": false,
		"P<UTOZEISIG<<ZOE": false, "pass!word": false, "-x": false, "a\u00a0b": false, token: false, "a\u202eb": false,
	} {
		want := id
		if !leaves {
			want = Digest(id)
		}
		if got := IDOf(id); got != want || IDOf(got) != got {
			t.Errorf("IDOf(%q) is %q, want %q", id, got, want)
		}
	}
	for _, none := range []string{"", " ", "\u00a0\u3000", "a\nb", "a\u0085b", strings.Repeat("x", 257)} {
		if got := IDOf(none); got != "" {
			t.Errorf("IDOf(%q) is %q, want nothing", none, got)
		}
	}
}

func TestDigest(t *testing.T) {
	const want = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" // of FIPS 180-2
	for _, text := range []string{"abc", " abc\n"} {
		if got := Digest(text); got != want {
			t.Errorf("Digest(%q) is %q, want %q", text, got, want)
		}
	}
}

func TestReference(t *testing.T) {
	for body, want := range map[string]string{
		`"client-1"`:                         "client-1",
		`" client-1 "`:                       "client-1",
		`17`:                                 "17",
		`"auth0|5f7c"`:                       "auth0|5f7c",
		`"` + strings.Repeat("x", 512) + `"`: strings.Repeat("x", 512),
		`"` + strings.Repeat("x", 513) + `"`: Digest(strings.Repeat("x", 513)),
		`"someone@example.invalid"`:          Digest("someone@example.invalid"),
		`"someone@example.invalid "`:         Digest("someone@example.invalid"),
		`"Zoë Kanarienvogt"`:                 Digest("Zoë Kanarienvogt"),
		`"two\nlines"`:                       Digest("two\nlines"),
		`"` + token + `"`:                    Digest(token),
		`""`:                                 "", `" \t"`: "", `null`: "", `{}`: "", `["someone@example.invalid"]`: "",
	} {
		m := &Mapping{}
		for range 2 { // two events of one delivery
			if got := m.Reference(parsed(t, `{"r":`+body+`}`).At("r")); got != want {
				t.Errorf("the reference %s leaves as %q, want %q", body, got, want)
			}
		}
		var drift []Drift
		if strings.HasPrefix(want, "sha256:") {
			drift = []Drift{{Kind: "reference_hashed"}}
		}
		if !slices.Equal(m.Drift, drift) {
			t.Errorf("the reference %s is drift %v, want %v", body, m.Drift, drift)
		}
	}
}

// gated is a vendor with a vocabulary and a shape of ids.
var gated = &Provider{
	Maps:      map[string]MapFunc{"check.completed": nil, "Finished Journey": nil, "*": nil},
	Spellings: []string{"check.complete", "ID_VERIFICATION"},
	IDs:       regexp.MustCompile(`^tr_[A-Za-z0-9]{10}$`),
	Key:       func(d *Delivery) string { return ScanID(d.Body, "id") },
}

func TestGate(t *testing.T) {
	plain, keyed := NewGate(nil), NewGate([]byte("a pepper of some length"))
	for id, passes := range map[string]bool{
		"": true, "65f0fc7fe9c12d74a4246c13": true, "0197c55f-5af6-7e3d-af9b-f2359b134be8": true, "0197C55F-5AF6-7E3D-AF9B-F2359B134BE8": true,
		"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08": true, "mon-1": true, "scan-acc-12": true, "123": true, "c1": true,
		"tr_WDqYK6vllg": true,

		"someone@example.invalid": false, "Kanarienvogt": false, "zoe.kanarienvogt": false, "zoe": false, "zoe-1980": false, "zoe1": false, "4915550198273": false,
		"490155598712340": false, "1904-02-29": false, "19040229": false, "T22KRANICH0K": false, "KX11890123456077": false,
		"1234567890123456": false, "abcdefabcdefabcdef": false, "65F0FC7FE9C12D74A4246C13": false, "65f0fc7fe9c12d74a4246c1g": false,
		"0197c55f-5af6-7e3d-af9b-f2359b134beg": false, "0197c55f+5af6-7e3d-af9b-f2359b134be8": false, "0197c55f5af6-7e3d-af9b-f2359b134be8-": false,
		"tr_WDqYK6vllgx": false, "\x00account": false, token: false, "sha256:x": false, "hmac-sha256:x": false,
	} {
		for name, got := range map[string]string{"plain": plain.ID(gated, id), "keyed": keyed.ID(gated, id)} {
			if passes != (got == id) || !passes && !hashed(got) {
				t.Errorf("%s: ID(%q) is %q, want it to pass: %v", name, id, got, passes)
			}
		}
		if got := string(keyed.Key(gated, []byte("live/"+id))); got != "live/"+keyed.ID(gated, id) {
			t.Errorf("the key live/%s is kept as %q", id, got)
		}
		if forms := keyed.Forms(id); id != "" && !slices.Contains(forms, keyed.ID(gated, IDOf(id))) && IDOf(id) != "" {
			t.Errorf("Forms(%q) are %q, without %q", id, forms, keyed.ID(gated, IDOf(id)))
		}
	}
	for word, passes := range map[string]bool{
		"": true, "check.completed": true, "Check.Completed": true, "finished  journey": true, " FINISHED_JOURNEY": true, "check.complete": true,
		"ID VERIFICATION": true, "*": true,
		"check": false, "check.completed.new": false, "Kanarienvogt": false, "someone@example.invalid": false, token: false,
	} {
		if got := keyed.Type(gated, word); passes != (got == word) || !passes && !strings.HasPrefix(got, "hmac-sha256:") {
			t.Errorf("Type(%q) is %q, want it to pass: %v", word, got, passes)
		}
	}
	if got := plain.ID(nil, "tr_WDqYK6vllg"); got != Digest("tr_WDqYK6vllg") {
		t.Errorf("an id of a vendor that nobody knows is %q", got)
	}
	if got := plain.Type(nil, "check.completed"); got != Digest("check.completed") {
		t.Errorf("a type of a vendor that nobody knows is %q", got)
	}
}

// TestGateHash: with a pepper, nobody who lacks it can try texts until one fits.
func TestGateHash(t *testing.T) {
	one, other, none := NewGate([]byte("one pepper")), NewGate([]byte("other pepper")), NewGate(nil)
	const mail = "someone@example.invalid"
	a := one.ID(nil, mail)
	if a != one.ID(nil, mail) || a == other.ID(nil, mail) || strings.HasPrefix(a, "sha256:") || strings.HasSuffix(a, strings.TrimPrefix(Digest(mail), "sha256:")) {
		t.Errorf("with a pepper it is %q", a)
	}
	if got := none.ID(nil, mail); got != Digest(mail) {
		t.Errorf("without one it is %q", got)
	}
	if got := none.ID(nil, Digest(mail)); got != Digest(mail) {
		t.Errorf("a digest without a pepper becomes %q", got)
	}
}

func hashed(s string) bool {
	return isDigest(s) || strings.HasPrefix(s, "hmac-sha256:") && isDigest(strings.TrimPrefix(s, "hmac-"))
}

// TestRecordKey: what is no id of a documented shape is in no key, and event ids are made of the key as it was before.
func TestRecordKey(t *testing.T) {
	for id, want := range map[string]string{
		"mon-1":                   "live/mon-1",
		"Kanarienvogt":            "live/" + Digest("Kanarienvogt"),
		"someone@example.invalid": "live/" + Digest("someone@example.invalid"),
	} {
		d := &Delivery{Endpoint: "live", Tenant: "t", Body: []byte(`{"id":"` + id + `"}`)}
		got := gated.RecordKey(d)
		if string(got) != want {
			t.Errorf("the key of %s is %q, want %q", id, got, want)
		}
		if seed := string(gated.seedKey(d, got)); seed != "live/"+IDOf(id) {
			t.Errorf("event ids of %s are made of %q", id, seed)
		}
		if old := string(gated.seedKey(d, []byte("live/old"))); old != "live/old" {
			t.Errorf("event ids of a record of before are made of %q", old)
		}
	}
	account := &Provider{Key: func(*Delivery) string { return AccountLevel }}
	if got := string(account.RecordKey(&Delivery{Endpoint: "live"})); got != "live/" {
		t.Errorf("the key of an account-level notice is %q", got)
	}
	for _, key := range []string{"live/", "", "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"} {
		if got := string(NewGate([]byte("pepper")).Key(nil, []byte(key))); got != key {
			t.Errorf("the key %q is kept as %q", key, got)
		}
	}
}

// FuzzGate: nothing passes but the shapes of ids, nothing passes that has a character which
// those have not, and what a person searches for is found.
func FuzzGate(f *testing.F) {
	for _, s := range []string{"mon-1", "someone@example.invalid", "65f0fc7fe9c12d74a4246c13", "+49 1555 0198", token, "tr_WDqYK6vllg", "sha256:00"} {
		f.Add(s, "pepper")
		f.Add(s, "")
	}
	allowed := regexp.MustCompile(`^([0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}|[0-9a-f]{16,64}|[a-z_-]{0,40}[0-9]{1,3}|tr_[A-Za-z0-9]{10}|(hmac-)?sha256:[0-9a-f]{64})?$`)
	f.Fuzz(func(t *testing.T, s, pepper string) {
		gate := NewGate([]byte(pepper))
		for _, text := range []string{s, IDOf(s)} {
			got := gate.ID(gated, text)
			if !allowed.MatchString(got) || got != gate.ID(gated, text) {
				t.Errorf("ID(%q) is %q", text, got)
			}
		}
		if id := IDOf(s); id != "" && !slices.Contains(gate.Forms(s), gate.ID(gated, id)) {
			t.Errorf("Forms(%q) are %q, without %q", s, gate.Forms(s), gate.ID(gated, id))
		}
		if got := gate.Type(gated, s); got != s && !hashed(got) || got == s && s != "" && !gated.knowsType(s) {
			t.Errorf("Type(%q) is %q", s, got)
		}
		if id := IDOf(s); strings.ContainsAny(id, "@ <\n\u00a0") || len(id) > maxID || isToken(id) {
			t.Errorf("IDOf(%q) is %q", s, id)
		}
	})
}
