package normalize

import (
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/kycbridge/kycbridge/internal/contract"
	"github.com/kycbridge/kycbridge/providers"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// The stages of interpretation, as dead letters name them.
const (
	stageDecode   = "decode"
	stageIdentify = "identify"
	stageMap      = "map"
	stageValidate = "validate"
	stageHydrate  = "hydrate"
	stageSkip     = "skip"
)

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
	// Hydrates reports whether an endpoint's API is configured. nil: none is. A vendor whose webhooks
	// hold only an id is always asked.
	Hydrates func(endpoint string) bool
	// ReferenceAsIs reports whether an endpoint lets the customer's own reference leave as it came. nil: none does.
	ReferenceAsIs func(endpoint string) bool
	Forms         []contract.Form // that events are written in; none: plain protobuf
	Gate          providers.Gate  // what a vendor's words pass on their way into dispositions
}

// Interpreter finds out what a raw record means. It is pure: the same record gives the same Reading, and
// nothing is asked, read or remembered. It is safe for concurrent use. Its errors are faults of our own
// rules, after which processing must stop.
type Interpreter struct {
	providers map[string]*providers.Provider
	rules     contract.Rules
	recorder  contract.Recorder
	o         InterpreterOptions
}

// NewInterpreter returns an Interpreter for the given vendors.
func NewInterpreter(all []providers.Provider, rules contract.Rules, o InterpreterOptions) *Interpreter {
	i := &Interpreter{
		providers: make(map[string]*providers.Provider, len(all)), rules: rules, recorder: contract.NewRecorder(rules, o.Forms...), o: o,
	}
	for n := range all {
		i.providers[all[n].Name] = &all[n]
	}
	return i
}

// Interpret reads one raw record. It never panics, and the outcome is to publish, a dead letter or a fetch.
func (i *Interpreter) Interpret(raw RawRecord) (*Reading, error) {
	return i.guarded(i.newReading(raw), func(r *Reading, at *string) error {
		if ok, err := i.decode(r); !ok {
			return err
		}
		return i.read(r, at)
	})
}

// InterpretTask reads a task whose fetch has ended. in is the task's own record, rawTopic the id of the
// topic of its webhook's record where the task does not say.
func (i *Interpreter) InterpretTask(in RawRecord, rawTopic [16]byte, task *kycv1.HydrateTask) (*Reading, error) {
	return i.guarded(i.taskReading(in, rawTopic, task), i.read)
}

