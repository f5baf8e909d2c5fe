package audit

import (
	"fmt"
	"time"

	"github.com/kycbridge/kycbridge/internal/record"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// order is what O5 remembers of one topic: for each subject, where its last events came from.
type order map[string]*last

// last is the newest event of a subject, from its webhook alone and from a fetched object.
type last struct {
	partition int32
	told      record.Position // the raw record; offset -1: none yet
	fetched   time.Time
}

// check finds what is wrong with an event that comes after those seen so far; "" if nothing is.
// Events of webhooks alone are in the order of their raw records, those of fetched objects in the
// order of the fetches. Where the API gave no object, the order is that of its answers, which an
// event does not show.
func (o order) check(r record.Record, md *kycv1.EventMetadata) string {
	l, seen := o[string(r.Key)]
	if !seen {
		l = &last{partition: r.Partition, told: record.Position{Offset: -1}}
		o[string(r.Key)] = l
	}
	if l.partition != r.Partition {
		was := l.partition
		l.partition = r.Partition
		return fmt.Sprintf("the subject of event %s is in partitions %d and %d of %s", md.GetEventId(), was, r.Partition, r.Topic)
	}
	switch md.GetHydration() {
	case kycv1.Hydration_HYDRATION_NOT_FOUND, kycv1.Hydration_HYDRATION_GAVE_UP:
	case kycv1.Hydration_HYDRATION_FETCHED:
		before := l.fetched
		l.fetched = md.GetFetchedAt().AsTime()
		if l.fetched.Before(before) {
			return fmt.Sprintf("event %s, of an object fetched at %s, comes after one of %s", md.GetEventId(), l.fetched.Format(time.RFC3339Nano), before.Format(time.RFC3339Nano))
		}
	default:
		before := l.told
		l.told = positionOf(md.GetRaw())
		if before.Offset > l.told.Offset && before.Partition == l.told.Partition {
			return fmt.Sprintf("event %s comes after one of the same subject of %s, at %s %d@%d", md.GetEventId(), before, r.Topic, r.Partition, r.Offset)
		}
	}
	return ""
}
