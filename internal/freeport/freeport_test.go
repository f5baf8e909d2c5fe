package freeport

import (
	"net"
	"net/netip"
	"testing"
)

// TestAddress: the port is free, and outside of what outgoing connections are given.
func TestAddress(t *testing.T) {
	for range 100 {
		addr, err := Address()
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := netip.ParseAddrPort(addr)
		if err != nil || !parsed.Addr().IsLoopback() || parsed.Port() < 1024 || parsed.Port() >= 32768 {
			t.Fatalf("%q, %v: expected a port of the loopback interface from 1024 to 32767", addr, err)
		}
		l, err := net.Listen("tcp", addr)
		if err != nil {
			t.Fatalf("the port is not free: %v", err)
		}
		_ = l.Close()
	}
}
