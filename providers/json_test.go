package providers

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

func TestReadObject(t *testing.T) {
	nested := func(n int) string { return `{"a":` + strings.Repeat("[", n) + strings.Repeat("]", n) + "}" }
	for _, tc := range []struct {
		name, body, want string // want: canonical form
		err              error
		detail           string
	}{
		{name: "sorted, without white space", body: " {\"b\" : 1 ,\n\"a\":[true, null,\"x\"]}\r\n", want: `{"a":[true,null,"x"],"b":1}`},
		{name: "exact case", body: `{"id":1,"ID":2}`, want: `{"ID":2,"id":1}`},
		{name: "the last of repeated names, whole", body: `{"a":{"x":1},"b":2,"a":{"y":3},"b":null}`, want: `{"a":{"y":3},"b":null}`},
		{name: "names equal after unescaping", body: `{"a":1,"\u0061":2}`, want: `{"a":2}`},
		{name: "numbers as written", body: `[1]`, err: ErrMalformed, detail: "no JSON object"},
		{name: "numbers stay", body: `{"n":[1.0,1e999,-0,12345678901234567890123456789,1E+2]}`, want: `{"n":[1.0,1e999,-0,12345678901234567890123456789,1E+2]}`},
		{name: "escapes have one spelling", body: `{"a":"\u0041\/\"\\\n\u00e9\ud83d\ude00"}`, want: `{"a":"A/\"\\\u000aé😀"}`},
		{name: "invalid UTF-8", body: "{\"a\":\"x\xff\xfey\"}", want: "{\"a\":\"x\ufffd\ufffdy\"}"},
		{name: "lone surrogates", body: `{"a":"x\ud800y\udc00"}`, want: "{\"a\":\"x\ufffdy\ufffd\"}"},
		{name: "NUL", body: `{"a\u0000":"\u0000b"}`, want: "{\"a\ufffd\":\"\ufffdb\"}"},
		{name: "byte order mark", body: "\xef\xbb\xbf{}", want: `{}`},
		{name: "63 lists in an object", body: nested(63), want: nested(63)},
		{name: "64 lists in an object", body: nested(64), err: ErrRejectedContent, detail: "deeper than 64"},
		{name: "a depth bomb", body: strings.Repeat(`{"a":[`, 500000), err: ErrRejectedContent, detail: "deeper than 64"},
		{name: "100 000 elements less one name", body: `{"a":[` + strings.Repeat("0,", 99998) + `0]}`, want: `{"a":[` + strings.Repeat("0,", 99998) + `0]}`},
		{name: "one more", body: `{"a":[` + strings.Repeat("0,", 99999) + `0]}`, err: ErrRejectedContent, detail: "more than 100000"},
		{name: "empty", body: "", err: ErrMalformed, detail: "empty"},
		{name: "only white space", body: " \n", err: ErrMalformed},
		{name: "cut in a name", body: `{"abc`, err: ErrMalformed, detail: "breaks off"},
		{name: "cut after a value", body: `{"a":1`, err: ErrMalformed, detail: "breaks off"},
		{name: "a list", body: `[{}]`, err: ErrMalformed, detail: "no JSON object"},
		{name: "null", body: `null`, err: ErrMalformed, detail: "no JSON object"},
		{name: "a form", body: `id=1`, err: ErrMalformed},
		{name: "something behind", body: `{}{}`, err: ErrMalformed, detail: "follows"},
		{name: "garbage behind", body: `{}x`, err: ErrMalformed, detail: "follows"},
		{name: "a comma too many", body: `{"a":1,}`, err: ErrMalformed},
		{name: "a number with a zero in front", body: `{"a":01}`, err: ErrMalformed},
		{name: "NaN", body: `{"a":NaN}`, err: ErrMalformed},
		{name: "control character in a string", body: "{\"a\":\"\n\"}", err: ErrMalformed},
	} {
		t.Run(tc.name, func(t *testing.T) {
			v, err := ReadObject([]byte(tc.body))
			var p *Problem
			if !errors.Is(err, tc.err) || err != nil && (!errors.As(err, &p) || !strings.Contains(p.Detail, tc.detail)) {
				t.Fatalf("error is %v, want %v with %q", err, tc.err, tc.detail)
			}
			if err != nil {
				return
			}
			if got := string(Canonical(v, nil)); got != tc.want {
				t.Errorf("canonical form is\n%.200q, want\n%.200q", got, tc.want)
			}
		})
	}
}

