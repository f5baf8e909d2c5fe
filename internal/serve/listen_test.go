package serve

import (
	"net"
	"strings"
	"testing"
)

func TestListenFaults(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for addr, want := range map[string]string{
		taken.Addr().String(): "is in use",
		"192.0.2.1:80":        "does not belong to this machine",
		"127.0.0.1:99999":     "cannot listen",
	} {
		_, err := Listen(addr, "--here")
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), addr) || !strings.Contains(err.Error(), "--here") {
			t.Errorf("Listen(%s) says %v, want %q, the address and the flag", addr, err, want)
		}
	}
}
