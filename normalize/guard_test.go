package normalize_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/kycbridge/kycbridge/normalize"
	"github.com/kycbridge/kycbridge/normalize/dedupe"
	"github.com/kycbridge/kycbridge/providers"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// deadly is a vendor whose mapper never comes back from one kind of delivery: the process it runs
// in is then killed, as the operating system does with one that eats all memory.
func deadly(died chan<- struct{}, after context.Context) providers.Provider {
	v := vendor()
	v.Maps["deadly"] = func(*providers.Delivery, *providers.Notice) (providers.Mapping, error) {
		died <- struct{}{}
		<-after.Done()
		return providers.Mapping{}, fmt.Errorf("unreachable in a dead process")
	}
	return v
}

func TestRecordThatKillsProcessesIsGivenUpAlone(t *testing.T) {
	w := newWorld(t, 1)
	var want []string
	for n := range 4 {
		w.send(0, said{Subject: "s", ID: fmt.Sprint(n), Text: "before"})
		want = append(want, fmt.Sprintf("%d/before", n))
	}
	w.send(0, said{Subject: "s", ID: "bad", Do: "deadly"})
	for n := range 4 {
		w.send(0, said{Subject: "s", ID: fmt.Sprint(n), Text: "after"}, said{Subject: "s", ID: fmt.Sprint("x", n), Text: "x"})
		want = append(want, fmt.Sprintf("%d/after", n), fmt.Sprintf("x%d/x", n))
	}
	deaths := 0
	for ended := false; !ended; {
		died := make(chan struct{}, 1)
		p := w.start(0, func(o *normalize.Options) {
			o.Attempts = o.Claims.(*dedupe.Store)
			o.Providers = []providers.Provider{deadly(died, w.Ctx)}
		})
		w.Await("the process dies or is done", func() bool {
			select {
			case <-died:
				deaths++
				p.line.Cut()
				return true
			default:
				ended = w.settled()
				return ended
			}
		})
		if deaths > 20 {
			t.Fatal("the record kills one process after the other")
		}
	}
	t.Logf("given up after %d deaths", deaths)
	w.expectEvents(want...)
	w.audit()
	dead := w.deadLetters()
	if len(dead) != 1 || dead[0].GetReason() != kycv1.DeadLetterReason_DEAD_LETTER_REASON_CRASHER {
		t.Errorf("dead letters %v, expected one CRASHER", dead)
	}
}
