//go:build failpoints

package serve

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kycbridge/kycbridge/internal/record"
	"github.com/kycbridge/kycbridge/normalize/dedupe"
	"github.com/kycbridge/kycbridge/providers"
	"github.com/kycbridge/kycbridge/sink"
)

// failVariable names the point at which this process kills itself, as name or
// name:count for the count-th time it gets there.
const failVariable = "KYCBRIDGE_FAILPOINT"

// exitMisspelt is the exit code for an unknown failpoint.
const exitMisspelt = 2

// failpoint is a place in the program. The process dies there as from kill -9.
type failpoint string

const (
	failAcked       failpoint = "ingest-acked"      // Kafka has the delivery, the vendor no answer
	failPolled      failpoint = "polled"            // nothing happened yet
	failClaimed     failpoint = "claimed"           // Redis has the claims
	failBegun       failpoint = "begun"             // the transaction is open, nothing is sent
	failProduced    failpoint = "first-produced"    // one produce request is answered
	failAllProduced failpoint = "all-produced"      // every record is acknowledged, offsets are not sent
	failOffsets     failpoint = "offsets-sent"      // the offsets are in the transaction
	failEndSent     failpoint = "end-sent"          // EndTxn is on its way, unanswered
	failCommitted   failpoint = "committed"         // the commit is known, no mark is written
	failRepairing   failpoint = "repairing"         // the repair of a partition has begun
	failInterpret   failpoint = "interpret"         // in a mapper, for a body that holds crashMark
	crashMark                 = "kycbridge-crasher" // what a body must hold for it

	// failUnmapped kills no process: it makes it an older version, whose mappings do not know a body that
	// holds unmappedMark.
	failUnmapped failpoint = "unmapped"
	unmappedMark           = "kycbridge-unmapped"

	// failPanic kills no process: a vendor's code panics with all of a body that holds panicMark.
	failPanic failpoint = "panic"
	panicMark           = "kycbridge-panic"

	// failRecast kills no process: it makes it a version with another rule for what a delivery's content is.
	failRecast failpoint = "recast"

	// failClock kills no process: its count is how many seconds the clock is ahead that records are stamped with.
	failClock failpoint = "clock-ahead"
)

var failpoints = []failpoint{
	failAcked, failPolled, failClaimed, failBegun, failProduced, failAllProduced, failOffsets, failEndSent,
	failCommitted, failRepairing, failInterpret, failUnmapped, failPanic, failRecast, failClock,
}

// armed is the point that the environment names, and how many passes it still has.
type armed struct {
	at   failpoint
	left atomic.Int64
}

// arm reads the variable. A name that is none ends the process: a suite that
// misspells a point must not pass.
func arm() *armed {
	name, count, counted := strings.Cut(os.Getenv(failVariable), ":")
	a := &armed{at: failpoint(name)}
	a.left.Store(1)
	known := name == ""
	for _, p := range failpoints {
		known = known || p == a.at
	}
	n, err := strconv.ParseInt(count, 10, 64)
	if counted {
		a.left.Store(n)
	}
	if !known || counted && (err != nil || n < 1) {
		fmt.Fprintf(os.Stderr, "%s=%s: expected one of %v, or such a name with :count\n", failVariable, os.Getenv(failVariable), failpoints)
		os.Exit(exitMisspelt)
	}
	return a
}

// hit kills the process if this is the place and the time.
func (a *armed) hit(p failpoint) {
	if a.at != p || a.left.Add(-1) != 0 {
		return
	}
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	time.Sleep(time.Hour) // until the signal has arrived
}

// failingLog dies once Kafka has acknowledged.
type failingLog struct {
	*sink.RawLog
	*armed
}

func failLog(l *sink.RawLog) failingLog { return failingLog{l, arm()} }

func (l failingLog) Append(key, envelope []byte, headers []record.Header, done func(error)) {
	l.RawLog.Append(key, envelope, headers, func(err error) {
		if err == nil {
			l.hit(failAcked)
		}
		done(err)
	})
}

// failingSession dies around the calls of a session.
type failingSession struct {
	*sink.Session
	*armed
}

