package dedupe

import (
	"strings"

	"github.com/redis/go-redis/v9"
)

// A Redis Cluster keeps an order only among the commands of one hash slot, and its masters fail one
// by one. So there the keys lie in a fixed number of shards, each in one slot: a key's first bits
// name its shard, and every shard has a watermark of its own for each partition, moved after that
// shard's marks and read after that shard's claims. Within a shard everything is as with one server,
// and what a master lost shows in the watermarks of its shards.
//
// A shard's part of a round is a transaction, so that its commands never go to two masters, the marks to the
// old one and the watermark to its successor. No redirection is followed either: it fails the round like any
// other error, and the whole round is repeated. The price is that claims wait while one of these slots is
// migrated.

// shardTags are the hash tags of the shards. Their slots lie near the middle of each sixteenth of the
// slot range, so that masters that share the range evenly share the shards evenly. Another list
// forgets all marks.
var shardTags = [...]string{"18", "455", "333", "223", "553", "443", "95", "663", "265", "375", "908", "155", "985", "895", "405", "515"}

// oneShard names the keys of a single server.
var oneShard = []string{keyPrefix}

// shardPrefixes gives what stands in front of the keys of each shard.
func shardPrefixes(cluster bool) []string {
	if !cluster {
		return oneShard
	}
	all := make([]string, len(shardTags))
	for i, tag := range shardTags {
		all[i] = keyPrefix + "{" + tag + "}"
	}
	return all
}

// claimKey is where the claim of k lies.
func (s *Store) claimKey(k Key) string { return s.shard(k) + string(k[:]) }

// shard is what stands in front of the key.
func (s *Store) shard(k Key) string { return s.shards[s.shardOf(k)] }

// shardOf is which of the shards a key lies in.
func (s *Store) shardOf(k Key) int { return int(k[0]) % len(s.shards) }

// perShard gives the keys of something that every shard has: a watermark, a trial write.
func (s *Store) perShard(name string) []string {
	keys := make([]string, len(s.shards))
	for i, prefix := range s.shards {
		keys[i] = prefix + strings.TrimPrefix(name, keyPrefix)
	}
	return keys
}

// lost makes the client ask again who is master of what, after something failed.
func (s *Store) lost(err error) error {
	if c, ok := s.client.(*redis.ClusterClient); ok && err != nil {
		c.ReloadState(s.background)
	}
	return err
}
