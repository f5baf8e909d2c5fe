package main

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/kycbridge/kycbridge/internal/contract"
	"github.com/kycbridge/kycbridge/internal/operate"
	"github.com/kycbridge/kycbridge/internal/record"
	"github.com/kycbridge/kycbridge/providers"
	"github.com/kycbridge/kycbridge/schemas"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// example is a record of a topic, and what it is made of.
type example struct {
	source string // a link
	text   string // JSON
}

// chosen are the fixtures that the examples are made of: those that set much, and are not long.
var chosen = []struct{ topic, vendor, fixture string }{
	{schemas.Session, "idenfy", "kyc_auto_final_approved"},
	{schemas.Check, "idenfy", "kyc_auto_final_approved"},
	{schemas.Aml, "idenfy", "documented_suspected_aml"},
	{schemas.Renewal, "idenfy", "document_expiration_30_days"},
	{schemas.Resource, "complycube", "client_updated"},
	{schemas.Raw, "complycube", "check_failed_id_only"},
	{schemas.Hydrate, "complycube", "check_completed_clear"},
	{schemas.DispositionTopic, "idenfy", "kyc_auto_final_approved"},
	{schemas.DeadLetterTopic, "complycube", "bad_type_unknown"},
}

// What the fixtures leave to the endpoint and to the moment.
const (
	tenant     = "default"
	deliveryID = "019b7d44-8c00-7000-8000-000000000001"
)

var (
	arrived = time.Date(2026, 1, 2, 3, 9, 11, 0, time.UTC)
	topicID = bytes.Repeat([]byte{1}, 16)
)

func makeExamples(vendors []providers.Provider) (map[protoreflect.FullName]example, error) {
	all := map[protoreflect.FullName]example{}
	for _, c := range chosen {
		d, err := readDelivery(vendors, c.vendor, c.fixture)
		if err == nil {
			var e example
			e, err = d.example(c.topic)
			all[d.message] = e
		}
		if err != nil {
			return nil, fmt.Errorf("the example of %s, providers/%s/testdata/%s: %w", c.topic, c.vendor, c.fixture, err)
		}
	}
	return all, nil
}

// delivery is a fixture, what it becomes, and the message that is shown of that.
type delivery struct {
	providers.Fixture
	vendor  providers.Provider
	want    golden
	message protoreflect.FullName
}

// golden is as much of want.json as examples need.
type golden struct {
	RawKey      string `json:"raw_key"`
	VendorType  string `json:"vendor_event_type"`
	ContentHash string `json:"content_sha256"`
	Events      []struct {
		Topic string          `json:"topic"`
		Event json.RawMessage `json:"event"`
	} `json:"events"`
	Problem struct{ Reason, Field, Detail string } `json:"problem"`
}

func readDelivery(vendors []providers.Provider, vendor, fixture string) (*delivery, error) {
	at := slices.IndexFunc(vendors, func(p providers.Provider) bool { return p.Name == vendor })
	if at < 0 {
		return nil, errors.New("no such vendor")
	}
	fixtures, err := vendors[at].Fixtures()
	if err != nil {
		return nil, err
	}
	n := slices.IndexFunc(fixtures, func(f providers.Fixture) bool { return f.Name == fixture })
	if n < 0 {
		return nil, errors.New("no such fixture; choose another in tools/eventdoc/example.go")
	}
	d := &delivery{Fixture: fixtures[n], vendor: vendors[at]}
	return d, json.Unmarshal(d.Want, &d.want)
}

// example is the record of a topic that the delivery gives.
func (d *delivery) example(base string) (example, error) {
	at := slices.IndexFunc(schemas.Topics(), func(t schemas.Topic) bool { return t.Base == base })
	t := schemas.Topics()[at]
	d.message = t.Message.ProtoReflect().Descriptor().FullName()
	r := operate.Record{Record: record.Record{Topic: t.Name(schemas.DefaultPrefix), Partition: 1, Offset: 42, Time: arrived, Key: []byte(d.want.RawKey)}}
	var err error
	if t.Domain {
		err = d.event(&r, t)
	} else if r.Message, err = d.other(base); err == nil {
		r.Headers = trace(deliveryID)
		err = contract.NewValidator().Validate(r.Message)
	}
	if err != nil {
		return example{}, err
	}
	line, err := json.Marshal(r)
	if err != nil {
		return example{}, err
	}
	var text bytes.Buffer
	err = json.Indent(&text, line, "", "  ")
	link := fmt.Sprintf("[%s/%s](../providers/%s/testdata/%s)", d.vendor.Name, d.Name, d.vendor.Name, d.Name)
	return example{link, text.String()}, err
}

