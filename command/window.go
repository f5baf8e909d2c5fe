package command

import (
	"strconv"
	"strings"
	"time"

	"github.com/kycbridge/kycbridge/internal/operate"
)

// windowHelp is part of the help of every command with a time range.
const windowHelp = `TIME is RFC 3339 (2026-01-02T15:04:05Z, or just 2026-01-02, midnight UTC), or a
duration before now (90m, 36h, 7d).`

// parseWindow reads --since and --until.
func parseWindow(from, to string, now time.Time) (w operate.Window, err error) {
	if w.From, err = parseWhen("--since", from, now); err != nil {
		return w, err
	}
	if w.To, err = parseWhen("--until", to, now); err != nil {
		return w, err
	}
	if !w.From.IsZero() && !w.To.IsZero() && !w.From.Before(w.To) {
		return w, usagef("--since %s is not before --until %s", from, to)
	}
	return w, nil
}

func parseWhen(flag, text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339Nano, time.DateOnly} {
		if at, err := time.Parse(layout, text); err == nil {
			return at, nil
		}
	}
	ago, err := time.ParseDuration(text)
	if days, ok := strings.CutSuffix(text, "d"); ok {
		var n int
		n, err = strconv.Atoi(days)
		ago = time.Duration(min(n, 100_000)) * 24 * time.Hour
	}
	if err != nil || ago < 0 {
		return time.Time{}, usagef("%s is %q; expected a time such as 2026-01-02T15:04:05Z or 2026-01-02, or a duration before now such as 90m, 36h or 7d", flag, text)
	}
	return now.Add(-ago), nil
}
