package command

import (
	"fmt"
	"io"
	"time"

	"github.com/kycbridge/kycbridge/audit"
)

// progress shows on a terminal how far a long scan is, until end.
func (env *environment) progress() (show func(audit.Progress), end func()) {
	if !env.terminal {
		return nil, func() {}
	}
	p := &progressLine{out: env.screen, now: time.Now}
	return p.show, p.clear
}

// progressLine shows how far a long scan is, in one line of a terminal.
type progressLine struct {
	out  io.Writer
	now  func() time.Time
	last time.Time
}

// progressEvery is how often the line changes.
const progressEvery = 200 * time.Millisecond

func (p *progressLine) show(at audit.Progress) {
	now := p.now()
	if p.last.IsZero() {
		p.last = now // what is done at once shows nothing
	}
	if now.Sub(p.last) < progressEvery {
		return
	}
	p.last = now
	fmt.Fprintf(p.out, "\r\x1b[K%s: partition %d of %d, %d records", escapeLine(at.Source), at.Partition+1, at.Partitions, at.Records)
}

func (p *progressLine) clear() { fmt.Fprint(p.out, "\r\x1b[K") }
