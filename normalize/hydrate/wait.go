package hydrate

import (
	"context"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kycbridge/kycbridge/normalize"
)

const waitBatch = 200

// returning is the wait topic, to which earlier releases wrote the tasks that had to wait. It puts them back
// at once; their time is in them.
type returning struct{ batch int }

// Begin implements normalize.Source.
func (w *returning) Begin() normalize.Poll { return normalize.Poll{Max: w.batch} }

// Take implements normalize.Source.
func (w *returning) Take(_ context.Context, in normalize.Input, polled []*kgo.Record) (normalize.Next, error) {
	if len(polled) == 0 {
		return normalize.Idle{}, nil
	}
	entries := make([]*entry, len(polled))
	for i, r := range polled {
		entries[i] = newEntry(in, r)
	}
	passCopies(entries)
	readings := make([]*normalize.Reading, len(entries))
	for i, e := range entries {
		switch e.state {
		case unread:
			readings[i] = skip("unreadable", e)
		case passed:
			readings[i] = skip(e.why, e)
		default:
			var err error
			if readings[i], err = forward("returned", e); err != nil {
				return nil, err
			}
		}
	}
	return normalize.Process{Readings: readings}, nil
}
