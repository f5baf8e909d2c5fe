package dedupe

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/redis/go-redis/v9"
)

// markRound marks n deliveries and moves the watermark that vouches for them.
func markRound(n int, from, to string, seed uint32) Round {
	r := Round{Moves: []Move{{"s:x", []string{from}, to}}, Reads: []string{"s:x"}}
	for i := range n {
		var k Key
		binary.BigEndian.PutUint32(k[1:], seed)
		binary.BigEndian.PutUint32(k[5:], uint32(i))
		k[0] = byte(i)
		r.Marks = append(r.Marks, Mark{Key: k, Claim: pending(int64(i)).Done()})
	}
	return r
}

// vouched fails the test where a shard's watermark vouches for a mark that is not there.
func vouched(ctx context.Context, t *testing.T, s *Store, r Round) (moved bool) {
	t.Helper()
	reply, err := s.Exchange(ctx, Round{Reads: r.Reads})
	if err != nil {
		t.Fatal(err)
	}
	keys := make([]Key, len(r.Marks))
	for i, m := range r.Marks {
		keys[i] = m.Key
	}
	found, err := s.Peek(ctx, keys)
	if err != nil {
		t.Fatal(err)
	}
	missing := 0
	for i, c := range found {
		here := reply.Seen[0][s.shardOf(keys[i])] == r.Moves[0].To
		moved = moved || here
		if here && c == nil {
			missing++
		}
	}
	if missing > 0 {
		t.Errorf("the watermark vouches for %d of %d marks that redis does not have", missing, len(keys))
	}
	return moved
}

// Redis is out of memory when the first commands of a round arrive, and has room again for the last, because
// another client frees some meanwhile.
func TestRoundAtTheEdgeOfMemory(t *testing.T) {
	server, ctx := startRedis(t), testContext(t)
	admin := redis.NewClient(&redis.Options{Addr: server.addr, DisableIdentity: true})
	defer admin.Close()
	const filler = "another client's"
	var full atomic.Bool
	s := patient(t, server.addr, func(o *StoreOptions) {
		o.Dialer = func(ctx context.Context, network, addr string) (net.Conn, error) {
			c, err := (&net.Dialer{}).DialContext(ctx, network, addr)
			return &interrupted{c, func() {
				if !full.Swap(false) {
					return
				}
				until(t, "redis refuses a command", func() bool {
					return strings.Contains(admin.Info(t.Context(), "errorstats").Val(), "errorstat_OOM")
				})
				must(t, admin.Del(t.Context(), filler).Err())
			}}, err
		}
	})
	must(t, s.Check(ctx))
	must(t, admin.Set(ctx, filler, strings.Repeat("x", 8<<20), 0).Err())
	used, err := strconv.Atoi(infoField(admin.Info(ctx, "memory").Val(), "used_memory"))
	must(t, err)
	must(t, admin.ConfigSet(ctx, "maxmemory", strconv.Itoa(used-1<<20)).Err())
	full.Store(true)
	r := markRound(3000, "", "w", 1)
	if _, err := s.Exchange(ctx, r); !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "OOM") {
		t.Fatalf("%v, expected the command that was refused for want of memory", err)
	}
	if vouched(ctx, t, s, r) {
		t.Error("the watermark moved with a round that was refused")
	}
	if _, err := s.Exchange(ctx, r); err != nil || !vouched(ctx, t, s, r) {
		t.Errorf("with room, the same round again: %v, and the watermark moved: %v", err, vouched(ctx, t, s, r))
	}
}

// interrupted calls a function after the first write that is more than a greeting.
type interrupted struct {
	net.Conn
	then func()
}

func (c *interrupted) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	if len(b) > 4000 {
		c.then()
	}
	return n, err
}

