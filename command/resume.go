package command

import (
	"strings"
	"time"
)

// replayCommand is `replay` with this selection, ready for a shell.
func (f *replayFlags) replayCommand() string {
	s := f.selection
	words := []string{"replay", "--mode", f.mode}
	add := func(flag string, values ...string) {
		for _, v := range values {
			words = append(words, flag, shellWord(v))
		}
	}
	if !s.Since.IsZero() {
		add("--since", s.Since.UTC().Format(time.RFC3339Nano))
	}
	if !s.Until.IsZero() {
		add("--until", s.Until.UTC().Format(time.RFC3339Nano))
	}
	add("--range", f.ranges...)
	add("--id", s.IDs...)
	add("--endpoint", s.Endpoints...)
	add("--vendor", s.Vendors...)
	if s.PoisonPills {
		words = append(words, "--crashers")
	}
	return strings.Join(append(words, f.addressFlags()...), " ")
}

// letterReplayCommand repeats `deadletter replay` with absolute times. It also chooses letters
// that were written since; what is done is not done again.
func (f *replayFlags) letterReplayCommand(l letterFlags, ids []string, now time.Time) string {
	words := []string{"deadletter", "replay"}
	for _, id := range ids {
		words = append(words, shellWord(id))
	}
	for _, p := range []struct {
		flag   string
		values []string
	}{{"--reason", l.reasons}, {"--vendor", l.vendors}, {"--endpoint", l.endpoints}} {
		if len(p.values) > 0 {
			words = append(words, p.flag, shellWord(strings.Join(p.values, ",")))
		}
	}
	for _, p := range []struct{ flag, value string }{{"--since", l.since}, {"--until", l.until}} {
		if at, err := parseWhen(p.flag, p.value, now); err == nil && p.value != "" {
			words = append(words, p.flag, at.UTC().Format(time.RFC3339))
		}
	}
	if f.all {
		words = append(words, "--all")
	}
	return strings.Join(append(words, f.addressFlags()...), " ")
}

// addressFlags repeats the flags that say where Kafka and Redis are.
func (f *replayFlags) addressFlags() (words []string) {
	for _, p := range []struct{ flag, value string }{
		{"--config", f.config}, {"--data", f.data}, {"--brokers", strings.Join(f.brokers, ",")}, {"--topic-prefix", f.prefix}, {"--redis", f.redis},
	} {
		if p.value != "" {
			words = append(words, p.flag, shellWord(p.value))
		}
	}
	return words
}

// shellWord quotes what a shell would not take as one plain word.
func shellWord(text string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("@%+=:,./-_", r)
	}
	if text != "" && !strings.ContainsFunc(text, func(r rune) bool { return !plain(r) }) {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
