package operate

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/kycbridge/kycbridge/internal/contract"
	"github.com/kycbridge/kycbridge/internal/record"
	"github.com/kycbridge/kycbridge/normalize"
	"github.com/kycbridge/kycbridge/normalize/dedupe"
	"github.com/kycbridge/kycbridge/providers"
	"github.com/kycbridge/kycbridge/providers/catalog"
	"github.com/kycbridge/kycbridge/schemas"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// The samples of this test are a person's, where ids and the names of events belong.
const (
	name   = "Kanarienvogt"
	mail   = "someone@example.invalid"
	number = "490155598712340"
)

// TestDispositionsNameNobody: an id or a type that is none of the vendor's is in no disposition and in no key or
// header, and is found by who knows it. What the vendor documents stays legible.
func TestDispositionsNameNobody(t *testing.T) {
	gate := providers.NewGate([]byte("a pepper of some length"))
	for what, c := range map[string]struct {
		vendor, header, body string
		ids                  []string // that Forms must lead to
		id, typ              string   // in the disposition; "#": a hash
	}{
		"sound": {vendor: "complycube", id: "aa00000000000000000000e1", typ: "check.pending",
			body: `{"id":"aa00000000000000000000e1","type":"check.pending","payload":{"id":"aa00000000000000000000d1","status":"pending"}}`},
		"an older spelling": {vendor: "complycube", id: "aa00000000000000000000e1", typ: "check.complete.clear",
			body: `{"id":"aa00000000000000000000e1","type":"check.complete.clear","payload":{"id":"aa00000000000000000000d1"}}`},
		"an unknown type": {vendor: "complycube", id: "aa00000000000000000000e1", typ: "#",
			body: `{"id":"aa00000000000000000000e1","type":"` + name + `","payload":{"id":"aa00000000000000000000d1"}}`},
		"a mail address as a type": {vendor: "complycube", id: "aa00000000000000000000e1", typ: "#",
			body: `{"id":"aa00000000000000000000e1","type":"` + mail + `","payload":{"id":"aa00000000000000000000d1"}}`},
		"names as ids": {vendor: "complycube", id: "#", typ: "check.pending", ids: []string{name, mail},
			body: `{"id":"` + name + `","type":"check.pending","payload":{"id":"` + mail + `","status":"pending"}}`},
		"numbers as ids": {vendor: "complycube", id: "#", typ: "check.pending", ids: []string{number},
			body: `{"id":"` + number + `","type":"check.pending","payload":{"id":"` + number + `","status":"pending"}}`},
		"idenfy's header": {vendor: "idenfy", header: name, typ: "#",
			body: `{"scanRef":"0197c55f-5af6-7e3d-af9b-f2359b134be8","final":true,"status":{"overall":"APPROVED"}}`},
		"idenfy's scanRef": {vendor: "idenfy", header: "IDENTIFICATION", typ: "IDENTIFICATION", ids: []string{number},
			body: `{"scanRef":"` + number + `","clientId":"` + mail + `","final":true,"status":{"overall":"APPROVED"}}`},
		"idwise's journey": {vendor: "idwise", id: "#", typ: "Finished Journey", ids: []string{mail, name},
			body: `{"event":"Finished Journey","body":{"eventId":"` + name + `","journeyId":"` + mail + `","referenceNo":"` + mail + `"}}`},
	} {
		p, ok := catalog.Find(c.vendor)
		if !ok {
			t.Fatal(c.vendor)
		}
		e := envelopeOf(p, providers.Fixture{Body: []byte(c.body)})
		d := &providers.Delivery{Endpoint: e.GetEndpoint(), Body: e.GetBody()}
		if c.header != "" {
			e.Headers = []*kycv1.HttpHeader{{Name: "Idenfy-Event-Type", Value: c.header}}
		}
		reads := normalize.NewInterpreter(catalog.All(), contract.NewValidator(), normalize.InterpreterOptions{Gate: gate})
		r, err := reads.Interpret(normalize.RawRecord{Topic: "kyc.raw.v1", Key: p.RecordKey(d), Value: marshal(t, e)})
		if err != nil {
			t.Fatal(err)
		}
		records, err := r.Records(dedupe.Verdict{Action: dedupe.Publish}, time.Unix(1, 0))
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range records {
			leaks := namesSomebody(o.Key) || headersName(o.Headers)
			switch o.Topic {
			case schemas.DeadLetterTopic: // it holds the delivery
			case schemas.DispositionTopic:
				leaks = leaks || namesSomebody(o.Value)
			default: // events keep ids that have the form of one
				leaks = leaks || bytes.Contains(o.Value, []byte(mail))
			}
			if leaks {
				t.Errorf("%s: a record of %s names somebody: key %s, headers %s, value %q", what, o.Topic, o.Key, o.Headers, o.Value)
			}
			if o.Topic != schemas.DispositionTopic {
				continue
			}
			if bytes.Contains(o.Key, []byte("/sha256:")) {
				t.Errorf("%s: the key of the disposition is %s, a digest that anybody can try", what, o.Key)
			}
			said := &kycv1.Disposition{}
			if err := contract.Unmarshal(o.Value, said); err != nil {
				t.Fatal(err)
			}
			if got := blurred(said.GetVendorEventId()); got != c.id {
				t.Errorf("%s: the disposition has the id %q, want %q", what, said.GetVendorEventId(), c.id)
			}
			if got := blurred(said.GetVendorEventType()); got != c.typ {
				t.Errorf("%s: the disposition has the type %q, want %q", what, said.GetVendorEventType(), c.typ)
			}
			for _, id := range c.ids {
				if !found(gate.Forms(id), said.GetVendorEventId(), strings.TrimPrefix(string(o.Key), e.GetEndpoint()+"/")) {
					t.Errorf("%s: nobody who knows %q finds %q or the key %s", what, id, said.GetVendorEventId(), o.Key)
				}
			}
		}
	}
}

