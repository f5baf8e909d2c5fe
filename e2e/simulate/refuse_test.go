package simulate

import (
	"bufio"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/alicebob/miniredis/v2/server"
)

const (
	// hashSlots is into how many slots the keys fall, one of which may migrate.
	hashSlots = 4
	// outOfMemory is in how many of ten cases a full server finds no room for a command.
	outOfMemory = 3
)

// refusals are what Redis does not do though it is there. The rule is that of Redis 7: what is refused after
// MULTI is not queued, and EXEC then discards all of it; without MULTI each command is for itself. A script's
// own commands stand and fall with the script.
type refusals struct {
	mu     sync.Mutex
	rng    *rand.Rand
	until  map[kind]time.Time
	slot   uint32                // the one that migrates
	queues map[*server.Peer]bool // every client, and whether it is between MULTI and EXEC
	told   int
	server func() *server.Server
}

func newRefusals(seed uint64, of func() *server.Server) *refusals {
	return &refusals{rng: rand.New(rand.NewPCG(seed, 9)), until: map[kind]time.Time{}, queues: map[*server.Peer]bool{}, server: of}
}

// begin refuses in one way for a while.
func (f *refusals) begin(how kind, d time.Duration, slot int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.until[how] = time.Now().Add(d)
	if how == slotMigrates {
		f.slot = uint32(slot % hashSlots)
	}
}

func (f *refusals) end() {
	f.mu.Lock()
	defer f.mu.Unlock()
	clear(f.until)
}

func (f *refusals) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.told
}

// hook runs before every command, and reports whether that was all.
func (f *refusals) hook(c *server.Peer, cmd string, args ...string) bool {
	text, queues := f.judge(c, cmd, args)
	if text == "" {
		return false
	}
	if queues {
		f.spoil(c)
		if cmd == "EXEC" {
			return false // answers that it discarded everything
		}
	}
	c.WriteError(text)
	return true
}

// judge gives the error with which a command is refused, "" where it is not, and whether the client queues.
func (f *refusals) judge(c *server.Peer, cmd string, args []string) (text string, queues bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if cmd == "HELLO" { // a connection's first command, and none of a script's
		f.queues[c] = false
	}
	queues, client := f.queues[c]
	if !client {
		return "", false
	}
	if text = f.refuses(cmd, args, queues); text != "" {
		f.told++
	}
	switch {
	case cmd == "EXEC", cmd == "DISCARD":
		f.queues[c] = false
	case cmd == "MULTI" && text == "":
		f.queues[c] = true
	}
	return text, queues
}

func (f *refusals) refuses(cmd string, args []string, queues bool) string {
	now := time.Now()
	on := func(how kind) bool { return now.Before(f.until[how]) }
	writes := cmd == "SET" || cmd == "EVAL"
	switch {
	case on(memoryShort) && (writes || queues) && f.rng.IntN(10) < outOfMemory:
		return "OOM command not allowed when used memory > 'maxmemory'."
	case on(scriptsForbidden) && cmd == "EVAL":
		return "NOPERM User default has no permissions to run the 'eval' command"
	case on(slotMigrates) && (cmd == "SET" || cmd == "GET") && slotOf(args[0]) == f.slot:
		return "ASK 4711 127.0.0.1:6380"
	case on(slotMigrates) && cmd == "EVAL" && slotOf(args[2]) == f.slot:
		return "ASK 4711 127.0.0.1:6380"
	case on(multiForbidden) && (cmd == "MULTI" || cmd == "EXEC"):
		return "NOPERM User default has no permissions to run the '" + cmd + "' command"
	}
	return ""
}

// slotOf is the slot of a key.
func slotOf(key string) uint32 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(key))
	return h.Sum32() % hashSlots
}

// spoil has miniredis discard what the client queued, as after a command that it refuses itself: one of the
// wrong shape, whose answer nobody sees.
func (f *refusals) spoil(c *server.Peer) {
	nobody := server.NewPeer(bufio.NewWriter(io.Discard))
	nobody.Ctx = c.Ctx
	f.server().Dispatch(nobody, []string{"GET"})
}
