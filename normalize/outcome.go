package normalize

import (
	"slices"

	"github.com/kycbridge/kycbridge/internal/contract"
	"github.com/kycbridge/kycbridge/internal/record"
	"github.com/kycbridge/kycbridge/schemas"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// Outcome is what a record that a stage read becomes. It is one of *Publish, *DeadLetter, *Fetch,
// *Forward and *Skip. The first three are decided with package dedupe and end in a disposition; the
// other two only move a record on.
type Outcome interface{ outcome() }

// Publish: its events go out.
type Publish struct {
	Events   []Event
	records  []record.Outgoing // of all of them, in every form, as they are written where nothing unusual is decided
	bytes    int               // of the records, with keys and headers
	recorder *contract.Recorder
	prebuilt prebuilt
}

// Event is one domain event, complete and valid.
type Event struct {
	Message schemas.DomainEvent
	Stale   bool
}

// DeadLetter: no event can be made of it.
type DeadLetter struct {
	Letter *kycv1.DeadLetter
	Stack  []byte // of a recovered panic
}

// Fetch: the vendor's API must be asked first.
type Fetch struct {
	Task  *kycv1.HydrateTask
	Label string // the replay that its stage is to name; "" for none
}

// Forward: nothing is decided yet, and the record moves on.
type Forward struct {
	As      string // names it for metrics
	Records []record.Outgoing
}

// Skip: nothing is written, and only the offset moves.
type Skip struct {
	As string // names it for metrics
}

func (*Publish) outcome()    {}
func (*DeadLetter) outcome() {}
func (*Fetch) outcome()      {}
func (*Forward) outcome()    {}
func (*Skip) outcome()       {}

// Letter is the dead letter of a reading; nil where it is none.
func (r *Reading) Letter() *kycv1.DeadLetter {
	if d, ok := r.Outcome.(*DeadLetter); ok {
		return d.Letter
	}
	return nil
}

// Events are the events of a reading; none where it is not published.
func (r *Reading) Events() []Event {
	if p, ok := r.Outcome.(*Publish); ok {
		return p.Events
	}
	return nil
}

// Fetches reports whether the vendor's API must be asked first.
func (r *Reading) Fetches() bool {
	_, ok := r.Outcome.(*Fetch)
	return ok
}

// decided reports whether package dedupe is asked about a reading.
func (r *Reading) decided() bool {
	switch r.Outcome.(type) {
	case *Forward, *Skip:
		return false
	}
	return true
}

// ids are those of the events.
func (p *Publish) ids() []string {
	ids := make([]string, 0, len(p.Events))
	for _, e := range p.Events {
		ids = append(ids, e.Message.GetMetadata().GetEventId())
	}
	return slices.Clip(ids)
}
