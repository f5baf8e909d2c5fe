package idnow

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/kycbridge/kycbridge/providers"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// TestAttempts: the same event told again is the same, whatever its envelope.
func TestAttempts(t *testing.T) {
	v := newVendor(t, ecKey(), "ES256")
	first := see(v.send(v.body, fixture(t, "session_retry_first")))
	for name, d := range map[string]*providers.Delivery{
		"another attempt":               v.send(v.body, fixture(t, "session_retry_second")),
		"a numeric attempt id":          v.send(v.body, fixture(t, "session_retry_deliver_id_is_a_number")),
		"spaced and reordered":          v.send(v.body, fixture(t, "session_retry_spaced_and_reordered")),
		"signed again later":            v.sendAt(v.body, fixture(t, "session_retry_first"), now.Add(time.Second)),
		"in the header":                 v.send(v.head, fixture(t, "session_retry_second")),
		"with other claims beside it":   v.claims(t, `{"jti":"other","iat":1,"exp":2,"sub":"s","data":`+string(fixture(t, "session_retry_first"))+`}`),
		"with white space around it":    padded(v.send(v.body, fixture(t, "session_retry_first"))),
		"with the API's object":         with(v.send(v.body, fixture(t, "session_retry_first")), kycv1.FetchResult_FETCH_RESULT_FETCHED, `{"outcome":"accepted"}`),
		"with an API that knows it not": with(v.send(v.body, fixture(t, "session_retry_first")), kycv1.FetchResult_FETCH_RESULT_NOT_FOUND, ""),
	} {
		d.Tenant = "default"
		s := see(d)
		if s.err != nil || s.key != first.key || s.eventID != first.eventID || s.notice.ContentHash() != first.notice.ContentHash() ||
			!bytes.Equal(s.notice.Identity.Bytes(), first.notice.Identity.Bytes()) {
			t.Errorf("%s: %+v, want all of %+v", name, s, first)
		}
	}
	other := see(v.send(v.body, fixture(t, "session_retry_other_content")))
	if !slices.Equal(other.notice.Identity, first.notice.Identity) || other.notice.ContentHash() == first.notice.ContentHash() || other.eventID == first.eventID {
		t.Error("other content under the same id: want the same identity, another hash and another event id")
	}
}

func padded(d *providers.Delivery) *providers.Delivery {
	d.Body = []byte("\r\n " + string(d.Body) + "\n")
	return d
}

func with(d *providers.Delivery, result kycv1.FetchResult, object string) *providers.Delivery {
	d.Fetched = &providers.Fetched{Result: result, Kind: sessionObject, Body: []byte(object), At: now}
	return d
}

// TestEnvironment: what the vendor calls live comes only to a live endpoint, and
// nothing else does.
func TestEnvironment(t *testing.T) {
	v := newVendor(t, ecKey(), "ES256")
	sound := fixture(t, "session_created")
	const onLive, onSandbox = kycv1.Environment_ENVIRONMENT_LIVE, kycv1.Environment_ENVIRONMENT_SANDBOX
	for _, tc := range []struct {
		word     string
		endpoint kycv1.Environment
		fits     bool
		drift    bool
	}{
		{`"live"`, onLive, true, false},
		{`"Live"`, onLive, true, false},
		{`"staging"`, onLive, false, false},
		{`"preview"`, onLive, false, false},
		{`1`, onLive, false, false},
		{`{"name":"live"}`, onLive, false, false},
		{`null`, onLive, true, true},
		{`""`, onLive, true, true},
		{`"live"`, onSandbox, false, false},
		{`"staging"`, onSandbox, true, false},
		{`"preview"`, onSandbox, true, true},
	} {
		d := v.send(v.body, edited(t, sound, `"environment":"staging"`, `"environment":`+tc.word))
		d.Environment = tc.endpoint
		s := see(d)
		if tc.fits != (s.err == nil) || !tc.fits && !errors.Is(s.err, providers.ErrMismatch) {
			t.Errorf("%s on %s: %v, want it to fit: %v", tc.word, tc.endpoint, s.err, tc.fits)
		}
		if tc.fits && tc.drift != (len(s.Drift) > 0) {
			t.Errorf("%s on %s: drift %v, want some: %v", tc.word, tc.endpoint, s.Drift, tc.drift)
		}
	}
}

// TestClaims: what stands beside data is read for drift and for nothing else.
func TestClaims(t *testing.T) {
	v := newVendor(t, ecKey(), "ES256")
	data := string(fixture(t, "session_created"))
	plain := see(v.claims(t, `{"data":`+data+`}`))
	for claims, drift := range map[string]string{
		`"iss":"a","aud":"b","iat":1,"exp":2`: "",
		`"nbf":3,"jti":"c"`:                   "inferred inferred",
		`"sub":" "`:                           "",
		`"sub":{"id":"CANARY"}`:               "sub type",
		`"aud":["a","b"]`:                     "",
		`"sub":"` + plain.notice.ID + `"`:     "",
		`"sub":"somebody else"`:               "sub",
		`"sub":null`:                          "",
		`"azp":"CANARY"`:                      "field",
		`"eventName":"session.completed"`:     "field",
		`"payload":{"sessionId":"another"}`:   "field",
	} {
		s := see(v.claims(t, "{"+claims+`,"data":`+data+"}"))
		if s.err != nil || s.key != plain.key || !proto.Equal(s.Events[0], plain.Events[0]) {
			t.Errorf("%s changes the event: %v %v", claims, s.err, s.Events)
		}
		var kinds []string
		for _, d := range s.Drift {
			kinds = append(kinds, d.Kind)
		}
		if got := strings.Join(kinds, " "); got != drift {
			t.Errorf("%s: drift %q, want %q", claims, got, drift)
		}
	}
}

