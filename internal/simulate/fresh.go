package simulate

import (
	"regexp"
	"time"
)

var instant = regexp.MustCompile(`\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z`)

// freshen moves the times of a fixture forward by whole days, to the last day
// before now: what is sent for show should not look like a capture of long ago,
// which is flagged as stale. Whole days, so that fixtures about one moment, such
// as a completion told twice, still are. A fixture that looks ahead, such as one
// with a deadline, stays as it is.
func freshen(body []byte, now time.Time) []byte {
	var latest time.Time
	for _, text := range instant.FindAll(body, -1) {
		if at, err := time.Parse(time.RFC3339Nano, string(text)); err == nil && at.After(latest) {
			latest = at
		}
	}
	days := now.Sub(latest) / (24 * time.Hour)
	if latest.IsZero() || days <= 0 {
		return body
	}
	return instant.ReplaceAllFunc(body, func(text []byte) []byte {
		at, err := time.Parse(time.RFC3339Nano, string(text))
		if err != nil {
			return text
		}
		const date = len("2006-01-02")
		moved := at.Add(days*24*time.Hour).AppendFormat(nil, "2006-01-02")
		return append(moved, text[date:]...)
	})
}
