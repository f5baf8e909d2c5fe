package normalize

import (
	"errors"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
)

// downs is what Ready says as a metric: 1 for each partition that waits, with what it waits for. Where a reason is
// not about partitions, as while the group is joined, the label partition is "".
type downs struct {
	desc    *prometheus.Desc
	workers []*worker
}

func newDowns(namespace string, workers []*worker) downs {
	return downs{prometheus.NewDesc(namespace+"_waiting",
		"1 for each partition whose records wait, with the cause: starting, joining, session, redis, repairing, refused, lacking. Partition is empty where the whole slot waits.",
		[]string{"slot", "topic", "partition", "cause"}, nil), workers}
}

// Describe implements prometheus.Collector.
func (d downs) Describe(to chan<- *prometheus.Desc) { to <- d.desc }

// Collect implements prometheus.Collector.
func (d downs) Collect(to chan<- prometheus.Metric) {
	for slot, w := range d.workers {
		for _, err := range w.state.reasons() {
			var at *placed
			if !errors.As(err, &at) {
				at = &placed{}
			}
			partitions := []string{""}
			if len(at.partitions) > 0 {
				partitions = partitions[:0]
			}
			for _, p := range at.partitions {
				partitions = append(partitions, strconv.Itoa(int(p)))
			}
			for _, p := range partitions {
				to <- prometheus.MustNewConstMetric(d.desc, prometheus.GaugeValue, 1, strconv.Itoa(slot), at.topic, p, string(causeOf(err)))
			}
		}
	}
}
