package sink

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kycbridge/kycbridge/internal/record"
)

// placeLimit bounds the question where a partition begins and ends.
const placeLimit = 5 * time.Second

// places finds out where the partitions of the input are read from that came to a session. Only the group's
// goroutine uses it, which fetches offsets once for each generation.
type places struct {
	topic   string
	tell    func(map[int32]record.Place)
	client  *kgo.Client
	foreign map[int32]bool // whose offset somebody else has set
}

// fetched notes which offsets no session of this program has committed. The library puts its member's id into
// the metadata of each commit in a transaction; the tools that reset offsets leave it empty.
func (p *places) fetched(_ context.Context, client *kgo.Client, answer *kmsg.OffsetFetchResponse) error {
	p.client, p.foreign = client, map[int32]bool{}
	for _, group := range answer.Groups {
		for _, topic := range group.Topics { // the input alone is consumed
			for _, one := range topic.Partitions {
				p.foreign[one.Partition] = one.Offset >= 0 && (one.Metadata == nil || *one.Metadata == "")
			}
		}
	}
	return nil
}

// adjust has partitions without an offset of our own begin at the start of the log. From there nothing is passed
// over whatever happens; whoever knows how far a partition was read seeks on.
func (p *places) adjust(ctx context.Context, offsets map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
	found := make(map[int32]record.Place, len(offsets[p.topic]))
	ask := false
	for partition, offset := range offsets[p.topic] {
		place := record.Place{Committed: offset.EpochOffset().Offset, Foreign: p.foreign[partition]}
		if place.Committed < 0 {
			place.Committed = record.Nowhere
		}
		ask = ask || place.Foreign || place.Committed == record.Nowhere
		found[partition] = place
	}
	if ask {
		p.bounds(ctx, found)
	}
	for partition, place := range found {
		if place.Foreign || place.Committed == record.Nowhere {
			// As a number, since the library seeks only where it knows one. What lies before the log's
			// start is read from its start.
			offsets[p.topic][partition] = kgo.NewOffset().At(place.Start)
		}
	}
	p.tell(found)
	return offsets, nil
}

// bounds asks where the log begins and ends. Without an answer it counts from 0.
func (p *places) bounds(ctx context.Context, found map[int32]record.Place) {
	ctx, cancel := context.WithTimeout(ctx, placeLimit)
	defer cancel()
	admin := kadm.NewClient(p.client)
	starts, _ := admin.ListStartOffsets(ctx, p.topic)
	ends, _ := admin.ListEndOffsets(ctx, p.topic)
	for partition, place := range found {
		if at, ok := starts.Lookup(p.topic, partition); ok && at.Err == nil {
			place.Start = at.Offset
		}
		if at, ok := ends.Lookup(p.topic, partition); ok && at.Err == nil {
			place.End = at.Offset
		}
		found[partition] = place
	}
}

// placed is the options of a session that reports where its partitions begin, and has each held when it
// comes. came reports the partitions that come.
func (s *Session) placed(came func(context.Context, *kgo.Client, map[string][]int32)) []kgo.Opt {
	if s.session.OnPlaced == nil {
		return []kgo.Opt{kgo.OnPartitionsAssigned(came)}
	}
	p := &places{topic: s.opts.Topic(s.session.Input), tell: s.session.OnPlaced}
	return []kgo.Opt{
		kgo.OnPartitionsAssigned(func(ctx context.Context, client *kgo.Client, added map[string][]int32) {
			if len(added) > 0 {
				client.PauseFetchPartitions(added)
			}
			came(ctx, client, added)
		}),
		kgo.OnOffsetsFetched(p.fetched),
		kgo.AdjustFetchOffsetsFn(p.adjust),
	}
}

// Hold has Poll give no records of these partitions until they are released. What was fetched of them already
// is fetched again then. Like Release and Seek, it must not run beside the other methods.
func (s *Session) Hold(partitions []int32) {
	if len(partitions) > 0 {
		s.client.PauseFetchPartitions(map[string][]int32{s.input.name: partitions})
	}
}

// Release ends Hold.
func (s *Session) Release(partitions []int32) {
	if len(partitions) > 0 {
		s.client.ResumeFetchPartitions(map[string][]int32{s.input.name: partitions})
	}
}

// Seek has a partition be read from an offset, also after a Rewind. No batch may be open. It reports whether the
// partition was there to be moved: it is not before its place was found, nor once it went.
func (s *Session) Seek(partition int32, offset int64) bool {
	at := kgo.EpochOffset{Epoch: -1, Offset: offset}
	s.client.SetOffsets(map[string]map[int32]kgo.EpochOffset{s.input.name: {partition: at}})
	return s.client.CommittedOffsets()[s.input.name][partition] == at
}

// Topic is the full name of the input topic.
func (s *Session) Topic() string { return s.input.name }
