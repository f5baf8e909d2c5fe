package command

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"

	"github.com/spf13/pflag"
)

// logFlags are the flags of every command that serves.
type logFlags struct{ level, format string }

func (f *logFlags) bind(flags *pflag.FlagSet) {
	flags.StringVar(&f.level, "log-level", "info", "debug, info, warn or error; debug adds a line per request")
	flags.StringVar(&f.format, "log-format", "auto", "json, text, or auto: text on a terminal, json elsewhere")
}

// logger builds the process's logger; it writes to stderr, so that stdout
// stays free for what a command prints.
func (f *logFlags) logger(env *environment) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(f.level)); err != nil {
		return nil, usagef("--log-level is %q; expected debug, info, warn or error", f.level)
	}
	format := f.format
	if format == "auto" {
		format = "json"
		if env.terminal {
			format = "text"
		}
	}
	switch format {
	case "json":
		return slog.New(slog.NewJSONHandler(env.stderr, &slog.HandlerOptions{Level: level, ReplaceAttr: bounded})), nil
	case "text":
		return slog.New(newReadable(env.stderr, level)), nil
	}
	return nil, usagef("--log-format is %q; expected json, text or auto", f.format)
}

// readable prints records for people: time of day, level, message, then the
// attributes as key=value. slog's text handler renders the attributes.
type readable struct {
	mu    *sync.Mutex
	out   io.Writer
	buf   *bytes.Buffer
	attrs slog.Handler
}

func newReadable(out io.Writer, level slog.Level) *readable {
	buf := &bytes.Buffer{}
	options := &slog.HandlerOptions{Level: level, ReplaceAttr: dropBuiltin}
	return &readable{mu: &sync.Mutex{}, out: out, buf: buf, attrs: slog.NewTextHandler(buf, options)}
}

func dropBuiltin(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 && (a.Key == slog.TimeKey || a.Key == slog.LevelKey || a.Key == slog.MessageKey) {
		return slog.Attr{}
	}
	return bounded(groups, a)
}

// longestLogged is how many bytes of a message or a value a log line shows.
const longestLogged = 2048

// bounded cuts what would make a line of any length: values may quote what a stranger sent.
func bounded(_ []string, a slog.Attr) slog.Attr {
	if text, ok := textOf(a.Value); ok && len(text) > longestLogged {
		a.Value = slog.StringValue(cut(text))
	}
	return a
}

// textOf is the text that the handlers would render a value as, where that is one.
func textOf(v slog.Value) (string, bool) {
	switch v.Kind() {
	case slog.KindString:
		return v.String(), true
	case slog.KindAny:
		switch any := v.Any().(type) {
		case error:
			return any.Error(), true
		case []byte, []string, fmt.Stringer:
			return fmt.Sprintf("%s", any), true
		}
	}
	return "", false
}

func cut(text string) string {
	if len(text) <= longestLogged {
		return text
	}
	return fmt.Sprintf("%s… (%d bytes)", strings.ToValidUTF8(text[:longestLogged], ""), len(text))
}

func (h *readable) Enabled(ctx context.Context, l slog.Level) bool { return h.attrs.Enabled(ctx, l) }

func (h *readable) Handle(ctx context.Context, r slog.Record) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.buf.Reset()
	fmt.Fprintf(h.buf, "%s %-5s %s  ", r.Time.Format("15:04:05"), r.Level, escapeLine(cut(r.Message)))
	if err := h.attrs.Handle(ctx, r); err != nil {
		return err
	}
	line := bytes.TrimRight(h.buf.Bytes(), " \n")
	_, err := h.out.Write(append(line, '\n'))
	return err
}

func (h *readable) WithAttrs(attrs []slog.Attr) slog.Handler {
	c := *h
	c.attrs = h.attrs.WithAttrs(attrs)
	return &c
}

func (h *readable) WithGroup(name string) slog.Handler {
	c := *h
	c.attrs = h.attrs.WithGroup(name)
	return &c
}
