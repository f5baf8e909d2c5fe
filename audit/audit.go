// Package audit reports what happened, from the topics alone. Verify compares every raw
// record with its disposition and its events: nothing lost, nothing doubled. Trace finds
// the story of one delivery, session or event. Drift lists what vendors sent that the
// mappings do not know.
//
// It changes nothing, joins no consumer group and commits no offsets. It opens no
// connection and knows no vendor either: the caller passes in how to read a topic and
// what its records mean.
package audit

import (
	"context"
	"time"

	"github.com/kycbridge/kycbridge/internal/record"
)

// Source is a topic to be read.
type Source struct {
	Name       string // the topic's full name, for errors and progress
	Partitions int32
	// Scan gives every record of one partition to fn, in order, from where the
	// report begins to the end that the partition has now. An error of fn ends it.
	Scan func(ctx context.Context, partition int32, fn func(record.Record) error) error
	// Observe interprets a record. It is pure. An error is not the record's fault, and ends the report.
	Observe func(record.Record) (Observation, error)
}

// Observation is what a report needs of one record. Only the words of News, which Drift
// checks again, may hold personal data.
type Observation struct {
	// Skip: everything the record says is in another record, too.
	Skip bool
	// Vendor in lower case; "" where the record cannot be read as a delivery.
	Vendor string
	// Sample is where the delivery can be looked at.
	Sample     Sample
	ReceivedAt time.Time
	News       []News
	// Told is news that another record of the same delivery holds: it is not
	// counted again here.
	Told []News
}

// News is something that the mapping of a vendor does not know.
type News struct {
	Kind string // ours, from a small set: "event_type", "status", "field" and so on
	Word string // the vendor's; "" where it must not be shown
}

// Sample names one delivery: its record in the raw topic and our id for it, the
// one that the vendor got in the header Kycbridge-Delivery-Id.
type Sample struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Offset    int64  `json:"offset"`
	Delivery  string `json:"delivery_id"`
}
