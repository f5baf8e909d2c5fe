package normalize_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kycbridge/kycbridge/normalize"
	"github.com/kycbridge/kycbridge/normalize/normalizetest"
	"github.com/kycbridge/kycbridge/schemas"
)

// widen gives topics more partitions.
func (w *world) widen(n int, bases ...string) {
	w.T.Helper()
	for _, base := range bases {
		resp, err := kadm.NewClient(w.Client).UpdatePartitions(w.Ctx, n, schemas.DefaultPrefix+base)
		if err == nil {
			err = resp.Error()
		}
		if err != nil {
			w.T.Fatal(err)
		}
	}
}

// TestPartitionsOfRawAlone: somebody adds partitions to raw and to no other topic, under load. What is in them waits
// and is named, the others go on, and once the topics have as many again everything is published.
func TestPartitionsOfRawAlone(t *testing.T) {
	w := newWorld(t, 2)
	var lacking atomic.Bool
	reg := prometheus.NewRegistry()
	p := w.start(0, func(o *normalize.Options) {
		o.Registerer = reg
		o.Lacks = func(partition int32) error {
			if partition < 2 || !lacking.Load() {
				return nil
			}
			return errors.New("topic kyc.disposition.v1 has 2 partitions: kafka-topics.sh --alter")
		}
		l := w.Undertaker.Line()
		o.Sessions = normalizetest.Opens(func(ctx context.Context, id string, watch normalize.Watch) (normalize.Slot, error) {
			kafka := w.Over(l)
			kafka.Extra = append(kafka.Extra, kgo.MetadataMaxAge(200*time.Millisecond))
			return normalizetest.OpenSlot(ctx, kafka, normalizetest.Restless(normalize.DefaultGroup, schemas.Raw), id, watch, normalize.Slot{DispositionID: w.IDs[schemas.DispositionTopic]})
		})
	})
	var whole, wide []string
	send := func(partitions int32) {
		for partition := range partitions {
			id := fmt.Sprint(len(whole) + len(wide))
			w.send(partition, said{Subject: fmt.Sprint(partition), ID: id, Text: "x"})
			if partition < 2 {
				whole = append(whole, id+"/x")
			} else {
				wide = append(wide, id+"/x")
			}
		}
	}
	send(2)
	w.settle()
	lacking.Store(true)
	w.widen(3, schemas.Raw)
	w.Client.ForceMetadataRefresh()
	w.Await("a record is in the new partition", func() bool {
		err := w.Client.ProduceSync(w.Ctx, &kgo.Record{
			Topic: schemas.DefaultPrefix + schemas.Raw, Partition: 2, Key: said{Subject: "2", ID: "wide"}.key(), Value: rawValue(t, said{Subject: "2", ID: "wide", Text: "x"}),
		}).FirstErr()
		w.Client.ForceMetadataRefresh()
		return err == nil
	})
	wide = append(wide, "wide/x")
	w.Await("readiness names the partition and what to do", func() bool {
		err := p.n.Ready()
		return errors.Is(err, normalize.ErrLacking) && strings.Contains(err.Error(), "topic kyc.raw.v1, partition(s) [2]") && strings.Contains(err.Error(), "kafka-topics.sh")
	})
	if got := waiting(t, reg); got != "0 kyc.raw.v1 2 lacking" {
		t.Errorf("what waits is %q as a metric, expected the partition and the cause", got)
	}
	for range 20 {
		send(3)
	}
	w.Await("the others go on", func() bool {
		return len(w.events()) == len(whole)
	})
	w.expectEvents(whole...)
	w.widen(3, schemas.DispositionTopic, schemas.Hydrate, schemas.HydrateWait)
	lacking.Store(false)
	w.Await("the normaliser is ready", func() bool { return p.n.Ready() == nil })
	w.settle()
	w.expectEvents(append(whole, wide...)...)
	w.audit()
}

// waiting gives the labels of what waits.
func waiting(t *testing.T, reg *prometheus.Registry) string {
	t.Helper()
	all, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, family := range all {
		if family.GetName() != "kycbridge_normalize_waiting" {
			continue
		}
		for _, m := range family.GetMetric() {
			labels := map[string]string{}
			for _, l := range m.GetLabel() {
				labels[l.GetName()] = l.GetValue()
			}
			found = append(found, fmt.Sprint(labels["slot"], " ", labels["topic"], " ", labels["partition"], " ", labels["cause"]))
		}
	}
	return strings.Join(found, ", ")
}
