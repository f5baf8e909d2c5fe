package dedupe

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// watermark is the one value per partition (in a Cluster, per partition and shard) that shows
// whether Redis is still as we left it. It moves after every batch's marks, in their transaction, so a
// flush, a rollback or a successor changes it. "" is its absence.
//
// Its text is "<next>:<highest>:<owner>:<last>:<pepper>:<generation>"; versions of before wrote the first
// three alone.
type watermark struct {
	next       int64  // the first disposition offset whose mark is not written yet; -1: nothing is known to be written
	highest    int64  // the highest raw offset disposed of before it; -1: none is known
	owner      string // a random word of the process that repaired the partition last: two owners never write equal values
	last       int64  // the offset of the disposition of the highest raw offset; -1: not known
	pepper     string // fingerprint of the pepper that the marks' keys are made with; "": not known
	generation int64  // how often the marks were discarded; see keep
}

// blank is the state of a partition of which Redis knows nothing.
func blank() watermark { return watermark{next: -1, highest: -1, last: -1} }

// reach notes that the stage disposed of a raw offset.
func (w *watermark) reach(raw, disposition int64) {
	if raw >= w.highest {
		w.highest, w.last = raw, disposition
	}
}

// String returns the stored form.
func (w watermark) String() string {
	number := func(n int64) string { return strconv.FormatInt(n, 10) }
	return strings.Join([]string{number(w.next), number(w.highest), w.owner, number(w.last), w.pepper, number(w.generation)}, ":")
}

// parseWatermark reads the stored form; anything unreadable is as good as none.
func parseWatermark(text string) watermark {
	parts := strings.Split(text, ":")
	if len(parts) == 3 {
		parts = append(parts, "-1", "", "0")
	}
	if len(parts) != 6 {
		return blank()
	}
	var numbers [6]int64
	for _, i := range []int{0, 1, 3, 5} {
		n, err := strconv.ParseInt(parts[i], 10, 64)
		if err != nil || n < -1 {
			return blank()
		}
		numbers[i] = n
	}
	return watermark{
		next: numbers[0], highest: numbers[1], owner: parts[2], last: numbers[3], pepper: parts[4], generation: max(numbers[5], 0),
	}
}

// leastWatermark is what the shards of a partition have in common: marks are missing from the first
// that any of them lacks. That raw offsets are disposed of is true whichever shard says it, and so are the
// pepper and how often marks were discarded.
func leastWatermark(shards []string) watermark {
	least := parseWatermark(shards[0])
	for _, text := range shards[1:] {
		w := parseWatermark(text)
		if w.generation != least.generation {
			if w.generation > least.generation {
				least, w = w, least
			}
			least.next = -1 // some shards were not asked to discard, or lost it
			continue
		}
		if w.last > least.last {
			least.last, least.highest = w.last, w.highest
		}
		least.next, least.highest = min(least.next, w.next), max(least.highest, w.highest)
		if least.pepper == "" {
			least.pepper = w.pepper
		}
	}
	return least
}

// furthest is the disposition offset up to which any shard was said to be complete, since marks were
// discarded last.
func furthest(shards []string, generation int64) int64 {
	next := int64(-1)
	for _, text := range shards {
		if w := parseWatermark(text); w.generation == generation {
			next = max(next, w.next)
		}
	}
	return next
}

// keep is the key under which Redis keeps what belongs to k. Each time marks are discarded, all keys of the
// partition become others, so that those of before are not found again and expire in their time.
func (w watermark) keep(k Key) Key {
	if w.generation == 0 {
		return k
	}
	pad := sha256.Sum256(binary.BigEndian.AppendUint64([]byte("generation"), uint64(w.generation)))
	subtle.XORBytes(k[:], k[:], pad[:KeySize])
	return k
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
