package idenfy

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/kycbridge/kycbridge/providers"
)

// changed is a body with other values at the top; nil takes the name away.
func changed(t testing.TB, body []byte, values map[string]any) []byte {
	t.Helper()
	var doc map[string]any
	if err := json.Unmarshal(body, &doc); err != nil {
		t.Fatal(err)
	}
	for name, value := range values {
		if doc[name] = value; value == nil {
			delete(doc, name)
		}
	}
	out, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// An id of blanks is none: neither a key nor an identity is made of it, whatever the type.
func TestBlankIDs(t *testing.T) {
	for _, f := range fixtures(t) {
		doc, err := providers.ReadObject(f.Body)
		if err != nil || f.Bad() || !json.Valid(f.Body) { // a byte order mark is a form of its own
			continue
		}
		family := familyOf(namesOf(doc))
		if family.notice() {
			continue
		}
		blank := map[string]any{}
		for _, name := range family.ids {
			if doc.At(name).Given() {
				blank[name] = " \t"
			}
		}
		body := changed(t, f.Body, blank)
		s := see(delivery(body, f.Headers.Get(typeHeader)))
		if !errors.Is(s.err, providers.ErrInvalid) {
			t.Errorf("%s with blank ids: %v, want it to be invalid", f.Name, s.err)
		}
		if key(delivery(body, "")) != "" || !strings.Contains(s.identity, "content") {
			t.Errorf("%s with blank ids: key %q, identity %q", f.Name, key(delivery(body, "")), s.identity)
		}
	}
}

// Where a token names what a delivery is about, one of blanks names nothing: deliveries of
// other content are then not the same.
func TestBlankTokensDoNotFold(t *testing.T) {
	for name, other := range map[string]map[string]any{
		"documented_face_of_the_sdks":     {"clientId": "client-2"},
		"documented_company_info_request": {"date": "2026-04-02T05:31:56Z"},
	} {
		for _, token := range []any{" ", "", nil} {
			a := changed(t, body(t, name), map[string]any{"token": token})
			b := changed(t, a, other)
			label := ""
			if token == nil && strings.HasPrefix(name, "documented_company") {
				label = companyInfoRequest // without the name, the body does not tell what it is
			}
			first, second := see(delivery(a, label)), see(delivery(b, label))
			if first.err != nil || second.err != nil || first.identity == second.identity {
				t.Errorf("%s with the token %q: identities %q and %q; %v, %v", name, token, first.identity, second.identity, first.err, second.err)
			}
			if again := see(delivery(a, label)); again.identity != first.identity {
				t.Errorf("%s with the token %q: a retry is another delivery", name, token)
			}
		}
	}
}

// Whichever spelling of its pages the vendor uses, the same is told, is no drift, and a
// picture's link changes nothing.
func TestSpellingsOfMonitoring(t *testing.T) {
	text := string(body(t, "documented_monitoring"))
	snake := strings.Replace(strings.Replace(text, `"alertStatus"`, `"alert_status"`, 1), `"amlCheck": {`, `"aml_check": {`, 1)
	camel, other := see(delivery([]byte(text), amlMonitoring)), see(delivery([]byte(snake), amlMonitoring))
	if snake == text || other.err != nil || len(other.Drift) > 0 || len(other.Events) != 1 {
		t.Fatalf("%v, drift %v, %d events", other.err, other.Drift, len(other.Events))
	}
	for _, s := range []seen{camel, other} {
		s.Events[0].GetMetadata().EventId = ""
	}
	if !proto.Equal(camel.Events[0], other.Events[0]) {
		t.Errorf("in snake case\n%v\nand not\n%v", other.Events[0], camel.Events[0])
	}
	moved := strings.Replace(snake, "https://files.example.invalid/CANARY", "https://files.example.invalid/CANARY2", 1)
	if relinked := see(delivery([]byte(moved), amlMonitoring)); moved == snake || relinked.hash != other.hash || relinked.identity != other.identity {
		t.Error("another link to the same picture makes another delivery")
	}
}
