package simulate

import (
	"hash/fnv"
	"math/rand/v2"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// clockOf is how far the wall clock of a host's processes is off.
func (p *plan) clockOf(host string) time.Duration {
	if p.clocks == 0 {
		return 0
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(host))
	r := rand.New(rand.NewPCG(p.seed, h.Sum64()))
	return spread(r, p.clocks) - p.clocks/2
}

// now is the wall clock of the process.
func (p *process) now() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return time.Now().Add(p.base + p.clock)
}

// jump sets a process's wall clock minutes to a day further ahead or behind.
func (p *process) jump(s step) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clock = s.last * time.Duration(1+s.n*s.n*s.n*30)
	if s.who%4 < 2 {
		p.clock = -p.clock
	}
}

// stamps gives the records of a process the time that its clock shows: the client takes the bubble's. Not of an
// ingest whose clock is behind, since the client measures by that time how long a record may wait.
type stamps struct{ *process }

// OnProduceRecordBuffered implements kgo.HookProduceRecordBuffered.
func (s stamps) OnProduceRecordBuffered(r *kgo.Record) {
	if at := s.now().Truncate(time.Millisecond); s.front == nil || at.After(r.Timestamp) {
		r.Timestamp = at
	}
}
