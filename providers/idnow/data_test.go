package idnow

import (
	"errors"
	"strings"
	"testing"

	"github.com/kycbridge/kycbridge/providers"
)

// TestUnusableData: a right token that holds no event is a dead letter that says what was found in its place. Its key
// is the hash of the body, so that copies meet.
func TestUnusableData(t *testing.T) {
	v := newVendor(t, ecKey(), "ES256")
	const noObject, noName = "data", "data.eventName"
	for data, want := range map[string]struct{ field, found string }{
		``:                                {noObject, "found nothing,"},
		`"data":null`:                     {noObject, "found null,"},
		`"data":true`:                     {noObject, "found a boolean,"},
		`"data":7`:                        {noObject, "found a number,"},
		`"data":"CANARY"`:                 {noObject, "found a string,"},
		`"data":""`:                       {noObject, "found a string,"},
		`"data":" \t "`:                   {noObject, "found a string,"},
		`"data":[]`:                       {noObject, "found an array,"},
		`"data":[{"CANARY":1}]`:           {noObject, "found an array,"},
		`"data":{}`:                       {noName, "found nothing,"},
		`"data":{"eventName":null}`:       {noName, "found nothing,"},
		`"data":{"eventName":" "}`:        {noName, "found nothing,"},
		`"data":{"eventName":["CANARY"]}`: {noName, "found an array,"},
		`"data":{"eventName":7,"payload":{"sessionStatus":"CANARY"}}`: {noName, "found a number,"},
		`"eventName":"session.created","payload":{"sessionId":"s-1"}`: {noObject, "found nothing,"},
		`"Data":{"eventName":"session.created"}`:                      {noObject, "found nothing,"},
	} {
		for place, claims := range map[string]string{
			"alone": "{" + data + "}", "with claims": strings.ReplaceAll("{"+data+`,"iss":"a","sub":"b"}`, "{,", "{"),
		} {
			d := v.claims(t, claims)
			s := see(d)
			var p *providers.Problem
			if !errors.As(s.err, &p) || !errors.Is(p, providers.ErrMalformed) || p.Field != want.field ||
				!strings.HasPrefix(p.Detail, want.found) || !strings.Contains(p.Detail, "want ") {
				t.Errorf("%s %s: %v; want it malformed at %s, %s and what is wanted", data, place, s.err, want.field, want.found)
			}
			if s.err != nil && strings.Contains(s.err.Error(), "CANARY") {
				t.Errorf("%s %s: the error quotes the delivery: %v", data, place, s.err)
			}
			if raw := string(Provider.RecordKey(d)); s.key != "" || raw != string(providers.RawKey("idnow", "", d.Body)) {
				t.Errorf("%s %s: key %q, record's key %s; want the hash of the body", data, place, s.key, raw)
			}
		}
	}
}