// An error never quotes the body: it may hold what must not reach a log.
func TestErrorsQuoteNothing(t *testing.T) {
	const secretive = "Erika"
	for _, body := range []string{`{"Erika":Erika}`, `{"a":"Erika`, `{"Erika"}`, `Erika`, `{}Erika`, `{"Erika":{"Erika":}}`} {
		if _, err := ReadObject([]byte(body)); err == nil || strings.Contains(err.Error(), secretive) {
			t.Errorf("%s: error is %v", body, err)
		}
	}
}

func TestScanID(t *testing.T) {
	for _, tc := range []struct{ body, want string }{
		{`{"payload":{"id":"a"}}`, "a"},
		{`{"payload":{"id":17}}`, "17"},
		{`{"payload":{"id":9007199254740993}}`, "9007199254740993"},
		{`{"payload":{"id":"a","id":"b"}}`, "b"},
		{`{"payload":{"id":"a"},"payload":{}}`, ""},
		{`{"payload":{"id":"a"},"payload":7}`, ""},
		{`{"payload":{"id":"a","id":{"id":"b"}}}`, ""},
		{`{"payload":{"ID":"a"}}`, ""},
		{`{"payload":[{"id":"a"}]}`, ""},
		{`{"payload":{"x":{"id":"no"},"id":"a\u0000"}}`, Digest("a\ufffd")},
		{`{"payload":{"id":"someone@example.invalid"}}`, Digest("someone@example.invalid")},
		{`{"payload":{"id":" \u00a0"}}`, ""},
		{`{"payload":{"id":true}}`, ""},
		{`{"payload":{"id":""}}`, ""},
		{`{"payload":{"id":"a\nb"}}`, ""},
		{`{"payload":{"id":"` + strings.Repeat("x", 256) + `"}}`, strings.Repeat("x", 256)},
		{`{"payload":{"id":"` + strings.Repeat("x", 257) + `"}}`, ""},
		{`{"payload":{"id":"a"}`, ""},
		{`{"payload":{"id":"a"}}x`, ""},
		{``, ""},
	} {
		if got := ScanID([]byte(tc.body), "payload", "id"); got != tc.want {
			t.Errorf("%.80s: ScanID gives %q, want %q", tc.body, got, tc.want)
		}
	}
}

