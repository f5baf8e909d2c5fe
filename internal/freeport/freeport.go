// Package freeport finds ports for servers that tests and benchmarks start.
package freeport

import (
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
)

const (
	first = 10_000
	count = 20_000
	tries = 1000
)

// Address returns host:port on the loopback interface on which nobody listens. The
// port is below the range from which the kernel gives ports to outgoing connections
// (from 32768 on Linux, from 49152 elsewhere): of those, any client could be given the
// port before the server takes it, one that keeps dialling the server most of all.
func Address() (string, error) {
	for range tries {
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(first+rand.IntN(count))))
		if err != nil {
			continue
		}
		return l.Addr().String(), l.Close()
	}
	return "", errors.New("no free port between 10000 and 30000")
}
