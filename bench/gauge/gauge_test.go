package gauge

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
)

// childVariable makes the test binary play the program that is measured.
const childVariable = "KYCBRIDGE_GAUGE_CHILD"

func TestMain(m *testing.M) {
	switch os.Getenv(childVariable) {
	case "":
		os.Exit(m.Run())
	case "dies":
		os.Stderr.WriteString("no broker at all\n")
		os.Exit(3)
	}
	for range 1 << 30 { // busy until it is killed
	}
	select {}
}

func child(t *testing.T, plays, ready string) Program {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return Program{Name: "the child", Path: self, Env: []string{childVariable + "=" + plays}, Ready: ready}
}

func TestUsageGrows(t *testing.T) {
	p, _, err := Start(t.Context(), child(t, "works", ""))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Kill()
	for {
		u, err := p.Usage()
		if err != nil {
			t.Fatal(err)
		}
		if u.CPU > 0 && u.RSS > 0 && u.Peak >= u.RSS {
			return
		}
		if t.Context().Err() != nil {
			t.Fatalf("usage is %+v, want time and memory", u)
		}
	}
}

func TestStartSaysWhyAProgramIsNotReady(t *testing.T) {
	never := httptest.NewServer(http.NotFoundHandler())
	defer never.Close()
	_, _, err := Start(t.Context(), child(t, "dies", never.URL))
	if err == nil || !strings.Contains(err.Error(), "no broker at all") {
		t.Errorf("error is %v, want one with the program's own words", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := Start(ctx, child(t, "works", never.URL)); err == nil {
		t.Error("a program that never gets ready was started")
	}
}

func TestQuantile(t *testing.T) {
	for _, tc := range []struct {
		values []int
		q      float64
		want   int
	}{
		{nil, 0.5, 0},
		{[]int{7}, 0.99, 7},
		{[]int{3, 1, 2}, 0.5, 2},
		{[]int{4, 1, 3, 2}, 0.5, 3},
		{[]int{1, 2, 3, 4}, 1, 4},
	} {
		if got := Quantile(tc.values, tc.q); got != tc.want {
			t.Errorf("Quantile(%v, %v) = %d, want %d", tc.values, tc.q, got, tc.want)
		}
	}
}
