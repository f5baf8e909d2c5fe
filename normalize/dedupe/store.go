package dedupe

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/kycbridge/kycbridge/internal/secret"
)

// keyPrefix stands in front of everything this package writes.
const keyPrefix = "kyc:d:"

// probeKey is where a trial is written.
const probeKey = keyPrefix + "probe"

// probeTTL is how long a trial write stays.
const probeTTL = 10 * time.Second

// callLimit bounds one pipeline with its retry, whatever state the server is in.
const callLimit = 900 * time.Millisecond

var (
	// ErrUnavailable marks a Redis that cannot answer now: unreachable, too slow, out of memory, loading,
	// a replica, or refusing the password. Nothing is decided without it; it is asked again later.
	ErrUnavailable = errors.New("redis is unavailable")
	// ErrUnsuitable marks a Redis that answers but must not be used as it is configured.
	ErrUnsuitable = errors.New("redis is unsuitable")
)

// StoreOptions are where Redis is and how long to wait for it. Zero times mean the defaults.
type StoreOptions struct {
	Addresses        []string // host:port; several only of Sentinels or of a Cluster
	MasterName       string   // the addresses are those of Sentinels that watch it
	Cluster          bool     // the addresses are those of nodes of a Redis Cluster
	Username         string
	Password         func() string // asked for each connection; nil: none
	DB               int           // 0 in a Cluster
	SentinelUsername string        // at the Sentinels, which have users of their own
	SentinelPassword secret.Value
	TTL              time.Duration // how long a claim is kept: at least the retention of the raw topic
	EvictionChecked  bool          // the operator vouches for noeviction where INFO does not report it

	DialTimeout  time.Duration                                                     // 500 ms
	ReadTimeout  time.Duration                                                     // 250 ms
	WriteTimeout time.Duration                                                     // 250 ms
	CallLimit    time.Duration                                                     // 900 ms: one pipeline and its one retry
	Dialer       func(ctx context.Context, network, addr string) (net.Conn, error) // for TLS; nil means plain TCP
}

// Validate checks the options without the network.
func (o StoreOptions) Validate() error {
	if len(o.Addresses) == 0 {
		return errors.New("redis: no address given; expected host:port")
	}
	if len(o.Addresses) > 1 && o.MasterName == "" && !o.Cluster {
		return errors.New("redis: several addresses need redis.sentinel or redis.cluster")
	}
	if o.Cluster && (o.MasterName != "" || o.DB != 0) {
		return errors.New("redis: a Cluster has no Sentinels, and only database 0")
	}
	if o.TTL < time.Second {
		return fmt.Errorf("redis: claims would be kept %s; expected at least 1s, and in production the raw topic's retention and 2 days more", o.TTL)
	}
	return nil
}

// Store keeps claims in Redis. It is safe for use by several goroutines.
type Store struct {
	client     redis.UniversalClient
	shards     []string // prefixes of keys; one but in a Cluster
	ttl        time.Duration
	limit      time.Duration
	checked    bool
	background context.Context // of what goes on after a call; ends with Close
	stop       context.CancelFunc
}

// NewStore makes a Store without touching the network; Check does that.
func NewStore(o StoreOptions) (*Store, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	client := redis.NewUniversalClient(&redis.UniversalOptions{
		Addrs: o.Addresses, MasterName: o.MasterName, CredentialsProvider: o.credentials(), DB: o.DB,
		SentinelUsername: o.SentinelUsername, SentinelPassword: o.SentinelPassword.Reveal(),
		Dialer: o.Dialer, IsClusterMode: o.Cluster,
		// A redirection would tear a round apart; see shards.go.
		MaxRedirects: -1,
		// A frozen server must cost less than the transaction timeout, and every command is harmless
		// to repeat for its owner, so one retry is allowed.
		DialTimeout: or(o.DialTimeout, 500*time.Millisecond), DialerRetries: 1,
		ReadTimeout:  or(o.ReadTimeout, 250*time.Millisecond),
		WriteTimeout: or(o.WriteTimeout, 250*time.Millisecond),
		MaxRetries:   1, ContextTimeoutEnabled: true,
		// A replica answers with stale absence, which doubles events: the primary only.
		ReadOnly: false, RouteByLatency: false, RouteRandomly: false,
		DisableIdentity: true,
	})
	background, stop := context.WithCancel(context.Background())
	return &Store{
		client: client, shards: shardPrefixes(o.Cluster), ttl: o.TTL, limit: or(o.CallLimit, callLimit), checked: o.EvictionChecked,
		background: background, stop: stop,
	}, nil
}

// credentials are asked for each connection, so that a password may change.
func (o StoreOptions) credentials() func() (username, password string) {
	if o.Password == nil {
		return nil
	}
	return func() (username, password string) { return o.Username, o.Password() }
}

func or(d, otherwise time.Duration) time.Duration {
	if d > 0 {
		return d
	}
	return otherwise
}

// Close gives the connections back.
func (s *Store) Close() error {
	s.stop()
	return s.client.Close()
}

