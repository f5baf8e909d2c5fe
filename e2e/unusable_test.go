package e2e

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kycbridge/kycbridge/internal/simulate"
	"github.com/kycbridge/kycbridge/providers"
	"github.com/kycbridge/kycbridge/providers/auth"
	"github.com/kycbridge/kycbridge/providers/catalog"
	"github.com/kycbridge/kycbridge/schemas"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

const (
	malformed = kycv1.DeadLetterReason_DEAD_LETTER_REASON_MALFORMED
	rejected  = kycv1.DeadLetterReason_DEAD_LETTER_REASON_REJECTED_CONTENT
	usable    = kycv1.DeadLetterReason_DEAD_LETTER_REASON_UNSPECIFIED // it is no dead letter
)

// unusable is a delivery of an authenticated sender as no vendor should send it, and what becomes of it.
type unusable struct {
	name   string
	body   []byte
	header http.Header
	reason kycv1.DeadLetterReason
	detail string // a part of what the dead letter says
}

// unusableBodies are those of a way that proves any body.
func unusableBodies(v providers.Provider, good func() []byte) []unusable {
	plain, form := http.Header{}, "a=b&c=d%20e"
	of := func(name, value string) http.Header { return http.Header{name: {value}} }
	encoding := func(values ...string) http.Header { return http.Header{"Content-Encoding": values} }
	deep := []byte(`{"x":` + strings.Repeat("[", 4000) + strings.Repeat("]", 4000) + `}`)
	all := []unusable{
		{"empty", nil, plain, malformed, "the body is empty"},
		{"blanks", []byte(" \r\n\t"), plain, malformed, "the body is empty"},
		{"a byte order mark alone", []byte("\xef\xbb\xbf"), plain, malformed, "the body is empty"},
		{"gzip", zipped(good()), encoding("gzip"), malformed, "the body is gzip-compressed, as its Content-Encoding says"},
		{"gzip that nothing announces", zipped(good()), plain, malformed, "begins as one that is gzip-compressed"},
		{"deflate", deflated(good()), encoding("Deflate"), malformed, "deflate-compressed"},
		{"brotli", []byte("\x0b\x02\x80" + "{}" + "\x03"), encoding("br"), malformed, "brotli-compressed"},
		{"two encodings", zipped(zipped(good())), encoding("gzip, br"), malformed, "several content encodings"},
		{"two encodings in two lines", zipped(good()), encoding("identity", "gzip", "deflate"), malformed, "several content encodings"},
		{"an encoding that is none", good()[:10], encoding("utf-8"), malformed, "a content encoding without a registered name"},
		{"UTF-16", []byte("\xff\xfe{\x00}\x00"), plain, malformed, "UTF-16"},
		{"text", []byte("hello"), plain, malformed, ""},
		{"cut off", good()[:len(good())/2], plain, malformed, ""},
		{"a page", []byte("<!DOCTYPE html><html></html>"), of("Content-Type", "text/html"), malformed, "HTML"},
		{"XML", []byte("<?xml version=\"1.0\"?><a/>"), of("Content-Type", "application/xml"), malformed, ""},
		{"parts", []byte("--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nb\r\n--x--\r\n"), of("Content-Type", "multipart/form-data; boundary=x"), malformed, "multipart/form-data"},
		{"NULs", []byte("\x00\x00"), plain, malformed, ""},
		{"two objects", slices.Concat(good(), []byte(`{"a":1}`)), plain, malformed, ""},
		{"nested too deep", deep, plain, rejected, "nested deeper"},
	}
	for _, top := range []string{`[]`, `[{}]`, `"x"`, `1`, `null`, `true`} {
		all = append(all, unusable{"the top level is " + top, []byte(top), plain, malformed, ""})
	}
	if v.Name != "proofme" { // whose webhooks are forms
		all = append(all, unusable{"a form", []byte(form), of("Content-Type", "application/x-www-form-urlencoded"), malformed, "form"})
	}
	return append(all, oddButUsable(good)...)
}

// oddButUsable are bodies that can be read, however they are sent.
func oddButUsable(good func() []byte) []unusable {
	none := http.Header{"Content-Type": nil}
	of := func(name string, values ...string) http.Header { return http.Header{name: values} }
	return []unusable{
		{"an encoding that is a character set", good(), of("Content-Encoding", "utf-8"), usable, ""},
		{"an encoding that is not true", good(), of("Content-Encoding", "gzip"), usable, ""},
		{"no encoding at all, said so", good(), of("Content-Encoding", "identity"), usable, ""},
		{"no media type", good(), none, usable, ""},
		{"an odd media type", good(), of("Content-Type", "text/plain; charset=iso-8859-1"), usable, ""},
		{"a media type that is none", good(), of("Content-Type", "a/b/c;;=\""), usable, ""},
		{"two media types", good(), of("Content-Type", "application/json", "text/html"), usable, ""},
		{"a trailing line break", slices.Concat(good(), []byte("\r\n")), http.Header{}, usable, ""},
	}
}

