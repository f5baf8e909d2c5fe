package normalize

import (
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"runtime/debug"
	"time"

	"buf.build/go/protovalidate"
	"google.golang.org/protobuf/proto"

	"github.com/kycbridge/kycbridge/internal/contract"
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
	stageHydrate  = "hydrate"
)

// Why events cannot be written.
const (
	invalid  = kycv1.DeadLetterReason_DEAD_LETTER_REASON_INVALID
	rejected = kycv1.DeadLetterReason_DEAD_LETTER_REASON_REJECTED_CONTENT
)

// maxEvents bounds what one delivery may become: a disposition names no more.
const maxEvents = 10000

// RawRecord is one record of the raw topic, or of another topic that a stage reads.
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
	// Hydrates says whether an endpoint's API is configured. nil: none is. A vendor whose webhooks
	// say nothing without its API is always asked.
	Hydrates func(endpoint string) bool
}

// Interpreter says what a raw record means. It is pure: the same record gives the same Reading, and
// nothing is asked, read or remembered. It is safe for concurrent use.
type Interpreter struct {
	providers map[string]*providers.Provider
	validator Validator
	o         InterpreterOptions
}

// Validator checks a message against the rules of the contract. What a message breaks is a
// protovalidate.ValidationError; any other error is a fault of the rules.
type Validator interface {
	Validate(m proto.Message) error
}

// NewInterpreter returns an Interpreter for the given vendors.
func NewInterpreter(all []providers.Provider, v Validator, o InterpreterOptions) *Interpreter {
	i := &Interpreter{providers: make(map[string]*providers.Provider, len(all)), validator: v, o: o}
	for n := range all {
		i.providers[all[n].Name] = &all[n]
	}
	return i
}

// Interpret reads one raw record. It never panics and always answers with events, a dead letter, a task,
// or Err.
func (i *Interpreter) Interpret(raw RawRecord) *Reading {
	return i.guarded(newReading(raw, i.o.MaxRecordBytes), func(r *Reading, at *string) {
		if i.decode(r) {
			i.read(r, at)
		}
	})
}

// InterpretTask reads a task whose fetch has ended. in is the task's own record, rawTopic the id of the
// topic of its webhook's record.
func (i *Interpreter) InterpretTask(in RawRecord, rawTopic [16]byte, task *kycv1.HydrateTask) *Reading {
	return i.guarded(taskReading(in, rawTopic, task, i.o.MaxRecordBytes), i.read)
}

// InterpretAnew is Interpret for a record that the hydrate stage had in hand: its task as it was at first,
// whatever the mapping says by now, or a dead letter.
func (i *Interpreter) InterpretAnew(raw RawRecord) *Reading {
	return i.guarded(newReading(raw, i.o.MaxRecordBytes), func(r *Reading, at *string) {
		if !i.decode(r) {
			return
		}
		*at = stageIdentify
		if p := i.providers[r.Envelope.GetProvider()]; p != nil {
			r.Provider, r.MapperVersion = p.Name, p.MapperVersion
			notice, _ := p.Parse(deliveryOf(r.Envelope))
			r.identify(notice)
		}
		r.Task = r.pending()
	})
}

// Target names the object that a task waits for; false where its webhook needs none any more, as after
// a change of the mapping.
func (i *Interpreter) Target(task *kycv1.HydrateTask) (target providers.Target, ok bool) {
	defer func() {
		if recover() != nil {
			target, ok = providers.Target{}, false
		}
	}()
	p := i.providers[task.GetEnvelope().GetProvider()]
	if p == nil {
		return target, false
	}
	d := deliveryOf(task.GetEnvelope())
	notice, err := p.Parse(d)
	if err != nil {
		return target, false
	}
	mapping, err := p.Map(d, notice)
	if err != nil {
		return target, false
	}
	target, ok = p.Needs(d, notice, mapping)
	return target, ok && providers.ValidObjectID(target.ID)
}

// guarded turns a panic into a dead letter of the stage it happened in.
func (i *Interpreter) guarded(r *Reading, read func(r *Reading, at *string)) (out *Reading) {
	stage := stageDecode
	out = r // named: it is returned after a panic too
	defer func() {
		if p := recover(); p != nil {
			r.Stack = debug.Stack()
			r.bury(stage, kycv1.DeadLetterReason_DEAD_LETTER_REASON_CRASHER, "", "the processing panicked: "+panicText(p))
		}
	}()
	read(r, &stage)
	return out
}

