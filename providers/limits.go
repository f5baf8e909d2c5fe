package providers

import "cmp"

// What a vendor may become that declares nothing else.
const (
	defaultEvents = 100
	defaultOutput = 1 << 20
)

// Limits bound one delivery of a vendor. What becomes more is a dead letter, REJECTED_CONTENT.
type Limits struct {
	// Events that it may become; 100 when 0.
	Events int
	// Output is how many bytes they may have together, as records with keys and headers; 1 MiB when 0.
	Output int
	// Body is how many bytes a body may have where the configuration does not say, for a vendor that sends little
	// more than ids; as the configuration says for all when 0.
	Body int32
	// Estimate is about how many events a body becomes, found without reading more of it than needed: what an
	// endpoint's quota counts. nil: 1.
	Estimate func(body []byte) int
}

// MaxEvents is how many events one delivery may become.
func (l Limits) MaxEvents() int { return cmp.Or(l.Events, defaultEvents) }

// MaxOutput is how many bytes they may have together.
func (l Limits) MaxOutput() int { return cmp.Or(l.Output, defaultOutput) }

// bodyUnit is how many bytes of a body are as much work as an event.
const bodyUnit = 8 << 10

// Work is about how much work a body is, in events.
func (l Limits) Work(body []byte) int {
	events := 1
	if l.Estimate != nil {
		events = min(l.Estimate(body), l.MaxEvents())
	}
	return max(events, 1) + len(body)/bodyUnit
}
