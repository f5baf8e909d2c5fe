package serve

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/kycbridge/kycbridge/normalize"
	"github.com/kycbridge/kycbridge/normalize/dedupe"
	"github.com/kycbridge/kycbridge/normalize/hydrate"
	"github.com/kycbridge/kycbridge/schemas"
	"github.com/kycbridge/kycbridge/sink"
)

// watchStore has the process look at Redis every few seconds: workers that have nothing to do ask it for nothing,
// and no claim shows that it drops keys.
func (s *service) watchStore(ctx context.Context, store *dedupe.Store) error {
	_, dispositions, err := s.reader.Partitions(ctx, schemas.DispositionTopic)
	if err != nil {
		return err
	}
	evicted := prometheus.NewCounter(prometheus.CounterOpts{
		Name: "kycbridge_redis_evicted_keys_total", Help: "Keys that Redis evicted since this process began. They may be marks; all marks are then written again.",
	})
	s.registry.MustRegister(evicted)
	s.store = dedupe.NewWatch(store, dedupe.WatchOptions{
		Deployment: fmt.Sprintf("%x", dispositions),
		Watermarks: s.watermarks,
		Evicted:    func(keys int64) { evicted.Add(float64(keys)) },
		Logger:     s.Log,
	})
	s.store.Look(ctx) // before the first repair, which it may have begin anew
	return nil
}

// watermarks are those of all stages, whatever this process's role is.
func (s *service) watermarks(ctx context.Context) (names []string, err error) {
	shapes, err := s.reader.Shapes(ctx, schemas.Raw, schemas.Hydrate, schemas.DispositionTopic)
	if err != nil {
		return nil, err
	}
	for _, stage := range []struct{ group, base string }{
		{normalize.DefaultGroup, schemas.Raw},
		{hydrate.DefaultGroup, schemas.Hydrate},
	} {
		read := shapes[stage.base]
		for p := range read.Partitions {
			names = append(names, dedupe.WatermarkName(stage.group, read.ID, shapes[schemas.DispositionTopic].ID, p))
		}
	}
	return names, nil
}

// topicsEvery is the pause between two looks at the topics.
const topicsEvery = 3 * time.Second

// topicsWatch looks at whether the topics are still those that the process found, with as many partitions.
type topicsWatch struct {
	pending
	reader interface {
		Shapes(ctx context.Context, bases ...string) (map[string]sink.Shape, error)
	}
	kafka sink.Options
	bases []string // that the role reads or writes
	first map[string]sink.Shape
	said  string

	short sync.Mutex
	lack  map[int32]error // raw partitions that other topics do not have
	log   *slog.Logger
}

// newTopicsWatch takes the first look.
func (s *service) newTopicsWatch(ctx context.Context) (w *topicsWatch, err error) {
	w = &topicsWatch{reader: s.reader, kafka: s.kafka, bases: s.topicsOfRole(), log: s.Log}
	w.first, err = s.reader.Shapes(ctx, w.bases...)
	return w, err
}

// topicsOfRole are the topics, by base name, without which the process cannot do its work.
func (s *service) topicsOfRole() (bases []string) {
	if !s.Role.Works() {
		return []string{schemas.Raw}
	}
	for _, t := range s.kafka.Catalogue() {
		bases = append(bases, t.Base)
	}
	return bases
}

// run looks until ctx ends. A topic that was made anew ends the process: clients go on asking for the old one for
// ever, and what is known of it says nothing about the new one.
func (w *topicsWatch) run(ctx context.Context) error {
	for dedupe.Sleep(ctx, topicsEvery) == nil {
		if err := w.look(ctx); errors.Is(err, sink.ErrTopicChanged) {
			return err
		}
	}
	return nil
}

