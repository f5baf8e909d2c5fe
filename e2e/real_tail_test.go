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

// TestRealTailGroup: on Apache Kafka, whoever exports with `tail --group` has every event once, although a run ends
// since nobody reads its output any more, or since it is told to.
func TestRealTailGroup(t *testing.T) {
	d := deploy(t)
	stage := d.run(t, "all", "--instance", "0")
	l := newLoad("tailgroup")
	sent := 0
	send := func(n int) {
		t.Helper()
		for range n {
			if status := l.send(newClient(), "http://"+stage.listen+"/hooks/complycube", l.make(2+7*sent)); status != http.StatusOK { // a session's end
				t.Fatalf("status %d, want 200", status)
			}
			sent++
		}
	}
	args := []string{"tail", "session", "--config", d.config, "--group", "export"}
	had := map[string]int{}
	note := func(lines string) {
		t.Helper()
		for line := range strings.Lines(lines) {
			var r struct{ Headers map[string]string }
			if err := json.Unmarshal([]byte(line), &r); err != nil {
				t.Fatal(err)
			}
			had[r.Headers["ce_id"]]++
		}
	}
	rest := func(want int) {
		t.Helper()
		out, errs, code := command(t, d.env("127.0.0.1:0"), append(args, "--until-end")...)
		if n := strings.Count(out, "\n"); code != 0 || n != want {
			t.Errorf("code %d, %d lines, want %d\n%s", code, n, want, errs)
		}
		note(out)
	}

	send(4)
	follow := func(lines int) *exec.Cmd {
		t.Helper()
		c := exec.Command(binary, args...)
		c.Env, c.Stderr = append(os.Environ(), d.env("127.0.0.1:0")...), os.Stderr
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
			note(line)
		}
		out.Close()
		return c
	}
	broken := follow(4)
	send(1) // which nobody reads: it is not counted as printed
	if err := broken.Wait(); err != nil {
		t.Errorf("when nobody reads on: %v, want exit code 0", err)
	}
	rest(1)
	rest(0)

	send(2)
	told := follow(2)
	if err := told.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := told.Wait(); err != nil {
		t.Errorf("when it is told to stop: %v, want exit code 0", err)
	}
	send(1)
	rest(1)
	for id, n := range had {
		if n != 1 {
			t.Errorf("the event %s was printed %d times", id, n)
		}
	}
	if len(had) != sent {
		t.Errorf("%d of %d events were printed", len(had), sent)
	}
	stage.stop(t)
}