func namesSomebody(b []byte) bool {
	for _, s := range []string{name, mail, number} {
		if bytes.Contains(b, []byte(s)) {
			return true
		}
	}
	return false
}

func headersName(all []record.Header) bool {
	for _, h := range all {
		if namesSomebody(h.Value) {
			return true
		}
	}
	return false
}

func blurred(s string) string {
	if strings.HasPrefix(s, "hmac-sha256:") {
		return "#"
	}
	return s
}

func found(forms []string, in ...string) bool {
	for _, form := range forms {
		for _, s := range in {
			if s == form {
				return true
			}
		}
	}
	return false
}

// TestDriftToldInWords: several words may be a name; they are told where the vendor writes so itself.
func TestDriftToldInWords(t *testing.T) {
	d := driftReader{normalize.NewInterpreter(catalog.All(), contract.NewValidator(), normalize.InterpreterOptions{}), catalog.All()}
	for _, c := range []struct{ vendor, body, want string }{
		{"idwise", `{"event":"Finished Visit","body":{}}`, "Finished Visit"},
		{"idwise", `{"event":"Zoe ` + name + `","body":{}}`, ""},
		{"complycube", `{"id":"e1","type":"Finished Visit","payload":{}}`, ""},
		{"complycube", `{"id":"e1","type":"visit.finished","payload":{}}`, "visit.finished"},
	} {
		p, _ := catalog.Find(c.vendor)
		o, err := d.observeRaw(record.Record{Key: []byte("k/1"), Value: marshal(t, envelopeOf(p, providers.Fixture{Body: []byte(c.body)}))})
		if err != nil || len(o.News) != 1 || o.News[0].Word != c.want {
			t.Errorf("%s: told are %+v, %v; want the word %q", c.body, o.News, err, c.want)
		}
	}
}

// TestOldKeysAreKeptNowhere: raw records of earlier releases have ids in their keys as they came, and so has one that is
// given up unread. Their dispositions have not.
func TestOldKeysAreKeptNowhere(t *testing.T) {
	gate := providers.NewGate([]byte("a pepper of some length"))
	p, _ := catalog.Find("complycube")
	e := envelopeOf(p, providers.Fixture{Body: []byte(`{"id":"e1","type":"check.pending","payload":{"id":"` + mail + `","status":"pending"}}`)})
	reads := normalize.NewInterpreter(catalog.All(), contract.NewValidator(), normalize.InterpreterOptions{Gate: gate})
	raw := normalize.RawRecord{Topic: "kyc.raw.v1", Key: []byte("complycube/" + mail), Value: marshal(t, e)}
	for what, read := range map[string]func(normalize.RawRecord) (*normalize.Reading, error){"read": reads.Interpret, "given up": reads.GiveUp} {
		r, err := read(raw)
		if err != nil {
			t.Fatal(err)
		}
		records, err := r.Records(dedupe.Verdict{Action: dedupe.Publish}, time.Unix(1, 0))
		if err != nil || len(records) != 2 {
			t.Fatalf("%d records, %v", len(records), err)
		}
		if o := records[1]; namesSomebody(o.Key) || namesSomebody(o.Value) || !found(gate.Forms(mail), strings.TrimPrefix(string(o.Key), "complycube/")) {
			t.Errorf("%s: the disposition has the key %s and the value %q", what, o.Key, o.Value)
		}
	}
}