// read takes an envelope to its events. at is where it is, as dead letters name it.
func (i *Interpreter) read(r *Reading, at *string) {
	*at = stageIdentify
	provider, ok := i.providers[r.Envelope.GetProvider()]
	if !ok {
		r.bury(*at, kycv1.DeadLetterReason_DEAD_LETTER_REASON_UNMAPPED, "provider", "this version knows no vendor of that name")
		return
	}
	r.Provider, r.MapperVersion = provider.Name, provider.MapperVersion
	delivery := deliveryOf(r.Envelope)
	delivery.Fetched = r.fetched
	notice, err := provider.Parse(delivery)
	r.identify(notice)
	if err != nil {
		r.refuse(*at, err)
		return
	}
	*at = stageMap
	mapping, err := provider.Map(delivery, notice)
	r.Drift = mapping.Drift
	switch {
	case errors.Is(err, providers.ErrHydrationFailed):
		r.refuse(stageHydrate, err)
		return
	case err != nil:
		r.refuse(*at, err)
		return
	}
	if i.ask(r, provider, delivery, notice, mapping) {
		return
	}
	provider.Complete(delivery, notice, r.Raw.Key, r.position(), mapping)
	*at = stageValidate
	i.accept(r, mapping.Events)
}

// ask makes the task for the vendor's API where the webhook alone is not enough and the API may be
// asked. It says whether the reading ends here.
func (i *Interpreter) ask(r *Reading, p *providers.Provider, d *providers.Delivery, n *providers.Notice, m providers.Mapping) bool {
	if d.Fetched != nil || p.Hydration == nil || !p.Hydration.Required && (i.o.Hydrates == nil || !i.o.Hydrates(d.Endpoint)) {
		return false
	}
	target, ok := p.Needs(d, n, m)
	switch {
	case !ok:
		return false
	case providers.ValidObjectID(target.ID):
		r.Task = r.pending()
		return true
	case p.Hydration.Required:
		r.bury(stageHydrate, kycv1.DeadLetterReason_DEAD_LETTER_REASON_INVALID, "id", "no id that can be asked for: want a letter or digit, then up to 127 more of A-Z a-z 0-9 . _ - without two dots in a row")
		return true
	}
	return false
}

// decode takes the envelope out of the record.
func (i *Interpreter) decode(r *Reading) bool {
	envelope := &kycv1.RawEnvelope{}
	const malformed = kycv1.DeadLetterReason_DEAD_LETTER_REASON_MALFORMED
	if err := contract.Unmarshal(r.Raw.Value, envelope); err != nil {
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

// accept validates the events; a delivery goes out whole or not at all.
func (i *Interpreter) accept(r *Reading, events []schemas.DomainEvent) {
	if len(events) == 0 {
		r.bury(stageValidate, invalid, "", "the mapping gave no event")
		return
	}
	if n := len(events); n > maxEvents || !r.fits(n*idBytes) {
		r.bury(stageValidate, rejected, "", fmt.Sprintf("%d events of one delivery are too many to be named in one disposition", n))
		return
	}
	r.Stale, r.encoded = make([]bool, len(events)), make([][]byte, len(events))
	for n, e := range events {
		r.Stale[n] = i.stale(e.GetMetadata())
		r.flag(n, e, "")
		if !i.encode(r, n, e) {
			return
		}
	}
	r.Events = events
	r.prepare()
}

// encode validates one event and keeps its value; false where there is none.
func (i *Interpreter) encode(r *Reading, n int, e schemas.DomainEvent) bool {
	name := func() string { return string(e.ProtoReflect().Descriptor().Name()) }
	field, rule, err := i.validate(e)
	if err != nil {
		r.Err = err
		return false
	}
	if field != nil {
		r.bury(stageValidate, invalid, *field, name()+" breaks the rule "+rule)
		return false
	}
	value, err := contract.Marshal(e)
	if err != nil {
		r.bury(stageValidate, invalid, "", name()+" cannot be written as protobuf; is a string not UTF-8?")
		return false
	}
	if !r.fits(len(value)) {
		r.bury(stageValidate, rejected, "", fmt.Sprintf("%s of %d bytes does not fit into one record", name(), len(value)))
		return false
	}
	r.encoded[n] = value
	return true
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
