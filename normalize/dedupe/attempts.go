package dedupe

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// attemptTTL forgets attempts that nobody released.
const attemptTTL = 24 * time.Hour

// Attempt names work that may hold a poison pill: a batch, by the first record of one partition, or
// one record alone.
type Attempt struct {
	Partition int32
	Offset    int64
	Alone     bool
}

// AttemptKey is the Redis key under which attempts are counted.
func (l *Ledger) AttemptKey(a Attempt) string {
	kind := "batch"
	if a.Alone {
		kind = "alone"
	}
	return fmt.Sprintf("%sa:%s:%x:%d:%d:%s", keyPrefix, l.o.Group, l.o.TopicID, a.Partition, a.Offset, kind)
}

// Attempts forgets the attempts that are over, then counts one more for each key and returns the
// counts. It is not part of the protocol: losing counts only means that a poison pill is found later.
func (s *Store) Attempts(ctx context.Context, over, keys []string) ([]int64, error) {
	ctx, cancel := context.WithTimeout(ctx, s.limit)
	defer cancel()
	pipe := s.client.Pipeline()
	for _, key := range over {
		pipe.Del(ctx, key)
	}
	cmds := make([]*redis.IntCmd, len(keys))
	for i, key := range keys {
		cmds[i] = pipe.Incr(ctx, key)
		pipe.Expire(ctx, key, attemptTTL)
	}
	if err := s.run(ctx, pipe); err != nil {
		return nil, err
	}
	counts := make([]int64, len(keys))
	for i, cmd := range cmds {
		counts[i] = cmd.Val()
	}
	return counts, nil
}
