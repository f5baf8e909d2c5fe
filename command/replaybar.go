package command

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/kycbridge/kycbridge/normalize/replay"
)

// barWidth is that of the bar itself, in characters.
const barWidth = 30

// replayBar shows how far a replay is, in one line of a terminal.
type replayBar struct {
	out  io.Writer
	now  func() time.Time
	last time.Time
}

func (b *replayBar) show(p replay.Progress) {
	now := b.now()
	if now.Sub(b.last) < progressEvery && p.Done < p.Total {
		return
	}
	b.last = now
	part := 1.0
	if p.Total > 0 {
		part = min(1, float64(p.Done)/float64(p.Total))
	}
	full := int(part * barWidth)
	fmt.Fprintf(b.out, "\r\x1b[K[%s%s] %3.0f%%  partition %d, %d of %d records, %d events",
		strings.Repeat("#", full), strings.Repeat(".", barWidth-full), part*100, p.Partition, p.Done, p.Total, p.Report.Events)
}

func (b *replayBar) clear() { fmt.Fprint(b.out, "\r\x1b[K") }
