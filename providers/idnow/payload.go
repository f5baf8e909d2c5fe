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
	switch {
	case err != nil:
		return nil, err
	case body == "" && header == "":
		return tokenless(d.Body)
	}
	doc, err := readClaims(cmp.Or(body, header))
	if err != nil {
		return nil, err
	}
	if body != "" && header != "" && unsigned(body) != unsigned(header) {
		return nil, &providers.Problem{Field: signatureHeader, Detail: "contradiction: the body is a JWT that says something else", Err: providers.ErrMismatch}
	}
	return notice(doc)
}

// unsigned is a token without its signature, which may be another each time.
func unsigned(token string) string { return token[:max(strings.LastIndexByte(token, '.'), 0)] }

// notice is what the claims of a token say.
func notice(doc *providers.Value) (*providers.Notice, error) {
	data := doc.At("data")
	name, status := data.At("eventName").Text(), statusOf(data)
	switch {
	case data.Kind() == providers.Object:
	case isClassic(doc):
		return classic(doc, "")
	default:
		return nil, noEvent("data", data.Kind().String(), "want an object that holds the event; what stands beside it does not count")
	}
	n := &providers.Notice{
		ID:      eventID(data),
		Type:    providers.Word(name),
		Content: providers.Canonical(data, volatile),
		Doc:     doc,
	}
	switch _, known := statusOfEvent[name]; {
	case known:
		n.MapAs = name
	case status.known():
		n.MapAs = anyEvent
	case n.Type == "" && isClassic(data):
		return classic(data, "data.")
	case n.Type == "":
		return nil, noEvent("data.eventName", given(data.At("eventName")), "want a string that names the event, or at least a known sessionStatus")
	}
	if n.ID != "" {
		n.Identity = providers.Identity{"event", n.ID}
	}
	return n, nil
}

// noEvent is the problem of a token that holds no event. Its sender is proved all the same, so it was kept.
func noEvent(field, found, want string) error {
	return &providers.Problem{Field: field, Detail: "found " + found + ", " + want, Err: providers.ErrMalformed}
}

// given is the kind of a value; nothing for null and for blanks.
func given(v *providers.Value) string {
	if !v.Given() {
		return providers.Absent.String()
	}
	return v.Kind().String()
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
