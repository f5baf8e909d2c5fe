package main

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kycbridge/kycbridge/providers/auth"
	"github.com/kycbridge/kycbridge/providers/catalog"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

func someWebhooks(t *testing.T, n int) []webhook {
	t.Helper()
	m, err := newMix("complycube")
	if err == nil {
		err = m.keep(leastBody, mostBody)
	}
	if err != nil {
		t.Fatal(err)
	}
	all, err := m.webhooks(7, n)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestWebhooks: what is posted would be believed, and what is forged would not.
func TestWebhooks(t *testing.T) {
	all := someWebhooks(t, 300)
	forged, err := forgeries(all)
	if err != nil {
		t.Fatal(err)
	}
	key, err := auth.NewSecret("primary", []byte(secret), time.Time{}, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	var scheme auth.Scheme
	for _, p := range catalog.All() {
		if p.Name == "complycube" {
			scheme = p.Scheme
		}
	}
	ids := map[string]bool{}
	for i, h := range all {
		ids[h.id] = true
		for name, wire := range map[string][]byte{"good": h.wire, "forged": forged[i].wire} {
			r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(wire)))
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(r.Body)
			if err != nil || r.URL.Path != "/hooks/complycube" || len(body) < leastBody {
				t.Fatalf("%s: error %v, path %s, %d bytes", name, err, r.URL.Path, len(body))
			}
			_, err = scheme.Verify([]auth.Secret{key}, auth.Request{Header: r.Header, Body: body, Now: time.Now()})
			if (err == nil) != (name == "good") {
				t.Errorf("a %s webhook verifies with %v", name, err)
			}
		}
	}
	if len(ids) != len(all) {
		t.Errorf("%d webhooks have %d ids", len(all), len(ids))
	}
}

func TestLoadPostsEachOnce(t *testing.T) {
	all := someWebhooks(t, 200)
	var mu sync.Mutex
	bodies := map[string]int{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		bodies[string(body)]++
	}))
	defer server.Close()
	every := time.Microsecond
	a, err := load{address: server.Listener.Addr().String(), want: http.StatusOK, every: every}.post(t.Context(), all)
	if err != nil || len(bodies) != len(all) {
		t.Fatalf("%d different bodies arrived, error %v; want %d", len(bodies), err, len(all))
	}
	for i := range all {
		if a.took[i] <= 0 || a.sent[i] != a.sent[0].Add(time.Duration(i)*every) {
			t.Fatalf("webhook %d took %s and was due %s after the first", i, a.took[i], a.sent[i].Sub(a.sent[0]))
		}
	}
}

func TestLoadChecksEveryAnswer(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	_, err := load{address: server.Listener.Addr().String(), want: http.StatusOK}.post(t.Context(), someWebhooks(t, 5))
	if err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("error is %v, want one that names 404", err)
	}
}

func TestKeepWantsFixtures(t *testing.T) {
	m, err := newMix("complycube")
	if err != nil {
		t.Fatal(err)
	}
	if err := m.keep(1<<20, 2<<20); err == nil {
		t.Error("a mix without fixtures is no error")
	}
}

func TestArrivals(t *testing.T) {
	begin := time.Now()
	a := &arrivals{kinds: map[string]proto.Message{"check": &kycv1.CheckEvent{}}, index: map[string]int{"one": 0, "two": 1}, came: make([]time.Time, 2), open: 2}
	for _, e := range []struct {
		id string
		at time.Duration
	}{{"two", 3}, {"stranger", 4}, {"one", 5}, {"two", 6}} {
		value, err := proto.Marshal(&kycv1.CheckEvent{Metadata: &kycv1.EventMetadata{VendorEventId: e.id}})
		if err != nil {
			t.Fatal(err)
		}
		if err := a.note(&kgo.Record{Topic: "check", Value: value}, begin.Add(e.at)); err != nil {
			t.Fatal(err)
		}
	}
	took := a.since([]time.Time{begin, begin.Add(1)})
	if a.open != 0 || took[0] != 5 || took[1] != 2 {
		t.Errorf("%d are open, events took %v; want the first of each", a.open, took)
	}
}

func TestReportServed(t *testing.T) {
	r := &report{}
	reportServed(r, []served{{cpu: 30, p99: 4}}, []served{{cpu: 20, p99: 2}}, []served{{cpu: 15}})
	got := map[string]row{}
	for _, line := range r.rows {
		got[line.Name] = line
	}
	if cpu := got["CPU per request"]; *cpu.Ratio != 1.5 || *cpu.Met {
		t.Errorf("CPU is %+v", cpu)
	}
	if forged := got["CPU of a forged request to that of an accepted one"]; forged.Product != 0.5 || !*forged.Met {
		t.Errorf("a forged request is %+v", forged)
	}
	if got := quantile([]time.Duration{3e6, 1e6, 2e6}, 0.5); got != 2 {
		t.Errorf("the median of 1, 2 and 3 ms is %v ms", got)
	}
}

func TestPadded(t *testing.T) {
	for _, tc := range []struct {
		body, want string
		size       int
	}{
		{`{"a":1}`, `{"a":1}`, 0},
		{`{"a":1}`, `{"a":1   }`, 10},
		{`no object`, `no object`, 20},
	} {
		if got := string(padded([]byte(tc.body), tc.size)); got != tc.want {
			t.Errorf("%s at %d bytes is %s, want %s", tc.body, tc.size, got, tc.want)
		}
	}
}
