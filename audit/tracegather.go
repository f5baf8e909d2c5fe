package audit

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/kycbridge/kycbridge/internal/contract"
	"github.com/kycbridge/kycbridge/internal/record"
	"github.com/kycbridge/kycbridge/schemas"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// connect reads the dispositions of the partitions where something was found, again and again until no
// further delivery is a duplicate of one that was found or repeated by one. The last scan saw all.
func (t *tracer) connect(ctx context.Context) error {
	for {
		known := len(t.found) + len(t.tasks)
		for _, d := range t.found {
			d.Dispositions = []Disposition{}
		}
		var jobs []job
		for _, p := range t.partitionsFound() {
			jobs = append(jobs, job{t.Dispositions, p, record.ScanFrom{}, t.takeDisposition})
		}
		if err := t.all(ctx, jobs); err != nil || known == len(t.found)+len(t.tasks) {
			return err
		}
	}
}

// relate follows a duplicate in both directions.
func (t *tracer) relate(d *kycv1.Disposition) {
	raw, of := positionOf(d.GetRaw()), positionOf(d.GetDuplicateOf())
	_, ours := t.found[raw]
	repeats := d.GetKind() == duplicate
	if d.GetClaimed() == nil { // the normaliser's: duplicates name raw records
		if _, known := t.found[of]; repeats && (ours || known) {
			t.note(raw)
			t.note(of)
		}
		return
	}
	task := positionOf(d.GetClaimed())
	if repeats {
		task = of
	}
	if ours || t.tasks[task] {
		t.tasks[task] = true
		t.note(raw)
	}
}

// takeDisposition keeps what a disposition says of a delivery that was found.
func (t *tracer) takeDisposition(r record.Record) {
	d := &kycv1.Disposition{}
	if contract.Unmarshal(r.Value, d) != nil || t.foreign(d) {
		return
	}
	t.relate(d)
	found, ok := t.found[positionOf(d.GetRaw())]
	if !ok {
		return
	}
	found.Key, found.ID = string(r.Key), deliveryOf(r)
	found.Provider, found.Endpoint, found.Tenant = d.GetProvider(), d.GetEndpoint(), d.GetTenant()
	found.VendorID, found.VendorType = d.GetVendorEventId(), d.GetVendorEventType()
	if at := d.GetReceivedAt(); at != nil {
		found.ReceivedAt = at.AsTime()
	}
	shown := Disposition{
		At: d.GetDecidedAt().AsTime(), Kind: kindName(d.GetKind()), Stage: strings.TrimPrefix(d.GetStage().String(), "STAGE_"),
		Mapper: d.GetMapperVersion(), Replay: d.GetReplayId(), EventIDs: d.GetEventIds(), Flag: d.GetDedupeFlag(), task: d.GetClaimed() != nil,
	}
	if d.GetKind() == dead {
		shown.Reason = reasonName(d.GetReason())
	}
	if d.GetKind() == duplicate {
		of := positionOf(d.GetDuplicateOf())
		shown.DuplicateOf = &of
	}
	if c := d.GetClaimed(); c != nil && d.GetKind() != duplicate {
		t.taskOf[positionOf(c)] = found.Raw
	}
	found.Dispositions = append(found.Dispositions, shown)
}

// complete reads what was made of the deliveries, and the raw records where Kafka still has them.
func (t *tracer) complete(ctx context.Context) error {
	if err := t.takeRaws(ctx); err != nil {
		return err
	}
	var jobs []job
	for _, topic := range t.Domain {
		for _, p := range t.partitionsOf(topic) {
			jobs = append(jobs, job{topic, p, record.ScanFrom{}, func(r record.Record) { t.takeEvent(topic, r) }})
		}
	}
	for _, p := range t.partitionsOf(t.DeadLetters) {
		jobs = append(jobs, job{t.DeadLetters, p, record.ScanFrom{}, t.takeLetter})
	}
	if err := t.all(ctx, jobs); err != nil {
		return err
	}
	return t.takeTwins(ctx)
}

// takeTwins finds the events as JSON: each by its id and, of those that a replay wrote again, by its label.
func (t *tracer) takeTwins(ctx context.Context) error {
	events := map[string]map[string][]*Event{}
	for _, d := range t.found {
		for n := range d.Events {
			e := &d.Events[n]
			if events[e.ID] == nil {
				events[e.ID] = map[string][]*Event{}
			}
			events[e.ID][e.replay()] = append(events[e.ID][e.replay()], e)
		}
	}
	take := func(r record.Record) {
		for _, e := range events[r.Header("ce_id")][r.Header("replay")] {
			if e.Twin == nil {
				e.Twin = &Twin{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset}
				return
			}
		}
	}
	var jobs []job
	for _, topic := range t.Twins {
		for _, p := range t.partitionsOf(topic) {
			jobs = append(jobs, job{topic, p, record.ScanFrom{}, take})
		}
	}
	return t.all(ctx, jobs)
}

