package e2e

import (
	"fmt"
	"sort"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kycbridge/kycbridge/schemas"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// found is what a reader saw, sorted by meaning.
type found struct {
	raw          []*kgo.Record
	dispositions []*kycv1.Disposition
	dead         []*kycv1.DeadLetter
	events       []emitted
}

// emitted is one domain record.
type emitted struct {
	record   *kgo.Record
	metadata *kycv1.EventMetadata
}

func sorted(t testing.TB, records map[position]*kgo.Record) found {
	t.Helper()
	var out found
	for at, record := range records {
		switch topic := topicOf(at.topic); {
		case topic.Base == schemas.Raw:
			out.raw = append(out.raw, record)
		case topic.Base == schemas.DispositionTopic:
			out.dispositions = append(out.dispositions, decode[*kycv1.Disposition](t, record))
		case topic.Base == schemas.DeadLetterTopic:
			out.dead = append(out.dead, decode[*kycv1.DeadLetter](t, record))
		case topic.Domain:
			out.events = append(out.events, emitted{record, decode[schemas.DomainEvent](t, record).GetMetadata()})
		}
	}
	return out
}

// judge holds what was read against what was answered.
func judge(t testing.TB, l *load, records map[position]*kgo.Record) found {
	t.Helper()
	f := sorted(t, records)
	nothingLost(t, l, f)
	nothingDoubled(t, f)
	nobodyLetIn(t, l, f)
	oneDispositionEach(t, f)
	orderKept(t, f)
	return f
}

// nothingLost (O1): a key that got a success code is in a domain topic or dead-lettered.
func nothingLost(t testing.TB, l *load, f found) {
	t.Helper()
	seen := map[string]bool{}
	for _, e := range f.events {
		seen[e.metadata.GetVendorEventId()] = true
	}
	for _, d := range f.dispositions {
		if d.GetKind() == kycv1.DispositionKind_DISPOSITION_KIND_DEAD_LETTERED {
			seen[d.GetVendorEventId()] = true
		}
	}
	var lost []string
	for key := range l.acked {
		if !seen[key] {
			lost = append(lost, key)
		}
	}
	if len(lost) > 0 {
		t.Errorf("LOST: %d of %d accepted deliveries are in no topic: %s", len(lost), len(l.acked), some(lost))
	}
}

// nothingDoubled (O2): no event id stands twice, and none was emitted under a
// flag that admits a possible double.
func nothingDoubled(t testing.TB, f found) {
	t.Helper()
	times := map[string]int{}
	for _, e := range f.events {
		times[e.record.Topic+" "+e.metadata.GetEventId()]++
		for _, h := range e.record.Headers {
			if h.Key == "dedupe" {
				t.Errorf("event %s carries dedupe=%s, want no flag: nothing was in doubt", e.metadata.GetEventId(), h.Value)
			}
		}
	}
	letters := map[position]int{}
	for _, d := range f.dead {
		letters[rawOf(d.GetRaw())]++
	}
	for at, n := range letters {
		if n > 1 {
			times[fmt.Sprintf("dead letter of %v", at)] = n
		}
	}
	var doubled []string
	for id, n := range times {
		if n > 1 {
			doubled = append(doubled, fmt.Sprintf("%s ×%d", id, n))
		}
	}
	if len(doubled) > 0 {
		t.Errorf("DOUBLED: %d: %s", len(doubled), some(doubled))
	}
}

// nobodyLetIn (O3): nothing stems from a forged delivery.
func nobodyLetIn(t testing.TB, l *load, f found) {
	t.Helper()
	for _, e := range f.events {
		if l.forged[e.metadata.GetVendorEventId()] {
			t.Errorf("LET IN: forged delivery %s became event %s", e.metadata.GetVendorEventId(), e.metadata.GetEventId())
		}
	}
	for _, d := range f.dispositions {
		if l.forged[d.GetVendorEventId()] {
			t.Errorf("LET IN: forged delivery %s is in the raw topic at %v", d.GetVendorEventId(), rawOf(d.GetRaw()))
		}
	}
}

// oneDispositionEach (O4): every raw record has exactly one that is final, after one HYDRATING at most, and
// an emitted one its events.
func oneDispositionEach(t testing.TB, f found) {
	t.Helper()
	dispositions, hydrating := map[position]int{}, map[position]int{}
	events := map[string]bool{}
	for _, e := range f.events {
		events[e.metadata.GetEventId()] = true
	}
	for _, d := range f.dispositions {
		at := rawOf(d.GetRaw())
		if d.GetKind() == kycv1.DispositionKind_DISPOSITION_KIND_HYDRATING {
			if hydrating[at]++; hydrating[at] > 1 {
				t.Errorf("raw record %v was handed to the hydrate stage %d times", at, hydrating[at])
			}
			continue
		}
		dispositions[at]++
		for _, id := range d.GetEventIds() {
			if !events[id] {
				t.Errorf("disposition of %v names event %s, which is in no topic", rawOf(d.GetRaw()), id)
			}
		}
	}
	for _, record := range f.raw {
		at := position{record.Topic, record.Partition, record.Offset}
		if n := dispositions[at]; n != 1 {
			t.Errorf("raw record %v has %d final dispositions, want 1", at, n)
		}
	}
	if len(dispositions) > len(f.raw) {
		t.Errorf("%d raw positions have dispositions, but only %d raw records exist", len(dispositions), len(f.raw))
	}
}

// orderKept (O5): per topic and key, events stand in the order of their raw records, hydrated ones in the
// order of their fetches.
func orderKept(t testing.TB, f found) {
	t.Helper()
	groups := map[string][]emitted{}
	for _, e := range f.events {
		group := e.record.Topic + " " + string(e.record.Key)
		switch e.metadata.GetHydration() {
		case kycv1.Hydration_HYDRATION_FETCHED:
			group += " fetched"
		case kycv1.Hydration_HYDRATION_NOT_FOUND, kycv1.Hydration_HYDRATION_GAVE_UP:
			group += " asked for" // in the order of answers, of which an event does not tell
		}
		groups[group] = append(groups[group], e)
	}
	for group, events := range groups {
		sort.Slice(events, func(i, j int) bool { return events[i].record.Offset < events[j].record.Offset })
		for i := 1; i < len(events); i++ {
			before, after := events[i-1], events[i]
			if before.record.Partition != after.record.Partition {
				t.Errorf("%s stands in partitions %d and %d", group, before.record.Partition, after.record.Partition)
			}
			fetched := before.metadata.GetFetchedAt()
			switch {
			case before.metadata.GetHydration() > kycv1.Hydration_HYDRATION_OFF:
			case fetched != nil && fetched.AsTime().After(after.metadata.GetFetchedAt().AsTime()):
				t.Errorf("%s: an object fetched at %v stands before one of %v", group, fetched.AsTime(), after.metadata.GetFetchedAt().AsTime())
			case fetched == nil && before.metadata.GetRaw().GetOffset() > after.metadata.GetRaw().GetOffset():
				t.Errorf("%s: raw offset %d stands before %d", group, before.metadata.GetRaw().GetOffset(), after.metadata.GetRaw().GetOffset())
			}
		}
	}
}

func some(all []string) string {
	sort.Strings(all)
	return fmt.Sprint(all[:min(len(all), 5)])
}
