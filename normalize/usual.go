package normalize

import (
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/kycbridge/kycbridge/internal/contract"
	"github.com/kycbridge/kycbridge/internal/record"
	"github.com/kycbridge/kycbridge/normalize/dedupe"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// Nearly every record is the first of its delivery and published as it is. What is written for it then
// is made when it is read, while all of it is in the processor's caches, which a whole batch is not:
// done when the verdicts are there, it takes several times as long.

// decisionBytes are what a key and a time take in a disposition.
const decisionBytes = 40

// prepare makes what Outgoing returns where nothing unusual is decided, but for the key and the time of
// the decision, which are not known yet.
func (r *Reading) prepare() {
	disposition := r.disposition(&dedupe.Verdict{Action: dedupe.Publish}, nil)
	value, err := contract.MarshalWithRoom(disposition, decisionBytes)
	if err != nil {
		return // Outgoing meets it again and says so
	}
	usual := make([]*record.Outgoing, 0, len(r.Events)+1)
	for i, e := range r.Events {
		usual = append(usual, r.event(i, e, ""))
	}
	r.usual, r.decided = append(usual, &record.Outgoing{
		Message: disposition, Key: r.Raw.Key, Partition: r.Raw.Partition, Headers: r.traced("disposition"), Value: value,
	}), len(value)
}

// isUsual says whether the verdict, and what came after the reading, leave everything as prepared.
func (r *Reading) isUsual(v *dedupe.Verdict) bool {
	return r.usual != nil && v.Action == dedupe.Publish && v.Flag == "" && r.Replay == "" && r.Pass == nil
}

// asUsual is what prepare made, with the decision. A message whose encoding follows another's in the
// same value adds its fields to it.
func (r *Reading) asUsual(v *dedupe.Verdict, decidedAt *timestamppb.Timestamp) []*record.Outgoing {
	last := r.usual[len(r.usual)-1]
	d := last.Message.(*kycv1.Disposition)
	d.DedupeKey, d.DecidedAt = keyOf(v), decidedAt
	decision := &kycv1.Disposition{DedupeKey: d.DedupeKey, DecidedAt: decidedAt}
	value, err := contract.Append(last.Value[:r.decided], decision)
	if err != nil {
		value = nil // whoever writes it encodes the whole message, and meets the error
	}
	last.Value = value
	return r.usual
}
