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
	unmapped  = kycv1.DeadLetterReason_DEAD_LETTER_REASON_UNMAPPED
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

	before, after string // around the body, or the token that is the body
}

// unusableBodies are those of a way that proves any body.
func unusableBodies(v providers.Provider, good func() []byte) []unusable {
	of := func(name, value string) http.Header { return http.Header{name: {value}} }
	encoding := func(values ...string) http.Header { return http.Header{"Content-Encoding": values} }
	deep := []byte(`{"x":` + strings.Repeat("[", 4000) + strings.Repeat("]", 4000) + `}`)
	all := []unusable{
		{name: "empty", reason: malformed, detail: "the body is empty"},
		{name: "blanks", body: []byte(" \r\n\t"), reason: malformed, detail: "the body is empty"},
		{name: "a byte order mark alone", body: []byte("\xef\xbb\xbf"), reason: malformed, detail: "the body is empty"},
		{name: "gzip", body: zipped(good()), header: encoding("gzip"), reason: malformed, detail: "the body is gzip-compressed, as its Content-Encoding says"},
		{name: "gzip that nothing announces", body: zipped(good()), reason: malformed, detail: "begins as one that is gzip-compressed"},
		{name: "deflate", body: deflated(good()), header: encoding("Deflate"), reason: malformed, detail: "deflate-compressed"},
		{name: "brotli", body: []byte("\x0b\x02\x80" + "{}" + "\x03"), header: encoding("br"), reason: malformed, detail: "brotli-compressed"},
		{name: "two encodings", body: zipped(zipped(good())), header: encoding("gzip, br"), reason: malformed, detail: "several content encodings"},
		{name: "two encodings in two lines", body: zipped(good()), header: encoding("identity", "gzip", "deflate"), reason: malformed, detail: "several content encodings"},
		{name: "an encoding that is none", body: good()[:10], header: encoding("utf-8"), reason: malformed, detail: "a content encoding without a registered name"},
		{name: "UTF-16", body: []byte("\xff\xfe{\x00}\x00"), reason: malformed, detail: "UTF-16"},
		{name: "text", body: []byte("hello"), reason: malformed},
		{name: "cut off", body: good()[:len(good())/2], reason: malformed},
		{name: "a page", body: []byte("<!DOCTYPE html><html></html>"), header: of("Content-Type", "text/html"), reason: malformed, detail: "HTML"},
		{name: "XML", body: []byte("<?xml version=\"1.0\"?><a/>"), header: of("Content-Type", "application/xml"), reason: malformed},
		{name: "parts", body: []byte("--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nb\r\n--x--\r\n"), header: of("Content-Type", "multipart/form-data; boundary=x"), reason: malformed, detail: "multipart/form-data"},
		{name: "NULs", body: []byte("\x00\x00"), reason: malformed},
		{name: "two objects", body: slices.Concat(good(), []byte(`{"a":1}`)), reason: malformed},
		{name: "nested too deep", body: deep, reason: rejected, detail: "nested deeper"},
	}
	for _, top := range []string{`[]`, `[{}]`, `"x"`, `1`, `null`, `true`} {
		all = append(all, unusable{name: "the top level is " + top, body: []byte(top), reason: malformed})
	}
	if v.Name != "proofme" { // whose webhooks are forms without a type
		unknown := []byte(`{"id":"65f0fc7fe9c12d74a4246c13","type":"new.thing","event":"New Thing"}`)
		all = append(all, unusable{name: "an unknown event type", body: unknown, header: of("Idenfy-Event-Type", "NEW_THING"), reason: unmapped})
		all = append(all, unusable{name: "a form", body: []byte("a=b&c=d%20e"), header: of("Content-Type", "application/x-www-form-urlencoded"), reason: malformed, detail: "form"})
	}
	return append(all, oddButUsable(v, good)...)
}

// oddButUsable are bodies that can be read, however they are sent.
func oddButUsable(v providers.Provider, good func() []byte) []unusable {
	of := func(name string, values ...string) http.Header { return http.Header{name: values} }
	holding := func(text string) []byte {
		return bytes.Replace(good(), []byte("{"), []byte(`{"kycbridge_note":"`+text+`",`), 1)
	}
	all := []unusable{
		{name: "an encoding that is a character set", body: good(), header: of("Content-Encoding", "utf-8")},
		{name: "an encoding that is not true", body: good(), header: of("Content-Encoding", "gzip")},
		{name: "no encoding at all, said so", body: good(), header: of("Content-Encoding", "identity")},
		{name: "no media type", body: good(), header: of("Content-Type")},
		{name: "an odd media type", body: good(), header: of("Content-Type", "text/plain; charset=iso-8859-1")},
		{name: "a media type that is none", body: good(), header: of("Content-Type", "a/b/c;;=\"")},
		{name: "two media types", body: good(), header: of("Content-Type", "application/json", "text/html")},
		{name: "bytes that are no UTF-8", body: holding("\xff\xfe\xc0")},
		{name: "half a surrogate, and NUL", body: holding(`\ud800\u0000`)},
		{name: "a line break behind it", body: good(), after: "\r\n"},
		{name: "a byte order mark in front", body: good(), before: "\xef\xbb\xbf"},
	}
	for _, name := range v.KeepHeaders {
		if name != "User-Agent" && name != v.EventHeader() {
			all = append(all, unusable{name: "no " + name, body: good(), header: of(http.CanonicalHeaderKey(name))})
		}
	}
	return all
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
	all := []unusable{{name: "data nested too deep", body: object, reason: rejected, detail: "nested deeper"}, {name: "no data", body: []byte(`{}`), reason: malformed, detail: "an object that holds the event"}}
	for _, data := range []string{`null`, `[]`, `"x"`, `1`, `true`} {
		all = append(all, unusable{name: "data is " + data, body: []byte(`{"data":` + data + `}`), reason: malformed, detail: "an object that holds the event"})
	}
	all = append(all, unusable{name: "data without anything", body: []byte(`{"data":{}}`), reason: malformed})
	for _, u := range oddButUsable(p.vendor, p.good) {
		if inHeader && u.before+u.after != "" {
			continue // nothing can stand around it
		}
		u.body = slices.Concat([]byte(`{"data":`), u.body, []byte(`}`))
		all = append(all, u)
	}
	return all
}

// seal signs what is to be sent. What is said in headers comes last, so that no proof changes it.
func (p *poster) seal(u unusable) simulate.Delivery {
	p.Helper()
	headers, around := p.sample.Headers.Clone(), func(body []byte) []byte { return slices.Concat([]byte(u.before), body, []byte(u.after)) }
	d := p.sender.Seal(around(u.body), headers)
	if inHeader, inBody := p.tokenIn(); inHeader || inBody {
		d = p.sender.Seal(p.good(), headers)
		if token := p.token(u.body); inHeader {
			d.Header.Set(p.vendor.EventHeader(), token)
		} else {
			d.Body = around([]byte(token))
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
