package hydrate_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/kycbridge/kycbridge/normalize"
	"github.com/kycbridge/kycbridge/normalize/hydrate"
	"github.com/kycbridge/kycbridge/normalize/normalizetest"
	"github.com/kycbridge/kycbridge/schemas"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

func TestAnObjectCompletesADelivery(t *testing.T) {
	w := newWorld(t, 2)
	w.apis[thinName].set("/live/sessions/s1", "s1", "approved", 1)
	w.apis[shyName].set("/first/o1", "o1", "done", 1)
	w.apis[shyName].set("/second/o2", "o2", "signed", 1)
	w.start(0)
	w.send(0, said{thinName, "s1", "e1"}, said{thinName, "s1", "e1"})
	w.send(1, said{shyName, "o1", ""}, said{shyName, "o2", ""})
	w.settle()
	w.expect("s1.e1/approved/fetched", "o1/done/fetched", "o2/signed/fetched")
	w.audit()
	for _, e := range w.events() {
		md := e.GetMetadata()
		if !md.GetHydrated() || md.GetFetchedAt() == nil || md.GetRaw().GetTopic() != schemas.DefaultPrefix+schemas.Raw {
			t.Errorf("metadata is %v", md)
		}
	}
}

func TestEndsOfAFetch(t *testing.T) {
	w := newWorld(t, 1)
	w.apis[thinName].answer("/live/sessions/gone", code(http.StatusGone))
	w.apis[shyName].answer("/first/gone", code(http.StatusGone))
	w.start(0)
	w.send(0,
		said{thinName, "unknown", "e1"}, said{thinName, "gone", "e2"}, said{thinName, "../../admin", "e3"},
		said{shyName, "unknown", ""}, said{shyName, "gone", ""}, said{shyName, "a/b", ""},
	)
	w.settle()
	w.expect("unknown.e1/unsaid/not_found", "gone.e2/unsaid/not_found", "../../admin.e3/unsaid/off", "gone/gone/not_found")
	w.audit()
	reasons := map[string]int{}
	for _, d := range w.deadLetters() {
		reasons[d.GetStage()+" "+d.GetReason().String()]++
	}
	if reasons["hydrate DEAD_LETTER_REASON_HYDRATION_FAILED"] != 1 || reasons["hydrate DEAD_LETTER_REASON_INVALID"] != 1 || len(reasons) != 2 {
		t.Errorf("dead letters %v", reasons)
	}
	if n := w.apis[shyName].times("/first/unknown"); n != 2 {
		t.Errorf("an unknown object was asked for %d times under its first kind, expected 2: its API may lag", n)
	}
	if n := w.apis[thinName].times("/live/sessions/unknown"); n != 1 {
		t.Errorf("an unknown object was asked for %d times, expected 1", n)
	}
}

func TestAStateToldBeforeIsAskedForOnceMore(t *testing.T) {
	w := newWorld(t, 1)
	api := w.apis[shyName]
	api.set("/first/o", "o", "open", 1)
	w.start(0)
	w.send(0, said{shyName, "o", ""})
	w.settle()
	// The API lags: the second webhook's first answer is still the old one.
	asked := api.times("/first/o")
	api.answer("/first/o", func(rw http.ResponseWriter, r *http.Request) {
		api.set("/first/o", "o", "done", 2)
		_, _ = rw.Write([]byte(`{"id":"o","status":"open","version":1}`))
	})
	w.send(0, said{shyName, "o", ""})
	w.settle()
	w.expect("o/open/fetched", "o/done/fetched")
	if n := api.times("/first/o") - asked; n != 2 {
		t.Errorf("the second webhook asked %d times, expected 2", n)
	}
	// A third one that brings nothing new is a duplicate, after two questions.
	w.send(0, said{shyName, "o", ""})
	w.settle()
	w.expect("o/open/fetched", "o/done/fetched")
	w.audit()
	last := w.dispositions()[len(w.dispositions())-1]
	if last.GetKind() != kycv1.DispositionKind_DISPOSITION_KIND_DUPLICATE || last.GetDuplicateOf().GetTopic() != schemas.DefaultPrefix+schemas.Hydrate {
		t.Errorf("the last disposition is %v", last)
	}
	if n := api.times("/first/o") - asked; n != 4 {
		t.Errorf("two webhooks asked %d times, expected 4", n)
	}
}

func TestAnAPIThatHangsDelaysItselfAlone(t *testing.T) {
	w := newWorld(t, 1)
	release := make(chan struct{})
	w.apis[shyName].always(func(rw http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
			id := r.URL.Path[len("/first/"):]
			_, _ = rw.Write([]byte(`{"id":"` + id + `","status":"late","version":1}`))
		case <-r.Context().Done():
		}
	})
	w.apis[thinName].set("/live/sessions/s", "s", "approved", 1)
	w.start(0, func(o *hydrate.Options) { o.Timeout = time.Hour })
	var want []string
	for _, id := range []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p", "q", "r", "s", "t"} {
		w.send(0, said{shyName, id, ""})
		want = append(want, id+"/late/fetched")
	}
	w.Await("the API hangs", func() bool { return w.apis[shyName].total() > 0 }) // which of them has a turn is chance
	for _, event := range []string{"1", "2", "3"} {
		w.send(0, said{thinName, "s", event})
		want = append(want, "s."+event+"/approved/fetched")
		w.Await("the other vendor's event is out", func() bool { return len(w.texts()) == len(want)-20 })
	}
	close(release)
	w.settle()
	w.expect(want...)
	w.audit()
}

