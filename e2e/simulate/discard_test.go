package simulate

import (
	"errors"
	"testing"
	"time"

	"github.com/kycbridge/kycbridge/normalize/dedupe"
)

// What Redis refuses after MULTI takes the rest of the transaction with it, before and behind.
func TestRefusedRoundLeavesNothing(t *testing.T) {
	m := newMemory(1)
	t.Cleanup(m.server.Close)
	store, err := dedupe.NewStore(dedupe.StoreOptions{Addresses: []string{redisAddress}, TTL: claimTTL, EvictionChecked: true, Dialer: m.dial})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	round := dedupe.Round{
		Marks:  []dedupe.Mark{{Key: dedupe.Key{1}, Claim: dedupe.Claim{State: dedupe.Done}}},
		Moves:  []dedupe.Move{{Watermark: "w", From: []string{""}, To: "1"}},
		Claims: []dedupe.Mark{{Key: dedupe.Key{2}, Claim: dedupe.Claim{State: dedupe.Pending}}},
	}
	m.refuses.begin(scriptsForbidden, time.Hour, 0)
	if _, err := store.Exchange(t.Context(), round); !errors.Is(err, dedupe.ErrUnavailable) {
		t.Errorf("the round gave %v, want %v", err, dedupe.ErrUnavailable)
	}
	if keys := m.server.Keys(); len(keys) > 0 || m.refuses.count() != 1 {
		t.Errorf("a round of which %d commands were refused wrote %q, want one and nothing", m.refuses.count(), keys)
	}
	m.refuses.end()
	if _, err := store.Exchange(t.Context(), round); err != nil {
		t.Errorf("the round failed when nothing was refused any more: %v", err)
	}
	if keys := m.server.Keys(); len(keys) != 3 {
		t.Errorf("the round wrote %q, want 3 keys", keys)
	}
}
