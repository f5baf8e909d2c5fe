package dedupe

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// HashSize is how many bytes of the content hash a claim keeps. They distinguish two contents that a
// vendor sent under one id. That is rare; equal 48 bits on top are not to be expected.
const HashSize = 6

// State is how far the owner of a claim has come.
type State byte

const (
	// Pending: the owner is being processed, or its process died while it was.
	Pending State = 'P'
	// Done: the owner's disposition is committed.
	Done State = 'X'
	// Replaying: a replay claimed for the owner, out of its turn. It says nothing about what became of the
	// owner: the replay may be dead, and its stage has passed the record, so that nobody comes back for it.
	Replaying State = 'R'
	// Contested: pending, and taken over from a replay that may have committed all the same.
	Contested State = 'C'
)

// mark is how many zero bytes tell a state in the stored form. Offsets have none in front, so the forms of
// pending and done claims are those of versions that know no other states; these refuse the rest.
func (s State) mark() int {
	switch s {
	case Replaying:
		return 1
	case Contested:
		return 2
	default:
		return 0
	}
}

// Claim is what Redis holds under a key. The topic id is not in it: it is part of the key.
type Claim struct {
	State     State
	Partition int32
	Offset    int64
	Hash      [HashSize]byte // first bytes of the content hash
}

// Done returns the same claim as a mark of a committed disposition.
func (c Claim) Done() Claim {
	c.State = Done
	return c
}

// owns reports whether both claims are of one raw record.
func (c Claim) owns(other Claim) bool {
	return c.Partition == other.Partition && c.Offset == other.Offset
}

var errClaim = errors.New("not a claim")

// Append writes the claim's stored form to b: partition and whether it is done in one number, hash, up to
// two zero bytes for the states that are rare, and the offset without leading zeros. A usual claim takes at
// most 12 bytes, since Redis needs 16 bytes more for the 13th; the largest takes 21.
func (c Claim) Append(b []byte) []byte {
	place := uint64(uint32(c.Partition)) << 1
	if c.State == Done {
		place |= 1
	}
	b = append(binary.AppendUvarint(b, place), c.Hash[:]...)
	b = append(b, make([]byte, c.State.mark())...)
	var offset [8]byte
	binary.BigEndian.PutUint64(offset[:], uint64(c.Offset))
	return append(b, bytes.TrimLeft(offset[:], "\x00")...)
}

// ParseClaim reads what Append wrote and refuses everything else, longer spellings of the same claim too:
// the compare-and-set compares bytes.
func ParseClaim(b []byte) (Claim, error) {
	place, n := binary.Uvarint(b)
	if n <= 0 || (n > 1 && b[n-1] == 0) || place>>1 > math.MaxInt32 {
		return Claim{}, fmt.Errorf("%w: bad partition", errClaim)
	}
	b = b[n:]
	if len(b) < HashSize {
		return Claim{}, fmt.Errorf("%w: %d bytes of hash, expected %d", errClaim, len(b), HashSize)
	}
	c := Claim{Partition: int32(place >> 1), Hash: [HashSize]byte(b)}
	b = b[HashSize:]
	digits := bytes.TrimLeft(b, "\x00")
	var ok bool
	if c.State, ok = stateOf(place&1 == 1, len(b)-len(digits)); !ok {
		return Claim{}, fmt.Errorf("%w: bad state", errClaim)
	}
	b = digits
	var offset [8]byte
	if len(b) > len(offset) || (len(b) == len(offset) && b[0] > math.MaxInt8) {
		return Claim{}, fmt.Errorf("%w: bad offset", errClaim)
	}
	copy(offset[len(offset)-len(b):], b)
	c.Offset = int64(binary.BigEndian.Uint64(offset[:]))
	return c, nil
}

// stateOf is the inverse of State.mark.
func stateOf(done bool, zeros int) (State, bool) {
	switch {
	case done:
		return Done, zeros == 0
	case zeros == 0:
		return Pending, true
	case zeros == 1:
		return Replaying, true
	default:
		return Contested, zeros == 2
	}
}
