package sink

import (
	"context"
	"time"
)

// After gives, for each partition, the first offset with a timestamp of t or
// later, and the end where there is none.
func (r *Reader) After(ctx context.Context, base string, t time.Time) (map[int32]int64, error) {
	return r.after(ctx, r.opts.Topic(base), t)
}
