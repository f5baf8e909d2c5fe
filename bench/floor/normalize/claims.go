package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	keyPrefix = "kyc:d:"
	claimLife = 16 * 24 * time.Hour
)

// moveScript sets a watermark where it is what we left. It answers with what was there.
const moveScript = `local v = redis.call('GET', KEYS[1]) or ''
if v == ARGV[1] then redis.call('SET', KEYS[1], ARGV[2]) end
return v`

// ledger claims deliveries in Redis, and marks them as done with the next ones' claims.
type ledger struct {
	store *redis.Client
	group string // what all watermarks' keys begin with
	owner string // so that nobody else writes the same watermark
	parts map[int32]*watermark
	done  []delivery // committed, and not marked yet
}

// watermark is up to where the marks of one partition are written: of a Redis that forgot them it is
// missing, or older.
type watermark struct {
	stored  string // as Redis has it
	next    int64  // the first offset of a disposition whose mark is missing
	highest int64  // raw offset disposed of
}

func newLedger(store *redis.Client, raw, dispositions [16]byte) *ledger {
	var owner [8]byte
	rand.Read(owner[:])
	return &ledger{
		store: store, parts: make(map[int32]*watermark), owner: hex.EncodeToString(owner[:]),
		group: fmt.Sprintf("%ss:kycbridge-normalize:%x:%x:", keyPrefix, raw, dispositions),
	}
}

// exchange is one transaction. Its order matters: the marks of the last batch, the watermarks that vouch
// for them, the claims of this one, and the watermarks again, so that a Redis that lost data anywhere
// before is noticed.
func (l *ledger) exchange(ctx context.Context, batch []delivery) error {
	pipe := l.store.TxPipeline()
	life := int64(claimLife / time.Second)
	for _, d := range l.done {
		pipe.Do(ctx, "set", d.claimKey(), d.claimValue(true), "ex", life)
	}
	moved := make(map[*watermark]*redis.Cmd)
	for p, w := range l.parts {
		if to := w.text(l.owner); to != w.stored {
			moved[w] = pipe.Eval(ctx, moveScript, []string{l.key(p)}, w.stored, to)
		}
	}
	claims := make([]*redis.Cmd, len(batch))
	seen := make(map[int32]*redis.StringCmd)
	for i, d := range batch {
		claims[i] = pipe.Do(ctx, "set", d.claimKey(), d.claimValue(false), "nx", "get", "ex", life)
		seen[d.raw.Partition] = nil
	}
	for p := range seen {
		seen[p] = pipe.Get(ctx, l.key(p))
	}
	cmds, _ := pipe.Exec(ctx)
	for _, cmd := range cmds {
		if err := cmd.Err(); err != nil && !errors.Is(err, redis.Nil) {
			return err
		}
	}
	l.done = nil
	return l.check(moved, claims, seen)
}

// check accepts only watermarks as we left them, and first claims.
func (l *ledger) check(moved map[*watermark]*redis.Cmd, claims []*redis.Cmd, seen map[int32]*redis.StringCmd) error {
	for w, cmd := range moved {
		if cmd.Val() != w.stored {
			return errors.New("a watermark is not what we left")
		}
		w.stored = w.text(l.owner)
	}
	for _, cmd := range claims {
		if !errors.Is(cmd.Err(), redis.Nil) {
			return errors.New("a delivery was claimed before")
		}
	}
	for p, cmd := range seen {
		if cmd.Val() != l.part(p).stored {
			return errors.New("a watermark is not what we left")
		}
	}
	return nil
}

// settle notes that a batch is committed.
func (l *ledger) settle(batch []delivery) {
	for _, d := range batch {
		w := l.part(d.raw.Partition)
		w.next, w.highest = d.disposition.Offset+1, d.raw.Offset
	}
	l.done = batch
}

func (l *ledger) part(p int32) *watermark {
	if l.parts[p] == nil {
		l.parts[p] = &watermark{}
	}
	return l.parts[p]
}

func (l *ledger) key(p int32) string { return fmt.Sprint(l.group, p) }

func (w *watermark) text(owner string) string {
	return fmt.Sprintf("%d:%d:%s:%d:%x:0", w.next, w.highest, owner, w.next-1, pepper)
}

func (d delivery) claimKey() string { return keyPrefix + string(d.claim) }

// claimValue is the record in whose name is claimed: partition and state in one number, the beginning
// of what its delivery says, and the offset without leading zeros.
func (d delivery) claimValue(done bool) string {
	place := uint64(d.raw.Partition) << 1
	if done {
		place |= 1
	}
	b := append(binary.AppendUvarint(nil, place), d.content[:6]...)
	offset := binary.BigEndian.AppendUint64(nil, uint64(d.raw.Offset))
	return string(append(b, bytes.TrimLeft(offset, "\x00")...))
}
