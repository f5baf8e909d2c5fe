package normalize

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/kycbridge/kycbridge/normalize/dedupe"
)

// lagEvery is the pause between two looks at the ends of the raw partitions.
const lagEvery = 5 * time.Second

// metrics is what the normaliser counts. Every label's values are a closed set of ours, vendor names
// included.
type metrics struct {
	records      *prometheus.CounterVec // outcome
	deadLetters  *prometheus.CounterVec // provider, reason
	claims       *prometheus.CounterVec // decision
	flagged      *prometheus.CounterVec // flag
	transactions *prometheus.CounterVec // outcome
	duration     prometheus.Histogram
	batch        prometheus.Histogram
	redis        *prometheus.HistogramVec // outcome
	repairs      *prometheus.CounterVec   // outcome
	marks        prometheus.Counter
	drift        *prometheus.CounterVec // provider, kind
	reopened     prometheus.Counter
	lag          prometheus.Gauge
	expired      prometheus.Counter
	moved        *prometheus.CounterVec // direction
	held         prometheus.Gauge
	heldAt       *prometheus.GaugeVec // topic, partition
}

func newMetrics(namespace string, r prometheus.Registerer, workers []*worker) (*metrics, error) {
	m := &metrics{
		records:      counter(namespace, "records_total", "Raw records disposed of, by outcome.", "outcome"),
		deadLetters:  counter(namespace, "dead_letters_total", "Dead letters written, by vendor and reason.", "provider", "reason"),
		claims:       counter(namespace, "claims_total", "Deduplication decisions about records with an idempotency key, by decision.", "decision"),
		flagged:      counter(namespace, "flagged_total", "Events written with a flag, by flag.", "flag"),
		transactions: counter(namespace, "transactions_total", "Kafka transactions, by outcome. Aborts during a rebalance are normal.", "outcome"),
		duration:     histogram(namespace, "transaction_duration_seconds", "Seconds from the begin to the end of a transaction.", prometheus.ExponentialBuckets(0.002, 2, 13)),
		batch:        histogram(namespace, "batch_records", "Raw records in one polled batch.", prometheus.ExponentialBuckets(1, 2, 11)),
		redis: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: namespace, Name: "redis_duration_seconds", Help: "Seconds of one pipelined round trip to Redis, by outcome.",
			Buckets: prometheus.ExponentialBuckets(0.0002, 2, 14),
		}, []string{"outcome"}),
		repairs: counter(namespace, "repairs_total", "Repairs of a partition's deduplication marks in Redis, by outcome.", "outcome"),
		marks:   prometheus.NewCounter(prometheus.CounterOpts{Namespace: namespace, Name: "repaired_marks_total", Help: "Deduplication marks written by repairs."}),
		drift:   counter(namespace, "drift_total", "Things that vendors sent and the mapping does not know, left-out codes included.", "provider", "kind"),
		reopened: prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: namespace, Name: "sessions_reopened_total", Help: "Transactional sessions reopened after an error.",
		}),
		lag: prometheus.NewGauge(prometheus.GaugeOpts{Namespace: namespace, Name: "lag_records", Help: "Consumer lag: raw records without an outcome yet, in partitions this process has worked on."}),
	}
	m.expired = prometheus.NewCounter(prometheus.CounterOpts{
		Namespace: namespace, Name: "expired_records_total", Help: "Raw records that retention removed before they were processed. They are lost.",
	})
	m.held = prometheus.NewGauge(prometheus.GaugeOpts{
		Namespace: namespace, Name: "held_records", Help: "Records of the output topics beyond the last stable offset. Above 0 for minutes: a hanging transaction blocks read_committed consumers.",
	})
	m.moved = counter(namespace, "offsets_moved_total", "Records between where the group's offset was set from outside and where reading went on: forward are those that it would have passed over, back those that are read again.", "direction")
	m.heldAt = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Namespace: namespace, Name: "held_partition_records", Help: "The same by topic and partition, where there are any.",
	}, []string{"topic", "partition"})
	age := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Namespace: namespace, Name: "oldest_unprocessed_age_seconds", Help: "Age of the oldest raw record being processed; 0 when there is none.",
	}, func() float64 { return oldestAge(workers, time.Now()).Seconds() })
	var errs []error
	for _, c := range []prometheus.Collector{
		m.records, m.deadLetters, m.claims, m.flagged, m.transactions, m.duration, m.batch, m.redis,
		m.repairs, m.marks, m.drift, m.reopened, m.lag, m.expired, m.moved, m.held, m.heldAt, newDowns(namespace, workers), age,
	} {
		errs = append(errs, r.Register(c))
	}
	return m, errors.Join(errs...)
}

func counter(namespace, name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}, labels)
}

func histogram(namespace, name, help string, buckets []float64) prometheus.Histogram {
	return prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: namespace, Name: name, Help: help, Buckets: buckets})
}

