package jwks

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kycbridge/kycbridge/providers/auth"
)

// vendor is an address that serves a key set, in virtual time.
type vendor struct {
	mu      sync.Mutex
	set     []byte
	status  int
	hang    bool
	fetches []time.Time
}

func (v *vendor) RoundTrip(r *http.Request) (*http.Response, error) {
	v.mu.Lock()
	v.fetches = append(v.fetches, time.Now())
	set, status, hang := v.set, v.status, v.hang
	v.mu.Unlock()
	if hang {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	return &http.Response{StatusCode: status, Body: io.NopCloser(bytes.NewReader(set)), Header: http.Header{}, Request: r}, nil
}

func (v *vendor) now(change func(*vendor)) {
	v.mu.Lock()
	defer v.mu.Unlock()
	change(v)
}

func (v *vendor) count() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return len(v.fetches)
}

func set(t testing.TB, ids ...string) []byte {
	t.Helper()
	var keys []auth.Key
	for _, id := range ids {
		keys = append(keys, auth.Key{ID: id, Public: ecKey()})
	}
	data, err := Marshal(keys...)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// start runs a set in the bubble of the test, which must be one of synctest.
func start(t *testing.T, v *vendor, o Options, log io.Writer) *KeySet {
	t.Helper()
	o.URL, o.Client = "https://vendor.invalid/jwks.json", &http.Client{Transport: v}
	k, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { k.Run(ctx, slog.New(slog.NewTextHandler(log, nil))); close(ended) }()
	t.Cleanup(func() { cancel(); <-ended })
	synctest.Wait()
	return k
}

func expect(t *testing.T, k *KeySet, id string, want error) {
	t.Helper()
	if key, err := k.Key(id); !errors.Is(err, want) || err == nil && key.ID != id {
		t.Errorf("after %s: key %q is %q, %v; want %v", time.Since(bubbleStart), id, key.ID, err, want)
	}
}

var bubbleStart = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

func TestUnknownKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &vendor{set: set(t, "one"), status: 200}
		k := start(t, v, Options{}, io.Discard)
		expect(t, k, "one", nil)
		expect(t, k, "two", auth.ErrMismatch) // the set is fresh: there is no such key
		if n := v.count(); n != 1 {
			t.Errorf("%d fetches, want 1", n)
		}
		time.Sleep(RefreshWindow)
		expect(t, k, "one", nil) // a known key asks nobody
		expect(t, k, "two", auth.ErrMismatch)
		expect(t, k, "three", auth.ErrMismatch)
		if n := v.count(); n != 2 {
			t.Errorf("%d fetches, want 2", n)
		}
	})
}

// A vendor that takes a new key is believed with its first token.
func TestRotation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &vendor{set: set(t, "one"), status: 200}
		k := start(t, v, Options{}, io.Discard)
		v.now(func(v *vendor) { v.set = set(t, "two") })
		time.Sleep(RefreshWindow)
		expect(t, k, "two", nil)
		expect(t, k, "one", auth.ErrMismatch)
		v.now(func(v *vendor) { v.set = set(t, "three") })
		time.Sleep(DefaultEvery)
		synctest.Wait()
		before := v.count()
		expect(t, k, "three", nil) // fetched without anybody asking
		if v.count() != before {
			t.Error("a known key caused a fetch")
		}
	})
}

func TestOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &vendor{set: set(t, "one"), status: 200}
		var log bytes.Buffer
		k := start(t, v, Options{}, &log)
		for name, bad := range map[string]func(*vendor){
			"error":    func(v *vendor) { v.status = 500 },
			"redirect": func(v *vendor) { v.status = 302 },
			"garbage":  func(v *vendor) { v.set = []byte("<html>") },
			"empty":    func(v *vendor) { v.set = []byte(`{"keys":[]}`) },
			"huge":     func(v *vendor) { v.set = append(set(t, "two"), bytes.Repeat([]byte(" "), maxBytes)...) },
			"hangs":    func(v *vendor) { v.hang = true },
		} {
			v.now(bad)
			time.Sleep(DefaultEvery + fetchLimit)
			expect(t, k, "one", nil)
			expect(t, k, "two", auth.ErrUndecided)
			if k.Ready() {
				t.Error("a set that cannot be fetched says that it is ready")
			}
			if t.Failed() {
				t.Fatal(name)
			}
			v.now(func(v *vendor) { v.set, v.status, v.hang = set(t, "one"), 200, false })
			time.Sleep(RefreshWindow + time.Second)
			synctest.Wait()
			expect(t, k, "two", auth.ErrMismatch)
			if !k.Ready() {
				t.Error("a set that was just fetched says that it is not ready")
			}
		}
		v.now(func(v *vendor) { v.status = 503 })
		time.Sleep(DefaultMaxStale - time.Minute)
		expect(t, k, "one", nil)
		time.Sleep(DefaultEvery + time.Minute)
		expect(t, k, "one", auth.ErrUndecided)
		v.now(func(v *vendor) { v.status = 200 })
		time.Sleep(RefreshWindow + time.Second)
		expect(t, k, "one", nil)
		if n := strings.Count(log.String(), "level=WARN"); n != 7 || strings.Count(log.String(), "level=INFO") != 7 {
			t.Errorf("%d warnings, want one for each outage:\n%s", n, log.String())
		}
	})
}

