package operate

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/kycbridge/kycbridge/audit"
	"github.com/kycbridge/kycbridge/normalize/replay"
	"github.com/kycbridge/kycbridge/schemas"
)

// maxLetters bounds how many letters are replayed at once, and maxLetterBytes what is held of those whose
// raw deliveries are gone.
const (
	maxLetters     = 1_000_000
	maxLetterBytes = 256 << 20
)

// ErrNoLetters: no dead letter is chosen.
var ErrNoLetters = errors.New("no dead letters are chosen")

// ReplayLetters takes the deliveries of the chosen dead letters through the current
// mappings, to fill gaps: Mode and Select of q are filled in. Where the raw delivery is
// gone, the letter's own copy is taken. Otherwise it is as Replay.
func ReplayLetters(ctx context.Context, s Servers, letters audit.LetterQuery, q ReplayQuery) (*replay.Report, error) {
	chosen, err := s.choose(ctx, letters)
	if err != nil {
		return nil, err
	}
	if len(chosen.at) == 0 {
		return nil, ErrNoLetters
	}
	q.Mode = replay.FillGaps
	q.Select = replay.Selection{
		Ranges:      rangesOf(chosen.at),
		PoisonPills: len(letters.IDs) > 0 || len(letters.Reasons) == 1 && strings.EqualFold(letters.Reasons[0], "crasher"),
	}
	return s.replay(ctx, q, chosen.outlived)
}

// chosenLetters are those to replay.
type chosenLetters struct {
	starts   map[int32]int64           // the first raw record that is left, by partition
	at       map[int32][]int64         // raw offsets
	outlived map[int32][]replay.Letter // letters whose raw records are gone: they are all there is of them
	count    int
	bytes    int
}

func (s Servers) choose(ctx context.Context, q audit.LetterQuery) (*chosenLetters, error) {
	reader, err := s.open(ctx)
	if err != nil {
		return nil, err
	}
	defer reader.Close()
	c := &chosenLetters{at: map[int32][]int64{}, outlived: map[int32][]replay.Letter{}}
	if c.starts, err = reader.Starts(ctx, schemas.Raw); err != nil {
		return nil, err
	}
	return c, s.letters(ctx, reader, q, c.add)
}

// add takes a letter, and keeps it where the raw record is gone. One whose body did not fit into it is of
// no use then.
func (c *chosenLetters) add(l audit.Letter) error {
	if c.count++; c.count > maxLetters {
		return fmt.Errorf("more than %d dead letters: name a reason, a vendor or a shorter time", maxLetters)
	}
	raw, envelope := l.Message.GetRaw(), l.Message.GetEnvelope()
	p := raw.GetPartition()
	c.at[p] = append(c.at[p], raw.GetOffset())
	if raw.GetOffset() >= c.starts[p] || len(envelope.GetBody()) == 0 {
		return nil
	}
	if c.bytes += len(envelope.GetBody()); c.bytes > maxLetterBytes {
		return fmt.Errorf("the dead letters whose raw deliveries are gone hold more than %d bytes: name a reason, a vendor or a shorter time", maxLetterBytes)
	}
	c.outlived[p] = append(c.outlived[p], replay.Letter{Offset: raw.GetOffset(), Key: l.Record.Key, Envelope: envelope})
	return nil
}

// rangesOf gives single offsets as ranges, neighbours joined.
func rangesOf(at map[int32][]int64) (all []replay.Range) {
	for _, p := range slices.Sorted(maps.Keys(at)) {
		offsets := at[p]
		slices.Sort(offsets)
		for _, o := range slices.Compact(offsets) {
			if n := len(all); n > 0 && all[n-1].Partition == p && all[n-1].To == o-1 {
				all[n-1].To = o
				continue
			}
			all = append(all, replay.Range{Partition: p, From: o, To: o})
		}
	}
	return all
}