// A user who may not run scripts, or not write: the whole round is refused.
func TestRoundWithoutTheRight(t *testing.T) {
	for _, rule := range []string{"-eval", "-set", "-@scripting", "-get"} {
		server, ctx := startRedis(t), testContext(t)
		admin := redis.NewClient(&redis.Options{Addr: server.addr, DisableIdentity: true})
		defer admin.Close()
		must(t, admin.Do(ctx, append([]any{"acl", "setuser", "bridge", "on", ">secret", "~*", "+@all"}, words(rule)...)...).Err())
		s := patient(t, server.addr, func(o *StoreOptions) {
			o.Username, o.Password = "bridge", func() string { return "secret" }
		})
		r := markRound(20, "", "w", 1)
		if _, err := s.Exchange(ctx, r); !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "NOPERM") {
			t.Errorf("%s: %v, expected NOPERM", rule, err)
		}
		if n := admin.DBSize(ctx).Val(); n != 0 {
			t.Errorf("%s: %d keys were written by a round that was refused", rule, n)
		}
	}
}

func words(text string) (all []any) {
	for w := range strings.FieldsSeq(text) {
		all = append(all, w)
	}
	return all
}

// A slot on its way: its old master still answers for the watermark, which it has, and sends whoever asks for
// a new key to the other one (ASK); later for everything (MOVED).
func TestClusterSlotOnItsWay(t *testing.T) {
	c, ctx := startCluster(t), testContext(t)
	s := c.store(t)
	must(t, s.Check(ctx))
	var last string
	for n := range 3 { // some shard has a watermark in a slot of each master
		next := fmt.Sprint("w", n)
		_, err := s.Exchange(ctx, markRound(32, last, next, uint32(n)))
		must(t, err)
		last = next
	}
	slot, err := c.nodes[0].ClusterKeySlot(ctx, s.perShard("s:x")[0]).Result()
	must(t, err)
	old, next := nodeID(t, c.nodes[0]), nodeID(t, c.nodes[2])
	must(t, c.nodes[2].Do(ctx, "cluster", "setslot", slot, "importing", old).Err())
	must(t, c.nodes[0].Do(ctx, "cluster", "setslot", slot, "migrating", next).Err())
	r := markRound(32, last, "on its way", 99)
	_, err = s.Exchange(ctx, r)
	if !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "ASK") && !strings.Contains(err.Error(), "TRYAGAIN") {
		t.Fatalf("a slot on its way: %v, expected ErrUnavailable with ASK", err)
	}
	// Nothing is asked through the cluster until the slot has arrived: looks would be redirected as well.
	keys := c.nodes[0].Do(ctx, "cluster", "getkeysinslot", slot, 1000).Val().([]any)
	move := []any{"migrate", host(c.addrs[2]), port(c.addrs[2]), "", 0, 5000, "keys"}
	must(t, c.nodes[0].Do(ctx, append(move, keys...)...).Err())
	for _, node := range []*redis.Client{c.nodes[2], c.nodes[0], c.nodes[1]} {
		must(t, node.Do(ctx, "cluster", "setslot", slot, "node", next).Err())
		must(t, c.nodes[2].Do(ctx, "cluster", "bumpepoch").Err())
	}
	until(t, "the slot's new master is known", func() bool {
		_, err := s.Exchange(ctx, Round{Reads: r.Reads})
		return err == nil
	})
	vouched(ctx, t, s, r)
	reply, err := s.Exchange(ctx, r)
	must(t, err)
	if !r.Moves[0].accepts(reply.Before[0]) {
		t.Errorf("repeated, the watermarks were %v, expected %q or %q", reply.Before[0], last, r.Moves[0].To)
	}
	if !vouched(ctx, t, s, r) {
		t.Error("repeated, the round moved nothing")
	}
}

func nodeID(t *testing.T, node *redis.Client) string {
	t.Helper()
	id, err := node.Do(testContext(t), "cluster", "myid").Text()
	must(t, err)
	return id
}

func host(addr string) string { h, _, _ := strings.Cut(addr, ":"); return h }
func port(addr string) string { _, p, _ := strings.Cut(addr, ":"); return p }
