package ingest

import (
	"context"
	"sync/atomic"
	"time"
)

// outageCheck is how often outages are compared with horizons, for the log.
const outageCheck = 10 * time.Second

// An outage is the time since deliveries of an endpoint began to be turned away
// for a reason of ours. A vendor tries again for so long and no longer; beyond
// its horizon deliveries are lost for good.
type outage struct {
	horizon time.Duration // 0: the vendor does not say
	since   atomic.Int64  // uptime at the first that was turned away; 0 while all is well
	told    atomic.Bool
}

// saw takes down an outcome at an uptime. What a stranger can cause (too many
// requests, a slow body) does not count.
func (o *outage) saw(what outcome, now int64) {
	switch what {
	case accepted:
		o.since.Store(0)
		o.told.Store(false)
	case refused, unacked, undecided:
		o.since.CompareAndSwap(0, now)
	}
}

// over says whether the outage is longer than the vendor's patience.
func (o *outage) over(now int64) bool {
	since := o.since.Load()
	return o.horizon > 0 && since > 0 && time.Duration(now-since) > o.horizon
}

// watchOutages writes one line for each outage that outlasts a vendor's patience.
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
			if o := &e.metrics.outage; o.over(s.metrics.uptime()) && !o.told.Swap(true) {
				s.options.Logger.Error("deliveries have been turned away for longer than the vendor tries again: some are lost; have the vendor send them again, or ask its API",
					"endpoint", e.Name, "provider", e.Provider.Name, "horizon", o.horizon)
			}
		}
	}
}