func zipped(b []byte) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, _ = w.Write(b)
	_ = w.Close()
	return out.Bytes()
}

func deflated(b []byte) []byte {
	var out bytes.Buffer
	w, _ := flate.NewWriter(&out, flate.BestSpeed)
	_, _ = w.Write(b)
	_ = w.Close()
	return out.Bytes()
}

// TestUnusableIsSuccessAndADeadLetter posts what an authenticated sender may send by mistake, to every vendor in every way
// it can prove itself. Some vendors never repeat after a 4xx, so each is answered with success and stored once, and is
// one dead letter of the right reason that helps, or, where it can be read after all, none.
func TestUnusableIsSuccessAndADeadLetter(t *testing.T) {
	a := startAviary(t, nil)
	r := read(t, a.kafka, schemas.DefaultPrefix)
	posted := map[string]unusable{}
	for _, v := range catalog.All() {
		ways, err := a.keys.Ways(v)
		if err != nil {
			t.Fatal(err)
		}
		for _, way := range ways {
			p := a.poster(v, way)
			kinds := p.kinds()
			for _, u := range kinds {
				what := way.Endpoint + ": " + u.name
				u.name = what
				posted[p.post(what, p.seal(u))] = u
			}
			p.oddTransport(posted)
			t.Logf("%s: %d kinds", way.Endpoint, len(kinds))
		}
	}
	r.quiet(t)
	judgeUnusable(t, posted, sorted(t, r.snapshot()))
}

// poster plays one vendor in one way.
type poster struct {
	*aviary
	vendor providers.Provider
	way    simulate.Way
	sender *simulate.Sender
	sample providers.Fixture
	n      uint64
}

func (a *aviary) poster(v providers.Provider, way simulate.Way) *poster {
	a.Helper()
	sender, err := simulate.NewSender(v, way, "http://"+a.ingest.listen+"/hooks/"+way.Endpoint, 1, "")
	if err != nil {
		a.Fatal(err)
	}
	a.Cleanup(sender.Close)
	p := &poster{aviary: a, vendor: v, way: way, sender: sender}
	fixtures, err := v.Fixtures()
	if err != nil {
		a.Fatal(err)
	}
	at := slices.IndexFunc(fixtures, func(f providers.Fixture) bool {
		return !f.Bad() && f.Fetched == nil && f.Headers.Get("Content-Type") == "" && bytes.HasPrefix(f.Body, []byte("{"))
	})
	if at < 0 { // every event of the vendor needs its API
		at = slices.IndexFunc(fixtures, func(f providers.Fixture) bool { return !f.Bad() && bytes.HasPrefix(f.Body, []byte("{")) })
	}
	p.sample = fixtures[at]
	return p
}

// good is a sound body that was never sent before.
func (p *poster) good() []byte {
	p.n++
	return p.vendor.Vary(p.sample.Body, p.n<<20+uint64(len(p.way.Endpoint)))
}

// tokenIn reports where the event is a token: in a header, or the body.
func (p *poster) tokenIn() (header, body bool) {
	d := p.sender.Seal(p.good(), nil)
	header = p.vendor.EventHeader() != "" && d.Header.Get(p.vendor.EventHeader()) != ""
	return header, !header && p.vendor.EventHeader() != ""
}

// kinds are what the way is sent.
func (p *poster) kinds() []unusable {
	inHeader, inBody := p.tokenIn()
	if !inHeader && !inBody {
		return unusableBodies(p.vendor, p.good)
	}
	object := []byte(`{"data":` + strings.Repeat("[", 1000) + strings.Repeat("]", 1000) + `}`) // a header has less room than a body
	all := []unusable{{"data nested too deep", object, nil, rejected, "nested deeper"}, {"no data", []byte(`{}`), nil, malformed, "want a claim that is an object"}}
	for _, data := range []string{`null`, `[]`, `"x"`, `1`, `true`} {
		all = append(all, unusable{"data is " + data, []byte(`{"data":` + data + `}`), nil, malformed, "want a claim that is an object"})
	}
	all = append(all, unusable{"data without anything", []byte(`{"data":{}}`), nil, malformed, ""})
	for _, u := range oddButUsable(p.good) {
		if strings.HasPrefix(u.name, "a trailing") {
			continue // of the body, and the token is that
		}
		u.body = slices.Concat([]byte(`{"data":`), u.body, []byte(`}`))
		all = append(all, u)
	}
	return all
}

// seal signs what is to be sent. What is said in headers comes last, so that no proof changes it.
func (p *poster) seal(u unusable) simulate.Delivery {
	p.Helper()
	headers := p.sample.Headers.Clone()
	d := p.sender.Seal(u.body, headers)
	if inHeader, inBody := p.tokenIn(); inHeader || inBody {
		d = p.sender.Seal(p.good(), headers)
		if token := p.token(u.body); inHeader {
			d.Header.Set(p.vendor.EventHeader(), token)
		} else {
			d.Body = []byte(token)
		}
	}
	for name, values := range u.header {
		if d.Header[name] = values; len(values) == 0 {
			delete(d.Header, name)
		}
	}
	return d
}

