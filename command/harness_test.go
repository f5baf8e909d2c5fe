package command

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kycbridge/kycbridge/internal/serve"
	"github.com/kycbridge/kycbridge/providers/catalog"
)

// patience bounds waits that end at once unless something is broken.
const patience = 60 * time.Second

// output is a buffer that a running command writes and a test reads.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
	grew chan struct{}
}

func newOutput() *output { return &output{grew: make(chan struct{}, 1)} }

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	select {
	case o.grew <- struct{}{}:
	default:
	}
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// await returns once the output holds text.
func (o *output) await(t *testing.T, text string) {
	t.Helper()
	deadline := time.After(patience)
	for !strings.Contains(o.String(), text) {
		select {
		case <-o.grew:
		case <-deadline:
			t.Fatalf("%q never came; the output is:\n%s", text, o.String())
		}
	}
}

// surroundings is an environment without a terminal, with these variables only.
func surroundings(variables map[string]string) (env environment, stdout, stderr *output) {
	stdout, stderr = newOutput(), newOutput()
	return environment{
		program: ourName, invocation: ourName, vendors: catalog.All(),
		stdout: stdout,
		stderr: stderr,
		lookup: func(name string) (string, bool) {
			v, ok := variables[name]
			return v, ok
		},
		hostname: func() (string, error) { return "test", nil },
	}, stdout, stderr
}

// call runs a command to its end.
func call(t *testing.T, variables map[string]string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	w, out, errs := surroundings(variables)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	code = run(ctx, args, w)
	return out.String(), errs.String(), code
}

// serving is a command that runs until it is told to stop.
type serving struct {
	serve.Addresses
	stdout, stderr *output
	cancel         context.CancelFunc
	done           chan int
}

// start runs a serving command and returns once it serves.
func start(t *testing.T, variables map[string]string, args ...string) *serving {
	t.Helper()
	w, out, errs := surroundings(variables)
	told := make(chan serve.Addresses, 1)
	w.started = func(a serve.Addresses) { told <- a }
	ctx, cancel := context.WithCancel(context.Background())
	s := &serving{stdout: out, stderr: errs, cancel: cancel, done: make(chan int, 1)}
	go func() { s.done <- run(ctx, args, w) }()
	t.Cleanup(func() { s.stop(t) })
	select {
	case s.Addresses = <-told:
	case code := <-s.done:
		s.done <- code
		t.Fatalf("%v ended with code %d before it served:\n%s", args, code, errs)
	case <-time.After(patience):
		t.Fatalf("%v does not serve:\n%s", args, errs)
	}
	return s
}

// stop ends the command as SIGTERM would, and expects a clean end.
func (s *serving) stop(t *testing.T) {
	t.Helper()
	s.cancel()
	select {
	case code := <-s.done:
		s.done <- code // stop may be called again
		if code != 0 && !t.Failed() {
			t.Errorf("ended with code %d, want 0:\n%s", code, s.stderr)
		}
	case <-time.After(patience):
		t.Errorf("still running after stop:\n%s", s.stderr)
	}
}

// ready waits until /readyz answers 200, and returns its body.
func (s *serving) ready(t *testing.T) string {
	t.Helper()
	var last string
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		status, body := get(t, "http://"+s.Admin+"/readyz")
		if last = body; status == http.StatusOK {
			return body
		}
	}
	t.Fatalf("never ready: %s", last)
	return ""
}

// measures waits until /metrics holds a text: the client of Kafka counts a write after its answer.
func (s *serving) measures(t *testing.T, text string) {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if _, metrics := get(t, "http://"+s.Admin+"/metrics"); strings.Contains(metrics, text) {
			return
		}
	}
	t.Errorf("/metrics has no %s", text)
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

func writeFile(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
