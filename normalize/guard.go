package normalize

import (
	"context"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kycbridge/kycbridge/normalize/dedupe"
)

// maxDeaths is how many processes may die over a batch before its records are read one by one, and
// over a record alone before it is given up.
const maxDeaths = 3

// attempts counts outside this process, which may die first; *dedupe.Store does.
type attempts interface {
	// Attempts forgets the keys that are over, counts one more for each of the others, and returns
	// their counts.
	Attempts(ctx context.Context, over, keys []string) ([]int64, error)
}

// guard finds a poison pill, a record that kills the process: Go cannot recover from a stack
// overflow or exhausted memory. An attempt is counted before a batch is interpreted and forgotten
// before the next one is, so a high count means that processes died over it. A batch may die for
// other reasons; a record is given up only after processes died over it alone.
type guard struct {
	store attempts        // nil: off
	alone map[int32]int64 // partitions to be read one by one, up to this offset
	over  []string        // counted, and survived
	pill  *kgo.Record     // must not be interpreted
}

// isPoisonPill reports whether processes died each time this record was processed alone.
func (g *guard) isPoisonPill(r *kgo.Record) bool { return g.pill == r }

// suspicion is what the guard thinks of a batch.
type suspicion uint8

const (
	harmless   suspicion = iota
	oneByOne             // give it back and poll record by record
	poisonPill           // its only record must not be interpreted
)

// limit is how many records may be polled at once.
func (g *guard) limit(batch int) int {
	if len(g.alone) > 0 {
		return 1
	}
	return batch
}

// enter counts an attempt at the batch.
func (g *guard) enter(ctx context.Context, l *dedupe.Ledger, records []*kgo.Record) suspicion {
	g.pill = nil
	if g.store == nil {
		return harmless
	}
	alone := g.isAlone(records)
	var keys []string
	last := make(map[int32]int64)
	for _, r := range records {
		if _, ok := last[r.Partition]; !ok {
			keys = append(keys, l.AttemptKey(dedupe.Attempt{Partition: r.Partition, Offset: r.Offset, Alone: alone}))
		}
		last[r.Partition] = r.Offset
	}
	counts, err := g.store.Attempts(ctx, g.over, keys)
	if err != nil {
		return harmless // claiming will fail and report that the store is down
	}
	g.over = keys
	for _, n := range counts {
		switch {
		case n <= maxDeaths:
		case alone:
			g.pill = records[0]
			return poisonPill
		default:
			g.over = nil // not survived yet
			g.alone = last
			return oneByOne
		}
	}
	return harmless
}

// isAlone reports whether this is a record of a suspicious batch, polled alone, and ends the suspicion
// after the last one.
func (g *guard) isAlone(records []*kgo.Record) bool {
	first := records[0]
	until, watched := g.alone[first.Partition]
	if !watched {
		return false
	}
	if first.Offset >= until {
		delete(g.alone, first.Partition)
	}
	return len(records) == 1 && first.Offset <= until
}

// rest forgets survived attempts while the worker is idle.
func (g *guard) rest(ctx context.Context) {
	if g.store == nil || len(g.over) == 0 {
		return
	}
	if _, err := g.store.Attempts(ctx, g.over, nil); err == nil {
		g.over = nil
	}
}