// Discard has the marks of one partition of a stage believed no more: whoever has the partition notices with
// its next round, and writes those anew that the dispositions stand for. Group and ids are as in LedgerOptions.
// The old marks stay until they expire, under keys that nobody asks for.
func (s *Store) Discard(ctx context.Context, group string, topicID, dispositionID [16]byte, partition int32) error {
	name := watermarkKey(group, topicID, dispositionID, partition)
	reply, err := s.Exchange(ctx, Round{Reads: []string{name}})
	if err != nil {
		return err
	}
	next := blank()
	next.generation, next.owner = leastWatermark(reply.Seen[0]).generation+1, newOwner()
	move := Move{Watermark: name, From: reply.Seen[0], To: next.String()}
	if reply, err = s.Exchange(ctx, Round{Moves: []Move{move}}); err != nil {
		return err
	}
	if !move.accepts(reply.Before[0]) {
		return fmt.Errorf("%w: raw partition %d; stop its stage, or run this again", ErrMoved, partition)
	}
	return nil
}

// Check reports whether Redis is up and suitable: version 7.0 or newer, and no eviction, on every node
// of a Cluster. An error that wraps ErrUnsuitable will not go away by waiting.
func (s *Store) Check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.limit)
	defer cancel()
	if err := s.trial(ctx); err != nil {
		return fmt.Errorf("a trial write failed: %w", err)
	}
	cluster, ok := s.client.(*redis.ClusterClient)
	if !ok {
		return s.checkNode(ctx, s.client)
	}
	err := cluster.ForEachMaster(ctx, func(ctx context.Context, node *redis.Client) error { return s.checkNode(ctx, node) })
	if err != nil {
		return s.lost(err)
	}
	return cluster.ForEachSlave(ctx, func(ctx context.Context, node *redis.Client) error {
		if err := s.checkNode(ctx, node); errors.Is(err, ErrUnsuitable) && node.Ping(ctx).Err() == nil {
			return err // it may be master tomorrow; one that does not answer is not asked for anything
		}
		return nil
	})
}

// trial writes as a round does, with a script: a replica and a full server answer PING as well, and a user who
// may write may lack the right to EVAL.
func (s *Store) trial(ctx context.Context) error {
	if _, err := s.Exchange(ctx, Round{Moves: []Move{{Watermark: probeKey, From: []string{""}}}}); err != nil {
		return err
	}
	pipe := s.client.Pipeline()
	for _, key := range s.perShard(probeKey) {
		pipe.Set(ctx, key, "", probeTTL)
	}
	return s.run(ctx, pipe)
}

// checkNode judges one server.
func (s *Store) checkNode(ctx context.Context, node redis.Cmdable) error {
	if info, err := infoOf(ctx, node, "server"); err == nil {
		if err := checkVersion(infoField(info, "redis_version")); err != nil {
			return err
		}
		if len(s.shards) == 1 && infoField(info, "redis_mode") == "cluster" {
			return fmt.Errorf("%w: it is a node of a Redis Cluster; set redis.cluster instead of redis.address", ErrUnsuitable)
		}
	}
	info, err := infoOf(ctx, node, "memory")
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return checkEviction(infoField(info, "maxmemory_policy"), s.checked)
}

// checkVersion refuses servers without SET NX GET. A server that does not say is believed: the
// first claim tells.
func checkVersion(version string) error {
	if version == "" {
		return nil
	}
	major, _, _ := strings.Cut(version, ".")
	if n, err := strconv.Atoi(major); err == nil && n < 7 {
		return fmt.Errorf("%w: version %s, expected 7.0 or newer (SET with NX and GET together)", ErrUnsuitable, version)
	}
	return nil
}

// checkEviction refuses every policy that may remove a claim before its time: a claim that was
// answered OK and is gone an instant later doubles an event.
func checkEviction(policy string, vouched bool) error {
	switch {
	case policy == "noeviction", policy == "" && vouched:
		return nil
	case policy == "":
		return fmt.Errorf("%w: INFO memory does not report maxmemory_policy; make sure that it is noeviction, then set eviction_checked: true", ErrUnsuitable)
	default:
		return fmt.Errorf("%w: maxmemory-policy is %s, which drops claims when memory is short; set it to noeviction", ErrUnsuitable, policy)
	}
}

// infoOf asks a server for a section of INFO: "" where it may not be asked, or knows no such section.
func infoOf(ctx context.Context, node redis.Cmdable, section string) (string, error) {
	info, err := node.Info(ctx, section).Result()
	var refused redis.Error
	switch {
	case err == nil:
		return info, nil
	case ctx.Err() != nil || !errors.As(err, &refused) || redis.IsLoadingError(err):
		return "", fmt.Errorf("no answer to INFO %s: %w", section, err)
	}
	return "", nil
}

// infoField finds one "name:value" line in the answer to INFO.
func infoField(info, name string) string {
	for line := range strings.Lines(info) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok && key == name {
			return value
		}
	}
	return ""
}

// LogTo sends the log of the Redis client to a logger, at level debug: every failure
// also comes back as an error. The client has one logger for the whole process; call it once, at
// start. Without it the client writes to standard error.
func LogTo(logger *slog.Logger) { redis.SetLogger(clientLog{logger}) }

type clientLog struct{ *slog.Logger }

func (l clientLog) Printf(ctx context.Context, format string, v ...any) {
	l.DebugContext(ctx, "redis client", "message", fmt.Sprintf(format, v...))
}