// FuzzReaders: the scan that makes the partition key and the tree that is mapped
// give the same id for every body, so no delivery lands away from its subject.
func FuzzReaders(f *testing.F) {
	for _, body := range []string{
		`{"payload":{"id":"a"},"id":"b"}`, `{"payload":{"id":"a","id":7},"payload":{"id":null}}`, "\xef\xbb\xbf{\"payload\":{\"id\":\"\xff\"}}",
		`{"p\u0061yload":{"i\u0064":"\ud800"}}`, `{"payload":{"a":[[{}],{"id":1}],"id":"x"}} `, `{"payload":{"id":"a"}`, `[]`,
		`{"payload":` + strings.Repeat("[", 63) + strings.Repeat("]", 63) + `}`, `{"payload":{"id":1e5}}`,
		`{"a":[1],"a":[{"a":[]},[2,3],"x"],"b":[],"payload":[1],"payload":{}}`, `{"b":[-0.5e+7,01],"a":tru}`, `{"a":[1,],"b":{"c":nul1}}`, `{"a":"\x"}`, `{"a" 1}`, `{"id":"\"\\","a":-}`, `{"":"\f","a":" ","payload":{"id":"\t"}}`,
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		v, err := ReadObject(body)
		checkScanIDs(t, body)
		for _, name := range []string{"a", "b", "payload"} {
			want := 0
			if err == nil {
				for range v.At(name).Items() {
					want++
				}
			}
			if got := ScanCount(body, name); got != want {
				t.Errorf("at %q ScanCount gives %d and the tree %d", name, got, want)
			}
		}
		for _, path := range [][]string{{"payload", "id"}, {"id"}, {"payload", "a", "id"}, {""}} {
			want := ""
			if err == nil {
				want = v.At(path...).ID()
			}
			if got := ScanID(body, path...); got != want {
				t.Errorf("at %q ScanID gives %q and the tree %q", path, got, want)
			}
		}
		if err != nil {
			if text := bytes.TrimPrefix(body, byteOrderMark); errors.Is(err, ErrMalformed) && json.Valid(text) && bytes.TrimLeft(text, " \t\r\n")[0] == '{' {
				t.Fatalf("encoding/json reads what ReadObject refuses: %v", err)
			}
			return
		}
		checkAgainstStandard(t, body, v)
		canonical := Canonical(v, nil)
		again, err := ReadObject(canonical)
		if err != nil {
			t.Fatalf("the canonical form cannot be read: %v\n%q", err, canonical)
		}
		if twice := Canonical(again, nil); string(twice) != string(canonical) {
			t.Errorf("the canonical form of the canonical form differs:\n%q\n%q", canonical, twice)
		}
	})
}

// checkScanIDs compares what a scan for several names tells with the tree.
func checkScanIDs(t *testing.T, body []byte) {
	t.Helper()
	want, err := ReadObject(body)
	told := map[string]*string{}
	where := func(name string) *string {
		if len(name)%2 == 0 {
			told[name] = new(string)
		}
		return told[name]
	}
	if ScanIDs(body, where) != (err == nil) {
		t.Fatalf("ScanIDs can read it: %v; the tree: %v", err != nil, err)
	}
	if err != nil {
		return
	}
	for name, id := range told {
		if want.At(name).ID() != *id {
			t.Errorf("ScanIDs tells %q of %q, the tree %q", *id, name, want.At(name).ID())
		}
	}
	for name := range want.Members() {
		if _, ok := told[name]; !ok && len(name)%2 == 0 {
			t.Errorf("ScanIDs does not report %q", name)
		}
	}
}

// checkAgainstStandard compares with encoding/json, which reads names, strings
// and numbers alike, except that it leaves NUL in.
func checkAgainstStandard(t *testing.T, body []byte, v *Value) {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(bytes.TrimPrefix(body, byteOrderMark)))
	dec.UseNumber()
	var std any
	if err := dec.Decode(&std); err != nil {
		t.Fatalf("encoding/json refuses what ReadObject reads: %v", err)
	}
	if got := plain(v); !bytes.Contains(body, []byte(`\u0000`)) && !reflect.DeepEqual(got, std) {
		t.Errorf("ReadObject gives\n%#v, encoding/json\n%#v", got, std)
	}
}

func plain(v *Value) any {
	switch v.Kind() {
	case Object:
		m := map[string]any{}
		for name, child := range v.Members() {
			m[name] = plain(child)
		}
		return m
	case Array:
		list := []any{}
		for child := range v.Items() {
			list = append(list, plain(child))
		}
		return list
	case Number:
		return json.Number(v.Scalar())
	case Bool:
		return v.True()
	case Null:
		return nil
	}
	return v.text // what it says as JSON, blanks too
}

