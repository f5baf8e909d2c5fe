package operate

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/kycbridge/kycbridge/normalize"
	"github.com/kycbridge/kycbridge/normalize/dedupe"
	"github.com/kycbridge/kycbridge/normalize/hydrate"
	"github.com/kycbridge/kycbridge/schemas"
)

// AllPartitions stands for every raw partition.
const AllPartitions = -1

// MarksQuery chooses the marks to discard.
type MarksQuery struct {
	Partition int32 // of the raw topic; AllPartitions
	DryRun    bool  // Redis is not asked for anything
}

// MarksReport is what was discarded, or in a dry run would be. Scripts read its JSON: fields are added,
// never renamed.
type MarksReport struct {
	DryRun           bool          `json:"dry_run"`
	DispositionTopic string        `json:"disposition_topic"`
	DispositionID    string        `json:"disposition_topic_id"` // Kafka's, in hexadecimal
	Partitions       []int32       `json:"partitions"`
	Stages           []StageMarked `json:"stages"`
}

// StageMarked is a stage whose marks are discarded.
type StageMarked struct {
	Group     string `json:"group"` // the plain name, as watermarks have it
	Topic     string `json:"topic"` // that it claims in
	TopicID   string `json:"topic_id"`
	Discarded int    `json:"discarded"` // partitions

	id [16]byte
}

// discardTries is how often a partition's watermark may move meanwhile.
const discardTries = 5

// DiscardMarks has the marks of this deployment believed no more, of both stages: Kafka went back to an
// earlier copy, and Redis did not. The stages notice with their next round, or when they start, and write
// anew what Kafka's dispositions stand for. With an error the report tells what was done before, unless
// nothing was begun.
func DiscardMarks(ctx context.Context, s Servers, q MarksQuery) (*MarksReport, error) {
	reader, err := s.open(ctx)
	if err != nil {
		return nil, err
	}
	defer reader.Close()
	report, disposition, err := reader.marks(ctx, q)
	if err != nil || q.DryRun {
		return report, err
	}
	store, err := s.openStore(ctx)
	if err != nil {
		return nil, err
	}
	defer store.Close()
	for n := range report.Stages {
		stage := &report.Stages[n]
		for _, p := range report.Partitions {
			if err := discard(ctx, store, stage, disposition, p); err != nil {
				return report, fmt.Errorf("marks of %s partition %d: %w", stage.Topic, p, err)
			}
			stage.Discarded++
		}
	}
	return report, nil
}

// discard does it for one partition of a stage, which may be at work on it.
func discard(ctx context.Context, store *dedupe.Store, stage *StageMarked, disposition [16]byte, partition int32) (err error) {
	for range discardTries {
		if err = store.Discard(ctx, stage.Group, stage.id, disposition, partition); !errors.Is(err, dedupe.ErrMoved) {
			return err
		}
	}
	return err
}

// marks finds what the watermarks of this deployment are named by.
func (r *topicReader) marks(ctx context.Context, q MarksQuery) (report *MarksReport, disposition [16]byte, err error) {
	partitions, raw, err1 := r.Partitions(ctx, schemas.Raw)
	_, tasks, err2 := r.Partitions(ctx, schemas.Hydrate)
	_, disposition, err3 := r.Partitions(ctx, schemas.DispositionTopic)
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, disposition, err
	}
	report = &MarksReport{
		DryRun: q.DryRun, DispositionTopic: r.kafka.Topic(schemas.DispositionTopic), DispositionID: hex.EncodeToString(disposition[:]),
		Stages: []StageMarked{
			{Group: normalize.DefaultGroup, Topic: r.kafka.Topic(schemas.Raw), TopicID: hex.EncodeToString(raw[:]), id: raw},
			{Group: hydrate.DefaultGroup, Topic: r.kafka.Topic(schemas.Hydrate), TopicID: hex.EncodeToString(tasks[:]), id: tasks},
		},
	}
	for p := range int32(partitions) {
		if q.Partition == AllPartitions || q.Partition == p {
			report.Partitions = append(report.Partitions, p)
		}
	}
	if len(report.Partitions) == 0 {
		return nil, disposition, fmt.Errorf("there is no raw partition %d: the topic has 0 to %d", q.Partition, partitions-1)
	}
	return report, disposition, nil
}
