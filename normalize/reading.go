package normalize

import (
	"errors"
	"fmt"

	"github.com/kycbridge/kycbridge/internal/record"
	"github.com/kycbridge/kycbridge/providers"
	"github.com/kycbridge/kycbridge/schemas"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// Reading is a raw record understood: its events, or instead of them a dead letter, or the task to ask
// the vendor's API first.
type Reading struct {
	Raw           RawRecord
	In            RawRecord          // what the stage read, in whose name it claims: Raw itself, or a task
	Envelope      *kycv1.RawEnvelope // nil where the record is none
	Identity      []byte             // empty: nothing is claimed
	ContentHash   [32]byte           // zero where nothing could be parsed
	VendorID      string
	VendorType    string
	Provider      string // "" unless it is one we know, so that it may label a metric
	MapperVersion string
	Events        []schemas.DomainEvent // complete and valid
	Dead          *kycv1.DeadLetter
	Task          *kycv1.HydrateTask // for the vendor's API
	Again         *kycv1.HydrateTask // instead of the disposition of a duplicate: ask once more
	Pass          *Pass              // instead of all that: nothing is decided yet
	Drift         []providers.Drift
	Stale         []bool // per event
	Replay        string // id of the replay that labels what is written; "" in normal operation
	Ordered       bool   // that replay wrote the task alone: its stage decides
	TaskLabel     string // of Task: the replay that its stage is to name; "" for none
	Stack         []byte // of a recovered panic
	Err           error  // our own rules are broken: consumption must stop

	at       *kycv1.RawPosition // see position
	encoded  [][]byte           // of each event, while it has no flags
	usual    []*record.Outgoing // see prepare; nil: nothing is prepared
	decided  int                // bytes of the disposition in it, without the decision
	stage    kycv1.Stage
	fetched  *providers.Fetched
	attempts int32
	maxBytes int
}

// Pass is a record that only moves on: what is written for it, and a name of that for metrics.
type Pass struct {
	As  string
	Out []*record.Outgoing
}

func newReading(raw RawRecord, maxBytes int) *Reading {
	return &Reading{Raw: raw, In: raw, stage: kycv1.Stage_STAGE_NORMALIZE, attempts: 1, maxBytes: maxBytes}
}

func taskReading(in RawRecord, rawTopic [16]byte, task *kycv1.HydrateTask, maxBytes int) *Reading {
	at := task.GetRaw()
	return &Reading{
		In: in, Envelope: task.GetEnvelope(), stage: kycv1.Stage_STAGE_HYDRATE,
		Raw:      RawRecord{Topic: at.GetTopic(), TopicID: rawTopic, Partition: at.GetPartition(), Offset: at.GetOffset(), Time: in.Time, Key: in.Key},
		attempts: max(task.GetAttempt(), 1), maxBytes: maxBytes,
		fetched: &providers.Fetched{Result: task.GetFetchResult(), Kind: task.GetFetchedKind(), Body: task.GetFetched(), At: task.GetFetchedAt().AsTime()},
	}
}

// pending is the task as it begins.
func (r *Reading) pending() *kycv1.HydrateTask {
	return &kycv1.HydrateTask{Envelope: r.Envelope, Raw: r.position(), FetchResult: kycv1.FetchResult_FETCH_RESULT_PENDING}
}

func (r *Reading) identify(n *providers.Notice) {
	if n == nil {
		return
	}
	r.Identity, r.ContentHash = n.Identity.Bytes(), n.ContentHash()
	r.VendorID, r.VendorType = n.ID, n.Type
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
	r.Events, r.Stale, r.Task = nil, nil, nil
	envelope := r.Envelope
	if envelope == nil {
		envelope = &kycv1.RawEnvelope{Body: r.Raw.Value}
	}
	r.Dead = &kycv1.DeadLetter{
		Raw: r.position(), Reason: reason, Field: cut(field, 512), Stage: stage,
		Detail: cut(detail, 4096), Attempts: r.attempts, Envelope: envelope,
	}
	r.shrink()
}

// position is one message for all that name the raw record.
func (r *Reading) position() *kycv1.RawPosition {
	if r.at == nil {
		r.at = &kycv1.RawPosition{Topic: r.Raw.Topic, Partition: r.Raw.Partition, Offset: r.Raw.Offset}
	}
	return r.at
}
