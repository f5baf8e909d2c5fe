package operate

import (
	"context"
	"errors"

	"github.com/kycbridge/kycbridge/audit"
	"github.com/kycbridge/kycbridge/internal/contract"
	"github.com/kycbridge/kycbridge/internal/record"
	"github.com/kycbridge/kycbridge/schemas"
	"github.com/kycbridge/kycbridge/sink"
)

// topicReader gives package audit the topics that sink reads.
type topicReader struct {
	*sink.Reader
	kafka  sink.Options
	events contract.Encoder
	former [][16]byte
}

func (s Servers) open(ctx context.Context) (*topicReader, error) {
	reader, err := sink.OpenReader(ctx, s.Kafka)
	if err != nil {
		return nil, err
	}
	return &topicReader{reader, s.Kafka, s.Encoder, s.Former}, nil
}

// topic finds a topic by its base name.
func (r *topicReader) topic(ctx context.Context, base string) (audit.Topic, error) {
	n, id, err := r.Partitions(ctx, base)
	return audit.Topic{
		Base: base, Name: r.kafka.Topic(base), Partitions: int32(n), ID: id, Events: r.events,
		Scan: func(ctx context.Context, partition int32, from record.ScanFrom, fn func(record.Record) error) (int64, error) {
			return r.ScanRecords(ctx, base, partition, from, fn)
		},
	}, err
}

// twins are the JSON topics that there are, whatever is configured; a note says that they cannot be had.
func (r *topicReader) twins(ctx context.Context) (there []schemas.Topic, notes []string, err error) {
	all := schemas.JSONTopics()
	bases := make([]string, 0, len(all))
	for _, t := range all {
		bases = append(bases, t.Base)
	}
	found, err := r.Shapes(ctx, bases...)
	if sink.Classify(err) == sink.ClassAuthorization {
		return nil, []string{"this user may not read the JSON topics: whether there are any is not known, and they are left out"}, nil
	}
	for _, t := range all {
		if _, ok := found[t.Base]; ok {
			there = append(there, t)
		}
	}
	return there, nil, err
}

// forms are those of a deployment that there is no configuration of, such as `dev`: JSON too, if there are topics for it.
func (r *topicReader) forms(ctx context.Context) ([]contract.Form, error) {
	forms := []contract.Form{contract.Domain(r.events)}
	there, _, err := r.twins(ctx)
	if len(there) == len(schemas.JSONTopics()) {
		forms = append(forms, contract.Twins())
	}
	return forms, err
}

// source is a topic from a place on.
func (r *topicReader) source(ctx context.Context, base string, from record.ScanFrom, read func(record.Record) (audit.Observation, error)) (audit.Source, error) {
	t, err := r.topic(ctx, base)
	scan := func(ctx context.Context, partition int32, fn func(record.Record) error) error {
		_, err := t.Scan(ctx, partition, from, fn)
		return err
	}
	return audit.Source{Name: t.Name, Partitions: t.Partitions, Scan: scan, Observe: read}, err
}

// within gives a window's first offset in each partition of a topic, and the one after its last; where
// an end is open, what is given for it.
func (r *topicReader) within(ctx context.Context, base string, w Window, froms, tos map[int32]int64) (_, _ map[int32]int64, err error) {
	if !w.From.IsZero() {
		if froms, err = r.OffsetsAt(ctx, base, w.From); err != nil {
			return nil, nil, err
		}
	}
	if !w.To.IsZero() {
		if tos, err = r.OffsetsAt(ctx, base, w.To); err != nil {
			return nil, nil, err
		}
	}
	return froms, tos, nil
}

// errEnd ends a scan at the end of its window.
var errEnd = errors.New("the window ends here")

// narrowed gives a topic that begins and ends with a window of time.
func (r *topicReader) narrowed(ctx context.Context, t audit.Topic, w Window) (audit.Topic, error) {
	froms, tos, err := r.within(ctx, t.Base, w, nil, nil)
	if err != nil {
		return t, err
	}
	scan := t.Scan
	t.Scan = func(ctx context.Context, partition int32, from record.ScanFrom, fn func(record.Record) error) (int64, error) {
		end, bounded := tos[partition]
		if from.Time.IsZero() {
			from.Offset = max(from.Offset, froms[partition])
		}
		next, err := scan(ctx, partition, from, func(r record.Record) error {
			if bounded && r.Offset >= end {
				return errEnd
			}
			return fn(r)
		})
		if errors.Is(err, errEnd) {
			err = nil
		}
		return next, err
	}
	return t, nil
}
