package auth

import (
	"encoding/base64"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"
)

// BenchmarkGuesses times guesses that are wrong from their first byte on beside such that are right up to their
// last, in turn, and reports by how much the means differ (ns/difference) and how many standard errors that is
// (sigmas). Where time tells nothing, it is about what the control shows, which compares equal guesses: a
// nanosecond or two. It asserts nothing:
//
//	go test -run '^$' -bench Guesses -benchtime 100000x -count 5 ./providers/auth
func BenchmarkGuesses(b *testing.B) {
	const value = "user:" + "a-password-of-forty-characters-0123456789"
	first, last := "X"+value[1:], value[:len(value)-1]+"X"
	short, long := value[:8], value+strings.Repeat("x", 4096)
	basic := func(guess string) Request {
		return Request{Header: http.Header{authorization: {"Basic " + base64.StdEncoding.EncodeToString([]byte(guess))}}}
	}
	bearer := func(guess string) Request { return Request{Header: http.Header{authorization: {"Bearer " + guess}}} }
	custom := func(guess string) Request { return Request{Header: http.Header{"X-Token": {guess}}} }
	path := func(guess string) Request { return Request{PathToken: guess} }
	for name, tc := range map[string]struct {
		scheme Scheme
		a, b   Request
	}{
		"basic":         {Basic{}, basic(first), basic(last)},
		"bearer":        {Bearer{}, bearer(first), bearer(last)},
		"header":        {Header{"X-Token"}, custom(first), custom(last)},
		"path":          {PathToken{}, path(first), path(last)},
		"control":       {Bearer{}, bearer(last), bearer(strings.Clone(last))}, // what a machine makes of no difference
		"path, lengths": {PathToken{}, path(short), path(long)},                // differs: the time is that of the guess's own hash
	} {
		b.Run(name, func(b *testing.B) {
			secrets := []Secret{newSecret(b, "one", value)}
			var took [2]sample
			for i := range b.N {
				for j := range 2 {
					which := (i + j) % 2 // neither is always first
					r := [2]Request{tc.a, tc.b}[which]
					r.Now = noon
					start := time.Now()
					_, _ = tc.scheme.Verify(secrets, r)
					took[which].add(float64(time.Since(start)))
				}
			}
			differ := took[1].mean - took[0].mean
			b.ReportMetric(differ, "ns/difference")
			b.ReportMetric(differ/math.Sqrt(took[0].error2()+took[1].error2()), "sigmas")
		})
	}
}

// sample is a mean and its spread, as they grow. What took twice as long as the rest so far was interrupted.
type sample struct{ n, mean, squares float64 }

func (s *sample) add(x float64) {
	if s.n > 100 && x > 2*s.mean {
		return
	}
	s.n++
	d := x - s.mean
	s.mean += d / s.n
	s.squares += d * (x - s.mean)
}

// error2 is the square of the mean's standard error.
func (s *sample) error2() float64 { return s.squares / max(s.n-1, 1) / max(s.n, 1) }
