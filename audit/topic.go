package audit

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/kycbridge/kycbridge/internal/contract"
	"github.com/kycbridge/kycbridge/internal/record"
	"github.com/kycbridge/kycbridge/schemas"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// Topic is a topic of the catalogue as Verify and Trace read it.
type Topic struct {
	Base       string // name in package schemas; says what a record holds
	Name       string // in full, for messages
	Partitions int32
	// ID is Kafka's, and only that of the raw topic counts: dispositions of another one, which had the
	// same name before, are not held against it. Zero: any is ours.
	ID [16]byte
	// Events reads the values of domain events; nil: they are plain protobuf.
	Events contract.Encoder
	// Scan gives fn every committed record of one partition, in order, from start to
	// the end the partition has when Scan begins, and returns the offset after it. It
	// waits for a transaction that is open below that end. An error of fn ends it.
	Scan func(ctx context.Context, partition int32, from record.ScanFrom, fn func(record.Record) error) (next int64, err error)
}

// Topics are those of the catalogue that tell what became of raw records.
type Topics struct {
	Raw, Dispositions, DeadLetters Topic
	Domain                         []Topic
	Twins                          []Topic // the JSON topics that there are
	// Former are Kafka's ids of topics that the raw topic was copied from with their offsets: dispositions
	// of theirs are of its records.
	Former [][16]byte
}

// Put files a topic under its base name, and reports whether it is one of these.
func (t *Topics) Put(topic Topic) bool {
	known, _ := schemas.TopicNamed("", topic.Base)
	switch {
	case known.TwinOf != "":
		t.Twins = append(t.Twins, topic)
	case known.Domain:
		t.Domain = append(t.Domain, topic)
	case topic.Base == schemas.Raw:
		t.Raw = topic
	case topic.Base == schemas.DispositionTopic:
		t.Dispositions = topic
	case topic.Base == schemas.DeadLetterTopic:
		t.DeadLetters = topic
	default:
		return false
	}
	return true
}

// foreign reports whether a disposition is about an earlier topic of the raw topic's name.
func (t *Topics) foreign(d *kycv1.Disposition) bool {
	return t.Raw.ID != [16]byte{} && !bytes.Equal(d.GetRawTopicId(), t.Raw.ID[:]) && !t.former(d.GetRawTopicId())
}

// former reports whether an id is of a topic that the raw topic was copied from with its offsets.
func (t *Topics) former(id []byte) bool {
	return slices.ContainsFunc(t.Former, func(f [16]byte) bool { return bytes.Equal(id, f[:]) })
}

// errEnough ends a scan that has seen what it was for.
var errEnough = errors.New("seen enough")

// scan reads one partition; its errors name it.
func (t Topic) scan(ctx context.Context, partition int32, from record.ScanFrom, fn func(record.Record) error) (int64, error) {
	next, err := t.Scan(ctx, partition, from, func(r record.Record) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		return fn(r)
	})
	switch {
	case err == nil, errors.Is(err, errEnough):
		return next, nil
	case errors.Is(err, errWide):
		return next, err
	}
	return next, fmt.Errorf("topic %s partition %d: %w", t.Name, partition, err)
}

// message reads a record as the message its topic promises; false where it is none.
func message[M proto.Message](t Topic, r record.Record) (m M, ok bool) {
	known, ok := schemas.TopicNamed("", t.Base)
	if !ok {
		return m, false
	}
	read, err := contract.Decode(t.Events, known, r.Value)
	if err != nil {
		return m, false
	}
	m, ok = read.(M)
	return m, ok
}

func comparePositions(a, b record.Position) int {
	return cmp.Or(cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.Offset, b.Offset))
}

func positionOf(p *kycv1.RawPosition) record.Position {
	return record.Position{Partition: p.GetPartition(), Offset: p.GetOffset()}
}
