package serve

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
)

// firstRandomInstance keeps random instances apart from the numbers a person
// or a StatefulSet gives.
const firstRandomInstance = 1_000_000

// Instance is the number that distinguishes the workers of one deployment. It is
// part of their transactional ids, so it must stay the same over a restart and
// differ between processes that run at the same time.
type Instance struct {
	Number int
	Note   string // for the log; empty: nothing to say
}

// PickInstance picks the number where nobody gave one: the digits after the last
// "-" of the host name, as a StatefulSet gives them, else 0 for All and a random
// one for the other roles.
func PickInstance(r Role, hostname func() (string, error)) (Instance, error) {
	host, err := hostname()
	if n, ok := ordinal(host); ok && err == nil {
		return Instance{Number: n, Note: fmt.Sprintf("instance %d, from the host name %q; --instance sets another", n, host)}, nil
	}
	if r == All {
		return Instance{}, nil
	}
	n, err := randomInstance()
	if err != nil {
		return Instance{}, err
	}
	return Instance{Number: n, Note: fmt.Sprintf("instance %d is random, because the host name %q does not end in a number: "+
		"exactly-once still holds, but after a crash its partitions wait for the session timeout; avoid that with --instance N, the same at every start", n, host)}, nil
}

// ordinal reads the digits after the last "-" of a host name's first label.
func ordinal(host string) (int, bool) {
	label, _, _ := strings.Cut(host, ".")
	dash := strings.LastIndexByte(label, '-')
	if dash < 0 {
		return 0, false
	}
	digits := label[dash+1:]
	if len(digits) > 6 || strings.Trim(digits, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.Atoi(digits)
	return n, err == nil
}

func randomInstance() (int, error) {
	var b [4]byte
	if _, err := rand.Read(b[:]); err != nil {
		return 0, fmt.Errorf("no random instance number: %w", err)
	}
	return firstRandomInstance + int(binary.BigEndian.Uint32(b[:])>>2), nil
}
