package ingest

import (
	"fmt"
	"net/http"
	"runtime"
	"runtime/debug"
)

// guarded serves a request. net/http would log what a panic of its handler says, which may quote the delivery.
func (s *Server) guarded(w http.ResponseWriter, r *http.Request) {
	defer func() {
		if v := recover(); v != nil {
			s.options.Logger.Error("serving a request panicked; its connection is closed, and the sender comes again", panicAttributes(v)...)
			panic(http.ErrAbortHandler) // which net/http logs nothing of
		}
	}()
	s.serveHTTP(w, r)
}

// notePanic logs where a provider's code broke.
func (s *Server) notePanic(endpoint, where string, v any) {
	s.options.Logger.Error("a provider's code panicked; without it, verify answers 503 and key falls back to the hash of the body",
		append([]any{"endpoint", endpoint, "where", where}, panicAttributes(v)...)...)
}

// panicAttributes are what Go's runtime says of a panic, and where it was. Any other value may quote the delivery; its
// type must do.
func panicAttributes(v any) []any {
	what := fmt.Sprintf("%T", v)
	if err, ok := v.(runtime.Error); ok {
		what = err.Error()
	}
	return []any{"panic", clip(what, maxLoggedError), "stack", clip(string(debug.Stack()), 4096)}
}
