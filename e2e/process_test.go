package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/kycbridge/kycbridge/internal/freeport"
)

// patience bounds every wait of this package. It is generous, since it only
// runs out when something is broken.
const patience = 90 * time.Second

// logBuffer collects what a process printed; it is safe for concurrent use.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// process is one running kycbridge.
type process struct {
	cmd   *exec.Cmd
	log   *logBuffer
	admin string        // host:port of /readyz and /metrics
	done  chan struct{} // closed when the process has ended
	err   error         // what Wait said; read after done
}

// start runs the binary with the given arguments and environment additions.
func start(t testing.TB, admin string, env []string, args ...string) *process {
	t.Helper()
	return startBinary(t, binary, admin, env, args...)
}

// startBinary is start for another build of the program.
func startBinary(t testing.TB, binary, admin string, env []string, args ...string) *process {
	t.Helper()
	p := &process{log: &logBuffer{}, admin: admin, done: make(chan struct{})}
	p.cmd = exec.Command(binary, args...)
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	if err := p.cmd.Start(); err != nil {
		t.Fatalf("start %v: %v", args, err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	t.Cleanup(func() {
		if t.Failed() {
			p.dump()
		}
		p.kill()
		quietAbout(t, "the logs", p.log.String(), len(args) > 0 && args[0] == "dev")
		if t.Failed() {
			t.Logf("log of %v (pid %d), last part:\n%s", args, p.cmd.Process.Pid, tail(p.log.String(), 400_000))
		}
	})
	return p
}

func tail(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return "…" + s[len(s)-n:]
}

// dump makes a process that is still there print its goroutines: a test that
// failed because something hangs then says where.
func (p *process) dump() {
	if p.cmd.Process.Signal(syscall.SIGQUIT) != nil {
		return
	}
	select {
	case <-p.done:
	case <-time.After(5 * time.Second):
	}
}

// kill is kill -9, and waits until the process is gone.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.done
}

// stop is SIGTERM; it fails the test when the process does not end cleanly.
func (p *process) stop(t testing.TB) {
	t.Helper()
	if _, metrics := get("http://" + p.admin + "/metrics"); p.admin != "" {
		quietAbout(t, "the metrics", metrics, false)
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatalf("SIGTERM: %v", err)
	}
	select {
	case <-p.done:
	case <-time.After(patience):
		t.Fatalf("still running %s after SIGTERM\n%s", patience, tail(p.log.String(), 4000))
	}
	if p.err != nil {
		t.Fatalf("after SIGTERM: %v, want exit code 0\n%s", p.err, tail(p.log.String(), 4000))
	}
}

// ready waits until /readyz answers 200.
func (p *process) ready(t testing.TB) {
	t.Helper()
	var last string
	ok := eventually(patience, func() bool {
		select {
		case <-p.done:
			t.Fatalf("ended before it was ready: %v\n%s", p.err, tail(p.log.String(), 4000))
		default:
		}
		status, body := get("http://" + p.admin + "/readyz")
		last = fmt.Sprintf("%d %s", status, body)
		return status == http.StatusOK
	})
	if !ok {
		t.Fatalf("not ready after %s: %s\n%s", patience, last, tail(p.log.String(), 4000))
	}
}

func get(url string) (int, string) {
	client := http.Client{Timeout: 2 * time.Second}
	resp, err := client.Get(url)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	var body bytes.Buffer
	_, _ = body.ReadFrom(resp.Body)
	return resp.StatusCode, body.String()
}

// eventually asks until the condition holds or the time is over.
func eventually(limit time.Duration, condition func() bool) bool {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if condition() {
			return true
		}
		select {
		case <-ctx.Done():
			return condition()
		case <-tick.C:
		}
	}
}

func freePort(t testing.TB) string {
	t.Helper()
	addr, err := freeport.Address()
	if err != nil {
		t.Fatal(err)
	}
	return addr
}

// command runs the binary to its end and returns its output and exit code.
func command(t testing.TB, env []string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	return commandOf(t, binary, env, args...)
}

// commandOf is command for another build of the program.
func commandOf(t testing.TB, binary string, env []string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Env = append(os.Environ(), env...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("run %v: %v", args, err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}
