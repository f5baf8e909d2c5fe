package ingest

import (
	"bytes"
	"encoding/json"
	"errors"
	"log"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/kycbridge/kycbridge/providers"
)

func logged(o *Options, level slog.Level) *bytes.Buffer {
	var b bytes.Buffer
	o.Logger = slog.New(slog.NewJSONHandler(&b, &slog.HandlerOptions{Level: level}))
	return &b
}

// One line a request, with fields from our list and nothing the sender wrote.
func TestLogLine(t *testing.T) {
	const canary = "kanarienvogel\n\x1b[31m"
	for name, change := range map[string]func(*http.Request){
		"accepted": func(*http.Request) {},
		"hostile": func(r *http.Request) {
			r.Method = canary
			r.URL.Path = "/" + canary
			r.Host, r.RemoteAddr = canary, canary
			for _, h := range []string{"User-Agent", "Content-Type", "X-Test-Kind", "X-Forwarded-For", "Content-Encoding", testHeader} {
				r.Header[h] = []string{canary + strings.Repeat("a", 1<<20)}
			}
		},
		"stranger":  func(r *http.Request) { r.URL.Path = hooksPrefix + canary },
		"signature": func(r *http.Request) { r.Header.Set(testHeader, canary) },
	} {
		o := testOptions(t, ackAll())
		b := logged(&o, slog.LevelDebug)
		r := signed(t, "one", "old", `{"kanarienvogel":1}`)
		change(r)
		w := serve(newServer(t, o), r)
		line := b.String()
		if strings.Count(line, "\n") != 1 || len(line) > 600 || strings.Contains(line, "kanarienvogel") || strings.Contains(line, "\x1b") {
			t.Errorf("%s: logged %.1000q, want one short line with nothing of the sender's", name, line)
		}
		var fields map[string]any
		if err := json.Unmarshal(b.Bytes(), &fields); err != nil {
			t.Fatal(err)
		}
		names := slices.Sorted(maps.Keys(fields))
		want := []string{"bytes", "delivery_id", "endpoint", "level", "msg", "outcome", "provider", "secret_id", "status", "time", "took"}
		if !slices.Equal(names, want) {
			t.Errorf("%s: fields are %q, want %q", name, names, want)
		}
		if fields["delivery_id"] != w.Header().Get(deliveryIDHeader) {
			t.Errorf("%s: delivery_id differs from the answer's header", name)
		}
	}
}

func TestNoLineAboveDebug(t *testing.T) {
	o := testOptions(t, ackAll())
	b := logged(&o, slog.LevelInfo)
	s := newServer(t, o)
	serve(s, signed(t, "one", "old", testBody))
	serve(s, signed(t, "one", "other", testBody))
	if b.Len() != 0 {
		t.Errorf("logged %q, want nothing above debug", b)
	}
}

func TestLogLineNamesTheFailure(t *testing.T) {
	long := errors.New("broker\nsaid " + strings.Repeat("no", 1000))
	o := testOptions(t, &heldLog{reply: func(done func(error)) { done(long) }})
	b := logged(&o, slog.LevelDebug)
	serve(newServer(t, o), signed(t, "one", "old", testBody))
	if line := b.String(); !strings.Contains(line, `"error":"broker\nsaid no`) || len(line) > 800 {
		t.Errorf("logged %q, want the failure, bounded and escaped", line)
	}
}

// A panic is logged once a minute, never with a value that may quote the body.
func TestPanicIsLogged(t *testing.T) {
	o := testOptions(t, ackAll())
	b := logged(&o, slog.LevelInfo)
	o.Endpoints[0].Provider.Key = func(d *providers.Delivery) string { panic(string(d.Body)) }
	s := newServer(t, o)
	for range 3 {
		serve(s, signed(t, "one", "old", `{"kanarienvogel":1}`))
	}
	line := b.String()
	if strings.Count(line, "\n") != 1 || strings.Contains(line, "kanarienvogel") || len(line) > 6000 {
		t.Errorf("logged %q, want one bounded line without the value", line)
	}
	for _, want := range []string{`"endpoint":"one"`, `"where":"key"`, `"panic":"string"`, "log_test.go"} {
		if !strings.Contains(line, want) {
			t.Errorf("logged %q, want %s in it", line, want)
		}
	}
}

// A panic anywhere else in a request is logged like that, too, and by nobody but us.
func TestPanicInAHandlerIsLogged(t *testing.T) {
	for name, v := range map[string]any{"string": "kanarienvogel", "*errors.errorString": errors.New("kanarienvogel")} {
		o := testOptions(t, &heldLog{reply: func(func(error)) { panic(v) }})
		b := logged(&o, slog.LevelDebug)
		server := httptest.NewUnstartedServer(newServer(t, o).Handler())
		server.Config.ErrorLog = log.New(noise{o.Logger}, "", 0)
		server.Start()
		r := signed(t, "one", "old", `{"kanarienvogel":1}`)
		r.RequestURI = ""
		var err error
		if r.URL, err = url.Parse(server.URL + "/hooks/one"); err != nil {
			t.Fatal(err)
		}
		if answer, err := server.Client().Do(r); err == nil {
			answer.Body.Close()
			t.Errorf("%s: answered %d, want the connection closed", name, answer.StatusCode)
		}
		server.Close()
		line := b.String()
		if !strings.Contains(line, `"panic":"`+name+`"`) || !strings.Contains(line, "log_test.go") || strings.Contains(line, "kanarienvogel") || strings.Contains(line, "http: panic") {
			t.Errorf("%s: logged %q, want one line of ours without the value", name, line)
		}
	}
}
