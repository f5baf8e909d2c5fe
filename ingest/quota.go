package ingest

import (
	"sync"
	"time"
)

// quotaBurst is for how long an endpoint that was quiet may bring work at once. Others' events wait for it, well below
// a second; a vendor that hardly tries again loses what is beyond.
const quotaBurst = 5 * time.Second

// A quota bounds the work that one endpoint brings, in events a second (providers.Limits.Work). Events of a partition
// come in the order of its records, whoever sent them, so what one endpoint has in the raw log is what every other one
// waits for: nobody behind the log can put that right. It is asked when the sender is proved, and what is over it is
// told 503 and comes again. Every process has its own.
type quota struct {
	perSecond float64
	mu        sync.Mutex
	left      float64
	at        time.Time
}

func newQuota(perSecond int) *quota {
	q := &quota{perSecond: float64(perSecond)}
	q.left = q.most()
	return q
}

func (q *quota) most() float64 { return q.perSecond * quotaBurst.Seconds() }

// open reports whether anything is left. A delivery is let in then, however much work it is, or a large one never
// would be; what it is beyond that is owed.
func (q *quota) open(now time.Time) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.at.IsZero() && now.After(q.at) {
		q.left = min(q.left+now.Sub(q.at).Seconds()*q.perSecond, q.most())
	}
	q.at = now
	return q.left > 0
}

// take counts the work of a delivery that was let in.
func (q *quota) take(work int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.left -= float64(work)
}