// InterpretAnew is Interpret for a record that the hydrate stage had in hand: its task as it was at first,
// whatever the mapping says by now, or a dead letter.
func (i *Interpreter) InterpretAnew(raw RawRecord) (*Reading, error) {
	return i.guarded(i.newReading(raw), func(r *Reading, at *string) error {
		if ok, err := i.decode(r); !ok {
			return err
		}
		*at = stageIdentify
		if p := i.vendor(r); p != nil {
			notice, _ := p.Parse(i.delivery(r.Envelope))
			r.identify(notice)
		}
		r.fetch()
		return nil
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
	d := i.delivery(task.GetEnvelope())
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
func (i *Interpreter) guarded(r *Reading, read func(r *Reading, at *string) error) (out *Reading, err error) {
	stage := stageDecode
	out = r // named: it is returned after a panic too
	defer func() {
		if p := recover(); p != nil {
			stack := debug.Stack()
			r.bury(stage, kycv1.DeadLetterReason_DEAD_LETTER_REASON_CRASHER, "", "the processing panicked: "+panicText(p)).Stack = stack
		}
	}()
	return out, read(r, &stage)
}

// vendor finds the vendor of a reading and notes it there; nil: this version knows none of that name.
func (i *Interpreter) vendor(r *Reading) *providers.Provider {
	p := i.providers[r.Envelope.GetProvider()]
	if p != nil {
		r.Provider, r.MapperVersion = p.Name, p.MapperVersion
	}
	return p
}

func (i *Interpreter) newReading(raw RawRecord) *Reading {
	r := newReading(raw, i.o.MaxRecordBytes)
	r.gate = i.o.Gate
	return r
}

func (i *Interpreter) taskReading(in RawRecord, rawTopic [16]byte, task *kycv1.HydrateTask) *Reading {
	r := taskReading(in, rawTopic, task, i.o.MaxRecordBytes)
	r.gate, r.of = i.o.Gate, i.providers[r.Envelope.GetProvider()]
	return r
}

// read takes an envelope to its outcome. at is where it is, as dead letters name it.
func (i *Interpreter) read(r *Reading, at *string) error {
	*at = stageIdentify
	provider := i.vendor(r)
	if provider == nil {
		r.bury(*at, kycv1.DeadLetterReason_DEAD_LETTER_REASON_UNMAPPED, "provider", "this version knows no vendor of that name")
		return nil
	}
	delivery := i.delivery(r.Envelope)
	delivery.Fetched = r.fetched
	notice, err := provider.Parse(delivery)
	r.identify(notice)
	if err != nil {
		r.refuse(*at, providers.Explain(delivery, err))
		return nil
	}
	*at = stageMap
	mapping, err := provider.Map(delivery, notice)
	r.Drift = mapping.Drift
	switch {
	case errors.Is(err, providers.ErrHydrationFailed):
		r.refuse(stageHydrate, err)
		return nil
	case err != nil:
		r.refuse(*at, err)
		return nil
	}
	if i.ask(r, provider, delivery, notice, mapping) {
		return nil
	}
	provider.Complete(delivery, notice, r.Raw.Key, r.position(), mapping)
	*at = stageValidate
	return i.accept(r, provider.Limits, mapping.Events)
}

// ask makes the task for the vendor's API where the webhook alone is not enough and the API may be
// asked. It reports whether that is the outcome, or a dead letter is.
func (i *Interpreter) ask(r *Reading, p *providers.Provider, d *providers.Delivery, n *providers.Notice, m providers.Mapping) bool {
	if d.Fetched != nil || p.Hydration == nil || !p.Hydration.Required && (i.o.Hydrates == nil || !i.o.Hydrates(d.Endpoint)) {
		return false
	}
	target, ok := p.Needs(d, n, m)
	switch {
	case !ok:
		return false
	case providers.ValidObjectID(target.ID):
		r.fetch()
		return true
	case p.Hydration.Required:
		r.bury(stageHydrate, invalid, "id", "no id that can be asked for: want a letter or digit, then up to 127 more of A-Z a-z 0-9 . _ - without two dots in a row")
		return true
	}
	return false
}

// decode takes the envelope out of the record; false where there is none.
func (i *Interpreter) decode(r *Reading) (bool, error) {
	envelope := &kycv1.RawEnvelope{}
	const malformed = kycv1.DeadLetterReason_DEAD_LETTER_REASON_MALFORMED
	if r.badKey != "" {
		// Its copies need not lie in its partition, so nothing can be said about which of them counts.
		r.bury(stageDecode, malformed, "key", r.badKey)
		return false, nil
	}
	if err := contract.Unmarshal(r.Raw.Value, envelope); err != nil {
		r.bury(stageDecode, malformed, "", "the raw record is no envelope")
		return false, nil
	}
	err := i.rules.Validate(envelope)
	var broken *contract.Violation
	switch {
	case errors.As(err, &broken):
		r.bury(stageDecode, malformed, broken.Field, "the raw record is no complete envelope")
		return false, nil
	case err != nil:
		return false, stops(err)
	}
	r.Envelope, r.of = envelope, i.providers[envelope.GetProvider()]
	return true, nil
}

// delivery is what a vendor's package is given of an envelope, and of the endpoint's settings.
func (i *Interpreter) delivery(e *kycv1.RawEnvelope) *providers.Delivery {
	headers := make(http.Header, len(e.GetHeaders()))
	for _, h := range e.GetHeaders() {
		headers.Add(h.GetName(), h.GetValue())
	}
	return &providers.Delivery{
		Endpoint: e.GetEndpoint(), Tenant: e.GetTenant(), Environment: e.GetEnvironment(),
		ContentType: e.GetContentType(), Headers: headers, Body: e.GetBody(), ReceivedAt: e.GetReceivedAt().AsTime(),
		ReferenceAsIs: i.o.ReferenceAsIs != nil && i.o.ReferenceAsIs(e.GetEndpoint()),
	}
}

// panicText describes a panic without quoting data: only the runtime's own errors are known to
// hold none.
func panicText(p any) string {
	if err, ok := p.(runtime.Error); ok {
		return err.Error()
	}
	return fmt.Sprintf("a value of type %T", p)
}

// GiveUp is the reading of a record that must not be interpreted again.
func (i *Interpreter) GiveUp(raw RawRecord) (*Reading, error) {
	r := i.newReading(raw)
	if ok, err := i.decode(r); !ok {
		return r, err
	}
	return r.giveUp(), nil
}

// PassOver is the reading of a record that an operator has passed over, for the reason given. Nothing of it is
// interpreted. It has no identity, so a copy that comes later is not its duplicate.
func (i *Interpreter) PassOver(raw RawRecord, why string) (*Reading, error) {
	r := i.newReading(raw)
	r.attempts = 0
	if _, err := i.decode(r); err != nil {
		return r, err
	}
	r.bury(stageSkip, kycv1.DeadLetterReason_DEAD_LETTER_REASON_SKIPPED_BY_OPERATOR, "", why)
	return r, nil
}

// GiveUpTask is the reading of a task that must not be interpreted again.
func (i *Interpreter) GiveUpTask(in RawRecord, rawTopic [16]byte, task *kycv1.HydrateTask) *Reading {
	return i.taskReading(in, rawTopic, task).giveUp()
}

// FailTask is the reading of a task whose object cannot be had. detail says why, and quotes nothing of it.
func (i *Interpreter) FailTask(in RawRecord, rawTopic [16]byte, task *kycv1.HydrateTask, detail string) *Reading {
	r := i.taskReading(in, rawTopic, task)
	i.vendor(r)
	r.bury(stageHydrate, kycv1.DeadLetterReason_DEAD_LETTER_REASON_HYDRATION_FAILED, "fetched", detail)
	return r
}

func (r *Reading) giveUp() *Reading {
	r.bury(stageMap, kycv1.DeadLetterReason_DEAD_LETTER_REASON_CRASHER, "", "the process died each time this record was processed alone")
	return r
}
