package auth

import (
	"encoding/base64"
	"errors"
	"runtime"
	"strings"
	"testing"
)

// TestTokensTakeTheMemoryOfTheirSize: whatever stands in a token of a megabyte, refusing it takes a few times that
// much at most, and where its form is wrong hardly any.
func TestTokensTakeTheMemoryOfTheirSize(t *testing.T) {
	const size = 1 << 20
	encode := base64.RawURLEncoding.EncodeToString
	header := encode([]byte(`{"alg":"RS256","kid":"rsa"}`))
	j := testJWT(t)
	for name, tc := range map[string]struct {
		token string
		times uint64 // its size
	}{
		"dots":                   {strings.Repeat(".", size), 2},
		"dots behind a token":    {change{}.token(t) + strings.Repeat(".", size), 2},
		"a long first part":      {strings.Repeat("A", size) + ".e30.AA", 2},
		"a header of much":       {encode([]byte(`{"alg":"RS256","kid":"rsa","x":[0`+strings.Repeat(",0", size/3)+`]}`)) + ".e30.AA", 2},
		"a long second part":     {header + "." + strings.Repeat("A", size) + ".AA", 8},
		"a long third part":      {header + ".e30." + strings.Repeat("A", size), 8},
		"objects in objects":     {header + "." + encode([]byte(strings.Repeat(`{"a":`, size/8))) + ".AA", 8},
		"members":                {header + "." + encode([]byte("{"+strings.Repeat(`"a":1,`, size/8)+`"a":1}`)) + ".AA", 8},
		"a header of many lists": {encode([]byte(`{"alg":"RS256","kid":`+strings.Repeat("[", 2<<10)+strings.Repeat("]", 900)+`}`)) + ".e30.AA", 64},
	} {
		body := []byte(tc.token)
		before := allocated()
		if id, err := j.Verify(nil, Request{Body: body, Now: noon}); id != "" || !errors.Is(err, ErrMismatch) {
			t.Errorf("%s: %q, %v; want ErrMismatch", name, id, err)
		}
		if n := allocated() - before; n > tc.times*uint64(len(body))+64<<10 {
			t.Errorf("%s: %d bytes took %d of memory, want at most %d times as much", name, len(body), n, tc.times)
		}
	}
}

// allocated is how many bytes were allocated so far, by the whole test binary.
func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}
