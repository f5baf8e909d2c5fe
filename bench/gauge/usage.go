package gauge

import (
	"fmt"
	"time"
)

const memoryEvery = 50 * time.Millisecond

// Usage is what a process has taken until now.
type Usage struct {
	CPU  time.Duration // user and system time of all its threads
	RSS  uint64        // resident bytes now
	Peak uint64        // most resident bytes seen, looking every memoryEvery
}

// Usage asks the operating system. Processor time comes in its ticks, 10 ms on Linux: measure
// spans of seconds.
func (r *Process) Usage() (Usage, error) {
	if err := r.Ended(); err != nil {
		return Usage{}, err
	}
	times, err := r.os.Times()
	if err != nil {
		return Usage{}, fmt.Errorf("processor time of %s: %w", r.program.Name, err)
	}
	memory, err := r.os.MemoryInfo()
	if err != nil {
		return Usage{}, fmt.Errorf("memory of %s: %w", r.program.Name, err)
	}
	return Usage{CPU: seconds(times.User + times.System), RSS: memory.RSS, Peak: max(memory.RSS, r.peak.Load())}, nil
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// watchMemory looks at the process until it ends: not every system remembers the most.
func (r *Process) watchMemory() {
	tick := time.NewTicker(memoryEvery)
	defer tick.Stop()
	for {
		if memory, err := r.os.MemoryInfo(); err == nil {
			r.peak.Store(max(r.peak.Load(), memory.RSS))
		}
		select {
		case <-r.done:
			return
		case <-tick.C:
		}
	}
}
