package providers

import "testing"

func TestFill(t *testing.T) {
	v := must(t, `{"a":1,"b":null,"d":"own"}`)
	from := must(t, `{"a":2,"b":"given","c":{"x":[1]},"d":null,"e":"unasked"}`)
	if got, want := string(Canonical(Fill(v, from, "a", "b", "c", "d", "z"), nil)), `{"a":1,"b":"given","c":{"x":[1]},"d":"own"}`; got != want {
		t.Errorf("filled %s, want %s", got, want)
	}
	if got, want := string(Canonical(v, nil)), `{"a":1,"b":null,"d":"own"}`; got != want {
		t.Errorf("the value itself became %s", got)
	}
	if got := Fill(nil, from, "a"); got != nil {
		t.Errorf("an absent value became %v", got)
	}
	if got := string(Canonical(Fill(v, nil, "c"), nil)); got != `{"a":1,"b":null,"d":"own"}` {
		t.Errorf("filled from nothing: %s", got)
	}
}

func must(t *testing.T, text string) *Value {
	t.Helper()
	v, err := ReadObject([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return v
}
