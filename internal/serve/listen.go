package serve

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"
)

// Listen opens a TCP listener; setting is what a person changes to pick another
// address ("--listen", "ingest.listen").
func Listen(addr, setting string) (net.Listener, error) {
	// Every connection has deadlines of its own. Probes beside them would cost each of a flood
	// several system calls.
	quiet := net.ListenConfig{KeepAlive: -1}
	l, err := quiet.Listen(context.Background(), "tcp", addr)
	if err != nil {
		return nil, bindError(addr, setting, err)
	}
	return l, nil
}

func bindError(addr, setting string, err error) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("address %s is in use: stop the other process or pass another one with %s", addr, setting)
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("this user may not listen on %s: use a port above 1023 with %s", addr, setting)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Errorf("address %s does not belong to this machine: change it with %s", addr, setting)
	}
	return fmt.Errorf("cannot listen on %s (%w): change it with %s", addr, err, setting)
}
