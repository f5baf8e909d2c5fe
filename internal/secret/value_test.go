package secret

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

// hunter must appear in no output of this package.
const hunter = "hunter2hunter2hunter2"

// holder has one in each kind of field, and nothing that would mask it.
type holder struct {
	Shown  Value
	hidden Value
	list   []Value
	led    *Value
}

// TestValueIsNotShown: by no verb, fitting or not, wherever it is, and by no encoder.
func TestValueIsNotShown(t *testing.T) {
	v := Of(hunter)
	h := holder{v, v, []Value{v}, &v}
	var all strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%p", "%c", "%e", "%z"} {
		fmt.Fprintf(&all, verb+verb+verb+"\n", v, h, &h)
	}
	encoded, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	all.Write(encoded)
	for _, handler := range []slog.Handler{slog.NewTextHandler(&all, nil), slog.NewJSONHandler(&all, nil)} {
		slog.New(handler).Info("x", "value", v, "holder", h, slog.Group("g", "value", v))
	}
	text := strings.ToLower(all.String())
	for _, form := range []string{hunter, fmt.Sprintf("%x", hunter), fmt.Sprint([]byte(hunter))} {
		if strings.Contains(text, form) {
			t.Errorf("a secret is shown as %s", form)
		}
	}
	if got := fmt.Sprint(v); got != Mask {
		t.Errorf("a secret shows as %q, want %q", got, Mask)
	}
	if v.Reveal() != hunter || !v.Set() || Of("").Set() || (Value{}).Reveal() != "" {
		t.Error("Reveal and Set do not tell a secret from none")
	}
}

func TestSum(t *testing.T) {
	one, same := Of("a"), Of("a")
	if one.Sum() != same.Sum() || one.Sum() == Of("b").Sum() || one.Sum() == (Value{}).Sum() {
		t.Error("sums do not tell equal secrets from others")
	}
}

func TestWeak(t *testing.T) {
	for text, want := range map[string]string{
		"":                                "",
		hunter:                            "",
		"user:" + hunter:                  "",
		"aa000000bb111111":                "",
		"abcabc":                          "",
		"aaa":                             "over and over",
		strings.Repeat("a", 16):           "over and over",
		strings.Repeat("0123", 4):         "over and over",
		strings.Repeat("ab", 8) + "a":     "over and over",
		"user:" + strings.Repeat("x", 8):  "over and over",
		DevPrefix + "complycube":          "kycbridge dev",
		"dev:" + DevPrefix + "idwise":     "kycbridge dev",
		DevKey:                            "kycbridge dev",
		"changeme-changeme":               "placeholder",
		"Change_Me 1234567890":            "placeholder",
		"user:replace-me-with-a-password": "placeholder",
	} {
		got := Of(text).Weak()
		if want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%q is weak for %q, want %q", text, got, want)
		}
	}
}
