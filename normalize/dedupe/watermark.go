package dedupe

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// watermark is the one value per partition (in a Cluster, per partition and shard) that shows
// whether Redis is still as we left it. It moves after every batch's marks, in their pipeline, so a
// flush, a rollback or a successor changes it. "" is its absence.
//
// Its text is "<next>:<highest>:<owner>": the first disposition offset whose mark is not written
// yet (-1: nothing is known to be written), the highest raw offset disposed of before it, and a
// random word of the process that repaired the partition last, so that two owners never write
// equal values.
type watermark struct {
	next    int64
	highest int64
	owner   string
}

// blank is the state of a partition of which Redis knows nothing.
func blank() watermark { return watermark{next: -1, highest: -1} }

// String returns the stored form.
func (w watermark) String() string {
	return strconv.FormatInt(w.next, 10) + ":" + strconv.FormatInt(w.highest, 10) + ":" + w.owner
}

// parseWatermark reads the stored form; anything unreadable is as good as none.
func parseWatermark(text string) watermark {
	parts := strings.Split(text, ":")
	if len(parts) != 3 {
		return blank()
	}
	next, err1 := strconv.ParseInt(parts[0], 10, 64)
	highest, err2 := strconv.ParseInt(parts[1], 10, 64)
	if err1 != nil || err2 != nil || next < -1 || highest < -1 {
		return blank()
	}
	return watermark{next: next, highest: highest, owner: parts[2]}
}

// leastWatermark is what the shards of a partition have in common: marks are missing from the first
// that any of them lacks. That raw offsets are disposed of is true whichever shard says it.
func leastWatermark(shards []string) watermark {
	least := parseWatermark(shards[0])
	for _, text := range shards[1:] {
		w := parseWatermark(text)
		least.next, least.highest = min(least.next, w.next), max(least.highest, w.highest)
	}
	return least
}

// newOwner returns a fresh random word.
func newOwner() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails: the runtime stops the program instead
	return hex.EncodeToString(b[:])
}

// watermarkKey is the Redis key of a partition's watermark. It is longer than any claim's key.
func watermarkKey(group string, raw, dispositions [16]byte, partition int32) string {
	return fmt.Sprintf("%ss:%s:%x:%x:%d", keyPrefix, group, raw, dispositions, partition)
}
