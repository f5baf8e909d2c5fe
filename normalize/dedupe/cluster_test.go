package dedupe

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// cluster is three masters of a real Redis Cluster, with a client for each.
type cluster struct {
	addrs []string
	nodes []*redis.Client
}

func startCluster(t testing.TB) *cluster {
	t.Helper()
	c, ctx := &cluster{}, testContext(t)
	for range 3 {
		_, bus := freePort(t)
		s := startRedis(t, "--cluster-enabled", "yes", "--cluster-port", bus, "--cluster-node-timeout", "2000", "--cluster-config-file", "nodes.conf")
		c.addrs = append(c.addrs, s.addr)
		node := redis.NewClient(&redis.Options{Addr: s.addr, DisableIdentity: true})
		t.Cleanup(func() { _ = node.Close() })
		c.nodes = append(c.nodes, node)
		host, port, _ := net.SplitHostPort(s.addr)
		must(t, c.nodes[0].Do(ctx, "cluster", "meet", host, port, bus).Err())
	}
	for i, node := range c.nodes {
		must(t, node.ClusterAddSlotsRange(ctx, i*16384/3, (i+1)*16384/3-1).Err())
	}
	for _, node := range c.nodes {
		until(t, "the cluster agrees", func() bool {
			info := node.ClusterInfo(ctx).Val()
			return strings.Contains(info, "cluster_state:ok") && strings.Contains(info, "cluster_known_nodes:3")
		})
	}
	return c
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func until(t testing.TB, what string, condition func() bool) {
	t.Helper()
	for ctx := testContext(t); !condition(); {
		select {
		case <-ctx.Done():
			t.Fatalf("not in time: %s", what)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (c *cluster) store(t testing.TB) *Store {
	return patient(t, "", func(o *StoreOptions) { o.Addresses, o.Cluster = c.addrs[:1], true })
}

// Sixteen shards lie in sixteen parts of the slot range, one in each.
func TestShardsAreSpread(t *testing.T) {
	_, bus := freePort(t)
	s, ctx := startRedis(t, "--cluster-enabled", "yes", "--cluster-port", bus), testContext(t)
	node := redis.NewClient(&redis.Options{Addr: s.addr})
	defer node.Close()
	for i, prefix := range shardPrefixes(true) {
		slot, err := node.ClusterKeySlot(ctx, prefix+string(make([]byte, KeySize))).Result()
		must(t, err)
		if int(slot)/1024 != i {
			t.Errorf("shard %d lies in slot %d, expected %d to %d", i, slot, i*1024, i*1024+1023)
		}
	}
}

// one delivery in each shard, from an offset on.
func inEachShard(from int64) []Item {
	var items []Item
	for n := range byte(16) {
		items = append(items, item(0, from+int64(n), n, 1))
	}
	return items
}

// What one master loses is noticed by whatever is claimed next, and written again.
func TestClusterMasterLosesItsData(t *testing.T) {
	c := startCluster(t)
	for i, node := range c.nodes {
		b := newBench(t)
		b.ledger = NewLedger(c.store(t), LedgerOptions{
			Group: fmt.Sprint("g", i), TopicID: rawTopic, DispositionID: dispTopic, TTL: time.Hour, Wait: time.Millisecond, History: b.journal.read,
		})
		b.repair(b.ledger, 0)
		if got := b.take(b.ledger, inEachShard(0)...); got != strings.Repeat("P", 16) {
			t.Fatalf("first copies: %s, expected all published", got)
		}
		if got := b.take(b.ledger, inEachShard(100)...); got != strings.Repeat("D", 16) {
			t.Fatalf("second copies: %s, expected duplicates", got)
		}
		must(t, b.ledger.Flush(b.ctx))
		must(t, node.FlushAll(b.ctx).Err())
		var drift *DriftError
		if _, err := b.ledger.Claim(b.ctx, inEachShard(200)); !errors.As(err, &drift) {
			t.Fatalf("master %d lost its data: %v, expected a DriftError", i, err)
		}
		b.repair(b.ledger, 0)
		if got := b.take(b.ledger, inEachShard(200)...); got != strings.Repeat("D", 16) {
			t.Errorf("master %d, after the repair: %s, expected duplicates", i, got)
		}
		for _, each := range c.nodes {
			must(t, each.FlushAll(b.ctx).Err())
		}
	}
}

// A shard that moved fails the round before anything of it reaches the new master, so that marks and
// watermark never part; the round repeated as a whole succeeds.
func TestClusterRedirectionFailsTheRound(t *testing.T) {
	c, ctx := startCluster(t), testContext(t)
	s := c.store(t)
	must(t, s.Check(ctx))
	shard := s.perShard("s:x")[0]
	slot, err := c.nodes[0].ClusterKeySlot(ctx, shard).Result()
	must(t, err)
	must(t, c.nodes[0].FlushAll(ctx).Err()) // a slot with keys is not given away
	id, err := c.nodes[2].Do(ctx, "cluster", "myid").Text()
	must(t, err)
	for _, node := range []*redis.Client{c.nodes[2], c.nodes[0], c.nodes[1]} {
		must(t, node.Do(ctx, "cluster", "setslot", slot, "node", id).Err())
		must(t, c.nodes[2].Do(ctx, "cluster", "bumpepoch").Err()) // or gossip may give the slot back
	}
	round := Round{
		Marks: []Mark{{Key: key(0), Claim: pending(5).Done()}},
		Moves: []Move{{"s:x", []string{""}, "1"}},
		Reads: []string{"s:x"},
	}
	if _, err := s.Exchange(ctx, round); !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "MOVED") {
		t.Fatalf("a slot that moved: %v, expected ErrUnavailable with MOVED", err)
	}
	for _, k := range []string{shard, s.claimKey(key(0))} {
		if v, err := c.nodes[2].Get(ctx, k).Result(); !errors.Is(err, redis.Nil) {
			t.Errorf("%q reached the new master: %q, %v", k, v, err)
		}
	}
	until(t, "the new master is known", func() bool {
		reply, err := s.Exchange(ctx, round)
		return err == nil && all(reply.Seen[0], "1")
	})
}

func TestClusterRefusesEvictionOnAnyNode(t *testing.T) {
	c, ctx := startCluster(t), testContext(t)
	s := c.store(t)
	must(t, s.Check(ctx))
	must(t, c.nodes[1].ConfigSet(ctx, "maxmemory-policy", "allkeys-lru").Err())
	if err := s.Check(ctx); !errors.Is(err, ErrUnsuitable) || !strings.Contains(err.Error(), "allkeys-lru") {
		t.Errorf("one node evicts: %v, expected ErrUnsuitable", err)
	}
	must(t, c.nodes[1].ConfigSet(ctx, "maxmemory-policy", "noeviction").Err())
	must(t, s.Check(ctx))
	_ = c.nodes[1].ShutdownNoSave(ctx) // it hangs up instead of answering
	until(t, "a dead master counts as away", func() bool {
		err := s.Check(ctx)
		return errors.Is(err, ErrUnavailable) && !errors.Is(err, ErrUnsuitable)
	})
}

// Attempts, peeks and looks take keys from all masters.
func TestClusterAttempts(t *testing.T) {
	c, ctx := startCluster(t), testContext(t)
	s := c.store(t)
	for want := range int64(2) {
		counts, err := s.Attempts(ctx, nil, []string{"kyc:d:a:1", "kyc:d:a:2", "kyc:d:a:3"})
		must(t, err)
		if fmt.Sprint(counts) != fmt.Sprint([]int64{want + 1, want + 1, want + 1}) {
			t.Errorf("attempts %v, expected %d each", counts, want+1)
		}
	}
	var keys []Key
	for n := range byte(16) {
		keys = append(keys, key(n))
	}
	_, err := s.Exchange(ctx, Round{Marks: []Mark{{Key: key(3), Claim: pending(5).Done()}}})
	must(t, err)
	found, err := s.Peek(ctx, keys)
	must(t, err)
	reply, err := s.Exchange(ctx, Round{Looks: keys})
	must(t, err)
	for n := range keys {
		if want := n == 3; (found[n] != nil) != want || (reply.Looked[n] != nil) != want {
			t.Errorf("key %d: peeked %v, looked %v; expected the mark of key 3 alone", n, found[n], reply.Looked[n])
		}
	}
}

// What one master evicted shows in the watermarks of its shards alone.
func TestClusterMasterEvicts(t *testing.T) {
	c, ctx := startCluster(t), testContext(t)
	s := c.store(t)
	w := watched(t, s, new(int64))
	w.Look(ctx)
	must(t, w.Down())
	name := keyPrefix + "s:0"
	_, err := s.Exchange(ctx, Round{Moves: []Move{{name, []string{""}, "5:5:me"}}})
	must(t, err)
	must(t, c.nodes[1].ConfigSet(ctx, "maxmemory-policy", "volatile-ttl").Err())
	w.Look(ctx)
	if err := w.Unfit(); err == nil || !strings.Contains(err.Error(), c.nodes[1].Options().Addr) {
		t.Errorf("one master may evict: %v, expected that it is named", err)
	}
	for n := range byte(16) {
		_, err := s.Exchange(ctx, Round{Marks: []Mark{{Key: key(n), Claim: pending(5).Done()}}})
		must(t, err)
	}
	must(t, c.nodes[1].ConfigSet(ctx, "maxmemory", "1").Err())
	until(t, "it has evicted", func() bool { return infoField(c.nodes[1].Info(ctx, "stats").Val(), "evicted_keys") != "0" })
	must(t, c.nodes[1].ConfigSet(ctx, "maxmemory", "0").Err())
	must(t, c.nodes[1].ConfigSet(ctx, "maxmemory-policy", "noeviction").Err())
	w.Look(ctx)
	must(t, w.Down())
	reply, err := s.Exchange(ctx, Round{Reads: []string{name}})
	must(t, err)
	var doubted int
	for shard, key := range s.perShard(name) {
		node, err := s.client.(*redis.ClusterClient).MasterForKey(ctx, key)
		must(t, err)
		evicts := node.Options().Addr == c.nodes[1].Options().Addr
		if vouches := reply.Seen[0][shard] == "5:5:me"; vouches == evicts {
			t.Errorf("shard %d of a master that evicted (%v) has the watermark %q", shard, evicts, reply.Seen[0][shard])
		}
		if evicts {
			doubted++
		}
	}
	if doubted == 0 {
		t.Error("the master has no shard")
	}
	if got := leastWatermark(reply.Seen[0]); got.next != -1 || got.highest != 5 {
		t.Errorf("the partition's watermark is %v, expected that it vouches for nothing and knows what was disposed of", got)
	}
}
