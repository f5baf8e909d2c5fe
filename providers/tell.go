package providers

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	day = 24 * time.Hour
	// near is how far from a story's begin a time belongs to it. Others, such as a date of
	// birth or the end of a passport that is good for years, stay as they are.
	near = 400 * day
)

// Tell tells the story so that its last delivery is sent at end: all its times move
// together, each in the form that it has, and so do dates and unix seconds. The same n
// gives the same ids, another n gives others of the same form; the same id is the same
// everywhere in a telling. Nothing of the story is changed.
func (s *Story) Tell(n uint64, end time.Time) []Told {
	shift := end.Sub(s.Begins.Add(s.Lasts())).Truncate(time.Second)
	rename := s.renamer(n)
	again := func(text []byte) []byte { return rename(s.moved(text, shift)) }
	told := slices.Clone(s.Deliveries)
	for i := range told {
		t := &told[i]
		t.Body = again(t.Body)
		headers := http.Header{}
		for name, values := range t.Headers {
			for _, v := range values {
				headers.Add(name, string(again([]byte(v))))
			}
		}
		t.Headers = headers
		if t.Fetched != nil {
			fetched := *t.Fetched
			fetched.Body = again(fetched.Body)
			t.Fetched = &fetched
		}
	}
	return told
}

// times finds instants, dates and unix seconds. What follows the seconds of an instant,
// a fraction and a zone, is not part of it and stays.
var times = regexp.MustCompile(`\b(?:\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d:\d\d|\b)|1\d{9}\b)`)

// The layouts of what times finds.
const (
	layoutInstant = "2006-01-02T15:04:05"
	layoutSpaced  = "2006-01-02 15:04:05"
)

// moved is a text with the times of the story moved.
func (s *Story) moved(text []byte, shift time.Duration) []byte {
	return times.ReplaceAllFunc(text, func(found []byte) []byte {
		if seconds, err := strconv.ParseInt(string(found), 10, 64); err == nil {
			if t := time.Unix(seconds, 0); s.near(t) {
				return strconv.AppendInt(nil, t.Add(shift).Unix(), 10)
			}
			return found
		}
		for _, layout := range []string{layoutInstant, layoutSpaced, time.DateOnly} {
			if t, err := time.Parse(layout, string(found)); err == nil && s.near(t) {
				return later(t, shift).AppendFormat(nil, layout)
			}
		}
		return found
	})
}

// later is a time and a duration. Midnight is a day, and the day remains midnight.
func later(t time.Time, by time.Duration) time.Time {
	if t.Equal(t.Truncate(day)) {
		return t.Add(by).Truncate(day)
	}
	return t.Add(by)
}

func (s *Story) near(t time.Time) bool { return t.Sub(s.Begins).Abs() <= near }

// shaped finds UUIDs and long hex digits.
var shaped = regexp.MustCompile(`\b(?:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{24,64})\b`)

// renamer gives texts the ids of telling n.
func (s *Story) renamer(n uint64) func(text []byte) []byte {
	ids := slices.Clone(s.IDs)
	slices.SortFunc(ids, func(a, b string) int { return len(b) - len(a) }) // one may begin another
	var pairs []string
	for _, id := range ids {
		pairs = append(pairs, id, string(alike([]byte(id), n, "0123456789")))
	}
	listed := strings.NewReplacer(pairs...)
	return func(text []byte) []byte {
		text = shaped.ReplaceAllFunc(text, func(id []byte) []byte {
			if slices.Contains(s.Fixed, string(id)) || !isUUID(string(id)) && !isHex(string(id)) {
				return id
			}
			return alike(id, n, "0123456789abcdef")
		})
		return []byte(listed.Replace(string(text)))
	}
}

// alike is an id of the same form, made of n and the id: its digits are others. The
// version and the variant of a UUID stay, and so does whatever is no digit.
func alike(id []byte, n uint64, digits string) []byte {
	seed := append(binary.BigEndian.AppendUint64(nil, n), id...)
	sum := sha256.Sum256(seed)
	random := sha256.Sum256(sum[:])
	stream := append(sum[:], random[:]...)
	out := bytes.Clone(id)
	for i, c := range out {
		if bytes.IndexByte([]byte(digits), c) < 0 || len(id) == 36 && (i == 14 || i == 19) {
			continue
		}
		out[i] = digits[int(stream[i%len(stream)])%len(digits)]
	}
	return out
}