// event fills in the first event of a topic as the normaliser writes it.
func (d *delivery) event(r *operate.Record, t schemas.Topic) error {
	e, err := d.first(t)
	if err != nil {
		return err
	}
	md := e.GetMetadata()
	md.Provider, md.Endpoint, md.Tenant, md.MapperVersion = d.vendor.Name, d.vendor.Name, tenant, d.vendor.MapperVersion
	md.Environment, md.ReceivedAt, md.Raw = kycv1.Environment_ENVIRONMENT_SANDBOX, timestamppb.New(arrived), raw()
	recorder := contract.NewRecorder(contract.NewValidator())
	out, err := recorder.Append(nil, e, r.Key)
	if err != nil {
		return err
	}
	r.Message, r.Headers = e, append(out[0].Headers, trace(md.GetEventId())...)
	return nil
}

// first is the first event on a topic.
func (d *delivery) first(t schemas.Topic) (schemas.DomainEvent, error) {
	for _, e := range d.want.Events {
		if event, ok := t.New().(schemas.DomainEvent); ok && e.Topic == t.Base {
			return event, protojson.Unmarshal(e.Event, event)
		}
	}
	return nil, fmt.Errorf("it gives no event on %s", t.Base)
}

// other is what the delivery makes on a topic that holds no events.
func (d *delivery) other(base string) (proto.Message, error) {
	switch base {
	case schemas.Raw:
		return d.envelope(), nil
	case schemas.Hydrate:
		return &kycv1.HydrateTask{Envelope: d.envelope(), Raw: raw(), FetchResult: kycv1.FetchResult_FETCH_RESULT_PENDING}, nil
	case schemas.DeadLetterTopic:
		reason := kycv1.DeadLetterReason(kycv1.DeadLetterReason_value[d.want.Problem.Reason])
		return &kycv1.DeadLetter{Raw: raw(), Reason: reason, Field: d.want.Problem.Field, Stage: "map", Detail: d.want.Problem.Detail, Attempts: 1, Envelope: d.envelope()}, nil
	}
	return d.disposition()
}

func (d *delivery) envelope() *kycv1.RawEnvelope {
	return &kycv1.RawEnvelope{
		Provider: d.vendor.Name, Endpoint: d.vendor.Name, Tenant: tenant, Environment: kycv1.Environment_ENVIRONMENT_SANDBOX,
		ReceivedAt: timestamppb.New(arrived), Method: "POST", ContentType: "application/json", Body: d.Body, DeliveryId: deliveryID,
	}
}

func (d *delivery) disposition() (proto.Message, error) {
	hash, err := hex.DecodeString(d.want.ContentHash)
	out := &kycv1.Disposition{
		Raw: raw(), RawTopicId: topicID, Tenant: tenant, Provider: d.vendor.Name, Endpoint: d.vendor.Name,
		Stage: kycv1.Stage_STAGE_NORMALIZE, Kind: kycv1.DispositionKind_DISPOSITION_KIND_EMITTED, DedupeKey: hash[:16], PepperId: hash[:8], ContentHash: hash,
		VendorEventType: d.want.VendorType, MapperVersion: d.vendor.MapperVersion,
		ReceivedAt: timestamppb.New(arrived), DecidedAt: timestamppb.New(arrived.Add(12 * time.Millisecond)),
	}
	for _, e := range d.want.Events {
		var event struct {
			Metadata struct {
				EventID string `json:"event_id"`
			} `json:"metadata"`
		}
		err = errors.Join(err, json.Unmarshal(e.Event, &event))
		out.EventIds = append(out.EventIds, event.Metadata.EventID)
	}
	return out, err
}

func raw() *kycv1.RawPosition {
	return &kycv1.RawPosition{Topic: schemas.DefaultPrefix + schemas.Raw, Partition: 1, Offset: 17}
}

// trace is the header that continues the delivery's trace, with a span of its own.
func trace(span string) []record.Header {
	compact := func(id string) string { return strings.ReplaceAll(id, "-", "") }
	return []record.Header{{Key: "traceparent", Value: []byte("00-" + compact(deliveryID) + "-" + compact(span)[:16] + "-01")}}
}
