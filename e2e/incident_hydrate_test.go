package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"path"
	"sync/atomic"

	"github.com/kycbridge/kycbridge/schemas"
)

// hydrateIncidents: deliveries wait for a vendor's API.
func hydrateIncidents() []fault {
	return []fault{
		{name: "api-away", does: "a vendor's API is away while deliveries need it", real: true, run: apiAway},
		{name: "hydrate-offsets", does: "the offsets of the hydrate group are set to the ends while tasks wait", real: true, run: hydrateOffsets},
	}
}

// vendorAPI is the vendor's API: it knows every object, while it is there.
type vendorAPI struct {
	away  atomic.Bool
	asked atomic.Int64
}

// startAPI starts it, and lets processes that start from now on ask it.
func startAPI(s *scene) *vendorAPI {
	s.Helper()
	a := &vendorAPI{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.asked.Add(1)
		if a.away.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, `{"id":%q,"clientId":"client-1","type":"document_check"}`, path.Base(r.URL.Path))
	}))
	s.Cleanup(server.Close)
	s.rewrite("    environment: ENVIRONMENT_SANDBOX\n", fmt.Sprintf(
		"    environment: ENVIRONMENT_SANDBOX\n    api:\n      base_url: %q\n      internal: true\n      key: \"${KYCBRIDGE_SECRET_COMPLYCUBE}\"\n", server.URL),
		"normalize:\n", "hydrate:\n  slots: 1\n  rate: 1000\nnormalize:\n")
	return a
}

// hydrated is ordinary, with a process of the hydrate stage.
func (s *scene) hydrated() (a *vendorAPI, first, second, stage *member) {
	s.Helper()
	a = startAPI(s)
	stage = s.start(nil, "hydrate", "--instance", "0")
	_, first, second = s.calm()
	s.await("the API is asked", func() bool { return a.asked.Load() > 20 })
	return a, first, second, stage
}

// hydrateOffsets: tasks that the group was pushed over are fetched and published all the same.
func hydrateOffsets(s *scene) {
	_, _, _, stage := s.hydrated()
	p := s.runbook("The group's offsets were reset or deleted")
	stage.process.stop(s)
	s.grow(60)
	s.stop()
	s.forward("kycbridge-hydrate", schemas.Hydrate)
	s.strike()
	stage = stage.again()
	p.sees("the log", logs(stage), "the group's offset was set")
	p.rises("kycbridge_hydrate_offsets_moved_total", 0, stage)
	s.during.quiet(s)
	s.resend(100)
	s.verdict()
}

// apiAway: tasks wait, are counted, and come out once the API is back.
func apiAway(s *scene) {
	a, _, _, stage := s.hydrated()
	p := s.runbook("`kycbridge_hydrate_breaker_open` is 1")
	a.away.Store(true)
	s.grow(40)
	p.rises("kycbridge_hydrate_breaker_open", 0, stage)
	p.rises("kycbridge_hydrate_waiting_tasks", 10, stage)
	p.rises("kycbridge_hydrate_oldest_waiting_age_seconds", 1, stage)
	s.stop()
	a.away.Store(false)
	s.strike()
	s.during.quiet(s)
	s.await("nothing waits", func() bool { return metric(stage.admin, "kycbridge_hydrate_waiting_tasks") <= 0 })
	p.follow(0)
	s.resend(100)
	s.verdict()
}
