package ingest

import (
	"context"
	"log/slog"
	"strings"
	"time"
)

const maxLoggedError = 200 // characters

// note writes the one line of a request, at debug only. It names what we
// configured, decided and measured; nothing in it is the sender's text: not the
// path, which may be a secret, not a header, not the body.
func (s *Server) note(d *delivery, o outcome, status int) {
	ctx := context.Background()
	if !s.options.Logger.Enabled(ctx, slog.LevelDebug) {
		return
	}
	endpoint, provider := unknownName, ""
	if d.endpoint != nil {
		endpoint = d.endpoint.Name
		if !d.endpoint.isDecoy() {
			provider = d.endpoint.Provider.Name
		}
	}
	attributes := []slog.Attr{
		slog.String("delivery_id", d.idText),
		slog.String("endpoint", endpoint),
		slog.String("provider", provider),
		slog.String("outcome", o.String()),
		slog.Int("status", status),
		slog.Int("bytes", d.size),
		slog.Duration("took", time.Since(d.started)),
		slog.String("secret_id", strings.Join(d.secretIDs, ",")),
	}
	if d.failure != nil {
		attributes = append(attributes, slog.String("error", clip(d.failure.Error(), maxLoggedError)))
	}
	s.options.Logger.LogAttrs(ctx, slog.LevelDebug, "delivery", attributes...)
}
