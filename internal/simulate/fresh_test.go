package simulate

import (
	"testing"
	"time"
)

func TestFreshen(t *testing.T) {
	now := time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)
	cases := []struct{ name, body, want string }{
		{"moved by whole days", `{"a":"2026-01-02T03:04:05.006Z","b":"2026-01-03T10:00:00Z"}`, `{"a":"2026-11-19T03:04:05.006Z","b":"2026-11-20T10:00:00Z"}`},
		{"today already", `{"a":"2026-11-21T08:00:00Z"}`, `{"a":"2026-11-21T08:00:00Z"}`},
		{"looks ahead", `{"a":"2026-01-02T03:04:05Z","deadline":"2027-01-01T00:00:00Z"}`, `{"a":"2026-01-02T03:04:05Z","deadline":"2027-01-01T00:00:00Z"}`},
		{"no times", `{"a":1}`, `{"a":1}`},
		{"no such day", `{"a":"2026-02-31T00:00:00Z"}`, `{"a":"2026-02-31T00:00:00Z"}`},
		{"not JSON", "2026-11-18T23:59:59Z\xff", "2026-11-20T23:59:59Z\xff"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if got := string(freshen([]byte(c.body), now)); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}
