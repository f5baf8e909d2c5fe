package idnow

import (
	"bytes"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/kycbridge/kycbridge/providers"
)

// TestBothForms: every fixture says the same as a body and in the header.
func TestBothForms(t *testing.T) {
	v := newVendor(t, ecKey(), "ES256")
	for _, f := range fixtures(t) {
		header := v.send(v.head, f.Body)
		header.Body = []byte(`{"eventName":"session.completed"}`) // not what the token says
		inBody, inHeader := see(v.send(v.body, f.Body)), see(header)
		if inBody.key != inHeader.key || (inBody.err == nil) != (inHeader.err == nil) || len(inBody.Events) != len(inHeader.Events) {
			t.Errorf("%s: key %q, %v as a body; key %q, %v in the header", f.Name, inBody.key, inBody.err, inHeader.key, inHeader.err)
			continue
		}
		if inBody.err != nil && inBody.err.Error() != inHeader.err.Error() {
			t.Errorf("%s: %v as a body, %v in the header", f.Name, inBody.err, inHeader.err)
		}
		for i := range inBody.Events {
			if inBody.key != "" && !proto.Equal(inBody.Events[i], inHeader.Events[i]) {
				t.Errorf("%s: event %d differs between the two forms", f.Name, i)
			}
		}
	}
}

// TestPlaces: whichever place ingest verified, the other one cannot say anything.
func TestPlaces(t *testing.T) {
	v := newVendor(t, ecKey(), "ES256")
	token := func(data []byte) string { return string(v.send(v.body, data).Body) }
	created, retry, again := fixture(t, "session_created"), fixture(t, "session_retry_first"), fixture(t, "session_retry_second")
	forged := token(edited(t, created, "CREATED", "RUNNING"))
	forged = forged[:strings.LastIndexByte(forged, '.')+1] + "AAAA"
	for name, tc := range map[string]struct {
		body   string
		header []string
		err    error // nil: it is session_created
	}{
		"body":                                  {body: token(created)},
		"header beside JSON":                    {body: `{"data":{}}`, header: []string{token(created)}},
		"header beside a forged event":          {body: string(retry), header: []string{token(created)}},
		"header beside broken JSON":             {body: `{"data":`, header: []string{token(created)}},
		"header beside a byte order mark":       {body: "\xef\xbb\xbf {}", header: []string{token(created)}},
		"header alone":                          {header: []string{token(created)}},
		"header with white space":               {body: "{}", header: []string{" " + token(created) + "\t"}},
		"both, equal":                           {body: token(created), header: []string{token(created)}},
		"body with an empty header":             {body: token(created), header: []string{""}},
		"body with a forged header":             {body: token(created), header: []string{forged}, err: providers.ErrMismatch},
		"header with a forged body":             {body: forged, header: []string{token(created)}, err: providers.ErrMismatch},
		"body with another event's header":      {body: token(created), header: []string{token(retry)}, err: providers.ErrMismatch},
		"body with a header that is no token":   {body: token(created), header: []string{"CANARY"}, err: providers.ErrMismatch},
		"body with a header without data":       {body: token(created), header: []string{token([]byte("null"))}, err: providers.ErrMismatch},
		"header with a body that is no token":   {body: "CANARY", header: []string{token(created)}, err: providers.ErrMalformed},
		"header with a body that is an array":   {body: `["CANARY"]`, header: []string{token(created)}, err: providers.ErrMalformed},
		"two headers":                           {body: "{}", header: []string{token(created), forged}, err: providers.ErrMismatch},
		"two equal headers":                     {body: "{}", header: []string{token(created), token(created)}, err: providers.ErrMismatch},
		"neither: JSON alone is never believed": {body: `{"data":` + string(created) + `}`, err: providers.ErrMalformed},
		"neither: the event alone":              {body: string(created), err: providers.ErrMalformed},
		"neither: nothing":                      {err: providers.ErrMalformed},
		"an encrypted token":                    {body: token(created) + ".AAAA.AAAA", err: providers.ErrMalformed},
		"a token of two parts":                  {body: forged[:strings.LastIndexByte(forged, '.')], err: providers.ErrMalformed},
		"claims that are no base64url":          {body: "e30.e+30.AAAA", err: providers.ErrMalformed},
		"claims that are no JSON":               {body: "e30." + base64.RawURLEncoding.EncodeToString([]byte("CANARY")) + ".AAAA", err: providers.ErrMalformed},
		"claims that are an array":              {body: "e30.W10.AAAA", err: providers.ErrMalformed},
		"claims without data":                   {body: "e30.e30.AAAA", err: providers.ErrMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			d := &providers.Delivery{Endpoint: "idnow", Body: []byte(tc.body), Headers: http.Header{}}
			for _, h := range tc.header {
				d.Headers.Add(signatureHeader, h)
			}
			s := see(d)
			if !errors.Is(s.err, tc.err) {
				t.Fatalf("got %v, want %v", s.err, tc.err)
			}
			if s.err != nil && strings.Contains(s.err.Error(), "CANARY") {
				t.Errorf("the error quotes the delivery: %v", s.err)
			}
			if tc.err == nil && (s.notice.Type != "session.created" || s.key == "") {
				t.Errorf("read as %s with key %q", s.notice.Type, s.key)
			}
		})
	}
	both := see(&providers.Delivery{Body: []byte(token(retry)), Headers: http.Header{signatureHeader: {token(again)}}})
	if !errors.Is(both.err, providers.ErrMismatch) {
		t.Errorf("two attempts at one event in the two places: %v; nobody knows which of them was verified", both.err)
	}
}

// FuzzToken: whatever the two places hold, nothing crashes, the delivery stays as
// it is, and what cannot be parsed at all has no key.
func FuzzToken(f *testing.F) {
	v := newVendor(f, ecKey(), "ES256")
	for _, name := range []string{"session_created", "session_new_fields", "step_aml_match", "bad_truncated", "bad_classic_success", "bad_classic_list"} {
		f.Add(fixture(f, name), "")
		body := v.send(v.body, fixture(f, name))
		head := v.send(v.head, fixture(f, name))
		f.Add(body.Body, "")
		f.Add(head.Body, head.Headers.Get(signatureHeader))
		f.Add(body.Body, head.Headers.Get(signatureHeader))
	}
	f.Fuzz(func(t *testing.T, body []byte, header string) {
		d := &providers.Delivery{Endpoint: "idnow", Body: bytes.Clone(body), Headers: http.Header{signatureHeader: {header}}}
		s := see(d)
		if !bytes.Equal(d.Body, body) {
			t.Error("reading changed the body")
		}
		var p *providers.Problem
		if s.err != nil && (!errors.As(s.err, &p) || s.notice == nil && p.Field == "" && s.key != "") {
			t.Errorf("%v with key %q", s.err, s.key)
		}
		if s.err == nil && s.key != s.Events[0].GetMetadata().GetSubject().GetSessionId() {
			t.Errorf("key %q, session %q", s.key, s.Events[0].GetMetadata().GetSubject().GetSessionId())
		}
	})
}
