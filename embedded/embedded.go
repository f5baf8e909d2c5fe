// Package embedded runs the broker and the Redis of `kycbridge dev` inside its
// process: kfake with a data directory and an fsync on every write, on a real
// port that any Kafka client can use, and miniredis on a loopback port.
//
// Everything we know about the weaknesses of these two is here, with the repair of
// each:
//
//   - A kill in the middle of a commit leaves a kfake transaction committed in
//     some partitions and not in others. So every commit is written down before
//     kfake starts on it (commit.go), and Start finishes what a kill cut off
//     (recovery.go). A transaction is then whole or not there, offsets
//     included, for every client and whatever its records say.
//   - A transaction that a kill left open counts as aborted, but without a
//     marker, which misleads readers once its producer id writes again. So
//     every life takes fresh transactional ids, made with Services.LifeID.
//   - A kill inside a write leaves files whose ends do not match, and kfake
//     appends to them all the same (tails.go).
//   - Java's admin tools fail on two of kfake's answers (admin.go), and bytes that
//     are not a Kafka request would end the process (guard.go).
//   - A fetch answer that reaches the limit of its request leaves out the aborted
//     transactions, whose records a reader then takes for committed (repair/fetch.go).
//   - In miniredis no time passes, and INFO says little (redis.go).
//   - kfake makes files that everybody may read, so the whole process makes none from
//     Start on, and what an earlier life left open is taken back (modes_unix.go).
//
// It keeps no state of the bridge, reads no message, and is not for production:
// there is one broker, no replication and no retention.
//
// # Wiring
//
// The caller starts Services first and closes them last:
//
//	services, err := embedded.Start(ctx, embedded.Options{
//		DataDir: dir, KafkaAddr: "127.0.0.1:9092", Topics: topics, Logger: logger,
//	})
//	...
//	defer services.Close() // after every session, producer and reader is closed
//
// When Start returns, recovery is done: the normaliser may start at once with
// the committed offsets it finds. Its transactional ids must contain LifeID,
// for example "kycbridge-normalize-" + services.LifeID() + "-" + slot. Redis is
// empty in every life, so the normaliser rebuilds its marks from the
// disposition topic, as it does for any Redis that lost its data.
package embedded

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
)

// DefaultMaxMessageBytes is the largest record batch the broker takes unless
// Options say otherwise: a delivery of 1 MiB fits with its envelope and, as a
// dead letter, with what is added to it.
const DefaultMaxMessageBytes = 4 << 20

// Options say where the services keep their data and listen.
type Options struct {
	DataDir   string // made if missing; belongs to one process at a time
	KafkaAddr string // host:port to listen on and to tell clients; port 0 picks a free one
	Topics    []Topic
	// MaxMessageBytes is the largest record batch; 0 means DefaultMaxMessageBytes.
	MaxMessageBytes int32
	// Password, where it is set, is asked for by both services: by Kafka of KafkaUser,
	// with SCRAM-SHA-256, by Redis of its default user.
	Password string
	Logger   *slog.Logger // nil: silent
}

// KafkaUser is the user whom Options.Password belongs to at Kafka.
const KafkaUser = "kycbridge"

// Topic is made at the start where it is missing. It has no retention: kfake
// forgets where a partition ends if all its records have expired when it is
// killed, and would hand out the same offsets again.
type Topic struct {
	Name       string
	Partitions int32
}

// Services are the running broker and Redis.
type Services struct {
	life   string
	dir    string
	data   *dataDir
	broker *broker
	redis  *redis
}

// Start takes the data directory, finishes what the last life left undone, and
// starts both services. It fails if the directory is in use or not ours, if the
// port is taken, or if a topic has another number of partitions than asked for.
func Start(ctx context.Context, o Options) (*Services, error) {
	o.Logger = cmp.Or(o.Logger, slog.New(slog.DiscardHandler))
	o.MaxMessageBytes = cmp.Or(o.MaxMessageBytes, DefaultMaxMessageBytes)
	data, err := openDataDir(o.DataDir, o.Logger)
	if err != nil {
		return nil, err
	}
	s := &Services{life: newLifeID(), dir: o.DataDir, data: data}
	if s.broker, err = startBroker(ctx, filepath.Join(o.DataDir, "kafka"), filepath.Join(o.DataDir, "commit"), o); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	if s.redis, err = startRedis(o.Password); err != nil {
		return nil, errors.Join(fmt.Errorf("start the embedded Redis: %w", err), s.Close())
	}
	return s, nil
}

// Brokers returns the addresses to give to a Kafka client.
func (s *Services) Brokers() []string { return []string{s.broker.addr} }

// RedisAddr returns host:port of the embedded Redis.
func (s *Services) RedisAddr() string { return s.redis.addr() }

// LifeID names this life of the services: 16 hex digits, never the same twice.
func (s *Services) LifeID() string { return s.life }

// Close stops both services and gives the data directory back. Clients should
// be closed before; a transaction still open then is aborted by the next Start.
func (s *Services) Close() error {
	var err error
	if s.broker != nil {
		err = s.broker.close()
	}
	if s.redis != nil {
		s.redis.close()
	}
	return errors.Join(err, s.data.close())
}

func newLifeID() string {
	var b [8]byte
	rand.Read(b[:]) // never fails: it ends the program instead
	return hex.EncodeToString(b[:])
}
