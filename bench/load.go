package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/kycbridge/kycbridge/bench/gauge"
)

// connections is how many the load comes over, all kept open.
const connections = 64

// answerLimit is longer than any vendor waits.
const answerLimit = 30 * time.Second

// load posts webhooks to one process. It knows little of HTTP, to leave the processors to what is
// measured: a request is written as it was made.
type load struct {
	address string
	want    int // status of every answer
	// every is the time from one webhook to the next; 0: a connection sends its next one as soon as
	// the last is answered.
	every time.Duration
}

// answered is what a load saw. Times are those of the webhooks, in order.
type answered struct {
	sent []time.Time     // where they are spaced, when each was due: waiting for a connection counts
	took []time.Duration // from sent to the end of the answer
	all  time.Duration
}

// post sends all webhooks and reads all answers; one that is not what it should be ends it.
func (l load) post(ctx context.Context, all []webhook) (answered, error) {
	a := answered{sent: make([]time.Time, len(all)), took: make([]time.Duration, len(all))}
	group, ctx := errgroup.WithContext(ctx)
	var next atomic.Int64
	begin := time.Now()
	for range min(connections, len(all)) {
		group.Go(func() error {
			c, err := net.Dial("tcp", l.address)
			if err != nil {
				return err
			}
			defer c.Close()
			answers := bufio.NewReader(c)
			for {
				i := int(next.Add(1)) - 1
				if i >= len(all) || ctx.Err() != nil {
					return ctx.Err()
				}
				a.sent[i] = l.due(ctx, begin, i)
				if err := l.one(c, answers, all[i]); err != nil {
					return fmt.Errorf("webhook %d of %d: %w", i+1, len(all), err)
				}
				a.took[i] = time.Since(a.sent[i])
			}
		})
	}
	err := group.Wait()
	a.all = time.Since(begin)
	return a, err
}

// due waits until the i-th webhook is to be sent and returns when that is.
func (l load) due(ctx context.Context, begin time.Time, i int) time.Time {
	if l.every == 0 {
		return time.Now()
	}
	at := begin.Add(time.Duration(i) * l.every)
	timer := time.NewTimer(time.Until(at))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	return at
}

func (l load) one(c net.Conn, answers *bufio.Reader, h webhook) error {
	if err := c.SetDeadline(time.Now().Add(answerLimit)); err != nil {
		return err
	}
	if _, err := c.Write(h.wire); err != nil {
		return err
	}
	answer, err := http.ReadResponse(answers, nil)
	if err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		return err
	}
	if answer.StatusCode != l.want {
		return fmt.Errorf("answered %s, want %d", answer.Status, l.want)
	}
	return nil
}

// quantile is in milliseconds.
func quantile(took []time.Duration, q float64) float64 {
	return float64(gauge.Quantile(took, q).Nanoseconds()) / 1e6
}