// TestOnlyTheAPIApproves: no webhook, whatever it says, is a verdict without the
// session object, and with it only the documented word is.
func TestOnlyTheAPIApproves(t *testing.T) {
	v := newVendor(t, ecKey(), "ES256")
	for _, f := range fixtures(t) {
		for _, result := range []kycv1.FetchResult{
			0, kycv1.FetchResult_FETCH_RESULT_NOT_FOUND, kycv1.FetchResult_FETCH_RESULT_GONE, kycv1.FetchResult_FETCH_RESULT_GAVE_UP,
		} {
			d := v.send(v.body, f.Body)
			if result != 0 {
				with(d, result, "")
			}
			if s := see(d); slices.ContainsFunc(s.Events, approves) {
				t.Errorf("%s, fetched %s: approved", f.Name, result)
			}
		}
	}
	sound := fixture(t, "session_completed")
	for outcome, want := range map[string]bool{
		`"accepted"`: true, `"Accepted"`: true, `" ACCEPTED "`: true,
		`"rejected"`: false, `"NO_OUTCOME"`: false, `"approved"`: false, `"accept"`: false, `"acceptеd"`: false, // a Cyrillic е
		`true`: false, `["accepted"]`: false, `{"accepted":true}`: false, `null`: false, `""`: false, `1`: false,
	} {
		s := see(with(v.send(v.body, sound), kycv1.FetchResult_FETCH_RESULT_FETCHED, `{"outcome":`+outcome+`}`))
		if s.err != nil || approves(s.Events[0]) != want {
			t.Errorf("outcome %s: approved %v (%v), want %v", outcome, !want, s.err, want)
		}
	}
}

// TestNeeds: the API is asked for completed sessions, and for nothing that will
// be a dead letter anyway.
func TestNeeds(t *testing.T) {
	v := newVendor(t, ecKey(), "ES256")
	for _, f := range fixtures(t) {
		d := v.send(v.body, f.Body)
		n, err := Provider.Parse(d)
		if err != nil {
			continue
		}
		target, asked := Provider.Hydration.Needs(d, n)
		m, err := Provider.Map(d, n)
		if asked != (err == nil && m.Incomplete) {
			t.Errorf("%s: asks %v; incomplete %v, %v", f.Name, asked, m.Incomplete, err)
		}
		if asked && (target.Kind != sessionObject || target.ID != m.Events[0].GetMetadata().GetSubject().GetSessionId()) {
			t.Errorf("%s: asks for %v", f.Name, target)
		}
		if _, known := Provider.Hydration.Objects[target.Kind]; asked && !known {
			t.Errorf("%s: no path for %s", f.Name, target.Kind)
		}
	}
}

func TestCheck(t *testing.T) {
	target := providers.Target{Kind: sessionObject, ID: "s-1"}
	for body, sound := range map[string]bool{
		`{"sessionId":"s-1","sessionStatus":"COMPLETED","outcome":"accepted"}`: true,
		`{"sessionId":"s-1","sessionStatus":"completed"}`:                      true,
		`{"sessionId":"s-1"}`:                             true,
		`{"outcome":"accepted"}`:                          true,
		`{"sessionId":"s-1","sessionStatus":"ABORTED"}`:   true, // no session leaves that state: asking again is useless
		`{"sessionId":"s-1","sessionStatus":"ARCHIVED"}`:  true,
		`{"sessionId":"s-2","sessionStatus":"COMPLETED"}`: false,
		`{"sessionId":{"id":"s-1"},"outcome":"accepted"}`: false,
		`{"sessionId":"s-1","sessionStatus":"RUNNING"}`:   false,
		`{"sessionId":"s-1","sessionStatus":"created"}`:   false,
		`{"error":"CANARY"}`:                              false,
		`{}`:                                              false,
		`[]`:                                              false,
		`<html>CANARY`:                                    false,
	} {
		err := check(target, []byte(body))
		if sound != (err == nil) {
			t.Errorf("%s: %v", body, err)
		}
		if err != nil && strings.Contains(err.Error(), "CANARY") {
			t.Errorf("the error quotes the answer: %v", err)
		}
	}
}

// TestAck: the answer is due well before the vendor's own limit, and no final
// status is one that we answer when the fault is ours.
func TestAck(t *testing.T) {
	ack := Provider.Ack
	if ack.Code() != 200 || ack.Budget() != 8*time.Second || ack.RetryFor != 1023*time.Second {
		t.Errorf("code %d, budget %s, retries for %s; want 200, 8s, 17m3s", ack.Code(), ack.Budget(), ack.RetryFor)
	}
	for _, r := range ack.FinalStatuses {
		if r.From <= 503 && 503 <= r.To || r.From > 401 || r.To < 401 {
			t.Errorf("final statuses %v: want 401 in and 503 out", r)
		}
	}
}