func TestFailuresAreTriedAgainUntilTheAPIAnswers(t *testing.T) {
	w := newWorld(t, 1)
	bad := []http.HandlerFunc{
		code(500), code(429), code(302), code(204),
		func(rw http.ResponseWriter, _ *http.Request) { _, _ = rw.Write([]byte("<html>")) },
		func(rw http.ResponseWriter, _ *http.Request) { _, _ = rw.Write([]byte(`{"id":"another"}`)) },
		func(rw http.ResponseWriter, _ *http.Request) { _, _ = rw.Write(make([]byte, 3<<20)) },
		func(rw http.ResponseWriter, _ *http.Request) { panic(http.ErrAbortHandler) },
	}
	api := w.apis[thinName]
	next := 0
	api.answer("/live/sessions/s", func(rw http.ResponseWriter, r *http.Request) {
		api.mu.Lock()
		n := next
		next++
		api.mu.Unlock()
		if n < len(bad) {
			bad[n](rw, r)
			return
		}
		_, _ = rw.Write([]byte(`{"id":"s","status":"approved"}`))
	})
	w.start(0, func(o *hydrate.Options) { o.RetryFirst = time.Millisecond })
	w.send(0, said{thinName, "s", "e"})
	w.settle()
	w.expect("s.e/approved/fetched")
	w.audit()
	if n := api.times("/live/sessions/s"); n != len(bad)+1 {
		t.Errorf("asked %d times, expected %d", n, len(bad)+1)
	}
}

func TestPatienceEnds(t *testing.T) {
	w := newWorld(t, 1)
	for _, a := range w.apis {
		a.always(code(503))
	}
	w.start(0, func(o *hydrate.Options) { o.GiveUpAfter = time.Second }) // every delivery is older
	w.send(0, said{thinName, "s", "e"}, said{shyName, "o", ""})
	w.settle()
	w.expect("s.e/unsaid/gave_up")
	w.audit()
	dead := w.deadLetters()
	if len(dead) != 1 || dead[0].GetReason() != kycv1.DeadLetterReason_DEAD_LETTER_REASON_HYDRATION_FAILED || dead[0].GetAttempts() != 1 {
		t.Errorf("dead letters %v", dead)
	}
}

// When hydrate was down for longer than patience lasts, an API that answers now is believed at once: a
// state told before is a duplicate, an unknown id is unknown, and neither is a failed fetch.
func TestLateAnswersAreBelieved(t *testing.T) {
	w := newWorld(t, 1)
	w.apis[shyName].set("/first/o", "o", "done", 1)
	w.start(0, func(o *hydrate.Options) { o.GiveUpAfter = time.Second }) // every delivery is older
	w.send(0, said{shyName, "o", ""}, said{shyName, "o", ""}, said{shyName, "nobody", ""})
	w.settle()
	w.expect("o/done/fetched")
	w.audit()
	kinds := map[kycv1.DispositionKind]int{}
	for _, d := range w.dispositions() {
		kinds[d.GetKind()]++
	}
	if kinds[kycv1.DispositionKind_DISPOSITION_KIND_DUPLICATE] != 1 {
		t.Errorf("dispositions by kind: %v, expected one duplicate", kinds)
	}
	for _, d := range w.deadLetters() {
		if d.GetRaw().GetOffset() != 2 || strings.Contains(d.GetDetail(), "in the time there was") {
			t.Errorf("a dead letter %v, expected one, for the unknown id", d)
		}
	}
}

func TestOneFetchAnswersAllThatWait(t *testing.T) {
	w := newWorld(t, 1)
	for range 10 {
		w.send(0, said{shyName, "o", ""})
	}
	w.send(0, said{thinName, "s", "1"}, said{thinName, "s", "2"}, said{thinName, "s", "3"})
	w.apis[thinName].set("/live/sessions/s", "s", "approved", 1)
	w.apis[shyName].set("/first/o", "o", "done", 1)
	n := normalizetest.Must(normalize.New(w.stage(9, w.Undertaker.Line(), normalize.DefaultGroup, schemas.Raw)))(t)
	go func() { _ = n.Run(w.Ctx) }()
	w.Await("the tasks are there", func() bool { return len(w.tasks()) == 13 })
	w.start(0)
	w.settle()
	w.expect("o/done/fetched", "s.1/approved/fetched", "s.2/approved/fetched", "s.3/approved/fetched")
	w.audit()
	if n := w.apis[thinName].times("/live/sessions/s"); n != 1 {
		t.Errorf("three tasks of one object asked %d times, expected 1", n)
	}
	if n := w.apis[shyName].times("/first/o"); n > 3 {
		t.Errorf("ten tasks of one object asked %d times, expected once, and once more for the duplicates", n)
	}
}
