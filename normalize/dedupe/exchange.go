package dedupe

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/errgroup"
)

// Mark is one claim under its key.
type Mark struct {
	Key   Key
	Claim Claim
	TTL   time.Duration // of a mark that is partly spent; 0 means the store's own
}

// Move is a compare-and-set of one watermark in all shards. From "" means that there is none yet.
type Move struct {
	Watermark string
	From      []string // per shard; a single one stands for all
	To        string
}

// from is what a shard's watermark is expected to be.
func (m Move) from(shard int) string {
	if len(m.From) == 1 {
		return m.From[0]
	}
	return m.From[shard]
}

// accepts reports whether the values before were what was expected, or the very ones that are written:
// then the round was repeated after a lost answer.
func (m Move) accepts(before []string) bool {
	for i, was := range before {
		if was != m.from(i) && was != m.To {
			return false
		}
	}
	return true
}

// Round is one transaction of Redis, in a Cluster one for each shard: all of it is applied, or nothing. Its
// order carries the meaning: marks of the previous batch, then the watermarks that vouch for them, then the
// claims of this batch or looks at other marks, and the watermarks read again at the end, so that a server
// which lost data anywhere before is noticed.
//
// A pipeline would not do: a server at the edge of its memory refuses some of the marks and runs the move,
// a Cluster's slot on its way answers ASK for the keys that it does not have yet, and a user may lack the
// right to one command. The watermark then vouches for marks that are not there.
type Round struct {
	Marks  []Mark // written whatever is there: they are true
	Moves  []Move
	Claims []Mark // written only where nothing is
	Looks  []Key  // read, and left as they are
	Reads  []string
}

// Reply is what a Round found, each slice in the order of its question.
type Reply struct {
	Before [][]string // per Move and shard, the value before it; "" none
	Found  []*Claim   // per Claim, the one that was there; nil none, so ours is now
	Looked []*Claim   // per Look; nil none
	Seen   [][]string // per Read and shard; "" none
}

// EVAL with its text, not EVALSHA: scripts vanish when a replica takes over, and in a pipeline
// nothing would load them again.
const (
	moveScript = `local v = redis.call('GET', KEYS[1]) or ''
if v == ARGV[1] then redis.call('SET', KEYS[1], ARGV[2]) end
return v`
	takeOverScript = `local v = redis.call('GET', KEYS[1])
if v == ARGV[1] then redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3]) end
return v`
)

// Exchange runs a Round. After an error, a shard's part of it was applied as a whole or not at all; asking
// again is harmless.
func (s *Store) Exchange(ctx context.Context, r Round) (Reply, error) {
	ctx, cancel := context.WithTimeout(ctx, s.limit)
	defer cancel()
	tx := s.begin(len(r.Marks)+len(r.Moves)+len(r.Claims) > 0)
	tx.set(ctx, r.Marks)
	moves := make([][]*redis.Cmd, len(r.Moves))
	for i, m := range r.Moves {
		for shard, key := range s.perShard(m.Watermark) {
			moves[i] = append(moves[i], tx.pipes[shard].Eval(ctx, moveScript, []string{key}, m.from(shard), m.To))
		}
	}
	claims := tx.set(ctx, r.Claims, "nx", "get")
	looks := make([]*redis.StringCmd, len(r.Looks))
	for i, key := range r.Looks {
		looks[i] = tx.pipes[s.shardOf(key)].Get(ctx, s.claimKey(key))
	}
	reads := make([][]*redis.StringCmd, len(r.Reads))
	for i, name := range r.Reads {
		for shard, key := range s.perShard(name) {
			reads[i] = append(reads[i], tx.pipes[shard].Get(ctx, key))
		}
	}
	if err := tx.run(ctx); err != nil {
		return Reply{}, err
	}
	reply, err := readReply(moves, claims, reads)
	if err != nil {
		return Reply{}, err
	}
	reply.Looked, err = foundClaims(looks, (*redis.StringCmd).Result)
	return reply, err
}

// transaction is one of Redis for each shard.
type transaction struct {
	store *Store
	pipes []redis.Pipeliner
}

// begin makes one. Where nothing is written a pipeline does, and a server without memory answers it.
func (s *Store) begin(writes bool) *transaction {
	t := &transaction{store: s, pipes: make([]redis.Pipeliner, len(s.shards))}
	for i := range t.pipes {
		if writes {
			t.pipes[i] = s.client.TxPipeline()
		} else {
			t.pipes[i] = s.client.Pipeline()
		}
	}
	return t
}

// run sends what was queued, to all shards at once. The first error is returned: the batch then waits as a
// whole.
func (t *transaction) run(ctx context.Context) error {
	if len(t.pipes) == 1 {
		return t.store.run(ctx, again{t.pipes[0]})
	}
	var all errgroup.Group
	for _, pipe := range t.pipes {
		if pipe.Len() > 0 {
			all.Go(func() error { return t.store.run(ctx, again{pipe}) })
		}
	}
	return all.Wait()
}

