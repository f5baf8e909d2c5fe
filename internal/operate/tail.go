package operate

import (
	"context"
	"errors"
	"iter"

	"github.com/kycbridge/kycbridge/internal/record"
	"github.com/kycbridge/kycbridge/sink"
)

// pollRecords is how many records one poll returns at most.
const pollRecords = 500

// TailQuery chooses records of topics.
type TailQuery struct {
	Topics    []string // base names
	FromStart bool     // begin with the oldest record; else only what comes
	UntilEnd  bool     // end where the topics end now; implies FromStart
}

// Tail yields committed records as they come, those of a partition in order, or with
// UntilEnd those there are, partition by partition. It ends with ctx, and with the first
// error of Kafka; a record that cannot be decoded is no such error. It commits no offsets.
func Tail(ctx context.Context, s Servers, q TailQuery) iter.Seq2[Record, error] {
	if q.UntilEnd {
		return func(yield func(Record, error) bool) { s.scanAll(ctx, q.Topics, yield) }
	}
	return func(yield func(Record, error) bool) { s.follow(ctx, q, yield) }
}

func (s Servers) follow(ctx context.Context, q TailQuery, yield func(Record, error) bool) {
	f, err := sink.OpenFollower(ctx, s.Kafka, q.Topics, q.FromStart)
	if err != nil {
		yield(Record{}, err)
		return
	}
	defer f.Close()
	for ctx.Err() == nil {
		records, err := f.Poll(ctx, pollRecords)
		for _, r := range records {
			if !yield(s.decode(sink.RecordOf(r)), nil) {
				return
			}
		}
		if err != nil {
			yield(Record{}, err)
			return
		}
	}
}

// errStop ends a scan whose reader has enough.
var errStop = errors.New("the reader has enough")

// scanAll gives each topic, partition by partition, up to its present end.
func (s Servers) scanAll(ctx context.Context, bases []string, yield func(Record, error) bool) {
	reader, err := s.open(ctx)
	if err != nil {
		yield(Record{}, err)
		return
	}
	defer reader.Close()
	for _, base := range bases {
		err := reader.each(ctx, base, func(r record.Record) error {
			if !yield(s.decode(r), nil) {
				return errStop
			}
			return nil
		})
		if errors.Is(err, errStop) {
			return
		}
		if err != nil {
			yield(Record{}, err)
			return
		}
	}
}

func (r *topicReader) each(ctx context.Context, base string, fn func(record.Record) error) error {
	partitions, _, err := r.Partitions(ctx, base)
	if err != nil {
		return err
	}
	for n := range int32(partitions) {
		if _, err := r.ScanRecords(ctx, base, n, record.ScanFrom{Offset: -1}, fn); err != nil {
			return err
		}
	}
	return nil
}
