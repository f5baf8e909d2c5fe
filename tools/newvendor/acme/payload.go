package acme

import (
	"strings"

	"github.com/kycbridge/kycbridge/providers"
)

// maxEventID is what metadata.vendor_event_id holds.
const maxEventID = 128

// volatile are the paths that differ from one attempt to the next and say nothing:
// when it was sent, and a link that is signed afresh.
var volatile = providers.Paths("sentAt", "verification.reportUrl")

// parse reads what all events share.
func parse(d *providers.Delivery) (*providers.Notice, error) {
	doc, err := providers.ReadObject(d.Body)
	if err != nil {
		return nil, err
	}
	id, event := doc.At("eventId").ID(), doc.At("event").Text()
	if id == "" || len(id) > maxEventID {
		return nil, providers.LacksID("eventId")
	}
	return &providers.Notice{
		ID:       id,
		Type:     providers.Word(event),
		MapAs:    strings.ToLower(strings.TrimSpace(event)),
		Identity: providers.Identity{"event", id},
		Content:  providers.Canonical(doc, volatile),
		Doc:      doc,
	}, nil
}