// A start before the vendor is there: undecided, asked again after growing pauses, and
// then as often as during any outage.
func TestFirstFetchFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &vendor{set: set(t, "one"), status: 500}
		k := start(t, v, Options{}, io.Discard)
		expect(t, k, "one", auth.ErrUndecided)
		if k.Ready() {
			t.Error("a set that was never fetched says that it is ready")
		}
		time.Sleep(2*time.Minute - time.Second)
		// Retries of the first fetch are no refreshes that a token caused.
		var after []time.Duration
		v.now(func(v *vendor) {
			for i, at := range v.fetches[1:] {
				after = append(after, at.Sub(v.fetches[i]))
			}
		})
		if want := []time.Duration{2, 4, 8, 16, 30, 30}; !slices.EqualFunc(after, want, func(a, b time.Duration) bool { return a == b*time.Second }) {
			t.Errorf("the next attempts come after %s, want %d s", after, want)
		}
		v.now(func(v *vendor) { v.status = 200 })
		time.Sleep(RefreshWindow)
		expect(t, k, "one", nil)
		if k.Fetched().IsZero() || k.Address() == "" {
			t.Error("the set does not say when it was fetched")
		}
	})
}

// TestAddressIsShownWithoutItsQuery: a token in the address is in no log line, no error and no label, whether the set
// can be fetched or not, and nor is what the answer repeats of it.
func TestAddressIsShownWithoutItsQuery(t *testing.T) {
	const token = "hunter2hunter2"
	good := set(t, "one")
	for name, answer := range map[string]http.HandlerFunc{
		"down":    nil,
		"refused": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) },
		"repeated": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "https://v.invalid/%zz?"+r.URL.RawQuery)
			w.WriteHeader(http.StatusFound)
		},
		"up": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(good) },
	} {
		server := httptest.NewServer(answer)
		if answer == nil {
			server.Close()
		}
		k, err := New(Options{URL: server.URL + "/jwks.json?token=" + token})
		if err != nil {
			t.Fatal(err)
		}
		var log strings.Builder
		logger := slog.New(slog.NewTextHandler(&log, nil))
		k.refresh(t.Context(), logger)
		if name == "up" { // what is logged once it works again
			k.failure = errors.New("before")
			k.refresh(t.Context(), logger)
		}
		server.Close()
		if text := log.String(); strings.Contains(text, token) || !strings.Contains(text, "url="+server.URL+"/jwks.json ") && !strings.HasSuffix(text, "url="+server.URL+"/jwks.json\n") {
			t.Errorf("%s: logged %q", name, text)
		}
		if k.Address() != server.URL+"/jwks.json" || !k.At(server.URL+"/jwks.json?token="+token) || k.At(k.Address()) {
			t.Errorf("%s: the set shows as at %s", name, k.Address())
		}
	}
	for _, address := range []string{"https://user:" + token + "@v.invalid/k?token=" + token, "http://v.invalid/k?token=" + token, token, "https://v.invalid/%zz" + token} {
		if _, err := New(Options{URL: address}); err == nil || strings.Contains(err.Error(), token) {
			t.Errorf("an address that is refused: %v", err)
		}
	}
}

// Ten thousand made-up key ids a second cause one fetch in RefreshWindow, and not
// one known key is turned away meanwhile.
func TestFlood(t *testing.T) {
	for name, change := range map[string]func(*vendor){"up": func(*vendor) {}, "down": func(v *vendor) { v.status = 500 }} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v := &vendor{set: set(t, "one"), status: 200}
				k := start(t, v, Options{Every: time.Hour}, io.Discard)
				v.now(change)
				for second := range 120 {
					for i := range 100 {
						if _, err := k.Key(fmt.Sprintf("made-up-%d-%d", second, i)); err == nil {
							t.Fatal("a made-up key exists")
						}
					}
					expect(t, k, "one", nil)
					time.Sleep(time.Second)
				}
				v.mu.Lock()
				fetches := slices.Clone(v.fetches)
				v.mu.Unlock()
				for i := 1; i < len(fetches); i++ {
					if apart := fetches[i].Sub(fetches[i-1]); apart < RefreshWindow {
						t.Errorf("two fetches are %s apart", apart)
					}
				}
				if n := len(fetches); n < 4 || n > 5 {
					t.Errorf("%d fetches in 120 s, want 4 or 5", n)
				}
			})
		})
	}
}

// While a vendor hangs, few callers wait, none for longer than Wait.
func TestWaitingIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &vendor{set: set(t, "one"), status: 200}
		k := start(t, v, Options{}, io.Discard)
		time.Sleep(RefreshWindow)
		v.now(func(v *vendor) { v.hang = true })
		began := time.Now()
		var mu sync.Mutex
		waited, at := 0, 0
		var callers sync.WaitGroup
		for range 10 * maxWaiting {
			callers.Go(func() {
				_, err := k.Key("two")
				mu.Lock()
				defer mu.Unlock()
				switch took := time.Since(began); {
				case !errors.Is(err, auth.ErrUndecided):
					t.Errorf("error is %v, want ErrUndecided", err)
				case took == 0:
					at++
				case took == DefaultWait:
					waited++
				default:
					t.Errorf("a caller waited %s", took)
				}
			})
		}
		callers.Wait()
		if waited != maxWaiting || at != 9*maxWaiting || v.count() != 2 {
			t.Errorf("%d waited, %d did not, %d fetches; want %d, %d and 2", waited, at, v.count(), maxWaiting, 9*maxWaiting)
		}
	})
}
