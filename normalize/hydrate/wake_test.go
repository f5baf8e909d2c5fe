package hydrate

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kycbridge/kycbridge/internal/record"
	"github.com/kycbridge/kycbridge/normalize"
	"github.com/kycbridge/kycbridge/normalize/normalizetest"
	"github.com/kycbridge/kycbridge/schemas"
)

// oneRecord is a session that has one record, and ends with its commit.
type oneRecord struct {
	polled *kgo.Record
	end    func()
	out    []record.Outgoing
	at     time.Time // of the commit
}

func (s *oneRecord) Poll(ctx context.Context, _ int) (all []*kgo.Record, err error) {
	if s.polled == nil {
		<-ctx.Done()
		return nil, nil
	}
	all, s.polled = []*kgo.Record{s.polled}, nil
	return all, nil
}

func (s *oneRecord) Commit(_ context.Context, out []record.Outgoing) (bool, error) {
	s.out, s.at = out, time.Now()
	s.end()
	return true, nil
}

func (s *oneRecord) Rewind(context.Context) error { return nil }

func (*oneRecord) Hold([]int32)             {}
func (*oneRecord) Release([]int32)          {}
func (*oneRecord) Seek(int32, int64) bool   { return true }
func (s *oneRecord) StayAt(map[int32]int64) {}

// toldOpen is a source to which every task is open.
type toldOpen struct{ *rig }

func (s toldOpen) Take(ctx context.Context, in normalize.Input, polled []*kgo.Record) (normalize.Next, error) {
	in.Disposed = s.in.Disposed
	return s.rig.Take(ctx, in, polled)
}

// An answer is written when it comes, not when the poll is over that the worker waits in.
func TestTheEndOfAFetchEndsAPoll(t *testing.T) {
	inRig(t, func(t *testing.T, r *rig) {
		r.api = func(string) (int, string) { return http.StatusOK, `{}` }
		ctx, cancel := context.WithCancel(t.Context())
		s := &oneRecord{polled: r.record(r.task("a")), end: cancel}
		worker := normalizetest.Must(normalize.New(normalize.Options{
			Source: func(int) normalize.Source { return toldOpen{r} },
			Sessions: normalizetest.Opens(func(context.Context, string, normalize.Watch) (normalize.Slot, error) {
				return normalize.Slot{Session: s, Close: func() {}, Refused: func() error { return nil }}, nil
			}),
		}))(t)
		began := time.Now()
		if err := worker.Run(ctx); err != nil || len(s.out) != 1 || s.out[0].Topic != schemas.Hydrate {
			t.Fatalf("written: %v (%v), expected the answer", s.out, err)
		}
		if took := s.at.Sub(began); took != latency {
			t.Errorf("written after %v, expected %v: as soon as it was there", took, latency)
		}
	})
}
