package sink

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A batch that some other producer wrote, or a disk spoilt, may never be readable: it
// unpacks to more than the limit, or is not what its checksum says. The client would ask
// for it for ever, or not ask for its partition any more. Such a batch is passed over,
// and every offset of it is handed out as a record that nobody can decode, so that it
// gets a dead letter like any other.

// UnreadableHeader is on the records that stand for what cannot be read.
const UnreadableHeader = "unreadable"

// unreadableValue is the value of such a record. It is no message: 0x07 is no tag.
var unreadableValue = []byte("\x07a batch that cannot be read")

// gapChunk is how many such records are handed out at a time.
const gapChunk = 500

// The part of a batch's header that says how far it goes, at these bytes.
const (
	batchLength    = 8
	batchMagic     = 16
	batchLastDelta = 23
	batchHeader    = 27
)

// gap is the offsets of a batch that cannot be read, next not among them.
type gap struct {
	from, next int64
	why        error
}

// chunk gives the next records of the gap, at most max.
func (g gap) chunk(topic string, partition int32, max int) []*kgo.Record {
	if max <= 0 || max > gapChunk {
		max = gapChunk
	}
	n := min(g.next-g.from, int64(max))
	records := make([]*kgo.Record, n)
	for i := range records {
		offset := g.from + int64(i)
		records[i] = &kgo.Record{
			Topic: topic, Partition: partition, Offset: offset, LeaderEpoch: -1,
			Key: fmt.Appendf(nil, "unreadable/%d", offset), Value: unreadableValue,
			Headers: []kgo.RecordHeader{{Key: UnreadableHeader, Value: []byte(Classify(g.why))}},
		}
	}
	return records
}

// gapIn finds the batch that an answer begins with, whose offsets from position on cannot
// be read. The checksum does not cover all of the header, and may be why: so nothing is
// passed over that the next batch, or the end of the log, says is not of this one.
func gapIn(answer *kmsg.FetchResponseTopicPartition, position int64, why error) (gap, bool) {
	in := answer.RecordBatches
	if len(in) < batchHeader || position >= answer.HighWatermark {
		return gap{}, false
	}
	g := gap{from: position, next: position + 1, why: why}
	base := int64(binary.BigEndian.Uint64(in))
	if last := base + int64(int32(binary.BigEndian.Uint32(in[batchLastDelta:]))); in[batchMagic] == 2 && base <= position && last >= position {
		g.next = last + 1
	}
	length := int64(int32(binary.BigEndian.Uint32(in[batchLength:]))) + batchLength + 4
	if length > batchHeader && length+8 <= int64(len(in)) {
		if following := int64(binary.BigEndian.Uint64(in[length:])); following > position {
			g.next = min(g.next, following)
		}
	}
	g.next = min(g.next, answer.HighWatermark)
	return g, true
}

// undecodable reports whether an error says that what came cannot be read, as opposed to
// that nothing came.
func undecodable(err error) bool {
	class := Classify(err)
	return class == ClassDecompress || class == ClassOther
}

// noteGap looks at a partition of the input that gave an error: is it a batch that cannot
// be read? It is then passed over by the next polls.
func (s *Session) noteGap(partition int32, err error) bool {
	if _, known := s.gaps[partition]; known {
		return true
	}
	if !undecodable(err) {
		return false
	}
	g, ok := s.gap(partition, err)
	if !ok {
		return false
	}
	s.log.Error("a batch cannot be read and is passed over; its records become dead letters: find out who wrote it",
		"topic", s.input.name, "partition", partition, "from", g.from, "to", g.next-1, "error", g.why)
	if s.gaps == nil {
		s.gaps = map[int32]gap{}
	}
	s.gaps[partition] = g
	return true
}

// gap finds the batch behind an error. The client says it once of one that unpacks too
// far, and where that one ends. Of others it says it each time that it asks; the batch is
// asked for once more, since what came may have been spoilt on its way.
func (s *Session) gap(partition int32, err error) (gap, bool) {
	position := s.position(partition)
	var large *kgo.ErrDecompressTooLarge
	if errors.As(err, &large) {
		return gap{from: max(position, large.Offset), next: large.NextOffset, why: err}, position < large.NextOffset
	}
	ctx, cancel := context.WithTimeout(context.Background(), pingLimit)
	defer cancel()
	decoder, ok := s.client.OptValue(kgo.WithDecompressor).(kgo.Decompressor)
	found, lost := lookup(ctx, s.client, s.input.name)
	if position < 0 && lost == nil {
		starts, failed := kadm.NewClient(s.client).ListStartOffsets(ctx, s.input.name)
		start, _ := starts.Lookup(s.input.name, partition)
		position, lost = start.Offset, failed
	}
	if !ok || lost != nil {
		return gap{}, false
	}
	answer, lost := fetchOnce(ctx, s.client, found, partition, position)
	if lost != nil || answer.ErrorCode != 0 {
		return gap{}, false
	}
	decoded, next := unpack(answer, found.name, partition, position, decoder)
	if decoded.Err == nil || next > position {
		return gap{}, false
	}
	return gapIn(answer, position, decoded.Err)
}

// position is where a partition of the input is read next; -1 where nothing was read and
// nothing is committed.
func (s *Session) position(partition int32) int64 {
	if at, ok := s.client.UncommittedOffsets()[s.input.name][partition]; ok {
		return at.Offset
	}
	if at, ok := s.client.CommittedOffsets()[s.input.name][partition]; ok {
		return at.Offset
	}
	return -1
}

// pollGap gives records of a gap, as the open batch; none where there is no gap.
func (s *Session) pollGap(max int) []*kgo.Record {
	if len(s.gaps) == 0 {
		return nil
	}
	held := s.client.PauseFetchPartitions(nil)[s.input.name]
	for partition, g := range s.gaps {
		if slices.Contains(held, partition) {
			continue
		}
		// It is found again: by the partition's new owner, or behind what was given back.
		if at := s.position(partition); !s.watch.owns(partition) || at >= 0 && at != g.from {
			delete(s.gaps, partition)
			continue
		}
		records := g.chunk(s.input.name, partition, max)
		s.open, s.filling = true, &filling{partition, g.from + int64(len(records))}
		return records
	}
	return nil
}

// filling is the part of a gap that is in the open batch. The client commits only what it
// polled, so that the offset after it is set in the commit; see staying.
type filling struct {
	partition int32
	next      int64 // the offset after it
}

// filled goes on behind what was committed of a gap.
func (s *Session) filled(f *filling) {
	g := s.gaps[f.partition]
	g.from = f.next
	s.gaps[f.partition] = g
	if g.from >= g.next {
		delete(s.gaps, f.partition)
	}
	if _, ok := s.client.CommittedOffsets()[s.input.name][f.partition]; !ok {
		// The client moves only what it has read before. A new session begins at what
		// is committed.
		s.broken = errBehindGap
		return
	}
	s.client.SetOffsets(map[string]map[int32]kgo.EpochOffset{s.input.name: {f.partition: {Epoch: -1, Offset: f.next}}})
}

// errBehindGap: the group has never read a partition whose first batch cannot be read.
var errBehindGap = errors.New("the session goes on behind a batch that cannot be read")
