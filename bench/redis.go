package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/kycbridge/kycbridge/bench/gauge"
	"github.com/kycbridge/kycbridge/internal/freeport"
)

// ownRedis is a redis-server of a scenario alone: what it holds is known to the byte.
type ownRedis struct {
	*gauge.Process
	address string
	client  *redis.Client
}

var errNoRedis = fmt.Errorf("%w: no redis-server in PATH: install Redis to have the figures about it", errLeftOut)

// startRedis starts a redis-server with the settings of deploy/services, and nothing in it.
func (w *world) startRedis(ctx context.Context) (*ownRedis, error) {
	path, err := exec.LookPath("redis-server")
	if err != nil {
		return nil, errNoRedis
	}
	address, err := freeport.Address()
	if err != nil {
		return nil, err
	}
	w.runs++
	dir := filepath.Join(w.scratch, "redis-"+strconv.Itoa(w.runs))
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, err
	}
	_, port, _ := strings.Cut(address, ":")
	p, _, err := gauge.Start(ctx, gauge.Program{Name: "redis-server", Path: path,
		Args: []string{"deploy/services/redis.conf", "--port", port, "--dir", dir}})
	if err != nil {
		return nil, err
	}
	r := &ownRedis{Process: p, address: address, client: redis.NewClient(&redis.Options{Addr: address, MaxRetries: 100})}
	if err := r.client.Ping(ctx).Err(); err != nil {
		return nil, errors.Join(fmt.Errorf("redis-server at %s: %w", address, err), r.stop())
	}
	return r, nil
}

func (r *ownRedis) stop() error { return errors.Join(r.client.Close(), r.Kill()) }

// used is the memory that Redis counts for what it holds, in bytes.
func (r *ownRedis) used(ctx context.Context) (float64, error) {
	info, err := r.client.Info(ctx, "memory").Result()
	if err != nil {
		return 0, fmt.Errorf("INFO memory: %w", err)
	}
	for line := range strings.Lines(info) {
		if text, ok := strings.CutPrefix(line, "used_memory:"); ok {
			return strconv.ParseFloat(strings.TrimSpace(text), 64)
		}
	}
	return 0, errors.New("INFO memory has no used_memory")
}

// copies finds a claim that the product wrote and adds n like it under other keys, so that Redis
// holds as many live claims as a busy fortnight leaves behind.
func (r *ownRedis) copies(ctx context.Context, n int) error {
	key, value, ttl, err := r.sample(ctx)
	if err != nil {
		return err
	}
	const part = 10_000
	for n > 0 {
		pipe := r.client.Pipeline()
		for range min(part, n) {
			other := []byte(key)
			rand.Read(other[len(claimPrefix):])
			pipe.Do(ctx, "set", other, value, "ex", int(ttl.Seconds()))
		}
		if _, err := pipe.Exec(ctx); err != nil {
			return fmt.Errorf("write claims: %w", err)
		}
		n -= part
	}
	return nil
}

// claimPrefix begins every key of the product.
const claimPrefix = "kyc:d:"

// isClaim tells a claim by its length alone: after the prefix it has 16 bytes, which may be any, and other keys of
// the product have more or fewer.
func isClaim(key string) bool { return len(key) == len(claimPrefix)+16 }

// sample is any claim of the product.
func (r *ownRedis) sample(ctx context.Context) (key, value string, ttl time.Duration, err error) {
	for range 100 {
		if key, err = r.client.RandomKey(ctx).Result(); err != nil {
			return "", "", 0, fmt.Errorf("look for a claim: %w", err)
		}
		if ttl, err = r.client.TTL(ctx, key).Result(); err == nil && isClaim(key) && ttl > time.Hour {
			value, err = r.client.Get(ctx, key).Result()
			return key, value, ttl, err
		}
	}
	return "", "", 0, fmt.Errorf("no claim under %s: has the product changed its keys?", claimPrefix)
}
