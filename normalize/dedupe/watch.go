package dedupe

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// watchEvery is the pause between two looks at the servers.
const watchEvery = 2 * time.Second

// Watch looks every few seconds at whether Redis keeps what it is given: at maxmemory-policy, which anybody may
// change while it runs, and at how many keys were evicted, which a right policy now does not undo. A process has
// one; claims cost nothing more.
//
// What was evicted shows in no watermark: marks go, and the watermark that vouches for them stays. So the count
// stands beside the watermarks, with the run id of the server (in a Cluster for each shard, that of its master):
// the note says for which count the watermarks vouch. Whoever finds another count moves the note by
// compare-and-set, and in the same step has every watermark of the deployment vouch for nothing; their owners
// notice with their next round, and write all marks anew. The count may change for two other reasons, a server
// that begins anew (a restart, a failover) and CONFIG RESETSTAT. Both begin at 0, and are believed only by a
// process whose last look agreed with the note: nothing was evicted until then, and what is evicted between two
// looks over which a server ends as well is not seen. A process that was not there cannot know, and neither can
// one that finds no note; they have the marks written anew.
type Watch struct {
	store *Store
	o     WatchOptions

	// What the last look saw: per shard, if the policy was right, and per server.
	seen    map[string]count
	counted map[string]count

	mu    sync.Mutex
	down  error
	unfit error
}

// WatchOptions configures a Watch. Deployment and Watermarks are required.
type WatchOptions struct {
	Deployment string // a word that no other deployment in this Redis has
	// Watermarks gives the names of all that the deployment's stages have; see WatermarkName.
	Watermarks func(ctx context.Context) ([]string, error)
	Evicted    func(keys int64) // is told of keys that were evicted since the last look; nil: nobody
	Logger     *slog.Logger     // nil: silent
	Every      time.Duration    // 2 s
}

// NewWatch makes a Watch over the servers of a Store; Look and Run ask them.
func NewWatch(s *Store, o WatchOptions) *Watch {
	o.Every = or(o.Every, watchEvery)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Evicted == nil {
		o.Evicted = func(int64) {}
	}
	return &Watch{store: s, o: o, seen: map[string]count{}, counted: map[string]count{}}
}

// WatermarkName is the name of the watermark of one partition of a stage; group and ids are as in
// LedgerOptions.
func WatermarkName(group string, topicID, dispositionID [16]byte, partition int32) string {
	return watermarkKey(group, topicID, dispositionID, partition)
}

// Down is why Redis cannot be used as far as the last look tells: it did not answer, or Unfit.
func (w *Watch) Down() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.unfit != nil {
		return w.unfit
	}
	return w.down
}

// Unfit is why nothing may be claimed although Redis answers. It wraps ErrUnavailable, since it may be put
// right while we run, and ErrUnsuitable.
func (w *Watch) Unfit() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.unfit
}

// Run looks until ctx ends.
func (w *Watch) Run(ctx context.Context) {
	for Sleep(ctx, w.o.Every) == nil {
		w.Look(ctx)
	}
}

// Look asks the servers once. What it finds is told by Down and Unfit.
func (w *Watch) Look(ctx context.Context) {
	unfit, err := w.look(ctx)
	if ctx.Err() != nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil { // whether it is fit is not known, so what was found last stands
		w.o.Logger.Warn("Redis cannot be looked at", "error", err)
		w.down = fmt.Errorf("%w: %w", ErrUnavailable, err)
		return
	}
	if unfit != nil && w.unfit == nil {
		w.o.Logger.Error("Redis may drop claims; nothing is claimed until that is put right", "error", unfit)
	}
	w.down, w.unfit = nil, unfit
}

func (w *Watch) look(ctx context.Context) (unfit, err error) {
	limited, cancel := context.WithTimeout(ctx, 2*w.store.limit)
	defer cancel()
	masters, err := w.masters(limited)
	if err != nil {
		return nil, w.store.lost(err)
	}
	for _, m := range masters {
		k, err := keepingOf(limited, m.node)
		if err != nil {
			return nil, w.store.lost(err)
		}
		w.tell(m.node.Options().Addr, k)
		if err := checkEviction(k.policy, w.store.checked); err != nil {
			for _, shard := range m.shards {
				delete(w.seen, shard)
			}
			unfit = fmt.Errorf("%w: %s: %w: CONFIG SET maxmemory-policy noeviction, there and in its configuration file", ErrUnavailable, m.node.Options().Addr, err)
			continue
		}
		if !k.counts {
			continue // the operator vouches for it
		}
		for _, shard := range m.shards {
			if err := w.compare(limited, shard, k.count); err != nil {
				return nil, w.store.lost(err)
			}
		}
	}
	return unfit, nil
}

// master is a server with the shards it has.
type master struct {
	node   *redis.Client
	shards []string
}

