package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/kycbridge/kycbridge/internal/contract"
	"github.com/kycbridge/kycbridge/providers"
	"github.com/kycbridge/kycbridge/providers/catalog"
	"github.com/kycbridge/kycbridge/schemas"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// longestBody leaves out the fixtures that stand for extremes: most webhooks are shorter than 2 kB.
const longestBody = 2 << 10

// mix makes raw records out of the fixtures of some vendors, in turn, each with ids of its own, so
// that every one is a first delivery and yields events.
type mix struct {
	vendors   []providers.Provider
	good      [][]providers.Fixture
	endpoints []string // taken in turn; none: each vendor's name is its endpoint's
	length    int      // of webhooks' bodies at least
}

// newMix takes vendors by name; none means all that need no API to be asked.
func newMix(names ...string) (*mix, error) {
	m := &mix{}
	for _, p := range catalog.All() {
		wanted := len(names) == 0 && (p.Hydration == nil || !p.Hydration.Required)
		for _, n := range names {
			wanted = wanted || n == p.Name
		}
		if !wanted {
			continue
		}
		good, err := p.GoodFixtures()
		if err != nil {
			return nil, err
		}
		good = slices.DeleteFunc(good, func(f providers.Fixture) bool {
			return f.Fetched != nil || len(f.Body) > longestBody || !json.Valid(f.Body)
		})
		m.vendors, m.good = append(m.vendors, p), append(m.good, good)
	}
	if len(m.vendors) == 0 {
		return nil, fmt.Errorf("no vendor of %q is known", names)
	}
	return m, nil
}

// delivery is the n-th body and whose it is.
func (m *mix) delivery(n int) (*providers.Provider, providers.Fixture, []byte) {
	v := n % len(m.vendors)
	p, good := &m.vendors[v], m.good[v]
	f := good[n/len(m.vendors)%len(good)]
	return p, f, p.Vary(f.Body, uint64(n))
}

// endpoint is where the n-th delivery comes in.
func (m *mix) endpoint(n int, p *providers.Provider) string {
	if len(m.endpoints) == 0 {
		return p.Name
	}
	return m.endpoints[n%len(m.endpoints)]
}

// record is the n-th delivery as the product's ingest would have written it.
func (m *mix) record(n int, topic string) (*kgo.Record, error) {
	p, f, body := m.delivery(n)
	now := time.Now()
	d := &providers.Delivery{Endpoint: m.endpoint(n, p), Tenant: "default", Environment: providers.FixtureEnvironment,
		ContentType: "application/json", Headers: http.Header{}, Body: body, ReceivedAt: now}
	envelope := &kycv1.RawEnvelope{
		Provider: p.Name, Endpoint: d.Endpoint, Tenant: d.Tenant, Environment: d.Environment, ReceivedAt: timestamppb.New(now),
		Method: http.MethodPost, ContentType: d.ContentType, Body: body, SecretId: "primary", DeliveryId: uuid.Must(uuid.NewV7()).String(),
	}
	for _, name := range p.KeepHeaders {
		if value := f.Headers.Get(name); value != "" {
			d.Headers.Set(name, value)
			envelope.Headers = append(envelope.Headers, &kycv1.HttpHeader{Name: name, Value: value})
		}
	}
	value, err := contract.Marshal(envelope)
	if err != nil {
		return nil, err
	}
	return &kgo.Record{Topic: topic, Key: p.RecordKey(d), Value: value}, nil
}

// fill writes n raw records, from the first-th on.
func (d *deployment) fill(ctx context.Context, m *mix, first, n int) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(d.w.kafka), kgo.ProducerBatchCompression(kgo.Lz4Compression()))
	if err != nil {
		return err
	}
	defer client.Close()
	var failed kgo.FirstErrPromise
	for i := first; i < first+n; i++ {
		r, err := m.record(i, d.topic(schemas.Raw))
		if err != nil {
			return err
		}
		client.Produce(ctx, r, failed.Promise())
	}
	if err := failed.Err(); err != nil {
		return fmt.Errorf("fill %s: %w", d.topic(schemas.Raw), err)
	}
	return nil
}

// drained waits until a group has committed all of the raw topic.
func (d *deployment) drained(ctx context.Context, group string, running ...ender) error {
	return d.drainedBut(ctx, group, 0, running...)
}

// ender is a process that may have ended.
type ender interface{ Ended() error }

// drainedBut waits until at most so many records of the raw topic are left, asking often, since what
// comes after is not to be measured.
func (d *deployment) drainedBut(ctx context.Context, group string, left int, running ...ender) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(d.w.kafka))
	if err != nil {
		return err
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	ends, err := admin.ListCommittedOffsets(ctx, d.topic(schemas.Raw))
	if err != nil {
		return err
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		committed, err := admin.FetchOffsetsForTopics(ctx, group, d.topic(schemas.Raw))
		switch {
		case kerr.IsRetriable(err), errors.Is(err, kerr.GroupIDNotFound): // the group is only coming into being
		case err != nil:
			return fmt.Errorf("offsets of group %s: %w", group, err)
		case behind(ends, committed) <= int64(left):
			return nil
		}
		for _, r := range running {
			if err := r.Ended(); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("group %s did not come to the end of the raw topic: %w", group, ctx.Err())
		case <-tick.C:
		}
	}
}

// behind counts the records a group has not committed.
func behind(ends kadm.ListedOffsets, committed kadm.OffsetResponses) (n int64) {
	ends.Each(func(end kadm.ListedOffset) {
		at := int64(0)
		if c, ok := committed.Lookup(end.Topic, end.Partition); ok && c.At > 0 {
			at = c.At
		}
		n += max(0, end.Offset-at)
	})
	return n
}

// disposed counts the committed dispositions of a deployment.
func (d *deployment) disposed(ctx context.Context) (n int, err error) {
	return n, d.eachCommitted(ctx, schemas.DispositionTopic, func(*kgo.Record) { n++ })
}

// eachCommitted reads what is committed in a topic up to where it ends now, each partition in order.
func (d *deployment) eachCommitted(ctx context.Context, base string, fn func(*kgo.Record)) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(d.w.kafka), kgo.ConsumeTopics(d.topic(base)),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords())
	if err != nil {
		return err
	}
	defer client.Close()
	ends, err := kadm.NewClient(client).ListCommittedOffsets(ctx, d.topic(base))
	if err != nil {
		return fmt.Errorf("ends of %s: %w", d.topic(base), err)
	}
	left := map[int32]int64{}
	ends.Each(func(o kadm.ListedOffset) {
		if o.Offset > 0 {
			left[o.Partition] = o.Offset
		}
	})
	for len(left) > 0 {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err0(); err != nil {
			return fmt.Errorf("read %s: %w", d.topic(base), err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if !r.Attrs.IsControl() {
				fn(r)
			}
			if r.Offset+1 >= left[r.Partition] {
				delete(left, r.Partition)
			}
		})
	}
	return nil
}
