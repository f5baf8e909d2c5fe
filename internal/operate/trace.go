package operate

import (
	"context"
	"strings"

	"github.com/kycbridge/kycbridge/audit"
	"github.com/kycbridge/kycbridge/internal/record"
	"github.com/kycbridge/kycbridge/normalize"
	"github.com/kycbridge/kycbridge/schemas"
	"github.com/kycbridge/kycbridge/sink"
)

// TraceQuery chooses what to trace.
type TraceQuery struct {
	// ID is the vendor's id of a subject or an event, ours of an event or a delivery, a
	// record's key, or the place of a raw record: 3@17 or kyc.raw.v1/3/17.
	ID       string
	Window   Window               // of dispositions and events
	Progress func(audit.Progress) // may be nil
}

// Trace finds what became of the deliveries that an id concerns. A story without
// deliveries names where it searched.
func Trace(ctx context.Context, s Servers, q TraceQuery) (*audit.Story, error) {
	reader, err := s.open(ctx)
	if err != nil {
		return nil, err
	}
	defer reader.Close()
	a := audit.Archive{PartitionOf: sink.PartitionOf, Describe: s.Words, Forms: s.gate().Forms, Progress: q.Progress}
	if a.Pending, err = reader.Committed(ctx, normalize.DefaultGroup, schemas.Raw); err != nil {
		return nil, err
	}
	a.Former = s.Former
	twins, _, err := reader.twins(ctx)
	if err != nil {
		return nil, err
	}
	for _, t := range append(schemas.Topics(), twins...) {
		topic, err := reader.topic(ctx, t.Base)
		if err == nil && t.Base != schemas.Raw {
			topic, err = reader.narrowed(ctx, topic, q.Window)
		}
		if err != nil {
			return nil, err
		}
		a.Put(topic)
	}
	id := position(q.ID, s.Kafka.Topic(schemas.Raw))
	story, err := audit.Trace(ctx, a, id)
	if at, ok := audit.PlaceOf(id); ok && err == nil && len(story.Deliveries) == 0 {
		story.Held, err = reader.held(ctx, at.Partition)
	}
	return story, err
}

// held is what the raw topic holds of a partition.
func (r *topicReader) held(ctx context.Context, partition int32) (*record.Extent, error) {
	starts, err := r.Starts(ctx, schemas.Raw)
	if err != nil {
		return nil, err
	}
	ends, err := r.Ends(ctx, schemas.Raw)
	return &record.Extent{Start: starts[partition], End: ends[partition]}, err
}

// position writes TOPIC/PARTITION/OFFSET of the raw topic, as a sample of drift is
// written, as PARTITION@OFFSET, and leaves any other id alone.
func position(id, raw string) string {
	if at, ok := strings.CutPrefix(id, raw+"/"); ok {
		return strings.Replace(at, "/", "@", 1)
	}
	return id
}
