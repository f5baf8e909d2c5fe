package operate

import (
	"context"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/kycbridge/kycbridge/audit"
	"github.com/kycbridge/kycbridge/internal/contract"
	"github.com/kycbridge/kycbridge/internal/record"
	"github.com/kycbridge/kycbridge/normalize"
	"github.com/kycbridge/kycbridge/providers"
	"github.com/kycbridge/kycbridge/schemas"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// DriftQuery chooses raw records.
type DriftQuery struct {
	Since    time.Time            // zero: from the oldest on
	Vendors  []string             // only these; empty: all
	Progress func(audit.Progress) // may be nil
}

// Drift lists what vendors sent that the mappings do not know. With an error there is a
// report of what was read before, unless nothing could be read at all.
func Drift(ctx context.Context, s Servers, q DriftQuery) (*audit.DriftReport, error) {
	reader, err := s.open(ctx)
	if err != nil {
		return nil, err
	}
	defer reader.Close()
	d, from := driftReader{s.interpreter(), s.Vendors}, record.ScanFrom{Offset: -1, Time: q.Since}
	raw, err := reader.source(ctx, schemas.Raw, from, d.observeRaw)
	if err != nil {
		return nil, err
	}
	tasks, err := reader.source(ctx, schemas.Hydrate, from, d.observeTask)
	if err != nil {
		return nil, err
	}
	return audit.Drift(ctx, []audit.Source{raw, tasks}, audit.DriftOptions{Vendors: q.Vendors, Progress: q.Progress})
}

// driftReader joins what sink reads with what normalize understands.
type driftReader struct {
	reads   *normalize.Interpreter
	vendors []providers.Provider
}

// observeRaw is what the webhook alone says.
func (d driftReader) observeRaw(r record.Record) (audit.Observation, error) {
	return d.observation(d.reads.Interpret(rawRecord(r)))
}

// observeTask is what the object of the vendor's API adds: what the webhook says
// stands in its raw record. A task without an object adds nothing.
func (d driftReader) observeTask(r record.Record) (audit.Observation, error) {
	task := &kycv1.HydrateTask{}
	if err := contract.Unmarshal(r.Value, task); err != nil {
		return audit.Observation{}, nil
	}
	if task.GetFetchResult() != kycv1.FetchResult_FETCH_RESULT_FETCHED {
		return audit.Observation{Skip: true}, nil
	}
	out, err := d.observation(d.reads.InterpretTask(rawRecord(r), [16]byte{}, task))
	if err != nil {
		return out, err
	}
	webhook, err := contract.Marshal(task.GetEnvelope())
	if err != nil {
		return out, nil // what it says alone cannot be told apart
	}
	told, err := d.observeRaw(record.Record{Key: r.Key, Value: webhook})
	out.Told = told.News
	return out, err
}

func rawRecord(r record.Record) normalize.RawRecord {
	return normalize.RawRecord{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Time: r.Time, Key: r.Key, Value: r.Value}
}

// observation is what a report of drift needs of a reading.
func (d driftReader) observation(r *normalize.Reading, err error) (audit.Observation, error) {
	if err != nil {
		return audit.Observation{}, err
	}
	out := audit.Observation{
		Vendor:     r.Envelope.GetProvider(),
		ReceivedAt: r.Envelope.GetReceivedAt().AsTime(),
		Sample: audit.Sample{
			Topic: r.Raw.Topic, Partition: r.Raw.Partition, Offset: r.Raw.Offset,
			Delivery: r.Envelope.GetDeliveryId(),
		},
	}
	for _, news := range r.Drift {
		out.News = append(out.News, audit.News{Kind: news.Kind, Word: d.told(out.Vendor, news.Word)})
	}
	switch {
	case r.Letter().GetReason() != kycv1.DeadLetterReason_DEAD_LETTER_REASON_UNMAPPED:
	case r.Provider == "": // a vendor of another version of this program
		out.News = append(out.News, audit.News{Kind: "provider", Word: out.Vendor})
	default:
		out.News = append(out.News, audit.News{Kind: "event_type", Word: d.told(out.Vendor, r.VendorType)})
	}
	return out, nil
}

// told is a word as it may be told. Several words may be a name, unless the vendor has some of them in its own.
func (d driftReader) told(vendor, word string) string {
	at := slices.IndexFunc(d.vendors, func(p providers.Provider) bool { return p.Name == vendor })
	if !strings.ContainsFunc(word, unicode.IsSpace) || at >= 0 && d.vendors[at].WritesSo(word) {
		return word
	}
	return ""
}
