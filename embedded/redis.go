package embedded

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/alicebob/miniredis/v2/server"
)

// ageEvery is how coarse the expiry of keys is. miniredis can follow the clock
// by itself, but then walks all keys on every command; claims live for days, so
// one walk now and then is enough.
const ageEvery = 10 * time.Second

// redis is the embedded Redis. It forgets everything with the process: what it
// holds can be rebuilt from the disposition topic.
type redis struct {
	server *miniredis.Miniredis
	stop   context.CancelFunc
	done   sync.WaitGroup
}

func startRedis(password string) (*redis, error) {
	m := miniredis.NewMiniRedis()
	if password != "" {
		m.RequireAuth(password)
	}
	if err := m.Start(); err != nil {
		return nil, err
	}
	m.Server().SetPreHook(answerInfo)
	ctx, stop := context.WithCancel(context.Background())
	r := &redis{server: m, stop: stop}
	r.done.Go(func() { age(ctx, m.FastForward) })
	return r, nil
}

func (r *redis) addr() string { return r.server.Addr() }

func (r *redis) close() {
	r.stop()
	r.done.Wait()
	r.server.Close()
}

// age lets time pass for the keys, which stand still otherwise.
func age(ctx context.Context, advance func(time.Duration)) {
	tick := time.NewTicker(ageEvery)
	defer tick.Stop()
	last := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			now := time.Now()
			advance(now.Sub(last))
			last = now
		}
	}
}

// infoText holds what a client asks before it trusts a Redis with claims, and
// miniredis does not answer. All of it is true: it speaks SET with NX and GET
// (Redis 7.0), and it evicts nothing.
var infoText = map[string]string{
	"server":      "# Server\r\nredis_version:7.0.0\r\nredis_mode:standalone\r\n",
	"memory":      "# Memory\r\nmaxmemory:0\r\nmaxmemory_policy:noeviction\r\n",
	"replication": "# Replication\r\nrole:master\r\nconnected_slaves:0\r\n",
}

// answerInfo answers INFO with one of the sections above and leaves everything
// else to miniredis.
func answerInfo(peer *server.Peer, cmd string, args ...string) bool {
	if !strings.EqualFold(cmd, "INFO") || len(args) != 1 {
		return false
	}
	text, ok := infoText[strings.ToLower(args[0])]
	if ok {
		peer.WriteBulk(text)
	}
	return ok
}
