package normalize

import (
	"cmp"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/kycbridge/kycbridge/internal/record"
)

// What Bounds are where they are not set.
const (
	boundRead    = 4 << 20
	boundEvents  = 4000
	boundWritten = 8 << 20
)

// Bounds are what one transaction holds, beside Options.Batch, the records that it reads. Zero values take the
// defaults. A batch grows by polls of Poll bytes, and is written when it has reached one of them; what was
// not polled by then is the next batch's. So it is over a bound by what one poll became, at most.
type Bounds struct {
	Read    int // bytes of the records that are read; 4 MiB
	Events  int // that they become; 4000
	Written int // bytes of all that is written for them; 8 MiB
	Poll    int // bytes after which the session ends a poll; record.PollBytes
}

// WithDefaults fills in what is not set.
func (b Bounds) WithDefaults() Bounds {
	return Bounds{
		Read: cmp.Or(b.Read, boundRead), Events: cmp.Or(b.Events, boundEvents), Written: cmp.Or(b.Written, boundWritten),
		Poll: cmp.Or(b.Poll, record.PollBytes),
	}
}

// add counts a reading.
func (b *Bounds) add(r *Reading) {
	b.Read += len(r.In.Value)
	switch o := r.Outcome.(type) {
	case *Publish:
		b.Events += len(o.Events)
		b.Written += o.bytes
	case *DeadLetter:
		b.Written += proto.Size(o.Letter)
	case *Fetch:
		b.Written += proto.Size(o.Task)
	case *Forward:
		for i := range o.Records {
			b.Written += len(o.Records[i].Value)
		}
	}
	b.Written += dispositionBytes
}

// dispositionBytes is about what a disposition takes beside the ids in it.
const dispositionBytes = 512

// reaches reports whether one of the limits is reached.
func (b Bounds) reaches(limits Bounds) bool {
	return b.Read >= limits.Read || b.Events >= limits.Events || b.Written >= limits.Written
}

// pollMore is how long a further poll of a batch waits: what it is for lies in the client already.
const pollMore = time.Millisecond

// growing is a batch that grows by polls.
type growing struct {
	most     int // records
	limits   Bounds
	readings []*Reading
	has      Bounds
}

func (g *growing) reset() { g.readings, g.has = nil, Bounds{} }

func (g *growing) add(r *Reading) {
	g.readings = append(g.readings, r)
	g.has.add(r)
}

// next is what a batch wants after a poll that brought so many bytes. A poll that ended for them has probably
// left more behind.
func (g *growing) next(in Input, polled int) Next {
	switch {
	case len(g.readings) == 0:
		return Idle{}
	case polled >= g.limits.Poll && !in.Singly && len(g.readings) < g.most && !g.has.reaches(g.limits):
		return Poll{Max: g.most - len(g.readings), Limit: pollMore}
	}
	return Process{Readings: g.readings}
}
