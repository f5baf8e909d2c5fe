package command

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/kycbridge/kycbridge/audit"
	"github.com/kycbridge/kycbridge/internal/operate"
	"github.com/kycbridge/kycbridge/internal/simulate"
)

const (
	// clockSkew is by how much the clocks of this machine and of Kafka's may differ: what a delivery became is
	// looked for in what was written since so long before it was sent.
	clockSkew = 5 * time.Minute
	// The first pause between two looks, and the longest; each is twice the one before.
	firstLook, lastLook = 50 * time.Millisecond, time.Second
)

// tell prints the deliveries, and with --wait what became of each that was taken, which success says.
func (f *sendFlags) tell(ctx context.Context, env *environment, answers []simulate.Answer, success int, sent time.Time) error {
	ask := func(id string) (string, error) { return "", nil }
	if f.wait > 0 {
		s, err := f.servers(env, "send")
		if err != nil {
			return err
		}
		var cancel func()
		ctx, cancel = context.WithTimeout(ctx, f.wait)
		defer cancel()
		ask = func(id string) (string, error) {
			d, err := await(ctx, s, id, sent)
			if err != nil {
				return "", f.notTold(s, id, err)
			}
			return fateLines(d), nil
		}
	}
	for _, a := range answers {
		if a.Delivery == "" {
			continue
		}
		fate := ""
		if a.Status == success {
			var err error
			if fate, err = ask(a.Delivery); err != nil {
				return err
			}
		}
		fmt.Fprintf(env.stdout, "%d %s  delivery %s%s\n", a.Status, http.StatusText(a.Status), shown(a.Delivery), fate)
	}
	return nil
}

// notTold is the error about a delivery whose fate is not known.
func (f *sendFlags) notTold(s operate.Servers, id string, err error) error {
	if err != context.DeadlineExceeded {
		return explainKafka(s, err)
	}
	return fmt.Errorf("nothing was decided about delivery %s within %s: is a normaliser running, and, where the vendor's API is asked, a hydrate stage? See later with `kycbridge trace %s`", shown(id), f.wait, shellWord(id))
}

// await looks for a delivery until it is decided.
func await(ctx context.Context, s operate.Servers, id string, sent time.Time) (audit.Delivery, error) {
	q := operate.TraceQuery{ID: id, Window: operate.Window{From: sent.Add(-clockSkew)}}
	for pause := firstLook; ; pause = min(2*pause, lastLook) {
		story, err := operate.Trace(ctx, s, q)
		if err != nil && ctx.Err() == nil {
			return audit.Delivery{}, err
		}
		if err == nil {
			for _, d := range story.Deliveries {
				if d.ID == id && decided(d) {
					return d, nil
				}
			}
		}
		select {
		case <-ctx.Done():
			return audit.Delivery{}, ctx.Err()
		case <-time.After(pause):
		}
	}
}

// decided: it does not wait for a vendor's API either.
func decided(d audit.Delivery) bool {
	n := len(d.Dispositions)
	return n > 0 && d.Dispositions[n-1].Kind != "HYDRATING"
}

// fateLines are what became of a delivery, shorter than `trace` tells it.
func fateLines(d audit.Delivery) string {
	var out strings.Builder
	fate, _, _ := strings.Cut(fateText(d.Dispositions[len(d.Dispositions)-1]), "  by ")
	fmt.Fprintf(&out, "  %s: %s", d.Raw, shown(fate))
	for _, e := range d.Events {
		fmt.Fprintf(&out, "\n  %s %d@%d  %s", e.Topic, e.Partition, e.Offset, shown(strings.Join(e.Says, " ")))
	}
	for _, l := range d.Letters {
		fmt.Fprintf(&out, "\n  %s", letterText(l))
	}
	return out.String()
}
