package ingest

import (
	"context"
	"sync/atomic"
	"time"
)

// outageCheck is how often outages are compared with horizons, for the log.
const outageCheck = 10 * time.Second

// An outage is the time since we began to refuse an endpoint's deliveries for reasons
// of ours. A vendor retries for a limited time, its horizon; beyond it deliveries are
// lost for good.
type outage struct {
	horizon time.Duration // 0: the vendor does not say
	// Uptimes at the first refused delivery, 0 while all is well: one that had proved its
	// sender, and one whose sender could not be judged and may have been a stranger.
	proved, unjudged atomic.Int64
	told             atomic.Bool
}

// saw notes an outcome at an uptime. What a stranger can cause whatever our state (a
// crowd, a slow body) does not count.
func (o *outage) saw(what outcome, now int64) {
	switch what {
	case accepted:
		o.proved.Store(0)
		o.unjudged.Store(0)
		o.told.Store(false)
	case refused, unacked, overloaded, bodiesFull, overQuota:
		o.proved.CompareAndSwap(0, now)
	case undecided:
		o.unjudged.CompareAndSwap(0, now)
	}
}

// judging notes that senders can be judged again. A vendor that was refused and still
// retries is accepted from here on; a sender that does not come again was a stranger,
// and nothing is lost. After the horizon it is too late for that.
func (o *outage) judging(now int64) {
	since := o.unjudged.Load()
	if since != 0 && !o.longer(since, now) {
		o.unjudged.CompareAndSwap(since, 0)
	}
}

// over reports whether the outage is longer than the vendor's retries.
func (o *outage) over(now int64) bool {
	return o.longer(o.proved.Load(), now) || o.longer(o.unjudged.Load(), now)
}

func (o *outage) longer(since, now int64) bool {
	return o.horizon > 0 && since > 0 && time.Duration(now-since) > o.horizon
}

// watchOutages logs each outage that outlasts a vendor's retries, once.
func (s *Server) watchOutages(ctx context.Context) {
	ticker := time.NewTicker(outageCheck)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		for _, e := range s.directory.byName {
			if e.Proofs.Ready(s.options.Now()) {
				e.metrics.outage.judging(s.metrics.uptime())
			}
			if o := &e.metrics.outage; o.over(s.metrics.uptime()) && !o.told.Swap(true) {
				s.options.Logger.Error("deliveries have been refused for longer than the vendor retries, and some are lost: have the vendor send them again, or query its API",
					"endpoint", e.Name, "provider", e.Provider.Name, "horizon", o.horizon)
			}
		}
	}
}
