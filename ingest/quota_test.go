package ingest

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kycbridge/kycbridge/providers"
)

func TestQuotaLetsInWhatItsBurstAllows(t *testing.T) {
	begin := time.Now()
	for _, c := range []struct {
		name  string
		works []int           // of deliveries one after the other
		after []time.Duration // when each comes; the last one for the rest
		in    []bool
	}{
		{"as many as the burst allows at once", []int{4, 6, 1}, nil, []bool{true, true, false}},
		{"again when there is room", []int{10, 1, 1}, []time.Duration{0, 0, time.Second}, []bool{true, false, true}},
		{"a large one when anything is left, and then none until it is paid", []int{9, 30, 1, 1}, []time.Duration{0, 0, 14 * time.Second, 15 * time.Second}, []bool{true, true, false, true}},
		{"no more after an hour than at first", []int{10, 10, 1}, []time.Duration{0, time.Hour, time.Hour}, []bool{true, true, false}},
		{"a clock that was set back", []int{10, 1}, []time.Duration{time.Hour, 0}, []bool{true, false}},
	} {
		q := newQuota(2)
		at := time.Duration(0)
		for i, work := range c.works {
			if i < len(c.after) {
				at = c.after[i]
			}
			in := q.open(begin.Add(at))
			if in != c.in[i] {
				t.Errorf("%s: delivery %d is let in: %v, expected %v", c.name, i, in, c.in[i])
			}
			if in {
				q.take(work)
			}
		}
	}
}

// One endpoint's flood is told to come again, and no other endpoint is.
func TestAFloodIsHeldBackAtItsEndpointAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := ackAll()
		o := testOptions(t, log)
		o.Endpoints[0].EventsPerSecond = 20
		o.Endpoints[0].Provider.Limits = providers.Limits{Events: 50, Estimate: func(body []byte) int { return strings.Count(string(body), "{") }}
		calm := o.Endpoints[0]
		calm.Name = "calm"
		o.Endpoints = append(o.Endpoints, calm)
		s := newServer(t, o)
		large, small := "["+strings.Repeat("{},", 120)+"0]", "{}"
		let := func(endpoint, body string) outcome {
			t.Helper()
			w := serve(s, signed(t, endpoint, "old", body))
			switch {
			case w.Code == 200:
				return accepted
			case w.Code != 503 || w.Header().Get("Retry-After") == "":
				t.Fatalf("%s is answered %d with %v, expected 503 with Retry-After", endpoint, w.Code, w.Header())
			}
			return overQuota
		}
		for range 2 {
			if let("one", large) != accepted {
				t.Fatal("a body counts as more than its vendor's limit: 50 events each are within 100")
			}
		}
		if let("one", small) != overQuota {
			t.Error("an endpoint over its quota was let in")
		}
		if let("calm", small) != accepted {
			t.Error("another endpoint pays for it")
		}
		time.Sleep(time.Second)
		if let("one", large) != accepted {
			t.Error("a second later the endpoint is still held back")
		}
		if got := len(log.all()); got != 4 {
			t.Errorf("%d deliveries were stored, expected 4", got)
		}
		// Bytes are work as well, though they become nothing.
		blanks := strings.Repeat(" ", 900<<10)
		if let("calm", blanks) != accepted || let("calm", small) != overQuota {
			t.Error("900 KiB of blanks cost as much as one event")
		}
	})
}
