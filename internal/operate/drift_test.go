package operate

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/kycbridge/kycbridge/audit"
	"github.com/kycbridge/kycbridge/internal/contract"
	"github.com/kycbridge/kycbridge/internal/record"
	"github.com/kycbridge/kycbridge/normalize"
	"github.com/kycbridge/kycbridge/providers"
	"github.com/kycbridge/kycbridge/providers/catalog"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// TestDriftShowsNobody reads every fixture of every vendor: what stands for a
// person in them is in no report.
func TestDriftShowsNobody(t *testing.T) {
	validator := contract.NewValidator()
	d := driftReader{reads: normalize.NewInterpreter(catalog.All(), validator, normalize.InterpreterOptions{})}
	var raw, tasks [][]byte
	for _, p := range catalog.All() {
		fixtures, err := p.Fixtures()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range fixtures {
			raw = append(raw, marshal(t, envelopeOf(p, f)))
			if f.Fetched != nil {
				tasks = append(tasks, marshal(t, taskOf(p, f)))
			}
		}
	}
	sources := []audit.Source{topicOf("kyc.raw.v1", raw, d.observeRaw), topicOf("kyc.hydrate.v1", tasks, d.observeTask)}
	report, err := audit.Drift(t.Context(), sources, audit.DriftOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if report.Unread > 0 || report.Drifted == 0 {
		t.Fatalf("%d fixtures could not be read and %d hold something new; want none and some", report.Unread, report.Drifted)
	}
	if i := slices.IndexFunc(report.Entries, func(e audit.DriftEntry) bool { return strings.Contains(strings.ToUpper(e.Word), "CANARY") }); i >= 0 {
		t.Errorf("%+v shows what may be a person's: the mapping must note it without the word", report.Entries[i])
	}
}

// topicOf is a topic of one partition that holds these values.
func topicOf(name string, values [][]byte, read func(record.Record) (audit.Observation, error)) audit.Source {
	return audit.Source{Name: name, Partitions: 1, Observe: read,
		Scan: func(_ context.Context, _ int32, fn func(record.Record) error) error {
			for n, value := range values {
				if err := fn(record.Record{Topic: name, Offset: int64(n), Key: []byte("shop/x"), Value: value}); err != nil {
					return err
				}
			}
			return nil
		}}
}

func envelopeOf(p providers.Provider, f providers.Fixture) *kycv1.RawEnvelope {
	e := &kycv1.RawEnvelope{
		Provider: p.Name, Endpoint: p.Name, Tenant: "default", Environment: providers.FixtureEnvironment,
		ReceivedAt: timestamppb.New(time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)), Method: "POST",
		Body: f.Body, DeliveryId: "019b8a5e-5c00-7000-8000-000000000001",
	}
	for name, values := range f.Headers {
		e.Headers = append(e.Headers, &kycv1.HttpHeader{Name: name, Value: values[0]})
	}
	return e
}

func taskOf(p providers.Provider, f providers.Fixture) *kycv1.HydrateTask {
	return &kycv1.HydrateTask{
		Envelope: envelopeOf(p, f), Raw: &kycv1.RawPosition{Topic: "kyc.raw.v1", Partition: 3, Offset: 17},
		Attempt: 1, FetchResult: f.Fetched.Result, FetchedKind: f.Fetched.Kind, Fetched: f.Fetched.Body,
		FetchedAt: timestamppb.New(f.Fetched.At),
	}
}

func marshal(t *testing.T, m proto.Message) []byte {
	t.Helper()
	value, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return value
}

// TestDriftOfFetchedObjects: the object's news is told with the webhook's raw
// record as its sample, the webhook's own is left to that record, and a task
// without an object says nothing.
func TestDriftOfFetchedObjects(t *testing.T) {
	validator := contract.NewValidator()
	d := driftReader{reads: normalize.NewInterpreter(catalog.All(), validator, normalize.InterpreterOptions{})}
	p, _ := catalog.Find("complycube")
	f := providers.Fixture{
		Body: []byte(`{"id": "e1", "type": "check.completed", "resourceType": "check", "createdAt": "2026-01-02T03:04:05Z",
			"payload": {"id": "c1", "outcome": "clear", "status": "complete", "shoeSize": 1}}`),
		Fetched: &providers.Fetched{Result: kycv1.FetchResult_FETCH_RESULT_FETCHED, Kind: "check",
			Body: []byte(`{"id": "c1", "type": "palm_reading_check", "status": "complete", "result": {"outcome": "clear"}}`)},
	}
	waiting := taskOf(p, f)
	waiting.FetchResult, waiting.Fetched, waiting.FetchedAt = kycv1.FetchResult_FETCH_RESULT_PENDING, nil, nil
	sources := []audit.Source{
		topicOf("kyc.raw.v1", [][]byte{marshal(t, envelopeOf(p, f))}, d.observeRaw),
		topicOf("kyc.hydrate.v1", [][]byte{marshal(t, waiting), marshal(t, taskOf(p, f)), []byte("no task")}, d.observeTask),
	}
	report, err := audit.Drift(t.Context(), sources, audit.DriftOptions{})
	if err != nil {
		t.Fatal(err)
	}
	counts, at := map[string]int64{}, map[string]audit.Sample{}
	for _, e := range report.Entries {
		counts[e.Kind+" "+e.Word], at[e.Kind+" "+e.Word] = e.Count, e.Sample
	}
	if want := map[string]int64{"field payload.shoeSize": 1, "check_type palm_reading_check": 1}; !maps.Equal(counts, want) {
		t.Errorf("found %v, want %v", counts, want)
	}
	if got := at["check_type palm_reading_check"]; got.Topic != "kyc.raw.v1" || got.Partition != 3 || got.Offset != 17 {
		t.Errorf("the object's sample is %+v, want the webhook's raw record", got)
	}
	if report.Records != 2 || report.Unread != 1 {
		t.Errorf("%d records and %d unreadable ones, want 2 and 1", report.Records, report.Unread)
	}
}
