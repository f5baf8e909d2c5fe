package dedupe

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/alicebob/miniredis/v2"
)

func TestJudgeCount(t *testing.T) {
	none := count{}
	at := func(run string, evicted int64) count { return count{run, evicted} }
	for _, c := range []struct {
		what            string
		note, seen, now count
		want            step
	}{
		{"nothing was evicted", at("a", 3), at("a", 3), at("a", 3), leave},
		{"a process begins, and the note says what it sees", at("a", 3), none, at("a", 3), leave},
		{"keys were evicted", at("a", 3), at("a", 3), at("a", 4), doubt},
		{"another process saw it first", at("a", 4), at("a", 3), at("a", 4), leave},
		{"another process looked between our question and our look at the note", at("a", 4), at("a", 3), at("a", 3), leave},
		{"evicted while nobody watched", at("a", 3), none, at("a", 4), doubt},
		{"there is no note", none, none, at("a", 0), doubt},
		{"the note was lost with all else", none, at("a", 3), at("a", 3), write},
		{"the note was evicted", none, at("a", 3), at("a", 9), doubt},
		{"the server began anew before our eyes", at("a", 3), at("a", 3), at("b", 0), write},
		{"and has evicted since", at("a", 3), at("a", 3), at("b", 1), doubt},
		{"the server began anew while nobody watched", at("a", 3), none, at("b", 0), doubt},
		{"and we had not seen what the note says", at("a", 4), at("a", 3), at("b", 0), doubt},
		{"the count was reset before our eyes", at("a", 3), at("a", 3), at("a", 0), write},
		{"the count was reset while nobody watched", at("a", 3), none, at("a", 0), doubt},
		{"reset, and evicted since", at("a", 3), at("a", 3), at("a", 1), doubt},
		{"the note is of an older copy", at("a", 1), at("b", 0), at("b", 0), doubt},
	} {
		if got := judgeCount(c.note, c.seen, c.now); got != c.want {
			t.Errorf("%s: step %d, expected %d", c.what, got, c.want)
		}
	}
}

func TestCountIsReadAsItIsWritten(t *testing.T) {
	c := count{"0123abcd", 42}
	if got := parseCount(c.String()); got != c {
		t.Errorf("%q is read as %v", c, got)
	}
	for _, text := range []string{"", "x", "x:", ":3", "x:y"} {
		if got := parseCount(text); got != (count{}) {
			t.Errorf("%q is read as %v, expected none", text, got)
		}
	}
}

// watched is a watch over a store that has two watermarks.
func watched(t *testing.T, s *Store, evicted *int64) *Watch {
	t.Helper()
	return NewWatch(s, WatchOptions{
		Deployment: "d",
		Watermarks: func(context.Context) ([]string, error) { return []string{keyPrefix + "s:0", keyPrefix + "s:1"}, nil },
		Evicted:    func(n int64) { *evicted += n },
	})
}

// watermarksNow are the first shard's; "" none.
func watermarksNow(t *testing.T, s *Store) string {
	t.Helper()
	reply, err := s.Exchange(testContext(t), Round{Reads: []string{keyPrefix + "s:0", keyPrefix + "s:1"}})
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(reply.Seen[0][0], " ", reply.Seen[1][0])
}

// TestEvictionTakesTheWatermarksWord: keys that were evicted leave the watermarks behind, which must not vouch
// for them any more, once, and whoever looks first.
func TestEvictionTakesTheWatermarksWord(t *testing.T) {
	r := startRedis(t)
	s, ctx := patient(t, r.addr, func(o *StoreOptions) { o.EvictionChecked = false }), testContext(t)
	say := func(args ...any) {
		t.Helper()
		if err := s.client.Do(ctx, args...).Err(); err != nil {
			t.Fatal(err)
		}
	}
	var evicted, others int64
	first, second := watched(t, s, &evicted), watched(t, s, &others)
	first.Look(ctx)
	second.Look(ctx)
	const whole = "7:5:abc:6:fp:2"
	vouch := func() {
		t.Helper()
		say("SET", keyPrefix+"s:0", whole)
		say("SET", keyPrefix+"s:1", "1:1:old")
	}
	vouch()
	if _, err := s.Exchange(ctx, Round{Marks: []Mark{{Key: key(1), Claim: pending(1).Done()}}}); err != nil {
		t.Fatal(err)
	}
	first.Look(ctx)
	if got := watermarksNow(t, s); got != whole+" 1:1:old" || first.Down() != nil {
		t.Fatalf("with a server that keeps everything: %s, %v", got, first.Down())
	}
	say("CONFIG", "SET", "maxmemory-policy", "volatile-ttl")
	first.Look(ctx)
	if err := first.Unfit(); !errors.Is(err, ErrUnavailable) || !errors.Is(err, ErrUnsuitable) || !strings.Contains(err.Error(), "CONFIG SET maxmemory-policy noeviction") || !strings.Contains(err.Error(), r.addr) {
		t.Errorf("with a policy that evicts: %v, expected what to set, and where", err)
	}
	say("CONFIG", "SET", "maxmemory", "1")
	// A write that needs memory has keys evicted. It is refused where that does not suffice.
	_ = s.client.Do(ctx, "SET", "other", "x", "EX", "100").Err()
	say("CONFIG", "SET", "maxmemory", "0")
	say("CONFIG", "SET", "maxmemory-policy", "noeviction")
	first.Look(ctx)
	if err := first.Down(); err != nil {
		t.Errorf("the policy is right again: %v", err)
	}
	got := watermarksNow(t, s)
	var owner, other string
	if n, _ := fmt.Sscanf(strings.NewReplacer(":", " ").Replace(got), "-1 5 %s 6 fp 2 -1 1 %s", &owner, &other); n != 2 || owner == "abc" || other == "old" {
		t.Errorf("after an eviction the watermarks are %q, expected that they vouch for nothing, in another name", got)
	}
	if evicted == 0 {
		t.Error("evicted keys were not counted")
	}
	vouch() // the repairs are done
	second.Look(ctx)
	first.Look(ctx)
	if got := watermarksNow(t, s); got != whole+" 1:1:old" {
		t.Errorf("the same eviction was seen twice: %s", got)
	}
	if others != evicted {
		t.Errorf("the other process counts %d keys, expected %d", others, evicted)
	}
	late := watched(t, s, new(int64))
	late.Look(ctx)
	if got := watermarksNow(t, s); got != whole+" 1:1:old" {
		t.Errorf("a process that begins finds what the note says, and yet: %s", got)
	}
}

// TestWatchOfAServerThatTellsNothing: there the operator vouches.
func TestWatchOfAServerThatTellsNothing(t *testing.T) {
	s := patient(t, miniredis.RunT(t).Addr())
	w := watched(t, s, new(int64))
	w.Look(testContext(t))
	if err := w.Down(); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	w.Look(testContext(t))
	if err := w.Down(); !errors.Is(err, ErrUnavailable) {
		t.Errorf("a server that is gone: %v", err)
	}
	if err := w.Unfit(); err != nil {
		t.Errorf("it is away and not unfit: %v", err)
	}
}
