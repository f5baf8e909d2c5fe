package sink

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kycbridge/kycbridge/schemas"
)

// errAbsent: at least one topic is not there, or the broker that was asked does not know it yet.
var errAbsent = errors.New("topics are missing")

// topicState is a topic as found. Settings that could not be read are zero.
type topicState struct {
	partitions      int32
	replication     int
	minISR          int
	maxMessageBytes int
	unclean         bool // a replica that lags may become leader, losing records
	id              TopicID
	retention       time.Duration // 0: unread; negative: for ever
}

// judge compares the topics that were found with what must be. Problems that
// break the protocol are an error always; problems of safety are warnings, or
// an error too under Refuse.
func judge(o Options, s TopicSettings, found map[string]topicState) (warnings []string, err error) {
	if name := withoutID(o, found); name != "" { // nothing else matters then
		return nil, fmt.Errorf("%w: %w", ErrTopics, tooOld(name))
	}
	var errs []error
	if list := absent(o, found); len(list) > 0 {
		errs = append(errs, fmt.Errorf("%w: %s: create them with %s", errAbsent, strings.Join(list, ", "), CreateCommand))
	}
	if list := unequal(o, found); len(list) > 0 {
		errs = append(errs, fmt.Errorf("topics that must have one partition count differ: %s: delete the empty ones and run %s, or see the runbook for raising the count", strings.Join(list, ", "), CreateCommand))
	}
	if err := tooLong(o, s, found); err != nil {
		errs = append(errs, err)
	}
	size := int(o.maxMessageBytes())
	if list := where(o, found, func(t topicState) (int, bool) {
		return t.maxMessageBytes, t.maxMessageBytes > 0 && t.maxMessageBytes < size
	}); len(list) > 0 {
		errs = append(errs, fmt.Errorf("max.message.bytes is below kafka.max_message_bytes %d: %s: raise it on these topics", size, strings.Join(list, ", ")))
	}
	warnings = unsafe(o, found)
	short := tooShort(o, s.withDefaults(), found)
	if s.withDefaults().Safety == Refuse {
		for _, w := range warnings {
			errs = append(errs, errors.New(w+" (topics.safety: WARN accepts it)"))
		}
		warnings = nil
	}
	warnings = append(warnings, short...)
	if len(errs) > 0 {
		return warnings, fmt.Errorf("%w: %w", ErrTopics, errors.Join(errs...))
	}
	return warnings, nil
}

// withoutID names a topic that has no id; "" where all have one.
func withoutID(o Options, found map[string]topicState) string {
	for _, topic := range o.Catalogue() {
		if t, ok := found[o.Topic(topic.Base)]; ok && t.id == (TopicID{}) {
			return o.Topic(topic.Base)
		}
	}
	return ""
}

// tooLong refuses topics that are read, and keep records for longer than the marks which
// recognise them live: a group that starts again at the oldest record would publish what
// it has published.
func tooLong(o Options, s TopicSettings, found map[string]topicState) error {
	for _, topic := range o.Catalogue() {
		name := o.Topic(topic.Base)
		kept := found[name].retention
		if s.MarkLife <= 0 || topic.Retention != schemas.RetainRaw || kept >= 0 && kept <= s.MarkLife {
			continue
		}
		return fmt.Errorf("retention.ms of %s is %s, longer than dedupe.ttl %s: marks would end before the records they are for; raise dedupe.ttl, or set retention.ms to %s (topics.raw_retention)",
			name, told(kept), s.MarkLife, millis(s.withDefaults().RawRetention))
	}
	return nil
}

// told writes a retention.
func told(kept time.Duration) string {
	if kept < 0 {
		return "-1 (for ever)"
	}
	return fmt.Sprintf("%s (%s)", millis(kept), kept)
}

// tooShort warns of topics that are read, and keep records for less time than configured.
func tooShort(o Options, s TopicSettings, found map[string]topicState) []string {
	var out []string
	for _, topic := range o.Catalogue() {
		name := o.Topic(topic.Base)
		if kept := found[name].retention; topic.Retention == schemas.RetainRaw && kept > 0 && kept < s.RawRetention {
			out = append(out, fmt.Sprintf("retention.ms of %s is %s, less than topics.raw_retention %s: what is not processed by then is lost; raise it on the topic, or lower topics.raw_retention",
				name, told(kept), s.RawRetention))
		}
	}
	return out
}

// unsafe names settings under which the loss of one broker may lose records.
func unsafe(o Options, found map[string]topicState) []string {
	var out []string
	add := func(text string, list []string) {
		if len(list) > 0 {
			out = append(out, text+": "+strings.Join(list, ", "))
		}
	}
	add("replication factor below 3", where(o, found, func(t topicState) (int, bool) {
		return t.replication, t.replication < 3
	}))
	add("min.insync.replicas below 2", where(o, found, func(t topicState) (int, bool) {
		return t.minISR, t.minISR > 0 && t.minISR < 2
	}))
	add("unclean.leader.election.enable is on", where(o, found, func(t topicState) (int, bool) {
		return 1, t.unclean
	}))
	return out
}

// absent lists the topics that were not found, in the catalogue's order.
func absent(o Options, found map[string]topicState) []string {
	var list []string
	for _, topic := range o.Catalogue() {
		if _, ok := found[o.Topic(topic.Base)]; !ok {
			list = append(list, o.Topic(topic.Base))
		}
	}
	return list
}

// unequal lists all topics that share a partition count, if they do not.
func unequal(o Options, found map[string]topicState) []string {
	var list []string
	var counts []int32
	for _, topic := range o.Catalogue() {
		if t, ok := found[o.Topic(topic.Base)]; ok && topic.CoPartitioned {
			list = append(list, fmt.Sprintf("%s (%d)", o.Topic(topic.Base), t.partitions))
			counts = append(counts, t.partitions)
		}
	}
	if len(slices.Compact(slices.Sorted(slices.Values(counts)))) < 2 {
		return nil
	}
	return list
}

// where lists the found topics for which test holds, with the value it gives;
// one value on all of them is said once.
func where(o Options, found map[string]topicState, test func(topicState) (int, bool)) []string {
	var list []string
	values := map[int]bool{}
	for _, topic := range o.Catalogue() {
		name := o.Topic(topic.Base)
		t, ok := found[name]
		if !ok {
			continue
		}
		if value, hit := test(t); hit {
			list = append(list, fmt.Sprintf("%s (%d)", name, value))
			values[value] = true
		}
	}
	if len(list) > 1 && len(list) == len(found) && len(values) == 1 {
		_, last, _ := strings.Cut(list[0], " ")
		return []string{"all topics " + last}
	}
	return list
}
