package normalize

import (
	"github.com/kycbridge/kycbridge/internal/contract"
	"github.com/kycbridge/kycbridge/internal/record"
	"github.com/kycbridge/kycbridge/normalize/dedupe"
	"github.com/kycbridge/kycbridge/schemas"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// Nearly every record is the first of its delivery and published as it is. What is written for it then
// is made when it is read, while all of it is in the processor's caches, which a whole batch is not:
// done when the verdicts are there, it takes several times as long. No verdict changes what is prebuilt.

// prebuilt is the disposition of a delivery that is published, but for the key and the time of the
// decision, which are not known yet.
type prebuilt struct {
	disposition []byte
	key         []byte
	headers     []record.Header
}

func (r *Reading) prebuild() (p prebuilt, err error) {
	p.headers, p.key = r.traced("disposition"), r.gate.Key(r.of, r.Raw.Key)
	p.disposition, err = contract.Marshal(r.disposition(&dedupe.Verdict{Action: dedupe.Publish}))
	return p, err
}

// staysPrebuilt reports whether the verdict, and what came after the reading, leave everything as prebuilt.
func (r *Reading) staysPrebuilt(v *dedupe.Verdict) bool {
	return v.Action == dedupe.Publish && v.Flag == "" && r.Replay == ""
}

// addPrebuilt adds what is prebuilt, with the decision: a message whose encoding follows another's in the same
// value adds its fields to it.
func (b *builder) addPrebuilt(r *Reading, p *Publish, v *dedupe.Verdict) error {
	b.out = append(b.out, p.records...)
	value := make([]byte, 0, len(p.prebuilt.disposition)+dedupe.KeySize+len(r.pepper)+len(b.decided)+5) // and tags and lengths of the two
	value = append(value, p.prebuilt.disposition...)
	if v.Keyed {
		var err error
		if value, err = contract.Append(value, &kycv1.Disposition{DedupeKey: v.Key[:], PepperId: r.pepperOf(v)}); err != nil {
			return err
		}
	}
	b.out = append(b.out, record.Outgoing{
		Topic: schemas.DispositionTopic, Key: p.prebuilt.key, Value: append(value, b.decided...),
		Partition: r.Raw.Partition, Headers: p.prebuilt.headers,
	})
	return nil
}
