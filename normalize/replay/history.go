package replay

import (
	"context"
	"time"

	"github.com/kycbridge/kycbridge/internal/contract"
	"github.com/kycbridge/kycbridge/internal/record"
	"github.com/kycbridge/kycbridge/normalize"
	"github.com/kycbridge/kycbridge/normalize/dedupe"
	"github.com/kycbridge/kycbridge/schemas"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// past is what the dispositions say of one raw record.
type past struct {
	last      kycv1.DispositionKind // the last final one; UNSPECIFIED: there is none
	reason    kycv1.DeadLetterReason
	claimed   int64 // offset of the task that the last final one claimed for; -1: the record itself
	key       dedupe.Key
	keyed     bool
	hydrating bool // handed to the hydrate stage, and nothing final since
	received  time.Time
	label     string // of the replay that handed it over; "" for none
	done      bool   // this replay has disposed of it
	named     bool   // it holds an id of the selection
}

// history is the past of a stretch of one raw partition.
type history struct {
	from int64
	all  []past
	// ends are the offsets after the last disposition of each stage: up to there its marks must be.
	ends map[kycv1.Stage]int64
}

func (h *history) at(offset int64) *past { return &h.all[offset-h.from] }

// readHistory reads the dispositions of a stretch, from a time shortly before its first record to the
// end of the topic.
func (r *partition) readHistory(ctx context.Context, p int32, s span, first normalize.RawRecord) (*history, error) {
	h := &history{from: s.from, all: make([]past, s.to-s.from), ends: map[kycv1.Stage]int64{}}
	for i := range h.all {
		h.all[i].claimed = -1
	}
	from := record.ScanFrom{Time: first.Time.Add(-skew)}
	if from.Time.Unix() <= 0 {
		from = record.ScanFrom{}
	}
	err := r.o.Topics.Scan(ctx, schemas.DispositionTopic, p, from, func(record normalize.RawRecord) error {
		d := &kycv1.Disposition{}
		if err := contract.Unmarshal(record.Value, d); err != nil || dedupe.TopicID(d.GetRawTopicId()) != r.o.Topics.RawID {
			return nil // of another life of the raw topic
		}
		if d.GetStage() != kycv1.Stage_STAGE_REPLAY {
			h.ends[d.GetStage()] = record.Offset + 1
		}
		r.witness.note(d)
		if at := d.GetRaw().GetOffset(); d.GetRaw().GetPartition() == p && at >= s.from && at < s.to {
			h.at(at).note(d, r.o.ID, r.match.names(d))
		}
		return nil
	})
	return h, err
}

func (p *past) note(d *kycv1.Disposition, replay string, named bool) {
	p.done = p.done || d.GetReplayId() == replay
	p.named = p.named || named
	if d.GetKind() == kycv1.DispositionKind_DISPOSITION_KIND_HYDRATING {
		p.hydrating, p.label = true, d.GetReplayId()
		return
	}
	p.last, p.reason, p.hydrating, p.received = d.GetKind(), d.GetReason(), false, d.GetReceivedAt().AsTime()
	p.claimed, p.keyed = -1, len(d.GetDedupeKey()) == dedupe.KeySize
	if d.GetClaimed() != nil {
		p.claimed = d.GetClaimed().GetOffset()
	}
	p.key = dedupe.Key{}
	if p.keyed {
		p.key = dedupe.Key(d.GetDedupeKey())
	}
}
