package sink

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kycbridge/kycbridge/internal/record"
)

// scanPatience is how long a scan goes on without an answer from a broker.
const scanPatience = 30 * time.Second

// Scan gives every committed record of one partition to fn, in offset order,
// from start to the end the partition has when Scan begins, and returns the
// position it reached: never less than that end, unless it fails. Aborted
// records and transaction markers move the position and are not shown; a
// transaction still open below the end is waited for. What fn returns as an
// error ends the scan and is returned, with the offset of the record it failed
// on. At most one fetch answer is held in memory.
//
// When retention has removed the start, the scan resumes at the first record
// there is and says so in the log.
func (r *Reader) Scan(ctx context.Context, base string, partition int32, from record.ScanFrom, fn func(*kgo.Record) error) (next int64, err error) {
	s, err := r.begin(ctx, base, partition, from)
	if err != nil {
		return s.position, err
	}
	for s.position < s.end {
		records, err := s.fetch(ctx)
		if err != nil {
			return s.position, err
		}
		for _, record := range records {
			if record.Offset >= s.end {
				break
			}
			if err := fn(record); err != nil {
				return record.Offset, err
			}
		}
		s.position = min(s.fetched, s.end)
	}
	return s.position, nil
}

// scan is the state of one Scan.
type scan struct {
	reader    *Reader
	topic     located
	partition int32
	position  int64 // the next offset that fn has not seen
	fetched   int64 // the next offset the last answer did not cover
	end       int64 // of the partition when the scan began
	empty     int   // answers in a row that held nothing
	spoilt    int64 // the offset after which the last answer could not be decoded, plus one; 0: it could
	answered  time.Time
}

// begin finds the topic and both ends of the scan.
func (r *Reader) begin(ctx context.Context, base string, partition int32, from record.ScanFrom) (*scan, error) {
	s := &scan{reader: r, partition: partition, answered: time.Now()}
	var err error
	if s.topic, err = lookup(ctx, r.client, r.opts.Topic(base)); err != nil {
		return s, err
	}
	if _, ok := s.topic.leaders[partition]; !ok {
		return s, fmt.Errorf("topic %s has no partition %d: it has %d", s.topic.name, partition, len(s.topic.leaders))
	}
	ends, err := r.Ends(ctx, base)
	if err != nil {
		return s, err
	}
	s.end = ends[partition]
	starts, err := r.Starts(ctx, base)
	if err != nil {
		return s, err
	}
	s.position = from.Offset
	if !from.Time.IsZero() {
		at, err := r.OffsetsAt(ctx, base, from.Time)
		if err != nil {
			return s, err
		}
		s.position = max(s.position, at[partition])
	}
	s.resume(starts[partition])
	return s, nil
}

// resume moves a position that retention has removed to the start of the log.
func (s *scan) resume(start int64) {
	if s.position >= 0 && s.position < start {
		s.reader.opts.logger().Warn("retention removed records before they were read; the scan resumes at the start of the log",
			"topic", s.topic.name, "partition", s.partition, "asked", s.position, "start", start)
	}
	s.position = max(s.position, start)
	s.fetched = s.position
}
