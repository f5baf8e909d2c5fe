package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"sync"
	"time"
)

// A stream posts signed webhooks evenly and waits for nobody: each is sent when it is due, however many are still
// unanswered. Every other one comes over a connection of its own, the rest over connections that are kept, since
// vendors do both.
type stream struct {
	base    string // scheme, host and port
	every   time.Duration
	clients [2]*http.Client
}

// posted is what became of one webhook.
type posted struct {
	due    time.Duration // since the stream began
	took   time.Duration // from when it was due to the end of its answer
	status int           // 0: no answer
	err    error
}

func newStream(base string, from netip.Addr, trust *x509.CertPool, rate int) *stream {
	s := &stream{base: base, every: time.Second / time.Duration(rate)}
	for i := range s.clients {
		s.clients[i] = &http.Client{Timeout: answerLimit, Transport: &http.Transport{
			DialContext:         (&net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(from, 0))}).DialContext,
			TLSClientConfig:     &tls.Config{RootCAs: trust},
			MaxIdleConnsPerHost: connections,
			DisableKeepAlives:   i == 1,
		}}
	}
	return s
}

// prepare makes the requests, which takes no time later.
func (s *stream) prepare(all []webhook) (requests []*http.Request, err error) {
	requests = make([]*http.Request, len(all))
	for i, h := range all {
		if requests[i], err = h.request(s.base); err != nil {
			return nil, err
		}
	}
	return requests, nil
}

// post sends all of them from begin on, and returns when each has its answer or will have none.
func (s *stream) post(ctx context.Context, requests []*http.Request, begin time.Time) ([]posted, error) {
	defer s.close()
	became := make([]posted, len(requests))
	var group sync.WaitGroup
	for i, r := range requests {
		at := load{every: s.every}.due(ctx, begin, i)
		if ctx.Err() != nil {
			break
		}
		group.Go(func() {
			p := &became[i]
			p.due = at.Sub(begin)
			p.status, p.err = answerTo(s.clients[i%len(s.clients)], r.WithContext(ctx))
			p.took = time.Since(at)
		})
	}
	group.Wait()
	return became, ctx.Err()
}

func (s *stream) close() {
	for _, c := range s.clients {
		c.CloseIdleConnections()
	}
}

func answerTo(c *http.Client, r *http.Request) (int, error) {
	answer, err := c.Do(r)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	_, err = io.Copy(io.Discard, answer.Body)
	return answer.StatusCode, err
}

// request is the webhook for a client of net/http.
func (h webhook) request(base string) (*http.Request, error) {
	wire, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(h.wire)))
	if err != nil {
		return nil, fmt.Errorf("webhook %s: %w", h.id, err)
	}
	body, err := io.ReadAll(wire.Body)
	if err != nil {
		return nil, fmt.Errorf("webhook %s: %w", h.id, err)
	}
	r, err := http.NewRequest(wire.Method, base+wire.URL.Path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header = wire.Header
	return r, nil
}

// seen sums up the webhooks that were due from one time to another.
type seen struct {
	sent, taken int
	others      map[string]int // by what came instead of a success code
	p50, p99    float64        // ms, of those with an answer; of one without, until it was given up
}

func sumUp(all []posted, from, to time.Duration) seen {
	s := seen{others: map[string]int{}}
	var took []time.Duration
	for _, p := range all {
		if p.due < from || p.due >= to {
			continue
		}
		s.sent++
		took = append(took, p.took)
		switch {
		case os.IsTimeout(p.err):
			s.others["no answer"]++
		case p.err != nil:
			s.others["cut off"]++
		case p.status/100 == 2:
			s.taken++
		default:
			s.others[fmt.Sprint(p.status)]++
		}
	}
	s.p50, s.p99 = quantile(took, 0.5), quantile(took, 0.99)
	return s
}
