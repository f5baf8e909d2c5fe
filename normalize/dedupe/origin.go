package dedupe

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// openMost bounds how many origins of one partition are remembered as open; what is forgotten is
// looked up.
const openMost = 1 << 16

// Origin is the raw record behind what a later stage reads. A task is rewritten each time it moves
// on, so several records of that stage's topic stand for one origin, and only the last of them is
// disposed of. When offsets were reset, the earlier ones are read again: the origin tells that they are
// done with.
//
// Its partition's number is that of the task. Endpoint and time of arrival tell records apart whose
// coordinates are equal because the raw topic was recreated while tasks were under way.
type Origin struct {
	TopicID    [16]byte // of the raw topic
	Partition  int32
	Offset     int64
	Endpoint   string
	ReceivedAt time.Time
	// Replay is the label of a task that a replay wrote, for a record that the stage was done with or had
	// never had. All its copies carry the label.
	Replay string
}

// key is where the mark of an origin is kept. Nothing in it is secret, so it needs no pepper.
func (o Origin) key(stageTopic [16]byte) Key {
	b := append([]byte("origin"), stageTopic[:]...)
	b = append(b, o.TopicID[:]...)
	b = binary.BigEndian.AppendUint32(b, uint32(o.Partition))
	b = binary.BigEndian.AppendUint64(b, uint64(o.Offset))
	b = binary.BigEndian.AppendUint64(b, uint64(o.ReceivedAt.Unix()))
	b = binary.BigEndian.AppendUint32(b, uint32(o.ReceivedAt.Nanosecond()))
	b = append(b, o.Endpoint...)
	if o.Replay != "" {
		b = append(append(b, 0), o.Replay...)
	}
	sum := sha256.Sum256(b)
	return Key(sum[:KeySize])
}

// OriginOf is the origin a disposition was written for; false where it claims in the raw record's name.
func OriginOf(d *kycv1.Disposition) (Origin, bool) {
	if d.GetClaimed() == nil {
		return Origin{}, false
	}
	return Origin{
		TopicID: TopicID(d.GetRawTopicId()), Partition: d.GetRaw().GetPartition(), Offset: d.GetRaw().GetOffset(),
		Endpoint: d.GetEndpoint(), ReceivedAt: d.GetReceivedAt().AsTime(), Replay: d.GetReplayId(),
	}, true
}

// Disposed reports which origins have their final disposition by this stage. The answer holds until
// the batch is committed: if another worker writes one meanwhile, it owns the partition, and the commit fails.
//
// An origin behind the highest raw offset disposed of cannot have one. The others are looked up in
// Redis, together with the watermarks that vouch for it, and remembered while they are open. So a task
// that is met when it is new is never looked up, and one of an earlier owner's is once.
func (l *Ledger) Disposed(ctx context.Context, origins []Origin) ([]bool, error) {
	keys := make([]Key, len(origins))
	var parts, missing []int32
	var asked []int
	for i, o := range origins {
		part := l.parts[o.Partition]
		if part == nil {
			missing = append(missing, o.Partition)
			continue
		}
		keys[i] = part.state.keep(o.key(l.o.TopicID))
		switch {
		case o.Offset > part.state.highest || part.open[keys[i]]:
		default:
			asked = append(asked, i)
			if !slices.Contains(parts, o.Partition) {
				parts = append(parts, o.Partition)
			}
		}
	}
	if len(missing) > 0 {
		return nil, fmt.Errorf("raw partition(s) %v: %w", slices.Compact(missing), ErrUnrepaired)
	}
	done := make([]bool, len(origins))
	if err := l.look(ctx, keys, asked, parts, done); err != nil {
		return nil, err
	}
	for i, o := range origins {
		if !done[i] {
			l.parts[o.Partition].noteOpen(keys[i])
		}
	}
	return done, nil
}

func (l *Ledger) look(ctx context.Context, keys []Key, asked []int, parts []int32, done []bool) error {
	if len(asked) == 0 {
		return nil
	}
	round := Round{Looks: make([]Key, len(asked))}
	for n, i := range asked {
		round.Looks[n] = keys[i]
	}
	reply, err := l.exchange(ctx, round, parts)
	if err != nil {
		return err
	}
	for n, i := range asked {
		done[i] = reply.Looked[n] != nil
	}
	return nil
}

func (p *partition) noteOpen(k Key) {
	if p.open == nil || len(p.open) >= openMost {
		p.open = make(map[Key]bool)
	}
	p.open[k] = true
}

// originMark marks an origin as finally disposed of, for the record of claim.
// It outlives the earlier copies of the task: they were written before it, and their topics keep them
// for less than its life.
func (o LedgerOptions) originMark(origin Origin, claim Claim, w watermark) Mark {
	claim.Hash = [HashSize]byte{}
	return Mark{Key: w.keep(origin.key(o.TopicID)), Claim: claim.Done()}
}
