package dedupe

import (
	"context"

	"github.com/redis/go-redis/v9"
)

// set queues one SET for each mark. There are two for every delivery, so all of a round share their
// memory: the texts are one string, and the client takes pointers to its parts.
func (t *transaction) set(ctx context.Context, marks []Mark, options ...any) []*redis.Cmd {
	s := t.store
	texts := s.texts(marks)
	args := make([]any, 0, len(marks)*(len(options)+5))
	cmds, queued := make([]*redis.Cmd, len(marks)), make([][]redis.Cmder, len(t.pipes))
	if len(t.pipes) == 1 {
		queued[0] = make([]redis.Cmder, 0, len(marks))
	}
	usual := any(seconds(s.ttl))
	rest, boxed := int64(-1), usual // of a repair, the rest of life of many marks is the same second
	for i, m := range marks {
		ttl := usual
		if m.TTL > 0 {
			if left := seconds(m.TTL); left != rest {
				rest, boxed = left, left
			}
			ttl = boxed
		}
		from := len(args)
		args = append(append(args, "set", &texts[2*i], &texts[2*i+1]), options...)
		args = append(args, "ex", ttl)
		cmds[i] = redis.NewCmd(ctx, args[from:len(args):len(args)]...)
		shard := s.shardOf(m.Key)
		queued[shard] = append(queued[shard], cmds[i])
	}
	for shard, pipe := range t.pipes {
		if len(queued[shard]) > 0 {
			_ = pipe.BatchProcess(ctx, queued[shard]...) // only queues
		}
	}
	return cmds
}

// texts are key and value of each mark in turn.
func (s *Store) texts(marks []Mark) []string {
	var all []byte
	ends := make([]int, 0, 2*len(marks))
	for _, m := range marks {
		all = append(append(all, s.shard(m.Key)...), m.Key[:]...)
		ends = append(ends, len(all))
		all = m.Claim.Append(all)
		ends = append(ends, len(all))
	}
	text, from := string(all), 0
	texts := make([]string, len(ends))
	for i, end := range ends {
		texts[i], from = text[from:end], end
	}
	return texts
}
