package dedupe

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// HashSize is how many bytes of the content hash a claim keeps.
const HashSize = 8

// State says how far the owner of a claim has come.
type State byte

const (
	// Pending: the owner is being processed, or its process died while it was.
	Pending State = 'P'
	// Done: the owner's disposition is committed.
	Done State = 'X'
)

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

// owns says whether both claims are of one raw record.
func (c Claim) owns(other Claim) bool {
	return c.Partition == other.Partition && c.Offset == other.Offset
}

var errClaim = errors.New("not a claim")

// Append writes the claim's stored form to b: state, partition, offset, hash. It takes 11 bytes for
// small numbers and at most 24.
func (c Claim) Append(b []byte) []byte {
	b = append(b, byte(c.State))
	b = binary.AppendUvarint(b, uint64(uint32(c.Partition)))
	b = binary.AppendUvarint(b, uint64(c.Offset))
	return append(b, c.Hash[:]...)
}

// ParseClaim reads what Append wrote and refuses everything else.
func ParseClaim(b []byte) (Claim, error) {
	var c Claim
	if len(b) == 0 || (State(b[0]) != Pending && State(b[0]) != Done) {
		return c, fmt.Errorf("%w: unknown state", errClaim)
	}
	c.State = State(b[0])
	partition, n, err := readUvarint(b[1:])
	if err != nil || partition > 1<<31-1 {
		return c, fmt.Errorf("%w: bad partition", errClaim)
	}
	b = b[1+n:]
	offset, n, err := readUvarint(b)
	if err != nil || offset > 1<<63-1 {
		return c, fmt.Errorf("%w: bad offset", errClaim)
	}
	if b = b[n:]; len(b) != HashSize {
		return c, fmt.Errorf("%w: hash of %d bytes, expected %d", errClaim, len(b), HashSize)
	}
	c.Partition, c.Offset, c.Hash = int32(partition), int64(offset), [HashSize]byte(b)
	return c, nil
}

// readUvarint accepts only the shortest spelling, so that equal claims have equal bytes: the
// compare-and-set compares bytes.
func readUvarint(b []byte) (uint64, int, error) {
	v, n := binary.Uvarint(b)
	if n <= 0 || (n > 1 && b[n-1] == 0) {
		return 0, 0, errClaim
	}
	return v, n, nil
}
