package normalize

import (
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"runtime/debug"
	"time"

	"buf.build/go/protovalidate"

	"github.com/kycbridge/kycbridge/providers"
	"github.com/kycbridge/kycbridge/schemas"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// The stages of interpretation, as dead letters name them.
const (
	stageDecode   = "decode"
	stageIdentify = "identify"
	stageMap      = "map"
	stageValidate = "validate"
)

// maxEvents bounds what one delivery may become: a disposition names no more.
const maxEvents = 10000

// RawRecord is one record of the raw topic.
type RawRecord struct {
	Topic      string
	TopicID    [16]byte
	Partition  int32
	Offset     int64
	Time       time.Time // the record's own
	Key, Value []byte
}

// InterpreterOptions are the limits of an Interpreter.
type InterpreterOptions struct {
	StaleAfter     time.Duration // an event older than this on arrival is flagged; 0: none is
	MaxRecordBytes int           // size limit of one record; 0: none
}

// Interpreter says what a raw record means. It is pure: the same record gives the same Reading, and
// nothing is asked, read or remembered. It is safe for concurrent use.
type Interpreter struct {
	providers map[string]*providers.Provider
	validator protovalidate.Validator
	o         InterpreterOptions
}

// NewInterpreter returns an Interpreter for the given vendors.
func NewInterpreter(all []providers.Provider, v protovalidate.Validator, o InterpreterOptions) *Interpreter {
	i := &Interpreter{providers: make(map[string]*providers.Provider, len(all)), validator: v, o: o}
	for n := range all {
		i.providers[all[n].Name] = &all[n]
	}
	return i
}

// Reading is a raw record understood: its events, or the dead letter instead of them.
type Reading struct {
	Raw           RawRecord
	Envelope      *kycv1.RawEnvelope // nil where the record is none
	Identity      []byte             // empty: nothing is claimed
	ContentHash   [32]byte           // zero where nothing could be parsed
	VendorID      string
	VendorType    string
	Provider      string // "" unless it is one we know, so that it may label a metric
	MapperVersion string
	Events        []schemas.DomainEvent // complete and valid
	Dead          *kycv1.DeadLetter
	Drift         []providers.Drift
	Stale         []bool // per event
	Stack         []byte // of a recovered panic
	Err           error  // our own rules are broken: consumption must stop

	maxBytes int
}

// Interpret reads one record. It never panics and always answers with events, a dead letter, or Err.
func (i *Interpreter) Interpret(raw RawRecord) (r *Reading) {
	r = &Reading{Raw: raw, maxBytes: i.o.MaxRecordBytes} // named: it is returned after a panic too
	stage := stageDecode
	defer func() {
		if p := recover(); p != nil {
			r.Stack = debug.Stack()
			r.bury(stage, kycv1.DeadLetterReason_DEAD_LETTER_REASON_CRASHER, "", "the processing panicked: "+panicText(p))
		}
	}()
	if !i.decode(r) {
		return r
	}
	stage = stageIdentify
	provider, ok := i.providers[r.Envelope.GetProvider()]
	if !ok {
		r.bury(stage, kycv1.DeadLetterReason_DEAD_LETTER_REASON_UNMAPPED, "provider", "this version knows no vendor of that name")
		return r
	}
	r.Provider, r.MapperVersion = provider.Name, provider.MapperVersion
	delivery := deliveryOf(r.Envelope)
	notice, err := provider.Parse(delivery)
	r.identify(notice)
	if err != nil {
		r.refuse(stage, err)
		return r
	}
	stage = stageMap
	mapping, err := provider.Map(delivery, notice)
	r.Drift = mapping.Drift
	if err != nil {
		r.refuse(stage, err)
		return r
	}
	provider.Complete(delivery, notice, raw.Key, r.position(), mapping)
	stage = stageValidate
	i.accept(r, mapping.Events)
	return r
}

// decode takes the envelope out of the record.
func (i *Interpreter) decode(r *Reading) bool {
	envelope := &kycv1.RawEnvelope{}
	const malformed = kycv1.DeadLetterReason_DEAD_LETTER_REASON_MALFORMED
	if err := schemas.Unmarshal(r.Raw.Value, envelope); err != nil {
		r.bury(stageDecode, malformed, "", "the raw record is no envelope")
		return false
	}
	if field, _, err := i.validate(envelope); err != nil {
		r.Err = err
		return false
	} else if field != nil {
		r.bury(stageDecode, malformed, *field, "the raw record is no complete envelope")
		return false
	}
	r.Envelope = envelope
	return true
}

func (r *Reading) identify(n *providers.Notice) {
	if n == nil {
		return
	}
	r.Identity, r.ContentHash = n.Identity.Bytes(), n.ContentHash()
	r.VendorID, r.VendorType = n.ID, n.Type
}

// accept validates the events; a delivery goes out whole or not at all.
func (i *Interpreter) accept(r *Reading, events []schemas.DomainEvent) {
	const invalid, rejected = kycv1.DeadLetterReason_DEAD_LETTER_REASON_INVALID, kycv1.DeadLetterReason_DEAD_LETTER_REASON_REJECTED_CONTENT
	if len(events) == 0 {
		r.bury(stageValidate, invalid, "", "the mapping gave no event")
		return
	}
	if n := len(events); n > maxEvents || !r.fits(n*idBytes) {
		r.bury(stageValidate, rejected, "", fmt.Sprintf("%d events of one delivery are too many to be named in one disposition", n))
		return
	}
	for _, e := range events {
		name := string(e.ProtoReflect().Descriptor().Name())
		field, rule, err := i.validate(e)
		if err != nil {
			r.Err = err
			return
		}
		if field != nil {
			r.bury(stageValidate, invalid, *field, name+" breaks the rule "+rule)
			return
		}
		value, err := schemas.Marshal(e)
		if err != nil {
			r.bury(stageValidate, invalid, "", name+" cannot be written as protobuf; is a string not UTF-8?")
			return
		}
		if !r.fits(len(value)) {
			r.bury(stageValidate, rejected, "", fmt.Sprintf("%s of %d bytes does not fit into one record", name, len(value)))
			return
		}
	}
	r.Events = events
	r.Stale = make([]bool, len(events))
	for n, e := range events {
		r.Stale[n] = i.stale(e.GetMetadata())
	}
}

// stale goes by when the delivery arrived, never by the clock: a replay must judge alike.
func (i *Interpreter) stale(md *kycv1.EventMetadata) bool {
	return i.o.StaleAfter > 0 && md.GetOccurredAt() != nil &&
		md.GetReceivedAt().AsTime().Sub(md.GetOccurredAt().AsTime()) > i.o.StaleAfter
}

// validate returns the first field that breaks a rule, nil if none does. An error is a fault of the
// rules, not of the data.
func (i *Interpreter) validate(m protoMessage) (field *string, rule string, err error) {
	err = i.validator.Validate(m)
	if err == nil {
		return nil, "", nil
	}
	var violations *protovalidate.ValidationError
	if !errors.As(err, &violations) || len(violations.Violations) == 0 {
		return nil, "", fmt.Errorf("the validation rules of %s cannot be applied; processing stops, since going on would fill the dead-letter topic: %w", m.ProtoReflect().Descriptor().FullName(), err)
	}
	first := violations.Violations[0].Proto
	path := protovalidate.FieldPathString(first.GetField())
	return &path, first.GetRuleId(), nil
}

// refuse turns an error of a vendor's package into a dead letter.
func (r *Reading) refuse(stage string, err error) {
	var problem *providers.Problem
	if !errors.As(err, &problem) {
		// Only a Problem promises not to quote the delivery.
		problem = &providers.Problem{Detail: fmt.Sprintf("unexpected error of type %T", err)}
	}
	r.bury(stage, providers.Reason(err), problem.Field, problem.Detail)
}

// bury makes the dead letter.
func (r *Reading) bury(stage string, reason kycv1.DeadLetterReason, field, detail string) {
	r.Events, r.Stale = nil, nil
	envelope := r.Envelope
	if envelope == nil {
		envelope = &kycv1.RawEnvelope{Body: r.Raw.Value}
	}
	r.Dead = &kycv1.DeadLetter{
		Raw: r.position(), Reason: reason, Field: cut(field, 512), Stage: stage,
		Detail: cut(detail, 4096), Attempts: 1, Envelope: envelope,
	}
	r.shrink()
}

func (r *Reading) position() *kycv1.RawPosition {
	return &kycv1.RawPosition{Topic: r.Raw.Topic, Partition: r.Raw.Partition, Offset: r.Raw.Offset}
}

func deliveryOf(e *kycv1.RawEnvelope) *providers.Delivery {
	headers := make(http.Header, len(e.GetHeaders()))
	for _, h := range e.GetHeaders() {
		headers.Add(h.GetName(), h.GetValue())
	}
	return &providers.Delivery{
		Endpoint: e.GetEndpoint(), Tenant: e.GetTenant(), Environment: e.GetEnvironment(),
		ContentType: e.GetContentType(), Headers: headers, Body: e.GetBody(), ReceivedAt: e.GetReceivedAt().AsTime(),
	}
}

// panicText says what panicked without quoting data: only the runtime's own errors are known to
// hold none.
func panicText(p any) string {
	if err, ok := p.(runtime.Error); ok {
		return err.Error()
	}
	return fmt.Sprintf("a value of type %T", p)
}