// The limits hold at the same byte in both readers, however deep the path.
func TestReadersShareTheLimits(t *testing.T) {
	for _, n := range []int{62, 63, 64} {
		deep := `{"payload":{"id":"a","x":` + strings.Repeat("[", n) + strings.Repeat("]", n) + "}}"
		_, err := ReadObject([]byte(deep))
		if got := ScanID([]byte(deep), "payload", "id"); (got == "a") != (err == nil) {
			t.Errorf("%d lists: ScanID gives %q and the tree %v", n, got, err)
		}
	}
	for _, n := range []int{99997, 99998, 99999} { // beside the three names
		wide := fmt.Sprintf(`{"payload":{"id":"a","x":[%s0]}}`, strings.Repeat("0,", n-1))
		_, err := ReadObject([]byte(wide))
		if got := ScanID([]byte(wide), "payload", "id"); (got == "a") != (err == nil) {
			t.Errorf("%d elements: ScanID gives %q and the tree %v", n, got, err)
		}
	}
}

func TestCanonicalLeavesVolatileOut(t *testing.T) {
	volatile := Paths("payload.images.link", "payload.link", "seen.at")
	v, err := ReadObject([]byte(`{"link":1,"payload":{"images":[{"id":1,"link":"x"},{"link":{"a":1}}],"link":2,"b":[]},"seen":{"at":3}}`))
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"link":1,"payload":{"b":[],"images":[{"id":1},{}]},"seen":{}}`
	if got := string(Canonical(v, volatile)); got != want {
		t.Errorf("canonical form is %s, want %s", got, want)
	}
}

func TestValue(t *testing.T) {
	v, err := ReadObject([]byte(`{"s":"text","n":1.50,"t":true,"f":false,"z":null,"o":{"b":1,"a":2},"l":[1,"x"]}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		path             []string
		kind             Kind
		text, scalar, id string
		given            bool
	}{
		{[]string{"s"}, String, "text", "text", "text", true},
		{[]string{"n"}, Number, "", "1.50", "1.50", true},
		{[]string{"t"}, Bool, "", "true", "", true},
		{[]string{"z"}, Null, "", "", "", false},
		{[]string{"o"}, Object, "", "", "", true},
		{[]string{"l"}, Array, "", "", "", true},
		{[]string{"o", "a"}, Number, "", "2", "2", true},
		{[]string{"o", "c"}, Absent, "", "", "", false},
		{[]string{"s", "a", "b"}, Absent, "", "", "", false},
		{[]string{"l", "a"}, Absent, "", "", "", false},
	} {
		got := v.At(tc.path...)
		if got.Kind() != tc.kind || got.Text() != tc.text || got.Scalar() != tc.scalar || got.ID() != tc.id || got.Given() != tc.given {
			t.Errorf("%q: %s, Text %q, Scalar %q, ID %q, Given %v", tc.path, got.Kind(), got.Text(), got.Scalar(), got.ID(), got.Given())
		}
	}
	if !v.At("t").True() || v.At("f").True() || v.At("s").True() {
		t.Error("True is wrong")
	}
	for name, want := range map[string]string{"t": "true", "f": "false", "s": "", "n": "", "z": "", "o": "", "none": ""} {
		if got := v.At(name).Flag(); got != want {
			t.Errorf("%s: Flag %q, want %q", name, got, want)
		}
	}
	names := ""
	for name := range v.At("o").Members() {
		names += name
	}
	items := ""
	for item := range v.At("l").Items() {
		items += item.Scalar()
	}
	if names != "ab" || items != "1x" {
		t.Errorf("names %q, items %q", names, items)
	}
}

// An object of any size finds its names, whichever way it looks.
func TestManyMembers(t *testing.T) {
	for _, n := range []int{1, fewMembers, fewMembers + 1, 300} {
		body := `{"first":0`
		for i := range n - 1 {
			body += fmt.Sprintf(`,"n%d":%d`, i*7919%n, i*7919%n)
		}
		v, err := ReadObject([]byte(body + "}"))
		if err != nil {
			t.Fatal(err)
		}
		for name, child := range v.Members() {
			if v.At(name) != child {
				t.Errorf("%d members: At(%q) is another value", n, name)
			}
		}
		if v.At("nn") != nil || v.At("first").Scalar() != "0" {
			t.Errorf("%d members: a wrong answer", n)
		}
	}
}