func (w *Watch) masters(ctx context.Context) (all []*master, err error) {
	switch c := w.store.client.(type) {
	case *redis.Client:
		return []*master{{c, w.store.shards}}, nil
	case *redis.ClusterClient:
		at := map[string]*master{}
		for _, shard := range w.store.shards {
			node, err := c.MasterForKey(ctx, w.note(shard))
			if err != nil {
				return nil, fmt.Errorf("which node has %s: %w", shard, err)
			}
			addr := node.Options().Addr
			if at[addr] == nil {
				at[addr] = &master{node: node}
				all = append(all, at[addr])
			}
			at[addr].shards = append(at[addr].shards, shard)
		}
		return all, nil
	}
	return nil, fmt.Errorf("a client of type %T is not known", w.store.client)
}

// note is where the count of a shard stands for which the watermarks vouch.
func (w *Watch) note(shard string) string { return shard + "e:" + w.o.Deployment }

// keeping is what a server says about how it keeps keys.
type keeping struct {
	policy string // "": it does not say
	counts bool   // it says how many were evicted
	count  count
}

// count is how many keys a server has evicted since it began. It reads "<run id>:<keys>".
type count struct {
	run     string
	evicted int64
}

func (c count) String() string { return c.run + ":" + strconv.FormatInt(c.evicted, 10) }

// parseCount reads a note; anything unreadable is as good as none.
func parseCount(text string) count {
	run, keys, _ := strings.Cut(text, ":")
	n, err := strconv.ParseInt(keys, 10, 64)
	if err != nil || run == "" {
		return count{}
	}
	return count{run, n}
}

// keepingOf asks a server. One that may not be asked says nothing.
func keepingOf(ctx context.Context, node *redis.Client) (k keeping, err error) {
	var text strings.Builder
	for _, section := range []string{"server", "memory", "stats"} {
		info, err := infoOf(ctx, node, section)
		if err != nil {
			return k, err
		}
		text.WriteString(info)
	}
	k.policy = infoField(text.String(), "maxmemory_policy")
	evicted, err := strconv.ParseInt(infoField(text.String(), "evicted_keys"), 10, 64)
	k.count = count{infoField(text.String(), "run_id"), evicted}
	k.counts = err == nil && k.count.run != ""
	return k, nil
}

// step is what a look finds about a count.
type step uint8

const (
	leave step = iota // the note says what we see, or more
	write             // nothing was evicted: the note is brought up to date
	doubt             // the watermarks may vouch for what is not there any more
)

// judgeCount compares what a server says now with the note and with our own last look; see Watch.
func judgeCount(note, seen, now count) step {
	switch {
	case note == now, note.run == now.run && seen == now && note.evicted > now.evicted:
		return leave // another process looked after us
	case note == count{} && seen == now, note == seen && seen != count{} && now.evicted == 0:
		return write
	}
	return doubt
}

// doubtScript moves the note, and with it what every watermark says: nothing is known to be written (-1), in the
// name of another owner.
const doubtScript = `local v = redis.call('GET', KEYS[1]) or ''
if v == ARGV[1] then
  for i = 2, #KEYS do
    local w = redis.call('GET', KEYS[i])
    if w then redis.call('SET', KEYS[i], (string.gsub(w, '^[^:]*:([^:]*):[^:]*', '-1:%1:' .. ARGV[3], 1))) end
  end
  redis.call('SET', KEYS[1], ARGV[2])
end
return v`

// compare holds a server's count against the note of a shard.
func (w *Watch) compare(ctx context.Context, shard string, now count) error {
	text, err := w.store.client.Get(ctx, w.note(shard)).Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		return fmt.Errorf("reading the count of evicted keys: %w", err)
	}
	keys := []string{w.note(shard)}
	found := judgeCount(parseCount(text), w.seen[shard], now)
	switch found {
	case leave:
		w.seen[shard] = now
		return nil
	case doubt:
		names, err := w.o.Watermarks(ctx)
		if err != nil {
			return fmt.Errorf("which watermarks there are: %w", err)
		}
		for _, name := range names {
			keys = append(keys, shard+strings.TrimPrefix(name, keyPrefix))
		}
	}
	was, err := w.store.client.Eval(ctx, doubtScript, keys, text, now.String(), newOwner()).Text()
	if err != nil {
		return fmt.Errorf("writing the count of evicted keys: %w", err)
	}
	if was != text {
		return nil // another process was faster; the next look compares again
	}
	switch {
	case found == doubt && text == "":
		w.o.Logger.Info("how many keys Redis had evicted when marks were written is not known: those that are there are written again", "evicted_keys", now.evicted)
	case found == doubt:
		w.o.Logger.Warn("Redis may have evicted marks: all of them are written again", "evicted_keys", now.evicted, "before", text)
	}
	w.seen[shard] = now
	return nil
}

// tell reports what a server has evicted since the last look.
func (w *Watch) tell(addr string, k keeping) {
	before, known := w.counted[addr]
	if !k.counts {
		return
	}
	w.counted[addr] = k.count
	if before.run != k.count.run || before.evicted > k.count.evicted {
		before.evicted = 0 // it began to count anew
	}
	if n := k.count.evicted - before.evicted; known && n > 0 {
		w.o.Evicted(n)
	}
}
