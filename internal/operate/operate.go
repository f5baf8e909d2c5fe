// Package operate answers what operators ask about a running bridge: is everything
// accounted for, what became of a delivery, what is new to the mappings, what is in the
// topics, which deliveries gave no event; and it does what they decide: topics are
// created, deliveries taken through the mappings again. Each question is one function,
// which takes the servers to ask and a query, and returns values or an iterator.
//
// It knows no flag, no terminal and no table. It writes nothing, and reports progress
// through a callback: the commands print what it returns, and a console may show it.
package operate

import (
	"log/slog"
	"time"

	"github.com/kycbridge/kycbridge/internal/config"
	"github.com/kycbridge/kycbridge/internal/contract"
	"github.com/kycbridge/kycbridge/internal/registry"
	"github.com/kycbridge/kycbridge/internal/secret"
	"github.com/kycbridge/kycbridge/normalize"
	"github.com/kycbridge/kycbridge/normalize/dedupe"
	"github.com/kycbridge/kycbridge/providers"
	"github.com/kycbridge/kycbridge/sink"
)

// DefaultKafka is where a `kycbridge dev` with default addresses has its Kafka, and
// where commands look for it unless a flag names another.
const DefaultKafka = "127.0.0.1:9092"

// Servers are the servers to ask, and what it takes to ask them.
type Servers struct {
	Kafka   sink.Options
	Redis   dedupe.StoreOptions  // only to fill gaps
	Topics  sink.TopicSettings   // only for topics
	Limits  Limits               // only for replays
	Vendors []providers.Provider // whose deliveries are understood
	Encoder contract.Encoder     // of the events that are read; nil: plain protobuf
	Forms   []contract.Form      // that a replay writes events in; none: plain protobuf
	Schemas registry.Use         // what of a registry they are written with
	Former  [][16]byte           // Kafka's ids of topics that the raw topic was copied from with their offsets
}

// Limits are the settings that the stages and a replay must share.
type Limits struct {
	Pepper             secret.Value
	Former             []dedupe.Former            // raw topics of before a move
	FormerTasks        []dedupe.Former            // and hydrate topics
	Hydrates           func(endpoint string) bool // reports whether the vendor's API may be asked
	ReferenceAsIs      func(endpoint string) bool // reports whether the customer's reference leaves as it came
	StaleAfter         time.Duration
	MaxRecordBytes     int
	TransactionTimeout time.Duration
}

// FromConfig are the servers of a configuration, and the vendors that it was read for.
func FromConfig(c *config.Config) Servers {
	former, formerTasks := c.FormerTopics()
	return Servers{
		Kafka:  c.KafkaOptions(nil),
		Redis:  c.RedisOptions(),
		Topics: c.TopicSettings(),
		Limits: Limits{
			Pepper:             c.Pepper,
			Former:             former,
			FormerTasks:        formerTasks,
			Hydrates:           c.Hydrates(),
			ReferenceAsIs:      c.ReferenceAsIs(),
			StaleAfter:         c.File.Dedupe.Ttl.AsDuration(),
			MaxRecordBytes:     c.MaxRecordBytes(),
			TransactionTimeout: c.File.Normalize.TransactionTimeout.AsDuration(),
		},
		Vendors: c.Vendors,
		Encoder: c.Encoder,
		Forms:   c.Forms(),
		Schemas: c.Registry(),
		Former:  sameOffsets(former),
	}
}

// sameOffsets are the ids of those topics whose records lie in the raw topic where they lay.
func sameOffsets(former []dedupe.Former) (all [][16]byte) {
	for _, f := range former {
		if f.SameOffsets {
			all = append(all, f.TopicID)
		}
	}
	return all
}

// Window is a range of time: from From on, before To. A zero end is open.
type Window struct{ From, To time.Time }

// ErrUnavailable: no broker could be reached.
var ErrUnavailable = sink.ErrUnavailable

// TopicMissing reports whether an error says that a topic is not there.
func TopicMissing(err error) bool { return sink.Classify(err) == sink.ClassUnknownTopic }

// Advice says what to do about an error of Kafka.
func Advice(err error) string { return sink.Advice(err) }

// LogTo sends the log of the Redis client to a logger. The client has one for the
// whole process, so main calls it, once.
func LogTo(log *slog.Logger) { dedupe.LogTo(log) }

// prefix is that of the topics' names.
func (s Servers) prefix() string { return s.Kafka.Topic("") }

// gate is what the ids in keys and dispositions have passed, where the pepper is known.
func (s Servers) gate() providers.Gate { return providers.NewGate([]byte(s.Limits.Pepper.Reveal())) }

// interpreter understands deliveries as this version does, and asks no vendor's API.
func (s Servers) interpreter() *normalize.Interpreter {
	return normalize.NewInterpreter(s.Vendors, contract.NewValidator(), normalize.InterpreterOptions{ReferenceAsIs: s.Limits.ReferenceAsIs})
}
