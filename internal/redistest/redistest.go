// Package redistest starts a real redis-server for a test.
package redistest

import (
	"bufio"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/kycbridge/kycbridge/internal/freeport"
)

// Start starts a server of this test's own on a free port, with more arguments, and ends it with the test. It
// skips the test where there is no such program.
func Start(t testing.TB, args ...string) (addr string, process *os.Process) {
	t.Helper()
	binary, err := exec.LookPath("redis-server")
	if err != nil {
		if os.Getenv("KYCBRIDGE_TEST_REQUIRE") == "1" {
			t.Fatal("redis-server is not on PATH and KYCBRIDGE_TEST_REQUIRE=1 asks for it")
		}
		t.Skip("redis-server is not on PATH (apt-get install redis-server)")
	}
	if addr, err = freeport.Address(); err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(addr)
	cmd := exec.Command(binary, append([]string{"--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", t.TempDir()}, args...)...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	var said []string
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		said = append(said, lines.Text())
		if strings.Contains(lines.Text(), "Ready to accept connections") {
			go func() {
				for lines.Scan() { // keep the pipe empty
				}
			}()
			return addr, cmd.Process
		}
	}
	t.Fatalf("redis-server ended before it was ready; it said:\n%s", strings.Join(said, "\n"))
	return "", nil
}
