package idnow

import (
	"cmp"
	"strings"

	"github.com/kycbridge/kycbridge/providers"
)

// maxEventID is what metadata.vendor_event_id holds.
const maxEventID = 128

// volatile are the fields of data that differ between two attempts at one event.
// The claims beside data (iat, exp, jti) differ too and are not part of it.
var volatile = providers.Paths("eventDeliverId", "createdAt")

// parse reads what all events share. Ingest hands on the one token that it verified.
// Where there are two all the same, as in envelopes of before, nobody knows which of
// them it was, so they must be one.
func parse(d *providers.Delivery) (*providers.Notice, error) {
	body, header, err := tokens(d)
	if err != nil {
		return nil, err
	}
	doc, content, err := said(cmp.Or(body, header))
	if err != nil {
		return nil, err
	}
	if body != "" && header != "" && unsigned(body) != unsigned(header) {
		return nil, &providers.Problem{Field: signatureHeader, Detail: "contradiction: the body is a JWT that says something else", Err: providers.ErrMismatch}
	}
	return notice(doc, content)
}

// unsigned is a token without its signature, which may be another each time.
func unsigned(token string) string { return token[:max(strings.LastIndexByte(token, '.'), 0)] }

// said returns the claims of a token and the canonical form of their data.
func said(token string) (*providers.Value, []byte, error) {
	doc, err := readClaims(token)
	if err != nil {
		return nil, nil, err
	}
	data := doc.At("data")
	if data.Kind() != providers.Object {
		return nil, nil, &providers.Problem{Field: "data", Detail: "want a claim that is an object; a body beside the token does not count", Err: providers.ErrMalformed}
	}
	return doc, providers.Canonical(data, volatile), nil
}

func notice(doc *providers.Value, content []byte) (*providers.Notice, error) {
	data := doc.At("data")
	name, status := data.At("eventName").Text(), statusOf(data)
	n := &providers.Notice{
		ID:      eventID(data),
		Type:    providers.Word(name),
		Content: content,
		Doc:     doc,
	}
	switch _, known := statusOfEvent[name]; {
	case known:
		n.MapAs = name
	case status.known():
		n.MapAs = anyEvent
	case n.Type == "":
		return nil, &providers.Problem{Field: "data.eventName", Detail: "want a string that names the event, or at least a known sessionStatus", Err: providers.ErrMalformed}
	}
	if n.ID != "" {
		n.Identity = providers.Identity{"event", n.ID}
	}
	return n, nil
}

// eventID is the event's own id, equal in every attempt. Open question: one copy
// of the vendor's pages writes event_id in its text, though no field table does.
func eventID(data *providers.Value) string {
	id := cmp.Or(data.At("eventId").ID(), data.At("event_id").ID())
	if len(id) > maxEventID {
		return ""
	}
	return id
}

// status is a sessionStatus.
type status struct{ providers.Term }

func statusOf(data *providers.Value) status {
	return status{providers.TermOf(data.At("payload", "sessionStatus"))}
}

func (s status) known() bool {
	_, known := transitions.Of(s.Text)
	return known
}