// token signs claims, with what a token needs beside them, as the vendor.
func (p *poster) token(claims []byte) string {
	p.Helper()
	key, err := os.ReadFile(filepath.Join(p.keys.Dir, "dev", p.vendor.Name+"-key.pem"))
	if err != nil {
		p.Fatal(err)
	}
	secret, err := auth.NewSecret("dev", key, time.Time{}, time.Time{})
	if err != nil {
		p.Fatal(err)
	}
	for _, k := range p.keys.Checks(p.way) {
		if k.Token == nil {
			continue
		}
		standard := fmt.Sprintf(`{"iss":%q,"aud":%q,"exp":%d`, k.Token.Issuer, k.Token.Audience, time.Now().Add(time.Hour).Unix())
		if rest := bytes.TrimPrefix(claims, []byte("{")); len(rest) > 1 {
			standard += "," + string(rest)
		} else {
			standard += "}"
		}
		token, err := auth.JWT{}.TokenOf(secret, []byte(standard))
		if err != nil {
			p.Fatal(err)
		}
		return token
	}
	p.Fatal("the way has no token")
	return ""
}

// post sends a delivery, wants success, and gives its id.
func (p *poster) post(what string, d simulate.Delivery) (id string) {
	p.Helper()
	err := p.sender.Post(context.Background(), d, func(resp *http.Response) error {
		id = resp.Header.Get("Kycbridge-Delivery-Id")
		if resp.StatusCode/100 != 2 {
			text, _ := io.ReadAll(resp.Body)
			p.Errorf("%s is answered %d %q, want success", what, resp.StatusCode, text)
		}
		return nil
	})
	if err != nil || id == "" {
		p.Errorf("%s: %v, and its id is %q", what, err, id)
	}
	return id
}

// oddTransport sends a sound delivery in chunks of no announced length, and one that waits to be asked for its body;
// and with other methods, which leave nothing.
func (p *poster) oddTransport(posted map[string]unusable) {
	p.Helper()
	for _, method := range []string{"chunked", "expecting", http.MethodHead, http.MethodPut, http.MethodGet, http.MethodDelete} {
		u := unusable{name: p.way.Endpoint + ": " + method, body: p.good(), reason: usable}
		d := p.sender.Seal(u.body, p.sample.Headers.Clone())
		var body io.Reader = bytes.NewReader(d.Body)
		is := http.MethodPost
		switch method {
		case "chunked":
			body = io.MultiReader(body) // hides how long it is
		case "expecting":
			d.Header.Set("Expect", "100-continue")
		default:
			is = method
		}
		r, err := http.NewRequest(is, d.URL, body)
		if err != nil {
			p.Fatal(err)
		}
		r.Header = d.Header
		client := http.Client{Transport: &http.Transport{ExpectContinueTimeout: time.Minute, DisableKeepAlives: true}, Timeout: patience}
		resp, err := client.Do(r)
		if err != nil {
			p.Errorf("%s: %v", u.name, err)
			continue
		}
		_ = resp.Body.Close()
		switch {
		case is == http.MethodPost && resp.StatusCode/100 == 2:
			posted[resp.Header.Get("Kycbridge-Delivery-Id")] = u
		case is == http.MethodPost || resp.StatusCode != http.StatusMethodNotAllowed:
			p.Errorf("%s is answered %d", u.name, resp.StatusCode)
		}
	}
}

// judgeUnusable holds what is in the topics against what was posted.
func judgeUnusable(t *testing.T, posted map[string]unusable, f found) {
	t.Helper()
	raw, letters := map[string]int{}, map[string][]*kycv1.DeadLetter{}
	for _, record := range f.raw {
		raw[decode[*kycv1.RawEnvelope](t, record).GetDeliveryId()]++
	}
	for _, letter := range f.dead {
		id := letter.GetEnvelope().GetDeliveryId()
		letters[id] = append(letters[id], letter)
	}
	for id, u := range posted {
		if raw[id] != 1 {
			t.Errorf("%s: %d raw records, want 1", u.name, raw[id])
		}
		var reasons []string
		for _, letter := range letters[id] {
			if letter.GetReason() != kycv1.DeadLetterReason_DEAD_LETTER_REASON_HYDRATION_FAILED { // the played API knows no such object
				reasons = append(reasons, letter.GetReason().String()+" "+letter.GetDetail())
			}
		}
		switch {
		case u.reason == usable && len(reasons) > 0:
			t.Errorf("%s: %v, want no dead letter", u.name, reasons)
		case u.reason != usable && (len(reasons) != 1 || !strings.HasPrefix(reasons[0], u.reason.String()) || !strings.Contains(reasons[0], u.detail)):
			t.Errorf("%s: %v, want one dead letter %s that says %q", u.name, reasons, u.reason, u.detail)
		}
	}
	if extra := slices.DeleteFunc(slices.Collect(maps.Keys(raw)), func(id string) bool { _, ok := posted[id]; return ok }); len(extra) > 0 {
		t.Errorf("%d raw records of what was refused: %v", len(extra), extra)
	}
}