func oldestAge(workers []*worker, now time.Time) (age time.Duration) {
	for _, w := range workers {
		if at := w.progress.oldest.Load(); at != 0 {
			age = max(age, now.Sub(time.Unix(0, at)))
		}
	}
	return age
}

// committed counts a batch after its transaction.
func (m *metrics) committed(readings []*Reading, verdicts []dedupe.Verdict) {
	for i, r := range readings {
		v := verdicts[i]
		m.records.WithLabelValues(outcomeName(r, v)).Inc()
		if !r.decided() {
			continue
		}
		if v.Keyed {
			m.claims.WithLabelValues(v.Step.String()).Inc()
		}
		if v.Action != dedupe.Publish {
			continue
		}
		if v.Flag != "" {
			m.flagged.WithLabelValues(string(v.Flag)).Inc()
		}
		if r.Fetches() {
			continue // its drift is counted when it is mapped for good
		}
		if letter := r.Letter(); letter != nil {
			m.deadLetters.WithLabelValues(r.Provider, letter.GetReason().String()).Inc()
		}
		for _, d := range r.Drift {
			m.drift.WithLabelValues(r.Provider, d.Kind).Inc()
		}
	}
}

func outcomeName(r *Reading, v dedupe.Verdict) string {
	switch o := r.Outcome.(type) {
	case *Forward:
		return o.As
	case *Skip:
		return o.As
	}
	switch {
	case v.Action == dedupe.Duplicate && r.AskAgain != nil:
		return "asked_again"
	case v.Action == dedupe.Nothing:
		return "skipped"
	case v.Action == dedupe.Duplicate:
		return "duplicate"
	}
	switch r.Outcome.(type) {
	case *DeadLetter:
		return "dead_lettered"
	case *Fetch:
		return "hydrating"
	}
	return "emitted"
}

// timed measures the round trips of a store of claims, and makes none while the store is unfit.
type timed struct {
	claims
	kept  kept // nil: it is always fit
	redis *prometheus.HistogramVec
}

func (t timed) Exchange(ctx context.Context, r dedupe.Round) (dedupe.Reply, error) {
	if t.kept != nil {
		if err := t.kept.Unfit(); err != nil {
			return dedupe.Reply{}, err
		}
	}
	start := time.Now()
	reply, err := t.claims.Exchange(ctx, r)
	label := "answered"
	if err != nil {
		label = "failed"
	}
	t.redis.WithLabelValues(label).Observe(time.Since(start).Seconds())
	return reply, err
}

// watchLag keeps the gauges of the log until ctx ends, and notices that Kafka is down while the slots have
// nothing to write: an empty poll does not show it.
func (n *Normalizer) watchLag(ctx context.Context) {
	for dedupe.Sleep(ctx, lagEvery) == nil {
		err := n.measure(ctx)
		switch {
		case err == nil:
			n.kafka.set(nil)
		case ctx.Err() == nil:
			n.kafka.set(fmt.Errorf("%w: %w", ErrKafka, err))
		}
	}
}

func (n *Normalizer) measure(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*lagEvery)
	defer cancel()
	at, err := n.o.Log.Offsets(ctx)
	if err != nil {
		return err
	}
	var lag int64
	for _, w := range n.workers {
		lag += w.progress.lag(at.Ends, at.Committed)
	}
	n.metrics.lag.Set(float64(lag))
	n.noteHeld(at.Held)
	n.countExpired(ctx, at)
	return nil
}

// noteHeld shows what open transactions hold back, and says what hangs.
func (n *Normalizer) noteHeld(held []HeldPartition) {
	var all int64
	n.metrics.heldAt.Reset()
	for _, h := range held {
		all += h.Records
		n.metrics.heldAt.WithLabelValues(h.Topic, strconv.Itoa(int(h.Partition))).Set(float64(h.Records))
	}
	n.metrics.held.Set(float64(all))
	for _, h := range n.holds.note(held, time.Now()) {
		n.o.Logger.Error("a transaction does not end, and readers at read_committed wait for it: find its producer with kafka-transactions.sh describe-producers, and abort it", "topic", h.Topic, "partition", h.Partition, "stable_offset", h.Stable, "records", h.Records)
	}
}

// countExpired counts and logs what retention removed, and when it had arrived: a consumer silently continues
// at what is left.
func (n *Normalizer) countExpired(ctx context.Context, at Offsets) {
	for _, w := range n.workers {
		for _, gone := range w.progress.expired(at.Starts, at.Committed) {
			n.metrics.expired.Add(float64(gone.to - gone.from))
			args := []any{"partition", gone.partition, "records", gone.to - gone.from, "first", gone.from, "last", gone.to - 1}
			if !gone.after.IsZero() {
				args = append(args, "received_after", gone.after.UTC())
			}
			if at.Oldest != nil {
				if before, err := at.Oldest(ctx, gone.partition); err == nil && !before.IsZero() {
					args = append(args, "received_before", before.UTC())
				}
			}
			w.log.Error("retention removed raw records before they were processed: have the vendors send that time again, and raise the retention", args...)
		}
	}
}
