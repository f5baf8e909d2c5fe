package main

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/proto"

	"github.com/kycbridge/kycbridge/schemas"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

const mapperVersion = "complycube/2"

var encoding = proto.MarshalOptions{Deterministic: true}

// What the headers of all events say.
var (
	specVersion = []byte("1.0")
	contentType = []byte("application/protobuf")
	stale       = []byte("true")
)

// delivery is one raw record and what becomes of it.
type delivery struct {
	raw         *kgo.Record
	claim       []byte // its key in Redis
	content     [32]byte
	events      []*kgo.Record
	disposition *kgo.Record // but for when it is decided
}

// reader makes deliveries of raw records. Only one goroutine may use it.
type reader struct {
	prefix  string // of topics
	topicID [16]byte
	keys    claimKeys
	body    *body
}

func newReader(prefix string, topicID [16]byte) *reader {
	return &reader{prefix: prefix, topicID: topicID, keys: newClaimKeys(topicID), body: newBody()}
}

func (r *reader) delivery(raw *kgo.Record) (delivery, error) {
	envelope := &kycv1.RawEnvelope{}
	if err := proto.Unmarshal(raw.Value, envelope); err != nil {
		return delivery{}, err
	}
	w, err := r.body.read(envelope.GetBody())
	if err != nil {
		return delivery{}, err
	}
	d := delivery{raw: raw}
	var id []byte
	id, d.content = w.identity()
	d.claim = r.keys.of(envelope.GetTenant(), raw.Key, id)
	said, seed := r.disposition(d, envelope, w), seed(envelope, seedKey(envelope, raw.Key, w), id, d.content)
	for i, e := range w.events() {
		e.complete(envelope, said, eventID(seed, i))
		said.EventIds = append(said.EventIds, e.metadata.EventId)
		record, err := r.event(raw.Key, envelope, e)
		if err != nil {
			return d, err
		}
		d.events = append(d.events, record)
	}
	d.disposition = &kgo.Record{
		Topic: r.prefix + schemas.DispositionTopic, Partition: raw.Partition, Key: raw.Key,
		Headers: []kgo.RecordHeader{trace(envelope, span("disposition"+envelope.GetDeliveryId()))},
	}
	d.disposition.Value, err = encoding.Marshal(said)
	return d, err
}

// disposition says what became of the record, but for the ids of its events.
func (r *reader) disposition(d delivery, envelope *kycv1.RawEnvelope, w *webhook) *kycv1.Disposition {
	return &kycv1.Disposition{
		Raw:        &kycv1.RawPosition{Topic: d.raw.Topic, Partition: d.raw.Partition, Offset: d.raw.Offset},
		RawTopicId: r.topicID[:], Stage: kycv1.Stage_STAGE_NORMALIZE, Kind: kycv1.DispositionKind_DISPOSITION_KIND_EMITTED,
		Tenant: envelope.GetTenant(), Provider: envelope.GetProvider(), Endpoint: envelope.GetEndpoint(), ReceivedAt: envelope.GetReceivedAt(),
		DedupeKey: d.claim, PepperId: pepper, ContentHash: d.content[:],
		VendorEventId: w.id.id(), VendorEventType: word(w.eventType.str()), MapperVersion: mapperVersion,
	}
}

// complete fills in what all events of a delivery share.
func (e event) complete(envelope *kycv1.RawEnvelope, said *kycv1.Disposition, id string) {
	md := e.metadata
	md.EventId, md.Raw, md.MapperVersion = id, said.Raw, said.MapperVersion
	md.Provider, md.Endpoint, md.Tenant, md.Environment = said.Provider, said.Endpoint, said.Tenant, envelope.GetEnvironment()
	md.VendorEventId, md.VendorEventType, md.ReceivedAt = said.VendorEventId, said.VendorEventType, said.ReceivedAt
	if md.OccurredAt != nil && md.ReceivedAt.AsTime().Sub(md.OccurredAt.AsTime()) > claimLife {
		md.Flags = []string{"stale=true"}
	}
}

// event is the record of an event, with the headers of a CloudEvent.
func (r *reader) event(key []byte, envelope *kycv1.RawEnvelope, e event) (*kgo.Record, error) {
	md := e.metadata
	at := md.OccurredAt
	if at == nil {
		at = md.ReceivedAt
	}
	headers := append(make([]kgo.RecordHeader, 0, 10),
		kgo.RecordHeader{Key: "ce_specversion", Value: specVersion},
		kgo.RecordHeader{Key: "ce_id", Value: []byte(md.EventId)},
		kgo.RecordHeader{Key: "ce_source", Value: []byte("/kycbridge/" + md.Tenant + "/" + md.Endpoint)},
		kgo.RecordHeader{Key: "ce_type", Value: e.kind.name},
		kgo.RecordHeader{Key: "ce_dataschema", Value: e.kind.schema},
		kgo.RecordHeader{Key: "ce_time", Value: at.AsTime().AppendFormat(nil, time.RFC3339Nano)},
		kgo.RecordHeader{Key: "ce_subject", Value: key[len(md.Endpoint)+len("/"):]},
		kgo.RecordHeader{Key: "content-type", Value: contentType},
		trace(envelope, compact(md.EventId)[:16]),
	)
	if md.Flags != nil {
		headers = append(headers, kgo.RecordHeader{Key: "stale", Value: stale})
	}
	value, err := encoding.Marshal(e.message)
	return &kgo.Record{Topic: r.prefix + e.kind.topic, Partition: byKey, Key: key, Value: value, Headers: headers}, err
}

// trace continues the trace that the delivery began: its id is the trace's.
func trace(envelope *kycv1.RawEnvelope, span string) kgo.RecordHeader {
	return kgo.RecordHeader{Key: "traceparent", Value: []byte("00-" + compact(envelope.GetDeliveryId()) + "-" + span + "-01")}
}

// span is that of a record which is no event.
func span(of string) string {
	sum := sha256.Sum256([]byte(of))
	return hex.EncodeToString(sum[:8])
}

func compact(uuid string) string { return strings.ReplaceAll(uuid, "-", "") }
