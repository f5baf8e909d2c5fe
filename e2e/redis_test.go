package e2e

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// redisServer is a real redis-server on a port and directory of its own.
type redisServer struct {
	t    testing.TB
	addr string
	dir  string
	args []string
	cmd  *exec.Cmd
}

// startRedis starts a server that keeps every write on disk; extra options win.
func startRedis(t testing.TB, extra ...string) *redisServer {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		const why = "needs redis-server (Debian: apt-get install redis-server)"
		if os.Getenv("KYCBRIDGE_TEST_REQUIRE") != "" {
			t.Fatal(why)
		}
		t.Skip(why)
	}
	r := &redisServer{t: t, addr: freePort(t), dir: t.TempDir()}
	r.args = append([]string{"--bind", "127.0.0.1", "--save", "", "--appendonly", "yes", "--appendfsync", "always", "--maxmemory-policy", "noeviction"}, extra...)
	t.Cleanup(func() { r.kill() })
	r.start()
	return r
}

func (r *redisServer) start() {
	r.t.Helper()
	_, port, _ := net.SplitHostPort(r.addr)
	r.cmd = exec.Command("redis-server", append([]string{"--port", port, "--dir", r.dir, "--logfile", r.dir + "/log"}, r.args...)...)
	if err := r.cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	if !eventually(patience, r.answers) {
		log, _ := os.ReadFile(r.dir + "/log")
		r.t.Fatalf("redis-server does not answer at %s\n%s", r.addr, tail(string(log), 2000))
	}
}

// answers reports whether the server is up; one that wants a password says so.
func (r *redisServer) answers() bool {
	_, err := r.do("PING")
	return err == nil || strings.HasPrefix(err.Error(), "NOAUTH")
}

// kill is kill -9.
func (r *redisServer) kill() {
	if r.cmd == nil {
		return
	}
	_ = r.cmd.Process.Signal(syscall.SIGCONT)
	_ = r.cmd.Process.Kill()
	_ = r.cmd.Wait()
	r.cmd = nil
}

func (r *redisServer) freeze() { _ = r.cmd.Process.Signal(syscall.SIGSTOP) }
func (r *redisServer) thaw()   { _ = r.cmd.Process.Signal(syscall.SIGCONT) }

// must runs a command and fails the test when it is refused.
func (r *redisServer) must(words ...string) string {
	r.t.Helper()
	reply, err := r.do(words...)
	if err != nil {
		r.t.Fatalf("redis %v: %v", words, err)
	}
	return reply
}

// do runs one command on a connection of its own and returns the reply's text.
func (r *redisServer) do(words ...string) (string, error) {
	conn, err := net.DialTimeout("tcp", r.addr, time.Second)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	var request strings.Builder
	fmt.Fprintf(&request, "*%d\r\n", len(words))
	for _, w := range words {
		fmt.Fprintf(&request, "$%d\r\n%s\r\n", len(w), w)
	}
	if _, err := conn.Write([]byte(request.String())); err != nil {
		return "", err
	}
	in := bufio.NewReader(conn)
	line, err := in.ReadString('\n')
	if err != nil {
		return "", err
	}
	line = strings.TrimRight(line, "\r\n")
	switch {
	case strings.HasPrefix(line, "-"):
		return "", errors.New(line[1:])
	case strings.HasPrefix(line, "$"):
		n, err := strconv.Atoi(line[1:])
		if err != nil || n < 0 {
			return "", err
		}
		body := make([]byte, n)
		for at := 0; at < n; {
			m, err := in.Read(body[at:])
			if err != nil {
				return "", err
			}
			at += m
		}
		return string(body), nil
	}
	return line[1:], nil
}
