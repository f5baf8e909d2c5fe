package e2e

import (
	"bufio"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// exporter is somebody who runs `tail --group` now and then.
type exporter struct {
	*deployment
	stage *stage
	load  *load
	sent  int
	had   map[string]int // events by id
}

// TestRealTailGroup: on Apache Kafka, whoever exports with `tail --group` has every event once, although a run ends
// since nobody reads its output any more, or since it is told to.
func TestRealTailGroup(t *testing.T) {
	d := deploy(t)
	e := &exporter{deployment: d, stage: d.run(t, "all", "--instance", "0"), load: newLoad("tailgroup"), had: map[string]int{}}
	e.send(t, 4)
	broken := e.follow(t, 4)
	e.send(t, 1) // which nobody reads: it is not counted as printed
	if err := broken.Wait(); err != nil {
		t.Errorf("when nobody reads on: %v, want exit code 0", err)
	}
	e.rest(t, 1)
	e.rest(t, 0)

	e.send(t, 2)
	told := e.follow(t, 2)
	if err := told.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := told.Wait(); err != nil {
		t.Errorf("when it is told to stop: %v, want exit code 0", err)
	}
	e.send(t, 1)
	e.rest(t, 1)
	for id, n := range e.had {
		if n != 1 {
			t.Errorf("the event %s was printed %d times", id, n)
		}
	}
	if len(e.had) != e.sent {
		t.Errorf("%d of %d events were printed", len(e.had), e.sent)
	}
	e.stage.stop(t)
}

// send delivers ends of sessions.
func (e *exporter) send(t *testing.T, n int) {
	t.Helper()
	for range n {
		if status := e.load.send(newClient(), "http://"+e.stage.listen+"/hooks/complycube", e.load.make(2+7*e.sent)); status != http.StatusOK {
			t.Fatalf("status %d, want 200", status)
		}
		e.sent++
	}
}

func (e *exporter) args() []string {
	return []string{"tail", "session", "--config", e.config, "--group", "export"}
}

func (e *exporter) note(t *testing.T, line string) {
	t.Helper()
	var r struct{ Headers map[string]string }
	if err := json.Unmarshal([]byte(line), &r); err != nil {
		t.Fatal(err)
	}
	e.had[r.Headers["ce_id"]]++
}

// rest prints what is left, which must be so many events.
func (e *exporter) rest(t *testing.T, want int) {
	t.Helper()
	out, errs, code := command(t, e.env("127.0.0.1:0"), append(e.args(), "--until-end")...)
	if n := strings.Count(out, "\n"); code != 0 || n != want {
		t.Errorf("code %d, %d lines, want %d\n%s", code, n, want, errs)
	}
	for line := range strings.Lines(out) {
		e.note(t, line)
	}
}

// follow starts a run, reads so many lines and no more.
func (e *exporter) follow(t *testing.T, lines int) *exec.Cmd {
	t.Helper()
	c := exec.Command(binary, e.args()...)
	c.Env, c.Stderr = append(os.Environ(), e.env("127.0.0.1:0")...), os.Stderr
	out, err := c.StdoutPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	guard := time.AfterFunc(patience, func() { _ = c.Process.Kill() })
	t.Cleanup(func() { guard.Stop(); _ = c.Process.Kill() })
	for in := bufio.NewReader(out); lines > 0; lines-- {
		line, err := in.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		e.note(t, line)
	}
	out.Close()
	return c
}
