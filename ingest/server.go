// Package ingest is the front door: it takes a vendor's webhook over HTTP and
// puts it into the raw log, byte for byte. A success code means that the raw
// log has it.
//
// It judges who sent a delivery, never what it says: a body that nobody can
// parse is stored like any other. It does not map, does not drop duplicates,
// and knows nothing of Kafka: the raw log is handed in.
package ingest

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"
)

// The phases of a server's life, in order.
const (
	starting int32 = iota
	serving
	draining // unready, but still serving, until the rotation has noticed
	closed   // answers 503 to whatever still comes
)

// A Server takes deliveries for a fixed set of endpoints.
type Server struct {
	options    Options
	retryAfter string // seconds
	directory  *directory
	room       *room // before proof
	gate       gate  // after it
	metrics    *metrics
	pair       *pair // nil: plain HTTP
	phase      atomic.Int32
	inFlight   atomic.Int64 // requests in handlers
	// largestBody is the limit of every body that its sender's proof covers.
	largestBody int64
	logSeen     atomic.Bool // the raw log has been there once
}

// New checks the options and makes a server. It opens nothing but the files of
// TLS. Errors name the endpoint and what is wrong with it.
func New(o Options) (*Server, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	o = o.withDefaults()
	s := &Server{options: o, retryAfter: strconv.Itoa(int(o.RetryAfter.Seconds()))}
	s.gate.maxRequests, s.gate.maxBytes = int64(o.MaxRequests), o.MaxWaitingBytes
	s.metrics = newMetrics(s.notePanic)
	s.largestBody = o.largestBody()
	s.room = newRoom(o.MaxUnprovedBytes, strangerShare(o.MaxUnprovedBytes, s.largestBody), o.MaxUnprovedConnections, s.uptime)
	s.directory = newDirectory(o.Endpoints, s.metrics)
	var err error
	if o.TLS != nil {
		if s.pair, err = openPair(*o.TLS, o.Now, o.Logger); err != nil {
			return nil, err
		}
	}
	if err := s.metrics.register(o.Registerer, s); err != nil {
		return nil, fmt.Errorf("ingest: register metrics: %w", err)
	}
	return s, nil
}

// Handler serves POST /hooks/{endpoint}, with a token after it for an endpoint
// that wants one, and nothing else.
func (s *Server) Handler() http.Handler { return http.HandlerFunc(s.guarded) }

// Ready is nil when deliveries can be taken, or says what is down. Once the raw
// log has been there, its absence counts only with UnreadyWhileLogDown.
func (s *Server) Ready() error {
	switch s.phase.Load() {
	case starting:
		return errors.New("ingest: not serving yet")
	case draining, closed:
		return errors.New("ingest: shutting down")
	}
	err := s.options.Log.Down()
	if err == nil {
		s.logSeen.Store(true)
		return nil
	}
	if s.logSeen.Load() && !s.options.UnreadyWhileLogDown {
		return nil
	}
	return fmt.Errorf("ingest: raw log unavailable: %w", err)
}

// LogDown says why the raw log cannot be written to, whether or not that makes
// the server unready.
func (s *Server) LogDown() error { return s.options.Log.Down() }

// Run serves l until ctx ends, then drains in this order: unready, but still
// serving for DrainDelay, so that the rotation notices; listener closed;
// handlers done, each within its budget; raw log flushed; raw log closed. The
// raw log goes last, because closing it first would turn what it holds into
// deliveries that may or may not be there. Run may be called once; it takes at
// most Options.Grace after ctx has ended.
func (s *Server) Run(ctx context.Context, l net.Listener) error {
	server := s.httpServer()
	failed := make(chan error, 1)
	s.phase.Store(serving)
	go func() {
		failed <- s.serve(server, s.door(l))
	}()
	watched, stopWatching := context.WithCancel(ctx)
	defer stopWatching()
	go s.watchOutages(watched)
	var problem error
	select {
	case err := <-failed:
		problem = fmt.Errorf("ingest: serve %s: %w", l.Addr(), err)
	case <-ctx.Done():
		s.phase.Store(draining)
		problem = s.waitForRotation(l, failed)
	}
	s.phase.Store(closed)
	ctx = context.WithoutCancel(ctx)
	return errors.Join(problem, s.finishRequests(ctx, server), s.closeLog(ctx))
}

func (s *Server) door(l net.Listener) net.Listener {
	return &door{Listener: l, room: s.room, lanes: newLanes(), proxies: s.options.TrustedProxies, refused: s.metrics.refusedConnections.Inc, abandoned: s.metrics.abandonedConnections.Inc}
}

func (s *Server) serve(server *http.Server, l net.Listener) error {
	for _, e := range s.options.Endpoints {
		if e.AllowUnauthenticated {
			s.options.Logger.Warn("an endpoint accepts deliveries without authentication: anybody who knows its address can forge events", "endpoint", e.Name)
		}
	}
	if s.pair != nil {
		l = tls.NewListener(l, s.pair.config())
	}
	return server.Serve(streams{Listener: l, patience: s.options.ReadHeaderTimeout, handshakeFailed: func(err error) {
		s.options.Logger.Debug("a TLS handshake failed", "error", clip(err.Error(), maxLoggedError))
	}})
}

func (s *Server) waitForRotation(l net.Listener, failed <-chan error) error {
	delay := time.NewTimer(s.options.DrainDelay)
	defer delay.Stop()
	select {
	case err := <-failed:
		return fmt.Errorf("ingest: serve %s while draining: %w", l.Addr(), err)
	case <-delay.C:
		return nil
	}
}

func (s *Server) finishRequests(ctx context.Context, server *http.Server) error {
	ctx, cancel := context.WithTimeout(ctx, s.options.largestBudget()+answerTime)
	defer cancel()
	if err := server.Shutdown(ctx); err == nil {
		return nil
	}
	left := s.inFlight.Load() // none: only connections that never sent a request
	_ = server.Close()
	if left == 0 {
		return nil
	}
	return fmt.Errorf("ingest: %d requests were not answered within %s and were cut off", left, s.options.largestBudget()+answerTime)
}

func (s *Server) closeLog(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.options.FlushTimeout)
	defer cancel()
	if err := s.options.Log.Close(ctx); err != nil {
		return fmt.Errorf("ingest: flush the raw log within %s: %w", s.options.FlushTimeout, err)
	}
	return nil
}

// httpServer speaks HTTP/1.1 only, with TLS or without: no sender needs more for
// a few small requests, and HTTP/2 would add its own ways to be flooded.
func (s *Server) httpServer() *http.Server {
	o := s.options
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	handler := s.Handler()
	if o.Guard != nil {
		handler = o.Guard(handler)
	}
	return &http.Server{
		Handler:                      handler,
		DisableGeneralOptionsHandler: true,
		Protocols:                    &protocols,
		ReadHeaderTimeout:            o.ReadHeaderTimeout,
		ReadTimeout:                  o.ReadTimeout,
		WriteTimeout:                 o.ReadTimeout + o.largestBudget() + 2*time.Second,
		IdleTimeout:                  o.IdleTimeout,
		MaxHeaderBytes:               o.MaxHeaderBytes,
		ConnContext:                  introduceStream,
		ConnState:                    watch,
		ErrorLog:                     log.New(noise{o.Logger}, "", 0),
	}
}

// noise is the log of net/http.
type noise struct{ log *slog.Logger }

func (n noise) Write(line []byte) (int, error) {
	n.log.Warn(clip(string(bytes.TrimSpace(line)), maxLoggedError))
	return len(line), nil
}

// uptime is the time since the server was made.
func (s *Server) uptime() time.Duration { return time.Since(s.metrics.started) }
