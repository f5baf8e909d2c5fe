package operate

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"

	"github.com/kycbridge/kycbridge/audit"
	"github.com/kycbridge/kycbridge/internal/contract"
	"github.com/kycbridge/kycbridge/internal/record"
	"github.com/kycbridge/kycbridge/normalize"
	"github.com/kycbridge/kycbridge/schemas"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// DeadLetters gives the chosen dead letters, one partition after the other. It ends with
// an error where an id is no letter's. Of q, Names is filled in: the vendor's own id of a
// delivery names its letter as well.
func DeadLetters(ctx context.Context, s Servers, q audit.LetterQuery) iter.Seq2[audit.Letter, error] {
	return func(yield func(audit.Letter, error) bool) {
		reader, err := s.open(ctx)
		if err == nil {
			defer reader.Close()
			err = s.letters(ctx, reader, q, func(l audit.Letter) error {
				if !yield(l, nil) {
					return errStop
				}
				return nil
			})
		}
		if err != nil && !errors.Is(err, errStop) {
			yield(audit.Letter{}, err)
		}
	}
}

// letters gives the chosen letters to fn.
func (s Servers) letters(ctx context.Context, reader *topicReader, q audit.LetterQuery, fn func(audit.Letter) error) error {
	reads := s.interpreter()
	q.Names = func(r record.Record, m *kycv1.DeadLetter) []string { return vendorIDs(reads, r, m) }
	q.Forms = s.gate().Forms
	source, err := reader.source(ctx, schemas.DeadLetterTopic, record.ScanFrom{Offset: -1, Time: q.Since}, nil)
	if err != nil {
		return err
	}
	unknown, err := audit.Letters(ctx, source, q, fn)
	if err == nil && len(unknown) > 0 {
		return fmt.Errorf("no dead letter has the id %s, or the other filters leave it out", strings.Join(unknown, ", "))
	}
	return err
}

// vendorIDs is the vendor's own id of the delivery in a letter.
func vendorIDs(reads *normalize.Interpreter, r record.Record, m *kycv1.DeadLetter) []string {
	value, err := contract.Marshal(m.GetEnvelope())
	if err != nil {
		return nil
	}
	read, err := reads.Interpret(normalize.RawRecord{Key: r.Key, Value: value})
	if err != nil || read.VendorID == "" {
		return nil
	}
	return []string{read.VendorID}
}