func failSession(s *sink.Session) failingSession { return failingSession{s, arm()} }

func (s failingSession) Poll(ctx context.Context, max int) ([]*kgo.Record, error) {
	records, err := s.Session.Poll(ctx, max)
	if len(records) > 0 {
		s.hit(failPolled)
	}
	return records, err
}

func (s failingSession) Commit(ctx context.Context, out []record.Outgoing) (bool, error) {
	ok, err := s.Session.Commit(ctx, out)
	if ok {
		s.hit(failCommitted)
	}
	return ok, err
}

// failingStore dies around the exchanges with Redis.
type failingStore struct {
	*dedupe.Store
	*armed
}

func failStore(s *dedupe.Store) failingStore { return failingStore{s, arm()} }

func (s failingStore) Exchange(ctx context.Context, r dedupe.Round) (dedupe.Reply, error) {
	reply, err := s.Store.Exchange(ctx, r)
	if err == nil && len(r.Claims) > 0 {
		s.hit(failClaimed)
	}
	if err == nil && len(r.Claims) == 0 && len(r.Moves) > 0 {
		s.hit(failRepairing)
	}
	return reply, err
}

// failingClient dies inside a transaction, where only the client's hooks reach.
type failingClient struct{ *armed }

func failKafka(o sink.Options) sink.Options {
	o.Hooks = append(o.Hooks[:len(o.Hooks):len(o.Hooks)], failingClient{arm()})
	return o
}

// OnProduceRecordBuffered is called for the first record before it is sent.
func (c failingClient) OnProduceRecordBuffered(r *kgo.Record) {
	if c.at == failClock {
		r.Timestamp = r.Timestamp.Add(time.Duration(c.left.Load()) * time.Second)
	}
	c.hit(failBegun)
}

// OnBrokerWrite is called when a request has left.
func (c failingClient) OnBrokerWrite(_ kgo.BrokerMetadata, key int16, _ int, _, _ time.Duration, err error) {
	switch {
	case err != nil:
	case key == int16(kmsg.EndTxn):
		c.hit(failEndSent)
	case key == int16(kmsg.AddOffsetsToTxn), key == int16(kmsg.TxnOffsetCommit):
		c.hit(failAllProduced) // it is asked for only when all is acknowledged
	}
}

// OnBrokerE2E is called when an answer has been read.
func (c failingClient) OnBrokerE2E(_ kgo.BrokerMetadata, key int16, e kgo.BrokerE2E) {
	switch {
	case e.Err() != nil:
	case key == int16(kmsg.Produce):
		c.hit(failProduced)
	case key == int16(kmsg.TxnOffsetCommit):
		c.hit(failOffsets)
	}
}

// failProviders lets a mapper die over a marked body, as a stack overflow would, panic, or not know it.
func failProviders(all []providers.Provider) []providers.Provider {
	a, out := arm(), make([]providers.Provider, len(all))
	for i, p := range all {
		maps := make(map[string]providers.MapFunc, len(p.Maps))
		for name, f := range p.Maps {
			maps[name] = func(d *providers.Delivery, n *providers.Notice) (providers.Mapping, error) {
				if bytes.Contains(d.Body, []byte(crashMark)) {
					a.hit(failInterpret)
				}
				if a.at == failUnmapped && bytes.Contains(d.Body, []byte(unmappedMark)) {
					return providers.Mapping{}, &providers.Problem{Detail: "not known yet", Err: providers.ErrUnmapped}
				}
				return f(d, n)
			}
		}
		p.Maps = maps
		if a.at == failPanic {
			parse := p.Parse
			p.Parse = func(d *providers.Delivery) (*providers.Notice, error) {
				if bytes.Contains(d.Body, []byte(panicMark)) {
					panic(string(d.Body))
				}
				return parse(d)
			}
		}
		if a.at == failRecast {
			parse := p.Parse
			p.Parse = func(d *providers.Delivery) (*providers.Notice, error) {
				n, err := parse(d)
				if n != nil {
					n.Content = append(n.Content[:len(n.Content):len(n.Content)], " recast"...)
				}
				return n, err
			}
		}
		out[i] = p
	}
	return out
}