// again sends a transaction once more where the connection broke, perhaps after it was applied: its owner
// recognises what it wrote. The client does so with pipelines alone.
type again struct{ redis.Pipeliner }

// Exec implements redis.Pipeliner.
func (a again) Exec(ctx context.Context) ([]redis.Cmder, error) {
	cmds, err := a.Pipeliner.Exec(ctx)
	var answer redis.Error
	if err == nil || errors.As(err, &answer) || ctx.Err() != nil {
		return cmds, err
	}
	for _, cmd := range cmds {
		cmd.SetErr(nil)
	}
	if err := a.BatchProcess(ctx, cmds...); err != nil {
		return cmds, err
	}
	return a.Pipeliner.Exec(ctx)
}

func readReply(moves [][]*redis.Cmd, claims []*redis.Cmd, reads [][]*redis.StringCmd) (Reply, error) {
	reply := Reply{Before: make([][]string, len(moves)), Seen: make([][]string, len(reads))}
	for i, shards := range moves {
		for _, cmd := range shards {
			was, err := cmd.Text()
			if err != nil {
				return Reply{}, fmt.Errorf("redis: unexpected answer to a watermark's move: %w", err)
			}
			reply.Before[i] = append(reply.Before[i], was)
		}
	}
	var err error
	if reply.Found, err = foundClaims(claims, (*redis.Cmd).Text); err != nil {
		return Reply{}, err
	}
	for i, shards := range reads {
		for _, cmd := range shards {
			reply.Seen[i] = append(reply.Seen[i], cmd.Val())
		}
	}
	return reply, nil
}

// TakeOver takes claims over by compare-and-set. Each result is what was there: the expected claim
// where the takeover happened, another one or nil where it did not.
func (s *Store) TakeOver(ctx context.Context, expected, next []Mark) ([]*Claim, error) {
	ctx, cancel := context.WithTimeout(ctx, s.limit)
	defer cancel()
	pipe := s.client.Pipeline()
	cmds := make([]*redis.Cmd, len(next))
	for i, m := range next {
		cmds[i] = pipe.Eval(ctx, takeOverScript, []string{s.claimKey(m.Key)}, expected[i].Claim.Append(nil), m.Claim.Append(nil), seconds(s.ttl))
	}
	if err := s.run(ctx, pipe); err != nil {
		return nil, err
	}
	return foundClaims(cmds, (*redis.Cmd).Text)
}

// Peek reads claims without touching them.
func (s *Store) Peek(ctx context.Context, keys []Key) ([]*Claim, error) {
	ctx, cancel := context.WithTimeout(ctx, s.limit)
	defer cancel()
	pipe := s.client.Pipeline()
	cmds := make([]*redis.StringCmd, len(keys))
	for i, key := range keys {
		cmds[i] = pipe.Get(ctx, s.claimKey(key))
	}
	if err := s.run(ctx, pipe); err != nil {
		return nil, err
	}
	return foundClaims(cmds, (*redis.StringCmd).Result)
}

// seconds rounds up: Redis refuses an expiry of 0.
func seconds(d time.Duration) int64 { return int64(max(d+time.Second-1, time.Second) / time.Second) }

// run sends a pipeline and returns the first error that is not "no such key". One failed command
// (OOM, READONLY, LOADING) is as bad as all: the batch then waits as a whole.
func (s *Store) run(ctx context.Context, pipe redis.Pipeliner) error {
	cmds, err := pipe.Exec(ctx)
	for _, cmd := range cmds {
		if cause := cmd.Err(); cause != nil && !errors.Is(cause, redis.Nil) && !redis.IsExecAbortError(cause) {
			err = cause // says more than that the transaction was given up
			break
		}
	}
	if err != nil && !errors.Is(err, redis.Nil) {
		return s.lost(fmt.Errorf("%w: %w", ErrUnavailable, err))
	}
	return nil
}

// foundClaims reads what stood under each key; nil where nothing did.
func foundClaims[C any](cmds []C, text func(C) (string, error)) ([]*Claim, error) {
	found := make([]*Claim, len(cmds))
	for i, cmd := range cmds {
		var err error
		if found[i], err = foundClaim(text(cmd)); err != nil {
			return nil, err
		}
	}
	return found, nil
}

func foundClaim(text string, err error) (*Claim, error) {
	if errors.Is(err, redis.Nil) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	c, err := ParseClaim([]byte(text))
	if err != nil {
		return nil, fmt.Errorf("redis: a key under %q holds %d bytes that are %w; does another program use this prefix?", keyPrefix, len(text), err)
	}
	return &c, nil
}
