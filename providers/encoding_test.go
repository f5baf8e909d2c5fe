package providers

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/kycbridge/kycbridge/internal/canary"
)

// TestExplain: a body that cannot be read is said to be packed, or what it is instead; whatever else went wrong is
// said as before.
func TestExplain(t *testing.T) {
	unreadable := &Problem{Detail: "no JSON", Err: ErrMalformed}
	const plain = "no JSON"
	for name, tc := range map[string]struct {
		encoding []string
		media    string
		body     string
		want     string // what it begins with
	}{
		"nothing special":        {nil, "application/json", "{", plain},
		"gzip":                   {[]string{"gzip"}, "", "{", "the body is gzip-compressed, as its Content-Encoding says"},
		"in other letters":       {[]string{" X-GZip "}, "", "{", "the body is gzip-compressed, as"},
		"identity":               {[]string{"identity, , identity"}, "", "{", plain},
		"identity before gzip":   {[]string{"identity, gzip"}, "", "{", "the body is gzip-compressed, as"},
		"two":                    {[]string{"gzip, br"}, "", "{", "the body has several content encodings (brotli-compressed, gzip-compressed)"},
		"two lines":              {[]string{"zstd", "deflate"}, "", "{", "the body has several content encodings (deflate-compressed, zstd-compressed)"},
		"twice the same":         {[]string{"gzip, gzip"}, "", "{", "the body has several content encodings (gzip-compressed)"},
		"no encoding":            {[]string{"utf-8"}, "", "{", "the body is in a content encoding without a registered name"},
		"said before looked for": {[]string{"br"}, "", "\x1f\x8b", "the body is brotli-compressed"},
		"gzip unsaid":            {nil, "", "\x1f\x8b\x08", "the body begins as one that is gzip-compressed"},
		"zlib unsaid":            {nil, "", "\x78\x9c\x03", "the body begins as one that is deflate-compressed"},
		"zstd unsaid":            {nil, "", "\x28\xb5\x2f\xfd", "the body begins as one that is zstd-compressed"},
		"UTF-16":                 {nil, "", "\xfe\xff\x00{", "the body begins as one that is in UTF-16"},
		"empty":                  {nil, "", "", "the body is empty"},
		"blank":                  {nil, "", "\xef\xbb\xbf \r\n", "the body is empty"},
		"form":                   {nil, "application/x-www-form-urlencoded; charset=utf-8", "a=b", "the body is a form, as its Content-Type says (application/x-www-form-urlencoded)"},
		"parts":                  {nil, "Multipart/Form-Data; boundary=x", "--x", "the body is a form, as its Content-Type says (multipart/form-data)"},
		"page":                   {nil, "application/json", "  <!doctype HTML><p>", "the body is a page in HTML"},
		"a letter that opens x":  {nil, "", "xylophone", plain},
	} {
		d := &Delivery{Headers: http.Header{}, ContentType: tc.media, Body: []byte(tc.body)}
		if tc.encoding != nil {
			d.Headers[EncodingHeader] = tc.encoding
		}
		err := Explain(d, unreadable)
		var p *Problem
		if !errors.As(err, &p) || !errors.Is(err, ErrMalformed) || !strings.HasPrefix(p.Detail, tc.want) || !strings.HasSuffix(p.Detail, plain) {
			t.Errorf("%s is explained as %v, want %q and what was found before", name, err, tc.want)
		}
	}
	packed := &Delivery{Headers: http.Header{EncodingHeader: {"gzip"}}}
	fetched := &Delivery{Headers: http.Header{EncodingHeader: {"gzip"}}, Fetched: &Fetched{}}
	for name, tc := range map[string]struct {
		d   *Delivery
		err error
	}{
		"no error": {packed, nil}, "an error of another kind": {packed, errors.New("x")}, "a missing id": {packed, LacksID("id")},
		"the answer of an API": {fetched, unreadable},
	} {
		if got := Explain(tc.d, tc.err); got != tc.err {
			t.Errorf("%s becomes %v, want it as it was", name, got)
		}
	}
	if unreadable.Detail != plain {
		t.Errorf("the vendor's own problem was changed to %q", unreadable.Detail)
	}
}

// TestExplainQuotesNothing: whatever is said in the headers and the body, none of it is in the explanation.
func TestExplainQuotesNothing(t *testing.T) {
	for _, c := range canary.All() {
		for _, d := range []*Delivery{
			{Headers: http.Header{EncodingHeader: {c.Text}}}, {Headers: http.Header{EncodingHeader: {"gzip, " + c.Text, c.Text}}},
			{ContentType: "multipart/form-data; boundary=" + c.Text}, {ContentType: c.Text}, {Body: []byte("<html>" + c.Text)}, {Body: []byte("\x1f\x8b" + c.Text)},
		} {
			if err := Explain(d, &Problem{Detail: "no JSON", Err: ErrMalformed}); c.In([]byte(err.Error())) {
				t.Errorf("a %s is quoted: %v", c.Kind, err)
			}
		}
	}
}
