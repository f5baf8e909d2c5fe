package normalize

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/kycbridge/kycbridge/internal/contract"
	"github.com/kycbridge/kycbridge/internal/record"
	"github.com/kycbridge/kycbridge/normalize/dedupe"
	"github.com/kycbridge/kycbridge/providers"
	"github.com/kycbridge/kycbridge/schemas"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// Headers of what is unusual about an event. Its metadata says the same, for consumers that see none.
const (
	headerDedupe = "dedupe"
	headerStale  = "stale"
)

// Why events cannot be written.
const (
	invalid  = kycv1.DeadLetterReason_DEAD_LETTER_REASON_INVALID
	rejected = kycv1.DeadLetterReason_DEAD_LETTER_REASON_REJECTED_CONTENT
)

// accept makes the records of the events; a delivery goes out whole or not at all.
func (i *Interpreter) accept(r *Reading, limits providers.Limits, events []schemas.DomainEvent) error {
	if len(events) == 0 {
		r.bury(stageValidate, invalid, "", "the mapping gave no event")
		return nil
	}
	if n := len(events); n > limits.MaxEvents() {
		r.bury(stageValidate, rejected, "", fmt.Sprintf("the delivery becomes %d events; a delivery of this vendor may become %d", n, limits.MaxEvents()))
		return nil
	}
	if n := len(events); n > maxEvents || !r.fits(n*idBytes) {
		r.bury(stageValidate, rejected, "", fmt.Sprintf("%d events of one delivery are too many to be named in one disposition", n))
		return nil
	}
	p := &Publish{Events: make([]Event, len(events)), records: make([]record.Outgoing, 0, len(events)*i.recorder.Forms()), recorder: &i.recorder}
	first := 0 // bytes of the first record of each event: the limit says what a delivery may become, in how many forms it is said
	for n, e := range events {
		p.Events[n] = Event{Message: e, Stale: i.stale(e.GetMetadata())}
		from := len(p.records)
		if err := i.encode(r, p, p.Events[n]); err != nil || r.Outcome != nil {
			return err
		}
		for at := from; at < len(p.records); at++ {
			size := recordBytes(&p.records[at])
			if p.bytes += size; at == from {
				first += size
			}
		}
		if first > limits.MaxOutput() {
			r.bury(stageValidate, rejected, "", fmt.Sprintf("the %d events of the delivery have more than %d bytes, the limit for a delivery of this vendor", len(events), limits.MaxOutput()))
			return nil
		}
	}
	r.Outcome = p
	var err error
	p.prebuilt, err = r.prebuild()
	return err
}

// recordBytes is what a record takes, but for its framing.
func recordBytes(o *record.Outgoing) int {
	n := len(o.Key) + len(o.Value)
	for _, h := range o.Headers {
		n += len(h.Key) + len(h.Value)
	}
	return n
}

// encode makes the records of one event, or of the delivery a dead letter.
func (i *Interpreter) encode(r *Reading, p *Publish, e Event) error {
	name := func() string { return string(e.Message.ProtoReflect().Descriptor().Name()) }
	from := len(p.records)
	written, err := r.event(p.records, &i.recorder, e.Message, e.Stale, "")
	var broken *contract.Violation
	switch {
	case errors.As(err, &broken):
		r.bury(stageValidate, invalid, broken.Field, name()+" breaks the rule "+broken.Rule)
	case errors.Is(err, contract.ErrUnencodable):
		r.bury(stageValidate, invalid, "", name()+" cannot be written; is a string not UTF-8?")
	case err != nil:
		return stops(err)
	}
	for n := from; n < len(written); n++ {
		if bytes := len(written[n].Value); !r.fits(bytes) {
			r.bury(stageValidate, rejected, "", fmt.Sprintf("%s of %d bytes for %s does not fit into one record", name(), bytes, written[n].Topic))
			break
		}
	}
	p.records = written
	return nil
}

// stops says why a fault of our own rules ends the process.
func stops(err error) error {
	return fmt.Errorf("processing stops, since going on would fill the dead-letter topic: %w", err)
}

// stale goes by when the delivery arrived, never by the clock: a replay must judge alike.
func (i *Interpreter) stale(md *kycv1.EventMetadata) bool {
	return i.o.StaleAfter > 0 && md.GetOccurredAt() != nil &&
		md.GetReceivedAt().AsTime().Sub(md.GetOccurredAt().AsTime()) > i.o.StaleAfter
}

// flagged adds the records of an event about which something unusual was decided.
func (r *Reading) flagged(out []record.Outgoing, recorder *contract.Recorder, e Event, flag dedupe.Flag) ([]record.Outgoing, error) {
	own, _ := proto.Clone(e.Message).(schemas.DomainEvent) // a clone is of the same type
	return r.event(out, recorder, own, e.Stale, flag)
}

// event writes the flags into an event, and adds its records, one for each form.
func (r *Reading) event(out []record.Outgoing, recorder *contract.Recorder, e schemas.DomainEvent, stale bool, flag dedupe.Flag) ([]record.Outgoing, error) {
	var flags []record.Header
	if flag != "" {
		flags = append(flags, record.Header{Key: headerDedupe, Value: []byte(flag)})
	}
	if stale {
		flags = append(flags, record.Header{Key: headerStale, Value: []byte("true")})
	}
	if md := e.GetMetadata(); md != nil { // without metadata it is against the rules, as will be said
		md.Flags = nil
		for _, f := range flags {
			md.Flags = append(md.Flags, f.Key+"="+string(f.Value))
		}
		if r.Replay != "" {
			md.Flags = append(md.Flags, headerReplay+"="+r.Replay)
		}
	}
	from := len(out)
	out, err := recorder.Append(out, e, r.Raw.Key)
	if err != nil {
		return out, err
	}
	var span [36]byte
	var room [1]record.Header
	trace := r.trace(room[:0], appendCompact(span[:0], e.GetMetadata().GetEventId())[:spanSize])
	for n := from; n < len(out); n++ {
		out[n].Headers = append(append(out[n].Headers, trace...), flags...)
	}
	return out, nil
}
