package normalize

import (
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/kycbridge/kycbridge/internal/contract"
	"github.com/kycbridge/kycbridge/internal/record"
	"github.com/kycbridge/kycbridge/normalize/dedupe"
	"github.com/kycbridge/kycbridge/schemas"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// headerReplay is the label of a replay.
const headerReplay = "replay"

// Records is what must be written for a reading under a verdict: its events, its dead letter or its
// task, and last its disposition; nothing for a record whose disposition is committed already.
func (r *Reading) Records(v dedupe.Verdict, decidedAt time.Time) ([]record.Outgoing, error) {
	b := newBuilder(decidedAt, 0)
	err := b.add(r, &v)
	return b.out, err
}

// builder makes the records of a batch that is decided at one time.
type builder struct {
	out       []record.Outgoing
	decidedAt *timestamppb.Timestamp
	decided   []byte // the same as it stands in a disposition
}

func newBuilder(decidedAt time.Time, records int) *builder {
	b := &builder{out: make([]record.Outgoing, 0, records), decidedAt: timestamppb.New(decidedAt)}
	b.decided, _ = contract.Marshal(&kycv1.Disposition{DecidedAt: b.decidedAt}) // there is no text in it
	return b
}

func (b *builder) add(r *Reading, v *dedupe.Verdict) error {
	from := len(b.out) // what a replay labels
	switch o := r.Outcome.(type) {
	case *Skip:
		return nil
	case *Forward:
		b.out = append(b.out, o.Records...)
		return nil
	case *Publish:
		if r.staysPrebuilt(v) {
			return b.addPrebuilt(r, o, v)
		}
	}
	switch {
	case v.Action == dedupe.Nothing:
		return nil
	case v.Action == dedupe.Duplicate && r.AskAgain != nil:
		return b.task(r, r.AskAgain, r.Replay)
	case v.Action == dedupe.Duplicate:
	default:
		labelled, err := b.output(r, v)
		if err != nil {
			return err
		}
		from += labelled
	}
	if err := b.disposition(r, v); err != nil {
		return err
	}
	for i := from; i < len(b.out); i++ {
		label(&b.out[i], r.Replay)
	}
	return nil
}

// output is what a reading that is let through becomes, beside its disposition. It returns how many of
// the records have their label already.
func (b *builder) output(r *Reading, v *dedupe.Verdict) (labelled int, err error) {
	switch o := r.Outcome.(type) {
	case *Fetch:
		return 1, b.task(r, o.Task, o.Label)
	case *DeadLetter:
		return 0, b.plain(schemas.DeadLetterTopic, o.Letter, r.Raw.Key, record.ByKey, r.traced("dead letter"))
	case *Publish:
		for _, e := range o.Events {
			if b.out, err = r.flagged(b.out, o.recorder, e, v.Flag); err != nil {
				return 0, err
			}
		}
	}
	return 0, nil
}

// task is a task on its way, beside the raw record it came from.
func (b *builder) task(r *Reading, t *kycv1.HydrateTask, replay string) error {
	err := b.plain(schemas.Hydrate, t, r.Raw.Key, r.Raw.Partition, r.traced("task"))
	if err == nil {
		label(&b.out[len(b.out)-1], replay)
	}
	return err
}

func (b *builder) disposition(r *Reading, v *dedupe.Verdict) error {
	d := r.disposition(v)
	d.DedupeKey, d.PepperId, d.DecidedAt = keyOf(v), r.pepperOf(v), b.decidedAt
	return b.plain(schemas.DispositionTopic, d, r.gate.Key(r.of, r.Raw.Key), r.Raw.Partition, r.traced("disposition"))
}

// plain adds a record that is no event.
func (b *builder) plain(topic string, m proto.Message, key []byte, partition int32, headers []record.Header) error {
	value, err := contract.Marshal(m)
	if err != nil {
		return fmt.Errorf("a record for %s cannot be encoded: %w", topic, err)
	}
	b.out = append(b.out, record.Outgoing{Topic: topic, Key: key, Value: value, Partition: partition, Headers: headers})
	return nil
}

// label puts the label of a replay on a record; "" is none.
func label(o *record.Outgoing, replay string) {
	if replay != "" {
		o.Headers = append(o.Headers, record.Header{Key: headerReplay, Value: []byte(replay)})
	}
}

// LabelOf is the id of the replay that labels a record; "" where there is none.
func LabelOf(headers []record.Header) string {
	for _, h := range headers {
		if h.Key == headerReplay {
			return string(h.Value)
		}
	}
	return ""
}

// disposes reports whether what is written for a reading ends with a disposition.
func (r *Reading) disposes(v *dedupe.Verdict) bool {
	return r.decided() && v.Action != dedupe.Nothing && (v.Action != dedupe.Duplicate || r.AskAgain == nil)
}

// disposition is what became of a record, but for the key and the time of the decision.
func (r *Reading) disposition(v *dedupe.Verdict) *kycv1.Disposition {
	d := &kycv1.Disposition{
		Raw: r.position(), RawTopicId: r.Raw.TopicID[:],
		Tenant: r.Envelope.GetTenant(), Provider: r.Envelope.GetProvider(), Endpoint: r.Envelope.GetEndpoint(),
		Stage:         r.stage,
		VendorEventId: cut(r.gate.ID(r.of, r.VendorID), 128), VendorEventType: cut(r.gate.Type(r.of, r.VendorType), 128), MapperVersion: r.MapperVersion,
		ReceivedAt: r.Envelope.GetReceivedAt(), ReplayId: r.Replay,
	}
	if r.stage == kycv1.Stage_STAGE_HYDRATE {
		d.Claimed = &kycv1.RawPosition{Topic: r.In.Topic, Partition: r.In.Partition, Offset: r.In.Offset}
		d.ClaimedTopicId = r.In.TopicID[:]
	}
	if r.Replay != "" && !r.Ordered {
		d.Stage = kycv1.Stage_STAGE_REPLAY
	}
	if r.ContentHash != [32]byte{} {
		d.ContentHash = r.ContentHash[:]
	}
	if v.Action == dedupe.Duplicate {
		d.Kind = kycv1.DispositionKind_DISPOSITION_KIND_DUPLICATE
		d.DuplicateOf = &kycv1.RawPosition{Topic: r.In.Topic, Partition: v.Owner.Partition, Offset: v.Owner.Offset}
		if v.Former != nil {
			d.DuplicateOfTopicId = v.Former[:]
		}
		return d
	}
	switch o := r.Outcome.(type) {
	case *DeadLetter:
		d.Kind, d.Reason = kycv1.DispositionKind_DISPOSITION_KIND_DEAD_LETTERED, o.Letter.GetReason()
	case *Fetch:
		d.Kind = kycv1.DispositionKind_DISPOSITION_KIND_HYDRATING
	case *Publish:
		d.Kind, d.EventIds, d.DedupeFlag = kycv1.DispositionKind_DISPOSITION_KIND_EMITTED, o.ids(), string(v.Flag)
	}
	return d
}

// keyOf is the key that was claimed; nil: none was.
func keyOf(v *dedupe.Verdict) []byte {
	if !v.Keyed {
		return nil
	}
	return v.Key[:]
}
