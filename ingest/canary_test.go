package ingest

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/kycbridge/kycbridge/internal/canary"
	"github.com/kycbridge/kycbridge/providers"
	"github.com/kycbridge/kycbridge/providers/auth"
)

// loud panics with all of a request where it verifies.
type loud struct {
	auth.HMAC
	panics func(text string)
}

func (l loud) Verify(_ []auth.Secret, r auth.Request) (string, error) {
	l.panics(fmt.Sprint(r.Header, string(r.Body), r.PathToken))
	return "", auth.ErrMismatch
}

// TestNoPanicQuotesARequest: where a vendor's code panics with what a request says, nothing of it is in a line of
// the log, in a label or in the answer.
func TestNoPanicQuotesARequest(t *testing.T) {
	for form, panics := range map[string]func(text string){
		"a text":          func(text string) { panic(text) },
		"an error":        func(text string) { panic(errors.New(text)) },
		"a value":         func(text string) { panic(struct{ Text string }{text}) },
		"a failed index":  func(text string) { _ = text[len(text)+len(text)] },
		"a key of no map": func(text string) { _ = map[any]int{}[[]string{text}] },
	} {
		for where, breakIt := range map[string]func(e *Endpoint){
			"key": func(e *Endpoint) {
				e.Provider.Key = func(d *providers.Delivery) string { panics(fmt.Sprint(d.Headers, string(d.Body))); return "" }
			},
			"verify": func(e *Endpoint) { e.Proofs[0].Scheme = loud{testScheme, panics} },
		} {
			var log bytes.Buffer
			registry := prometheus.NewRegistry()
			o := testOptions(t, ackAll())
			o.Logger, o.Registerer = slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})), registry
			breakIt(&o.Endpoints[0])
			s := newServer(t, o)
			for _, c := range canary.All() {
				r := signed(t, "one", "new", fmt.Sprintf(`{"id":"1","name":%q}`, c.Text))
				r.Header.Set("X-Test-Kind", c.Text)
				r.Header.Set("User-Agent", c.Text)
				w := serve(s, r)
				if seen := canary.Seen([]byte(fmt.Sprint(w.Header(), w.Body))); len(seen) > 0 {
					t.Errorf("%s panics with %s: the answer shows %v", where, form, seen)
				}
			}
			if !strings.Contains(log.String(), "panicked") {
				t.Errorf("%s panics with %s: nothing is logged", where, form)
			}
			if seen := canary.Seen(log.Bytes()); len(seen) > 0 {
				t.Errorf("%s panics with %s: the log shows %v:\n%s", where, form, seen, log.String())
			}
			if seen := canary.Seen([]byte(fmt.Sprint(gathered(t, registry)))); len(seen) > 0 {
				t.Errorf("%s panics with %s: the metrics show %v", where, form, seen)
			}
		}
	}
}
