// Package jwks keeps a vendor's public keys at hand: it fetches a JWK Set from a
// configured address, in the background, and answers from memory.
//
// It never takes an address from a token, and tokens make it fetch at most once in
// RefreshWindow. Only a set that was never fetched is asked for more often, by itself
// and whatever arrives: 2, 4, 8 and 16 s after an attempt that failed, then once in
// RefreshWindow. It checks no token; package auth does.
package jwks

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/kycbridge/kycbridge/internal/secret"
	"github.com/kycbridge/kycbridge/providers/auth"
)

// Times of a set.
const (
	// RefreshWindow is the least time between the end of a fetch and another one that
	// someone outside can cause, and between attempts while a set cannot be fetched
	// any more. A key that was not in a set fetched so lately does not exist.
	RefreshWindow = 30 * time.Second
	// DefaultEvery is how often a set is fetched anyway.
	DefaultEvery = 5 * time.Minute
	// DefaultMaxStale is how long a set is believed while it cannot be fetched.
	DefaultMaxStale = 24 * time.Hour
	// DefaultWait is how long a caller with an unknown key waits for the fetch that
	// it caused. It is shorter than any vendor's patience.
	DefaultWait = 2 * time.Second
	// maxWaiting bounds the callers that wait; the others are told to come again.
	maxWaiting = 64
)

// Options is what New needs. URL is required; the rest takes its default at zero.
type Options struct {
	URL             string // a query may hold a secret, and is shown nowhere
	Every, MaxStale time.Duration
	Wait            time.Duration // negative: nobody waits
	Client          *http.Client  // nil: one of its own; tests hand in theirs
}

// KeySet is the set behind one address. Nothing is fetched before Run.
type KeySet struct {
	options Options
	wanted  chan struct{} // someone asked for a key that is not there

	mu        sync.Mutex
	keys      auth.StaticKeys
	fetched   time.Time     // last success; zero before the first
	tried     time.Time     // last attempt's end; zero before the first
	failure   error         // of the last attempt
	fetching  bool          // or about to
	changed   chan struct{} // closed at the end of each attempt
	waiting   int
	attempted int
}

// New checks the address and makes a set; it fetches nothing.
func New(o Options) (*KeySet, error) {
	if err := checkURL(o.URL); err != nil {
		return nil, fmt.Errorf("jwks: %s: %w", secret.Address(o.URL), err)
	}
	orDefault(&o.Every, DefaultEvery)
	orDefault(&o.MaxStale, DefaultMaxStale)
	orDefault(&o.Wait, DefaultWait)
	if o.Client == nil {
		o.Client = newClient()
	}
	return &KeySet{options: o, wanted: make(chan struct{}, 1), changed: make(chan struct{})}, nil
}

func orDefault(field *time.Duration, value time.Duration) {
	if *field == 0 {
		*field = value
	}
}

// Key returns a key from memory. For one that is not there it waits for a fetch,
// if one is due, and then says ErrMismatch when the set is fresh and ErrUndecided
// when it could not be fetched.
func (k *KeySet) Key(id string) (auth.Key, error) {
	key, wait, err := k.look(id)
	if wait == nil {
		return key, err
	}
	defer k.leave()
	timer := time.NewTimer(k.options.Wait)
	defer timer.Stop()
	select {
	case <-wait:
		key, _, err = k.judge(id)
		return key, err
	case <-timer.C:
		return auth.Key{}, fmt.Errorf("%w: the key set is being fetched", auth.ErrUndecided)
	}
}

// look is judge; if it is no use before a fetch, it causes one, at most one at a
// time and in RefreshWindow, and returns what to wait for.
func (k *KeySet) look(id string) (auth.Key, <-chan struct{}, error) {
	key, final, err := k.judge(id)
	if final {
		return key, nil, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.fetching {
		if !k.tried.IsZero() && time.Since(k.tried) < RefreshWindow {
			return key, nil, err
		}
		k.fetching = true
		select {
		case k.wanted <- struct{}{}:
		default:
		}
	}
	if k.options.Wait < 0 || k.waiting >= maxWaiting {
		return key, nil, err
	}
	k.waiting++
	return key, k.changed, err
}

func (k *KeySet) leave() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.waiting--
}

// judge answers from memory. final is false when a fetch could change the answer.
func (k *KeySet) judge(id string) (key auth.Key, final bool, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	age := time.Since(k.fetched)
	if k.fetched.IsZero() || age > k.options.MaxStale {
		return auth.Key{}, false, fmt.Errorf("%w: there is no key set", auth.ErrUndecided)
	}
	if key, err = k.keys.Key(id); err == nil {
		return key, true, nil
	}
	if k.failure == nil && age < RefreshWindow {
		return auth.Key{}, true, err
	}
	return auth.Key{}, false, fmt.Errorf("%w: the key is not in a set that may be out of date", auth.ErrUndecided)
}

// Run fetches at once, then as often as Options say, and when a key is missed,
// until ctx ends. It may be called once.
func (k *KeySet) Run(ctx context.Context, log *slog.Logger) {
	for {
		k.refresh(ctx, log)
		timer := time.NewTimer(k.pause())
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		case <-k.wanted:
			timer.Stop()
		}
	}
}

// pause is the time to the next fetch that nobody asks for: 2, 4, 8, 16 s while the
// first one fails, so that a start in the wrong order heals soon, and from then on
// RefreshWindow as after any failure. RefreshWindow bounds what tokens cause, and
// these four they do not.
func (k *KeySet) pause() time.Duration {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case k.failure == nil:
		return k.options.Every
	case k.fetched.IsZero() && k.attempted < 5:
		return time.Second << k.attempted
	}
	return min(RefreshWindow, k.options.Every)
}

func (k *KeySet) refresh(ctx context.Context, log *slog.Logger) {
	k.mu.Lock()
	k.fetching = true
	k.mu.Unlock()
	keys, err := fetch(ctx, k.options.Client, k.options.URL)
	err = secret.Failure(err, k.options.URL)
	if ctx.Err() != nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.note(err, log)
	if err == nil {
		k.keys, k.fetched = keys, time.Now()
	}
	k.tried, k.failure, k.fetching = time.Now(), err, false
	k.attempted++
	select {
	case <-k.wanted: // whoever asked meanwhile got this one
	default:
	}
	close(k.changed)
	k.changed = make(chan struct{})
}

// note logs when fetching begins to fail and when it works again.
func (k *KeySet) note(err error, log *slog.Logger) {
	switch {
	case err != nil && (k.failure == nil || k.attempted == 0):
		log.Warn("a key set cannot be fetched; its last state is used as long as it may be, tokens with other keys are answered 503",
			"url", k.Address(), "error", err, "keys", len(k.keys))
	case err == nil && k.failure != nil:
		log.Info("a key set can be fetched again", "url", k.Address())
	}
}

// Fetched is when the set was last fetched; zero before the first time.
func (k *KeySet) Fetched() time.Time {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.fetched
}

// Ready reports whether the last fetch succeeded and is not too old to be believed:
// then no key id is ErrUndecided for longer than a fetch takes.
func (k *KeySet) Ready() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.failure == nil && !k.fetched.IsZero() && time.Since(k.fetched) <= k.options.MaxStale
}

// At reports whether the set is at an address.
func (k *KeySet) At(url string) bool { return k.options.URL == url }

// Address is where the set is, as it may be shown: without a query, which may hold a token.
func (k *KeySet) Address() string { return secret.Address(k.options.URL) }
