package hydrate_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/kycbridge/kycbridge/providers"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// The vendors of these tests: shy sends only ids, thin sends events that lack a verdict.
const (
	shyName  = "shy"
	thinName = "thin"
)

// said is a delivery of either.
type said struct {
	Vendor string `json:"-"`
	Object string `json:"object"`
	Event  string `json:"event,omitempty"` // thin's id of the event
}

func (s said) body() []byte {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return b
}

func (s said) key() []byte { return providers.RawKey(s.Vendor, s.Object, s.body()) }

// received is when every test delivery arrived.
var received = time.Date(2026, 5, 4, 10, 0, 0, 0, time.UTC)

func (s said) envelope() *kycv1.RawEnvelope {
	return &kycv1.RawEnvelope{
		Provider: s.Vendor, Endpoint: s.Vendor, Tenant: "default", Environment: kycv1.Environment_ENVIRONMENT_LIVE,
		ReceivedAt: timestamppb.New(received), Method: "POST", Body: s.body(),
		DeliveryId: "01900000-0000-7000-8000-0000000000aa",
	}
}

// state is an object of either API.
type state struct {
	ID      string `json:"id"`
	Status  string `json:"status"`
	Version int    `json:"version"`
}

func shy() providers.Provider {
	p := providers.Provider{Name: shyName, Title: "Shy", MapperVersion: "shy/1", Parse: parse, Maps: map[string]providers.MapFunc{"": mapShy}}
	p.Hydration = hydration("first")
	p.Hydration.Required, p.Hydration.AskAgain = true, true
	p.Hydration.Objects["first"] = providers.APIObject{Path: "/first/{id}", OrElse: "second"}
	p.Hydration.Objects["second"] = providers.APIObject{Path: "/second/{id}"}
	return p
}

func thin() providers.Provider {
	p := providers.Provider{Name: thinName, Title: "Thin", MapperVersion: "thin/1", Parse: parse, Maps: map[string]providers.MapFunc{"": mapThin}}
	p.Hydration = hydration("session")
	p.Hydration.Objects["session"] = providers.APIObject{Path: "/{environment}/sessions/{id}"}
	return p
}

func hydration(kind string) *providers.Hydration {
	return &providers.Hydration{
		Objects: map[string]providers.APIObject{},
		Needs: func(_ *providers.Delivery, n *providers.Notice) (providers.Target, bool) {
			return providers.Target{Kind: kind, ID: n.Doc.At("object").Text()}, true
		},
		Check: func(t providers.Target, body []byte) error {
			var s state
			if json.Unmarshal(body, &s) != nil || s.ID != t.ID {
				return errors.New("another object")
			}
			return nil
		},
	}
}

func parse(d *providers.Delivery) (*providers.Notice, error) {
	doc, err := providers.ReadObject(d.Body)
	if err != nil {
		return nil, err
	}
	n := &providers.Notice{ID: doc.At("event").Text(), Type: "changed", Doc: doc, Content: providers.Canonical(doc, nil)}
	switch {
	case n.ID != "":
		n.Identity = providers.Identity{n.ID}
	case d.Fetched != nil && d.Fetched.Result == kycv1.FetchResult_FETCH_RESULT_FETCHED:
		s := stateOf(d)
		n.Identity = providers.Identity{d.Fetched.Kind, s.ID, s.Status, fmt.Sprint(s.Version)}
		n.Content = []byte(s.Status)
	}
	return n, nil
}

func stateOf(d *providers.Delivery) (s state) {
	if d.Fetched != nil {
		_ = json.Unmarshal(d.Fetched.Body, &s)
	}
	return s
}

func mapShy(d *providers.Delivery, n *providers.Notice) (m providers.Mapping, err error) {
	if d.Fetched == nil {
		m.Incomplete = true
		return m, nil
	}
	status := stateOf(d).Status
	if d.Fetched.Result == kycv1.FetchResult_FETCH_RESULT_GONE {
		status = "gone"
	}
	m.Add(event(n, status))
	return m, nil
}

func mapThin(d *providers.Delivery, n *providers.Notice) (m providers.Mapping, err error) {
	m.Incomplete = true
	m.Add(event(n, stateOf(d).Status))
	return m, nil
}

func event(n *providers.Notice, status string) *kycv1.SessionEvent {
	return &kycv1.SessionEvent{
		Metadata:   &kycv1.EventMetadata{Subject: &kycv1.Subject{SessionId: n.Doc.At("object").Text()}},
		Transition: kycv1.SessionTransition_SESSION_TRANSITION_PROCESSING, VendorStatus: providers.FirstWord(status, "unsaid"),
	}
}

// textOf is what an event says and how it was had.
func textOf(e *kycv1.SessionEvent) string {
	id := e.GetMetadata().GetSubject().GetSessionId()
	if event := e.GetMetadata().GetVendorEventId(); event != "" {
		id += "." + event
	}
	how := strings.TrimPrefix(e.GetMetadata().GetHydration().String(), "HYDRATION_")
	return id + "/" + e.GetVendorStatus() + "/" + strings.ToLower(how)
}

// api is a vendor's API whose answers a test sets.
type api struct {
	url string

	mu      sync.Mutex
	answers map[string]http.HandlerFunc // by path
	asked   map[string]int              // by path
	other   http.HandlerFunc            // for every other path; nil: 404
	changed chan struct{}
}

func newAPI(t *testing.T) *api {
	a := &api{answers: map[string]http.HandlerFunc{}, asked: map[string]int{}, changed: make(chan struct{}, 1)}
	server := httptest.NewServer(a)
	t.Cleanup(server.Close)
	t.Cleanup(server.CloseClientConnections)
	a.url = server.URL
	return a
}

func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	a.asked[r.URL.Path]++
	answer := a.answers[r.URL.Path]
	if answer == nil {
		answer = a.other
	}
	a.mu.Unlock()
	if answer == nil {
		answer = http.NotFound
	}
	answer(w, r)
}

// set gives an object; times counts its requests.
func (a *api) set(path, id, status string, version int) {
	a.answer(path, func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(state{ID: id, Status: status, Version: version})
	})
}

func (a *api) answer(path string, h http.HandlerFunc) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.answers[path] = h
}

func (a *api) always(h http.HandlerFunc) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.other = h
}

func (a *api) times(path string) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.asked[path]
}

// total counts all requests.
func (a *api) total() (n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, asked := range a.asked {
		n += asked
	}
	return n
}

func code(n int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(n) }
}
