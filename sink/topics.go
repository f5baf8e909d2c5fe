package sink

import (
	"strconv"
	"time"

	"github.com/kycbridge/kycbridge/schemas"
)

// CreateCommand is what errors about topics tell an operator to run.
const CreateCommand = "`kycbridge topics create --config FILE`"

// Safety says what unsafe topic settings lead to.
type Safety string

const (
	// Refuse makes unsafe settings an error.
	Refuse Safety = "REFUSE"
	// Warn makes them a warning.
	Warn Safety = "WARN"
)

// TopicSettings is what new topics get and existing ones are checked against.
// Zero values take the defaults.
type TopicSettings struct {
	Partitions  int32 // default 12; of the raw topic and all that share its count, and of the others
	Replication int16 // default: as many as there are brokers, at most 3

	RawRetention         time.Duration // raw and hydrate topics; default 14 days
	DomainRetention      time.Duration // events; default 30 days
	DispositionRetention time.Duration // default 400 days
	DeadLetterRetention  time.Duration // default 30 days
	SegmentAge           time.Duration // default 1 day: retention removes whole segments only

	// MarkLife is how long a dedupe mark lives: records must not be kept for longer. 0:
	// not compared, as in a process that decides nothing.
	MarkLife time.Duration

	Safety Safety // default Refuse
}

const day = 24 * time.Hour

func (s TopicSettings) withDefaults() TopicSettings {
	orElse := func(d *time.Duration, fallback time.Duration) {
		if *d <= 0 {
			*d = fallback
		}
	}
	if s.Partitions <= 0 {
		s.Partitions = 12
	}
	if s.Safety == "" {
		s.Safety = Refuse
	}
	orElse(&s.RawRetention, 14*day)
	orElse(&s.DomainRetention, 30*day)
	orElse(&s.DispositionRetention, 400*day)
	orElse(&s.DeadLetterRetention, 30*day)
	orElse(&s.SegmentAge, day)
	return s
}

// retention gives how long records of a class are kept.
func (s TopicSettings) retention(class schemas.RetentionClass) time.Duration {
	switch class {
	case schemas.RetainDomain:
		return s.DomainRetention
	case schemas.RetainDisposition:
		return s.DispositionRetention
	case schemas.RetainDeadLetter:
		return s.DeadLetterRetention
	}
	return s.RawRetention
}

// TopicPlan is one topic to be created.
type TopicPlan struct {
	Name        string
	Partitions  int32
	Replication int16
	Configs     map[string]string
}

// PlanTopics says what every topic would be created as on a cluster of so many
// brokers. existing holds the partition counts of topics that are there: a
// missing topic that shares the raw topic's count takes the count the others
// have, since a settings change must not make them unequal; and so does a twin take
// that of its topic.
func PlanTopics(o Options, s TopicSettings, brokers int, existing map[string]int32) []TopicPlan {
	s = s.withDefaults()
	replication := s.Replication
	if replication <= 0 {
		replication = int16(min(max(brokers, 1), 3))
	}
	minISR := 1
	if replication >= 3 {
		minISR = 2
	}
	shared := sharedPartitions(o, s, existing)
	var plans []TopicPlan
	for _, topic := range o.Catalogue() {
		partitions := s.Partitions
		if topic.CoPartitioned {
			partitions = shared
		}
		if n, ok := existing[o.Topic(topic.TwinOf)]; ok && topic.TwinOf != "" {
			partitions = n
		}
		plans = append(plans, TopicPlan{
			Name: o.Topic(topic.Base), Partitions: partitions, Replication: replication,
			Configs: map[string]string{
				"cleanup.policy":      "delete",
				"retention.ms":        millis(s.retention(topic.Retention)),
				"segment.ms":          millis(s.SegmentAge),
				"max.message.bytes":   strconv.Itoa(int(o.maxMessageBytes())),
				"min.insync.replicas": strconv.Itoa(minISR),
			},
		})
	}
	return plans
}

// sharedPartitions is the count of the raw topic and those that follow it.
func sharedPartitions(o Options, s TopicSettings, existing map[string]int32) int32 {
	for _, topic := range o.Catalogue() {
		if n, ok := existing[o.Topic(topic.Base)]; ok && topic.CoPartitioned {
			return n
		}
	}
	return s.Partitions
}

func millis(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }
