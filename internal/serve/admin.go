package serve

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/kycbridge/kycbridge/internal/origin"
)

// adminHandler serves health, metrics and what the caller adds. It has a listener of
// its own, since none of it belongs on the address the vendors can reach.
func (s *service) adminHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", serveLive)
	mux.HandleFunc("GET /readyz", s.health.serveReady)
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.registry, promhttp.HandlerOpts{}))
	if s.AdminRoutes != nil {
		s.AdminRoutes(mux)
	}
	guard := origin.Guard{}
	if s.Guard != nil {
		guard = *s.Guard
	}
	return guard.Handler(mux)
}

// serveAdmin serves until ctx ends. It is the last to stop, so that whoever
// watches the drain can.
func serveAdmin(ctx context.Context, l net.Listener, h http.Handler, log *slog.Logger) error {
	srv := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	stop := context.AfterFunc(ctx, func() { _ = srv.Close() })
	defer stop()
	if err := srv.Serve(limitAdmin(l)); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