// keyedHash is in the key of a disposition where other records of the delivery have another one.
const keyedHash = "/hmac-"

// partitionsOf says where records of the deliveries' keys stand in a topic: everywhere, if a key is
// not known.
func (t *tracer) partitionsOf(topic Topic) []int32 {
	at := map[int32]bool{}
	for _, d := range t.found {
		if d.Key != "" && !strings.Contains(d.Key, keyedHash) {
			at[t.PartitionOf(d.Key, topic.Partitions)] = true
			continue
		}
		for p := range topic.Partitions {
			at[p] = true
		}
	}
	return slices.Sorted(maps.Keys(at))
}

// takeRaws looks the raw records up, reading on where the next one is near.
func (t *tracer) takeRaws(ctx context.Context) error {
	wanted := slices.SortedFunc(maps.Keys(t.found), comparePositions)
	for len(wanted) > 0 {
		first := wanted[0]
		wanted = wanted[1:]
		_, err := t.Raw.scan(ctx, first.Partition, record.ScanFrom{Offset: first.Offset}, func(r record.Record) error {
			t.takeRaw(r)
			for len(wanted) > 0 && wanted[0].Partition == r.Partition && wanted[0].Offset <= r.Offset {
				wanted = wanted[1:]
			}
			if len(wanted) == 0 || wanted[0].Partition != r.Partition || wanted[0].Offset > r.Offset+near {
				return errEnough
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (t *tracer) takeRaw(r record.Record) {
	d, ok := t.found[record.Position{Partition: r.Partition, Offset: r.Offset}]
	if !ok {
		return
	}
	d.Kept, d.Key = true, string(r.Key)
	e := &kycv1.RawEnvelope{}
	if contract.Unmarshal(r.Value, e) != nil {
		return
	}
	d.ID, d.Provider, d.Endpoint, d.Tenant = e.GetDeliveryId(), e.GetProvider(), e.GetEndpoint(), e.GetTenant()
	if at := e.GetReceivedAt(); at != nil {
		d.ReceivedAt = at.AsTime()
	}
}

func (t *tracer) takeEvent(topic Topic, r record.Record) {
	e, ok := message[schemas.DomainEvent](topic, r)
	if !ok {
		return
	}
	md := e.GetMetadata()
	d, ok := t.found[positionOf(md.GetRaw())]
	if !ok {
		return
	}
	seen := Event{ID: md.GetEventId(), Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Says: []string{}, Flags: md.GetFlags()}
	if t.Describe != nil {
		seen.Says = append(seen.Says, t.Describe(e)...)
	}
	if at := md.GetOccurredAt(); at != nil {
		seen.OccurredAt = at.AsTime()
	}
	if at := md.GetFetchedAt(); at != nil {
		seen.FetchedAt = at.AsTime()
	}
	if d.Endpoint == "" { // its disposition is out of the window
		d.Key, d.Provider, d.Endpoint, d.Tenant = string(r.Key), md.GetProvider(), md.GetEndpoint(), md.GetTenant()
		d.VendorID, d.VendorType, d.ReceivedAt, d.ID = md.GetVendorEventId(), md.GetVendorEventType(), md.GetReceivedAt().AsTime(), deliveryOf(r)
	}
	d.Events = append(d.Events, seen)
}

func (t *tracer) takeLetter(r record.Record) {
	l, ok := message[*kycv1.DeadLetter](t.DeadLetters, r)
	if !ok {
		return
	}
	if d, ok := t.found[positionOf(l.GetRaw())]; ok {
		d.Letters = append(d.Letters, DeadLetter{
			Partition: r.Partition, Offset: r.Offset, Reason: reasonName(l.GetReason()), Stage: l.GetStage(),
			Field: l.GetField(), Detail: l.GetDetail(), Replay: r.Header("replay"),
		})
	}
}

// link says of each duplicate which raw record it repeats, and of that one that it is repeated; and puts
// the events of several topics in order.
func (t *tracer) link(d *Delivery) {
	for n := range d.Dispositions {
		fate := &d.Dispositions[n]
		if fate.DuplicateOf == nil {
			continue
		}
		if fate.task {
			raw, known := t.taskOf[*fate.DuplicateOf]
			if fate.DuplicateOf = &raw; !known {
				fate.DuplicateOf = nil // older than what was looked through
				continue
			}
		}
		if of, ok := t.found[*fate.DuplicateOf]; ok && !slices.Contains(of.RepeatedBy, d.Raw) {
			of.RepeatedBy = append(of.RepeatedBy, d.Raw)
		}
	}
	var promised []string
	for _, f := range d.Dispositions {
		promised = append(promised, f.EventIDs...)
	}
	slices.SortStableFunc(d.Events, func(a, b Event) int {
		return cmp.Or(slices.Index(promised, a.ID)-slices.Index(promised, b.ID), cmp.Compare(a.Offset, b.Offset))
	})
}

func reasonName(r kycv1.DeadLetterReason) string {
	return strings.TrimPrefix(r.String(), "DEAD_LETTER_REASON_")
}
