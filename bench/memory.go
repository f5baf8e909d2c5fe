package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/kycbridge/kycbridge/bench/gauge"
)

// memory measures what each stage holds at rest, and what ingest holds when the longest bodies come
// over all connections at once.
func memory(ctx context.Context, w *world, s size, r *report) error {
	var rest, floorRest, working []float64
	for n := range s.rounds {
		w.say("memory: at rest, round %d of %d", n+1, s.rounds)
		one, err := w.atRest(ctx)
		if err != nil {
			return err
		}
		rest, floorRest, working = append(rest, one[0]), append(floorRest, one[1]), append(working, one[2])
	}
	r.compare("memory", "ingest at rest", "MB", rest, floorRest, goal{})
	r.compare("memory", "normalize at rest", "MB", working, nil, goal{})
	for _, length := range []int{16 << 10, 256 << 10} {
		w.say("memory: ingest, %d webhooks of %d kB over %d connections", longRequests, length>>10, connections)
		peak, err := w.longBodies(ctx, length)
		if err != nil {
			return err
		}
		r.note("memory", fmt.Sprintf("ingest at most, bodies of %d kB over %d connections", length>>10, connections), "MB", peak, goal{})
	}
	return nil
}

// settling is how long the runtime may take to give back what starting took.
const settling = 5 * time.Second

// atRest is what ingest, its floor and the normaliser hold when nothing comes, in MB.
func (w *world) atRest(ctx context.Context) (held [3]float64, err error) {
	product, floor, err := w.deploy().receivers(ctx)
	if err != nil {
		return held, err
	}
	defer func() { err = errors.Join(err, product.Stop(), floor.Stop()) }()
	d := w.deploy()
	if err := d.createTopics(ctx); err != nil {
		return held, err
	}
	work, err := d.run(ctx, "normalize", "--instance", "0")
	if err != nil {
		return held, err
	}
	defer func() { err = errors.Join(err, work.Stop()) }()
	time.Sleep(settling)
	for i, p := range []*gauge.Process{product.Process, floor.Process, work.Process} {
		usage, err := p.Usage()
		if err != nil {
			return held, err
		}
		held[i] = float64(usage.RSS) / 1e6
	}
	return held, nil
}

// longRequests is enough for every connection to bring several.
const longRequests = 8 * connections

// longBodies is the most that ingest holds, in MB.
func (w *world) longBodies(ctx context.Context, length int) (peak float64, err error) {
	d := w.deploy()
	if err := d.createTopics(ctx); err != nil {
		return 0, err
	}
	p, err := d.run(ctx, "ingest")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, p.Stop()) }()
	m, err := usualMix()
	if err != nil {
		return 0, err
	}
	m.length = length
	all, err := m.webhooks(0, longRequests)
	if err != nil {
		return 0, err
	}
	if _, err := (load{address: p.listen, want: http.StatusOK}).post(ctx, all); err != nil {
		return 0, errors.Join(err, p.Ended())
	}
	usage, err := p.Usage()
	return float64(usage.Peak) / 1e6, err
}

// padded is a JSON object with spaces before its end, up to so many bytes.
func padded(body []byte, size int) []byte {
	end := bytes.LastIndexByte(body, '}')
	if end < 0 || len(body) >= size {
		return body
	}
	long := append(make([]byte, 0, size), body[:end]...)
	long = append(long, bytes.Repeat([]byte{' '}, size-len(body))...)
	return append(long, body[end:]...)
}
