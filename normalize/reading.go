package normalize

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/kycbridge/kycbridge/normalize/dedupe"
	"github.com/kycbridge/kycbridge/providers"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// Reading is a record understood: whose it is, what makes it the same as another, and what it becomes.
type Reading struct {
	Raw           RawRecord
	In            RawRecord          // what the stage read, in whose name it claims: Raw itself, or a task
	Envelope      *kycv1.RawEnvelope // nil where the record is none
	Identity      []byte             // empty: nothing is claimed
	ContentHash   [32]byte           // zero where nothing could be parsed
	VendorID      string             // as the vendor has it, as VendorType; in no disposition
	VendorType    string
	Provider      string // "" unless it is one we know, so that it may label a metric
	MapperVersion string
	Outcome       Outcome
	Drift         []providers.Drift

	AskAgain *kycv1.HydrateTask // instead of the disposition of a duplicate: the API is asked once more
	Replay   string             // id of the replay that labels what is written; "" in normal operation
	Ordered  bool               // that replay wrote the task alone: its stage decides

	gate     providers.Gate      // what of a vendor's goes into a disposition passes it
	of       *providers.Provider // the vendor; nil: this version knows none of that name
	key      dedupe.Key          // as Item made it, where there is an identity
	pepper   [8]byte             // the fingerprint of what it is made with
	badKey   string              // why the raw record's own key cannot be used; "": it is
	at       *kycv1.RawPosition  // see position
	stage    kycv1.Stage
	fetched  *providers.Fetched
	attempts int32
	maxBytes int
}

func newReading(raw RawRecord, maxBytes int) *Reading {
	r := &Reading{stage: kycv1.Stage_STAGE_NORMALIZE, attempts: 1, maxBytes: maxBytes, badKey: keyProblem(raw.Key)}
	if r.badKey != "" {
		raw.Key = standInKey(raw.Value)
	}
	r.Raw, r.In = raw, raw
	return r
}

func taskReading(in RawRecord, rawTopic [16]byte, task *kycv1.HydrateTask, maxBytes int) *Reading {
	at := task.GetRaw()
	rawTopic = rawTopicOf(task, rawTopic)
	return &Reading{
		In: in, Envelope: task.GetEnvelope(), stage: kycv1.Stage_STAGE_HYDRATE,
		Raw:      RawRecord{Topic: at.GetTopic(), TopicID: rawTopic, Partition: at.GetPartition(), Offset: at.GetOffset(), Time: in.Time, Key: in.Key},
		attempts: max(task.GetAttempt(), 1), maxBytes: maxBytes,
		fetched: &providers.Fetched{Result: task.GetFetchResult(), Kind: task.GetFetchedKind(), Body: task.GetFetched(), At: task.GetFetchedAt().AsTime()},
	}
}

// rawTopicOf is the id of the raw topic that a task's record was read from; that of today's for a task of a
// release that did not note it.
func rawTopicOf(task *kycv1.HydrateTask, today [16]byte) [16]byte {
	if id := task.GetRawTopicId(); len(id) == len(today) {
		return [16]byte(id)
	}
	return today
}

func (r *Reading) identify(n *providers.Notice) {
	if n == nil {
		return
	}
	r.Identity, r.ContentHash = n.Identity.Bytes(), n.ContentHash()
	r.VendorID, r.VendorType = n.ID, n.Type
}

// fetch makes the reading a task as it begins, or a dead letter where the task would not fit into a record.
func (r *Reading) fetch() {
	task := &kycv1.HydrateTask{
		Envelope: r.Envelope, Raw: r.position(), RawTopicId: r.Raw.TopicID[:], FetchResult: kycv1.FetchResult_FETCH_RESULT_PENDING,
	}
	if size := proto.Size(task); !r.fits(size) {
		r.bury(stageHydrate, rejected, "", fmt.Sprintf("a task of %d bytes for the vendor's API does not fit into one record", size))
		return
	}
	r.Outcome = &Fetch{Task: task}
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

// bury makes the reading a dead letter.
func (r *Reading) bury(stage string, reason kycv1.DeadLetterReason, field, detail string) *DeadLetter {
	envelope := r.Envelope
	if envelope == nil {
		envelope = &kycv1.RawEnvelope{Body: r.Raw.Value}
	}
	d := &DeadLetter{Letter: &kycv1.DeadLetter{
		Raw: r.position(), Reason: reason, Field: cut(field, 512), Stage: stage,
		Detail: cut(detail, 4096), Attempts: r.attempts, Envelope: envelope,
	}}
	r.shrink(d.Letter)
	r.Outcome = d
	return d
}

// position is one message for all that name the raw record.
func (r *Reading) position() *kycv1.RawPosition {
	if r.at == nil {
		r.at = &kycv1.RawPosition{Topic: r.Raw.Topic, Partition: r.Raw.Partition, Offset: r.Raw.Offset}
	}
	return r.at
}

// Item is the record as package dedupe sees it.
func (r *Reading) Item(keys dedupe.Keyer) dedupe.Item {
	item := dedupe.Item{
		Partition: r.In.Partition, Offset: r.In.Offset, Hash: r.ContentHash,
		Endpoint: r.Envelope.GetEndpoint(), ReceivedAt: r.Envelope.GetReceivedAt().AsTime(),
	}
	stage := dedupe.StageNormalize
	if r.stage == kycv1.Stage_STAGE_HYDRATE {
		stage = dedupe.StageHydrate
		origin := originOf(r.Raw.TopicID, r.position(), r.Envelope, r.Replay)
		item.Origin = &origin
	}
	if len(r.Identity) > 0 {
		item.Identified = true
		subject := dedupe.Subject{
			Stage: stage, TopicID: r.In.TopicID, Tenant: r.Envelope.GetTenant(),
			RawKey: r.Raw.Key, Identity: r.Identity,
		}
		item.Key, item.Former = keys.Key(subject), keys.Former(subject)
		r.key, r.pepper = item.Key, keys.Fingerprint()
	}
	return item
}

// pepperOf is the fingerprint of the pepper that a verdict's key is made with; nil where there is no key, or
// it is one of the past.
func (r *Reading) pepperOf(v *dedupe.Verdict) []byte {
	if v.Keyed && (v.Key == r.key || v.Key == r.key.Variant(r.ContentHash)) {
		return r.pepper[:]
	}
	return nil
}

// originOf is the raw record behind a task as package dedupe sees it.
func originOf(topic [16]byte, raw *kycv1.RawPosition, e *kycv1.RawEnvelope, replay string) dedupe.Origin {
	return dedupe.Origin{
		TopicID: topic, Partition: raw.GetPartition(), Offset: raw.GetOffset(),
		Endpoint: e.GetEndpoint(), ReceivedAt: e.GetReceivedAt().AsTime(), Replay: replay,
	}
}
