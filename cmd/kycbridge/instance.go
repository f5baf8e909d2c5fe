package main

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
)

// instanceUnset is the value of --instance when the flag is not given.
const instanceUnset = -1

// firstRandomInstance keeps random instances apart from the numbers a person
// or a StatefulSet gives.
const firstRandomInstance = 1_000_000

// instance is the number that tells the normalizers of one deployment apart.
// It is part of their transactional ids, so it must stay the same over a
// restart and differ between processes that run at the same time.
type instance struct {
	number int
	note   string // what a person should know about it; empty for nothing
}

// resolveInstance picks the number: the flag, else the digits after the last
// "-" of the host name, as a StatefulSet gives them, else 0 for `all` and a
// random one for `normalize`.
func resolveInstance(flag int, r role, hostname func() (string, error)) (instance, error) {
	if flag != instanceUnset {
		if flag < 0 {
			return instance{}, usagef("--instance is %d; it is 0 or more", flag)
		}
		return instance{number: flag}, nil
	}
	host, err := hostname()
	if n, ok := ordinal(host); ok && err == nil {
		return instance{number: n, note: fmt.Sprintf("instance %d, from the host name %q; --instance sets another", n, host)}, nil
	}
	if r == roleAll {
		return instance{}, nil
	}
	n, err := randomInstance()
	if err != nil {
		return instance{}, err
	}
	return instance{number: n, note: fmt.Sprintf("instance %d is random, since the host name %q does not end in a number: "+
		"exactly-once holds, but after a crash readers may wait for the transaction timeout; --instance N, the same at every start, avoids that", n, host)}, nil
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
