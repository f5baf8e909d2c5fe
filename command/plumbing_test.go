package command

import (
	"log/slog"
	"strings"
	"testing"
)

func TestLogger(t *testing.T) {
	for _, tc := range []struct {
		name          string
		flags         logFlags
		terminal      bool
		want, without string
	}{
		{"auto elsewhere is JSON", logFlags{"info", "auto"}, false, `{"time":`, "hidden"},
		{"auto on a terminal is text", logFlags{"info", "auto"}, true, ` INFO  said  a=1 g.b="two words" g.msg=inner` + "\n", "{"},
		{"text", logFlags{"debug", "text"}, false, " DEBUG hidden  ", "{"},
		{"JSON on a terminal", logFlags{"error", "json"}, true, "", "said"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w, _, errs := surroundings(nil)
			w.terminal = tc.terminal
			log, err := tc.flags.logger(&w)
			if err != nil {
				t.Fatal(err)
			}
			log.Debug("hidden", "x", 1)
			log.With("a", 1).WithGroup("g").Info("said", "b", "two words", slog.MessageKey, "inner")
			if got := errs.String(); !strings.Contains(got, tc.want) || strings.Contains(got, tc.without) {
				t.Errorf("the log is %q, want %q in it and %q not", got, tc.want, tc.without)
			}
		})
	}
}

// TestHelp: every command says what it does and shows an example.
func TestHelp(t *testing.T) {
	w, _, _ := surroundings(nil)
	root := newRoot(&w)
	commands := root.Commands()
	for _, c := range root.Commands() {
		commands = append(commands, c.Commands()...)
	}
	for _, c := range commands {
		if c.Short == "" || c.Example == "" || c.RunE == nil {
			t.Errorf("%s has no short help, no example or nothing to run", c.CommandPath())
		}
	}
	for _, args := range [][]string{{"--help"}, {"dev", "--help"}, {"completion", "bash"}, {"version"}, {"schema", "export"}} {
		if out, errs, code := call(t, nil, args...); code != 0 || out == "" {
			t.Errorf("%v: code %d: %s", args, code, errs)
		}
	}
	for _, args := range [][]string{{"topics"}, {"schema"}, {"config"}, {"config", "check"}, {"version", "x"}} {
		if _, errs, code := call(t, nil, args...); code != exitUsage || strings.Count(errs, "\n") != 1 {
			t.Errorf("%v: code %d, want %d and one line: %s", args, code, exitUsage, errs)
		}
	}
}
