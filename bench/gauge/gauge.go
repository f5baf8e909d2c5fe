// Package gauge runs the programs that are measured and asks the operating system what they
// cost: processor time and resident memory of each process, not of the machine.
//
// It knows nothing of what the programs do.
package gauge

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/shirou/gopsutil/v4/process"
)

const (
	readyLimit = time.Minute      // from the start of a program to its being ready
	stopLimit  = 30 * time.Second // from SIGTERM to its end
	logKept    = 8 << 10          // bytes of a program's output that an error shows
)

// Program is what is to be run.
type Program struct {
	Name string // for messages
	Path string
	Args []string
	Env  []string // beside that of the caller
	// Ready is a URL that answers 200 once the program can be measured; empty: it is ready at once.
	Ready string
	// Out takes the program's standard output; nil: it is kept with its errors.
	Out io.Writer
}

// Process is a running Program.
type Process struct {
	program Program
	cmd     *exec.Cmd
	os      *process.Process
	log     *lastLines
	peak    atomic.Uint64 // most resident bytes seen
	done    chan struct{} // closed when the process has ended
	err     error         // what Wait said; read after done
}

// Start runs a program and waits until it is ready; the time that took is returned. ctx bounds the
// start alone: the process runs until Stop or Kill.
func Start(ctx context.Context, p Program) (*Process, time.Duration, error) {
	begin := time.Now()
	r := &Process{program: p, cmd: exec.Command(p.Path, p.Args...), log: &lastLines{}, done: make(chan struct{})}
	r.cmd.Env = append(os.Environ(), p.Env...)
	r.cmd.Stdout, r.cmd.Stderr = r.log, r.log
	if p.Out != nil {
		r.cmd.Stdout = p.Out
	}
	if err := r.cmd.Start(); err != nil {
		return nil, 0, fmt.Errorf("start %s: %w", p.Name, err)
	}
	go func() {
		r.err = r.cmd.Wait()
		close(r.done)
	}()
	var err error
	if r.os, err = process.NewProcess(int32(r.cmd.Process.Pid)); err == nil {
		err = r.ready(ctx)
	}
	if err != nil {
		return nil, 0, errors.Join(err, r.Kill())
	}
	took := time.Since(begin)
	go r.watchMemory()
	return r, took, nil
}

// ready asks until the program says that it is.
func (r *Process) ready(ctx context.Context) error {
	if r.program.Ready == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, readyLimit)
	defer cancel()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		last := ask(ctx, r.program.Ready)
		if last == nil {
			return nil
		}
		select {
		case <-r.done:
			return r.failed("ended before it was ready", r.err)
		case <-ctx.Done():
			return r.failed("is not ready", last)
		case <-tick.C:
		}
	}
}

func ask(ctx context.Context, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if body, _ := io.ReadAll(io.LimitReader(resp.Body, logKept)); resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s: %s", url, resp.Status, bytes.TrimSpace(body))
	}
	return nil
}

func (r *Process) failed(what string, err error) error {
	return fmt.Errorf("%s %s: %w; the end of its output:\n%s", r.program.Name, what, err, r.log.text())
}

// Ended says why a process is no longer there, nil while it is.
func (r *Process) Ended() error {
	select {
	case <-r.done:
		return r.failed("ended while it was measured", errors.Join(r.err, io.ErrUnexpectedEOF))
	default:
		return nil
	}
}

// Stop asks the process to end and waits for it.
func (r *Process) Stop() error {
	if err := r.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop %s: %w", r.program.Name, err)
	}
	select {
	case <-r.done:
	case <-time.After(stopLimit):
		return errors.Join(r.failed("is still there", fmt.Errorf("%s after SIGTERM", stopLimit)), r.Kill())
	}
	if r.err != nil {
		return r.failed("was stopped", r.err)
	}
	return nil
}

// Kill ends the process at once.
func (r *Process) Kill() error {
	err := r.cmd.Process.Kill()
	<-r.done
	if errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	return err
}

// lastLines keeps the end of what was written; safe for concurrent use.
type lastLines struct {
	mu  sync.Mutex
	end []byte
}

func (l *lastLines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.end = append(l.end, p...)
	l.end = l.end[max(0, len(l.end)-logKept):]
	return len(p), nil
}

func (l *lastLines) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.end)
}
