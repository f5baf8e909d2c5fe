package e2e

import (
	"fmt"
	"net"
	"strings"
)

// clusterIncidents: Redis is a Cluster.
func clusterIncidents() []fault {
	return []fault{
		{name: "redis-slot-migrates", does: "one of the 16 slots of a Redis Cluster migrates to another master, under load", real: true, run: redisSlotMigrates},
	}
}

// redisCluster is three masters of a real Redis Cluster.
type redisCluster struct {
	nodes []*redisServer
}

func startCluster(s *scene) *redisCluster {
	s.Helper()
	c := &redisCluster{}
	create := "redis-cli --cluster create"
	for range 3 {
		_, bus, _ := net.SplitHostPort(freePort(s))
		n := startRedis(s, "--cluster-enabled", "yes", "--cluster-port", bus, "--cluster-node-timeout", "2000", "--cluster-config-file", "nodes.conf")
		c.nodes = append(c.nodes, n)
	}
	// The buses are at ports of their own, which `redis-cli --cluster create` takes from the nodes.
	for _, n := range c.nodes {
		create += " " + n.addr
	}
	if out, err := s.shell(create + " --cluster-replicas 0 --cluster-yes"); err != nil {
		s.Fatalf("%s: %v\n%s", create, err, out)
	}
	s.await("the Cluster is whole", func() bool {
		for _, n := range c.nodes {
			if info, err := n.do("CLUSTER", "INFO"); err != nil || !strings.Contains(info, "cluster_state:ok") || !strings.Contains(info, "cluster_known_nodes:3") {
				return false
			}
		}
		return true
	})
	return c
}

// use lets processes that start from now on find the Cluster.
func (c *redisCluster) use(s *scene) {
	s.Helper()
	s.rewrite(fmt.Sprintf("  address: %q\n", s.redis.addr), fmt.Sprintf("  cluster:\n    addresses: [%q]\n", c.nodes[0].addr))
}

// shardTag is that of one of the 16 shards, as in package dedupe.
const shardTag = "kyc:d:{18}"

// owner is the master of a shard's slot, and its slot.
func (c *redisCluster) owner(s *scene) (from, to *redisServer, slot string) {
	s.Helper()
	slot = c.nodes[0].must("CLUSTER", "KEYSLOT", shardTag)
	for i, n := range c.nodes {
		if _, err := n.do("SET", shardTag+"test", "", "EX", "1"); err == nil {
			return n, c.nodes[(i+1)%len(c.nodes)], slot
		}
	}
	s.Fatalf("no master has the slot %s", slot)
	return nil, nil, ""
}

// move takes a number of keys of a slot from one master to another, and returns how many there were.
func (s *scene) move(from, to *redisServer, slot string, keys int) int {
	s.Helper()
	script := fmt.Sprintf(`redis-cli -u redis://%s --no-raw EVAL "
local keys = redis.call('CLUSTER', 'GETKEYSINSLOT', ARGV[1], ARGV[2])
for _, k in ipairs(keys) do redis.call('MIGRATE', ARGV[3], ARGV[4], k, 0, 5000) end
return #keys" 0 %s %d %s`, from.addr, slot, keys, strings.Replace(to.addr, ":", " ", 1))
	out, err := s.shell(script)
	if err != nil {
		s.Fatalf("migrate: %v\n%s", err, out)
	}
	n := 0
	_, _ = fmt.Sscanf(strings.TrimSpace(out), "(integer) %d", &n)
	return n
}

// redisSlotMigrates stops halfway, as a migration does whose operator was cut off: the old master answers ASK
// for the keys that are gone or new, and MOVED once the slot is the other's. Several times it begins while marks
// are being rebuilt, when the watermark is there and the marks are not yet.
func redisSlotMigrates(s *scene) {
	c := startCluster(s)
	c.use(s)
	_, first, second := s.calm()
	s.grow(600)
	p := s.runbook("A slot of the Redis Cluster migrates")
	for round := range 4 {
		from, to, slot := c.owner(s)
		if round > 0 {
			for _, n := range c.nodes {
				n.must("FLUSHALL")
			}
			s.await("a watermark is back", func() bool {
				return from.must("EVAL", "return #redis.call('KEYS', '"+shardTag+"s:*')", "0") != "0"
			})
		}
		to.must("CLUSTER", "SETSLOT", slot, "IMPORTING", from.must("CLUSTER", "MYID"))
		from.must("CLUSTER", "SETSLOT", slot, "MIGRATING", to.must("CLUSTER", "MYID"))
		if n := s.move(from, to, slot, 40); n == 0 && round == 0 {
			s.Error("the slot has no key: nothing migrates")
		}
		p.sees("/readyz", unready(first, second), "redis is unavailable", "ASK")
		s.resend(100)
		p.follow(0, "REDIS_NODE="+from.addr)
		s.strike()
		s.recover()
		if answer, err := from.do("GET", shardTag); err == nil || !strings.HasPrefix(err.Error(), "MOVED") {
			s.Errorf("after the migration the old master answers %q %v, want MOVED", answer, err)
		}
	}
	s.resend(1000)
	s.verdict()
}
