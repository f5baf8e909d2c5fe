package operate

import (
	"context"
	"time"

	"github.com/kycbridge/kycbridge/audit"
)

// VerifyQuery chooses the raw records to check.
type VerifyQuery struct {
	Window   Window               // of the raw records
	Progress func(audit.Progress) // may be nil
}

// Verify holds raw records against the other topics: nothing lost, nothing doubled. What
// could not be looked at is in the notes of the verdict.
func Verify(ctx context.Context, s Servers, q VerifyQuery) (*audit.Verdict, error) {
	reader, err := s.open(ctx)
	if err != nil {
		return nil, err
	}
	defer reader.Close()
	e := evidenceReader{reader: reader, now: time.Now()}
	e.evidence.Former = s.Former
	if err := e.collect(ctx, q.Window); err != nil {
		return nil, err
	}
	v, err := audit.Verify(ctx, e.evidence, audit.VerifyOptions{Progress: q.Progress})
	if err != nil {
		return nil, err
	}
	v.Notes = append(v.Notes, e.notes...)
	if v.Raw == 0 {
		v.Notes = append(v.Notes, "the range holds no processed raw record: nothing was checked")
	}
	return v, nil
}
