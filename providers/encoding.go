package providers

import (
	"bytes"
	"errors"
	"mime"
	"net/http"
	"slices"
	"strings"

	"github.com/kycbridge/kycbridge/providers/auth"
)

// EncodingHeader is in the envelope of every vendor: with a content encoding, a body is stored as it came and
// cannot be read, and the header says why.
const EncodingHeader = "Content-Encoding"

// Explain adds to a Problem with a body that cannot be read what is known of how the body was sent: what it is
// packed with, or what it is instead of what the vendor sends. Any other error stays as it is.
func Explain(d *Delivery, err error) error {
	var p *Problem
	if d.Fetched != nil || !errors.Is(err, ErrMalformed) || !errors.As(err, &p) {
		return err
	}
	said := d.packed()
	if said == "" {
		said = d.shape()
	}
	if said == "" {
		return err
	}
	out := *p
	out.Detail = said + "; " + p.Detail
	return &out
}

// packings are the content encodings that may be named, and how to say them.
var packings = map[string]string{
	"gzip": "gzip-compressed", "x-gzip": "gzip-compressed", "deflate": "deflate-compressed", "br": "brotli-compressed",
	"zstd": "zstd-compressed", "compress": "compress-compressed", "x-compress": "compress-compressed",
}

// packed says what the header and the first bytes tell of a content encoding; "" for none. It quotes neither.
func (d *Delivery) packed() string {
	var how []string
	for _, line := range d.Headers.Values(EncodingHeader) {
		for word := range strings.SplitSeq(line, ",") {
			switch word = strings.ToLower(strings.TrimSpace(word)); {
			case word == "" || word == "identity":
			case packings[word] != "":
				how = append(how, packings[word])
			default:
				how = append(how, "in a content encoding without a registered name")
			}
		}
	}
	const advice = ", and is kept as it came: have the sender, or the proxy in front, send it plain"
	switch {
	case len(how) == 1:
		return "the body is " + how[0] + ", as its " + EncodingHeader + " says" + advice
	case len(how) > 1:
		slices.Sort(how)
		return "the body has several content encodings (" + strings.Join(slices.Compact(how), ", ") + ")" + advice
	}
	for begin, name := range magic {
		if bytes.HasPrefix(d.Body, []byte(begin)) {
			return "the body begins as one that is " + name + ", though no " + EncodingHeader + " says so"
		}
	}
	return ""
}

// magic is how bodies begin that are packed, or written in another way than UTF-8.
var magic = map[string]string{
	"\x1f\x8b": "gzip-compressed", "\x28\xb5\x2f\xfd": "zstd-compressed",
	"\x78\x01": "deflate-compressed", "\x78\x9c": "deflate-compressed", "\x78\xda": "deflate-compressed",
	"\xff\xfe": "in UTF-16", "\xfe\xff": "in UTF-16",
}

// shape says what a body is that is no JSON, as far as that can be said without quoting it.
func (d *Delivery) shape() string {
	media, _, _ := mime.ParseMediaType(d.ContentType)
	switch {
	case len(auth.Bare(d.Body)) == 0:
		return "the body is empty"
	case media == "multipart/form-data" || media == "application/x-www-form-urlencoded":
		return "the body is a form, as its Content-Type says (" + media + ")"
	case strings.HasPrefix(http.DetectContentType(d.Body), "text/html"):
		return "the body is a page in HTML"
	}
	return ""
}
