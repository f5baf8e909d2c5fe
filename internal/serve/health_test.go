package serve

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestHealth(t *testing.T) {
	h := &health{}
	ask := func() (int, readiness) {
		t.Helper()
		w := httptest.NewRecorder()
		h.serveReady(w, nil)
		var r readiness
		if err := json.Unmarshal(w.Body.Bytes(), &r); err != nil {
			t.Fatalf("%v: %s", err, w.Body)
		}
		return w.Code, r
	}
	h.watch("config", func() error { return nil })
	kafka := h.expect("kafka", errors.New("not asked yet"))
	if code, r := ask(); code != 503 || r.Ready || r.Down["kafka"] != "not asked yet" || len(r.Up) != 1 {
		t.Errorf("before Kafka: %d %+v", code, r)
	}
	kafka.set(nil)
	if code, r := ask(); code != 200 || !r.Ready || strings.Join(r.Up, " ") != "config kafka" {
		t.Errorf("with Kafka: %d %+v", code, r)
	}
	kafka.set(errors.New("first\nsecond"))
	if code, r := ask(); code != 503 || r.Down["kafka"] != "first; second" {
		t.Errorf("Kafka down again: %d %+v", code, r)
	}
	kafka.set(errors.Join(errors.New("slow"), errors.New("dial 10.0.0.1->10.0.0.2"), errors.New("slow"), errors.New("dial 10.0.0.1->10.0.0.2")))
	if code, r := ask(); code != 503 || r.Down["kafka"] != "slow; dial 10.0.0.1->10.0.0.2" {
		t.Errorf("Kafka down for the same reasons several times: %d %+v", code, r)
	}
	w := httptest.NewRecorder()
	if h.serveReady(w, nil); !strings.Contains(w.Body.String(), "->") {
		t.Errorf("/readyz escapes what people are to read: %s", w.Body)
	}
	kafka.set(nil)
	h.drain()
	if code, r := ask(); code != 503 || r.Down["process"] != "draining" {
		t.Errorf("draining: %d %+v", code, r)
	}
	w = httptest.NewRecorder()
	if serveLive(w, nil); w.Code != 200 {
		t.Errorf("/livez is %d while draining, want 200", w.Code)
	}
}

// A process that takes deliveries in stays in the rotation without its normalizer, and says so.
func TestHealthOfAPartThatIsOnlyNamed(t *testing.T) {
	h := &health{}
	var down error
	h.watchUntilUp("normalize", func() error { return down })
	h.watch("ingest", func() error { return nil })
	h.expect("redis", nil)
	h.report("redis", func() error { return down })
	for _, step := range []struct {
		down error
		want string
	}{
		{errors.New("joining"), "ready=false up=ingest down=map[normalize:joining redis:joining]"},
		{nil, "ready=true up=normalize ingest redis down=map[]"},
		{errors.New("gone"), "ready=true up=ingest down=map[normalize:gone redis:gone]"},
		{nil, "ready=true up=normalize ingest redis down=map[]"},
	} {
		down = step.down
		r := h.state()
		if got := fmt.Sprintf("ready=%v up=%s down=%v", r.Ready, strings.Join(r.Up, " "), r.Down); got != step.want {
			t.Errorf("%s\nwant %s", got, step.want)
		}
	}
	h.drain()
	if h.state().Ready {
		t.Error("ready while draining")
	}
}
