package auth

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"
)

const value = "the value that must not leak"

// holder prints its fields without asking their methods.
type holder struct{ s Secret }

func TestSecretStaysSecret(t *testing.T) {
	s := newSecret(t, "one", value)
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T", "%p"} {
		fmt.Fprintf(&out, verb+"\n", s)
		fmt.Fprintf(&out, verb+"\n", &s)
		fmt.Fprintf(&out, verb+"\n", holder{s})
		fmt.Fprintf(&out, verb+"\n", &holder{s})
		fmt.Fprintf(&out, verb+"\n", []Secret{s})
		fmt.Fprintf(&out, verb+"\n", map[string]Secret{"a": s})
	}
	for _, h := range []slog.Handler{slog.NewJSONHandler(&out, nil), slog.NewTextHandler(&out, nil)} {
		slog.New(h).Info("secret", "plain", s, "pointer", &s, "list", []Secret{s}, "inside", holder{s})
	}
	for _, v := range []any{s, &s, []Secret{s}, holder{s}, struct{ S Secret }{s}, map[string]any{"a": s}} {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		out.Write(b)
	}
	text := out.String()
	decimal := strings.Trim(fmt.Sprint([]byte(value)), "[]")
	for _, leak := range []string{value, hex.EncodeToString([]byte(value)), strings.ToUpper(hex.EncodeToString([]byte(value))), decimal, "dGhlIHZhbHVl"} {
		if strings.Contains(text, leak) {
			t.Errorf("the secret shows as %q", leak)
		}
	}
	if !strings.Contains(text, "one[secret]") {
		t.Error("the secret's id does not show")
	}
}

func TestNewSecret(t *testing.T) {
	long := []byte(value)
	for _, tc := range []struct {
		name                string
		id                  string
		value               []byte
		notBefore, notAfter time.Time
		want                string // in the error; "" for none
	}{
		{"sound", "a", long, time.Time{}, time.Time{}, ""},
		{"just long enough", "a", long[:MinSecret], time.Time{}, time.Time{}, ""},
		{"too short", "a", long[:MinSecret-1], time.Time{}, time.Time{}, "too few bytes, want at least 16"},
		{"white space only", "a", []byte("                    "), time.Time{}, time.Time{}, "nothing but blanks"},
		{"empty", "a", nil, time.Time{}, time.Time{}, "too few bytes"},
		{"without id", "", long, time.Time{}, time.Time{}, "no id"},
		{"ends before it begins", "a", long, noon, noon.Add(-1), "before it begins"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := NewSecret(tc.id, tc.value, tc.notBefore, tc.notAfter)
			switch {
			case tc.want == "" && err != nil:
				t.Errorf("refused: %v", err)
			case tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)):
				t.Errorf("error is %v, want one with %q", err, tc.want)
			case err != nil && len(tc.value) > 0 && strings.Contains(err.Error(), string(tc.value)):
				t.Errorf("the error quotes the secret: %v", err)
			}
		})
	}
}

// The caller may wipe or reuse the bytes it read the secret into.
func TestNewSecretCopies(t *testing.T) {
	b := []byte(value)
	s, err := NewSecret("one", b, time.Time{}, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	clear(b)
	if !bytes.Equal(s.key().value, []byte(value)) {
		t.Error("the secret changed with the caller's bytes")
	}
}
