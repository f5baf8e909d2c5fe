package main

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/proto"

	"github.com/kycbridge/kycbridge/schemas"
)

// arrivals reads the domain topics as a consumer at read_committed and notes when the event of each
// webhook came.
type arrivals struct {
	client *kgo.Client
	kinds  map[string]proto.Message // by topic
	index  map[string]int           // of a webhook, by its vendor's id
	came   []time.Time
	open   int // webhooks whose event did not come yet
}

func (d *deployment) openReader(ctx context.Context, all []webhook) (*arrivals, error) {
	a := &arrivals{kinds: map[string]proto.Message{}, index: map[string]int{}, came: make([]time.Time, len(all)), open: len(all)}
	for i, h := range all {
		a.index[h.id] = i
	}
	if len(a.index) != len(all) {
		return nil, fmt.Errorf("%d webhooks have %d ids: each needs one of its own", len(all), len(a.index))
	}
	var topics []string
	for _, t := range schemas.Topics() {
		if t.Domain {
			topics = append(topics, d.topic(t.Base))
			a.kinds[d.topic(t.Base)] = t.Message
		}
	}
	var err error
	a.client, err = kgo.NewClient(kgo.SeedBrokers(d.w.kafka), kgo.ConsumeTopics(topics...), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		return nil, err
	}
	return a, a.client.Ping(ctx)
}

func (a *arrivals) close() { a.client.Close() }

// run reads until every webhook's event has come.
func (a *arrivals) run(ctx context.Context) error {
	for a.open > 0 {
		fetches := a.client.PollFetches(ctx)
		now := time.Now()
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("the events of %d webhooks did not come: %w", a.open, err)
		}
		if err := fetches.Err(); err != nil {
			return fmt.Errorf("read events: %w", err)
		}
		for record := range fetches.RecordsAll() {
			if err := a.note(record, now); err != nil {
				return err
			}
		}
	}
	return nil
}

// note notes the first event of a webhook.
func (a *arrivals) note(r *kgo.Record, now time.Time) error {
	m := a.kinds[r.Topic].ProtoReflect().New().Interface()
	if err := proto.Unmarshal(r.Value, m); err != nil {
		return fmt.Errorf("%s[%d]@%d: %w", r.Topic, r.Partition, r.Offset, err)
	}
	event, ok := m.(schemas.DomainEvent)
	if !ok {
		return fmt.Errorf("%s[%d]@%d: %T is not an event", r.Topic, r.Partition, r.Offset, m)
	}
	i, ours := a.index[event.GetMetadata().GetVendorEventId()]
	if ours && a.came[i].IsZero() {
		a.came[i] = now
		a.open--
	}
	return nil
}

// since is how long after it was sent each webhook's event came.
func (a *arrivals) since(sent []time.Time) []time.Duration {
	took := make([]time.Duration, len(sent))
	for i := range sent {
		took[i] = a.came[i].Sub(sent[i])
	}
	return took
}