// look compares once. Where Kafka does not answer, the last findings stand; others say that it does not.
func (w *topicsWatch) look(ctx context.Context) error {
	limited, cancel := context.WithTimeout(ctx, 2*topicsEvery)
	defer cancel()
	now, err := w.reader.Shapes(limited, w.bases...)
	if err != nil {
		return err
	}
	var errs []error
	for _, base := range w.bases {
		was, is := w.first[base], now[base]
		switch {
		case is == sink.Shape{}:
			errs = append(errs, fmt.Errorf("topic %s is gone: it was deleted while this process ran; make it anew with %s and start all processes again", w.kafka.Topic(base), sink.CreateCommand))
		case was == sink.Shape{}: // the broker that was asked first did not know it yet
			w.first[base] = is
		case was.ID != is.ID:
			err := fmt.Errorf("%w: topic %s has id %x, and had %x when this process began: read the runbook for recreated topics, start again", sink.ErrTopicChanged, w.kafka.Topic(base), is.ID, was.ID)
			w.tell(err)
			return err
		}
	}
	w.tell(errors.Join(append(errs, w.uneven(now)...)...))
	return nil
}

// uneven names the raw partitions that other topics lack, with the commands that add them.
func (w *topicsWatch) uneven(now map[string]sink.Shape) (errs []error) {
	raw, lack := now[schemas.Raw], map[int32]error{}
	for _, t := range schemas.Topics() {
		is, there := now[t.Base]
		if !t.CoPartitioned || !there || is.Partitions >= raw.Partitions {
			continue
		}
		var wait []int32
		for p := is.Partitions; p < raw.Partitions; p++ {
			wait = append(wait, p)
		}
		err := fmt.Errorf("topic %s has %d partitions and %s has %d: records of its partition(s) %v wait until there are as many: kafka-topics.sh --bootstrap-server %s --alter --topic %s --partitions %d",
			w.kafka.Topic(t.Base), is.Partitions, w.kafka.Topic(schemas.Raw), raw.Partitions, wait, strings.Join(w.kafka.Brokers, ","), w.kafka.Topic(t.Base), raw.Partitions)
		errs = append(errs, err)
		for _, p := range wait {
			lack[p] = errors.Join(lack[p], err)
		}
	}
	w.short.Lock()
	defer w.short.Unlock()
	w.lack = lack
	return errs
}

// lacks is why a raw partition, and that of the same number of every topic that has as many, cannot be processed.
func (w *topicsWatch) lacks(partition int32) error {
	w.short.Lock()
	defer w.short.Unlock()
	return w.lack[partition]
}

// tell keeps what was found, and logs what is new.
func (w *topicsWatch) tell(err error) {
	w.set(err)
	text := ""
	if err != nil {
		text = reasons(err)
	}
	if text != w.said && text != "" {
		w.log.Error("topics are not what they were", "error", text)
	}
	w.said = text
}

// only gives those reasons of workers that are of a kind.
func only(err error, kind error) error {
	var of []error
	switch e := err.(type) {
	case normalize.NotReady:
		for _, reason := range e {
			if errors.Is(reason, kind) {
				of = append(of, reason)
			}
		}
	case interface{ Unwrap() []error }: // of several workers
		for _, part := range e.Unwrap() {
			of = append(of, only(part, kind))
		}
	}
	return errors.Join(of...)
}

// readyGauge is /readyz as a metric.
type readyGauge struct {
	health *health
	desc   *prometheus.Desc
}

func newReadyGauge(h *health) readyGauge {
	return readyGauge{h, prometheus.NewDesc("kycbridge_ready",
		"1 where a part of /readyz is up, 0 where it is down; the part process is 1 while /readyz answers 200.", []string{"part"}, nil)}
}

// Describe implements prometheus.Collector.
func (g readyGauge) Describe(to chan<- *prometheus.Desc) { to <- g.desc }

// Collect implements prometheus.Collector.
func (g readyGauge) Collect(to chan<- prometheus.Metric) {
	r := g.health.state()
	show := func(part string, up bool) {
		value := 0.0
		if up {
			value = 1
		}
		to <- prometheus.MustNewConstMetric(g.desc, prometheus.GaugeValue, value, part)
	}
	show("process", r.Ready)
	for _, part := range slices.Compact(slices.Sorted(slices.Values(r.Up))) {
		show(part, true)
	}
	for part := range r.Down {
		if part != "process" {
			show(part, false)
		}
	}
}
