package normalize

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/kycbridge/kycbridge/internal/contract"
	"github.com/kycbridge/kycbridge/internal/record"
	"github.com/kycbridge/kycbridge/normalize/dedupe"
	"github.com/kycbridge/kycbridge/schemas"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

type protoMessage = proto.Message

const (
	// recordOverhead is what a record needs beside its value: key, headers, framing.
	recordOverhead = 4096
	// idBytes is what one event id takes in a disposition.
	idBytes = 40
)

// Record headers beside those of CloudEvents.
const (
	headerTrace  = "traceparent"
	headerDedupe = "dedupe"
	headerStale  = "stale"
	headerReplay = "replay"
)

// Outgoing is what must be written for the record under a verdict: its events, its dead letter or its
// task, and last its disposition; nothing for a record whose disposition is committed already.
func (r *Reading) Outgoing(v dedupe.Verdict, decidedAt time.Time) []*record.Outgoing {
	return r.appendOutgoing(nil, &v, timestamppb.New(decidedAt))
}

// appendOutgoing is Outgoing for a batch. What is written shares memory with v, decidedAt and the reading.
func (r *Reading) appendOutgoing(out []*record.Outgoing, v *dedupe.Verdict, decidedAt *timestamppb.Timestamp) []*record.Outgoing {
	if r.isUsual(v) {
		return append(out, r.asUsual(v, decidedAt)...)
	}
	r.usual = nil // flags are written into its messages

	from := len(out) // what a replay labels
	switch {
	case r.Pass != nil:
		return append(out, r.Pass.Out...)
	case v.Action == dedupe.Nothing:
		return out
	case v.Action == dedupe.Duplicate && r.Again != nil:
		return append(out, labelled(r.task(r.Again, schemas.HydrateWait), r.Replay))
	case v.Action == dedupe.Duplicate:
	case r.Task != nil:
		out = append(out, labelled(r.task(r.Task, schemas.Hydrate), r.TaskLabel))
		from = len(out)
	case r.Dead != nil:
		out = append(out, &record.Outgoing{Message: r.Dead, Key: r.Raw.Key, Partition: -1, Headers: r.traced("dead letter")})
	default:
		for i, e := range r.Events {
			out = append(out, r.event(i, e, v.Flag))
		}
	}
	out = append(out, &record.Outgoing{
		Message: r.disposition(v, decidedAt), Key: r.Raw.Key, Partition: r.Raw.Partition, Headers: r.traced("disposition"),
	})
	for _, o := range out[from:] {
		labelled(o, r.Replay)
	}
	return out
}

// labelled puts the label of a replay on a record; "" is none.
func labelled(o *record.Outgoing, replay string) *record.Outgoing {
	if replay != "" {
		o.Headers = append(o.Headers, record.Header{Key: headerReplay, Value: []byte(replay)})
	}
	return o
}

// LabelOf is the id of the replay that labels a record; "" where there is none.
func LabelOf(headers []record.Header) string {
	for _, h := range headers {
		if h.Key == headerReplay {
			return string(h.Value)
		}
	}
	return ""
}

// disposes says whether Outgoing ends with a disposition.
func (r *Reading) disposes(v dedupe.Verdict) bool {
	return r.Pass == nil && v.Action != dedupe.Nothing && (v.Action != dedupe.Duplicate || r.Again == nil)
}

// task is a task on its way, beside the raw record it came from.
func (r *Reading) task(t *kycv1.HydrateTask, topic string) *record.Outgoing {
	return &record.Outgoing{Topic: topic, Message: t, Key: r.Raw.Key, Partition: r.Raw.Partition, Headers: r.traced("task")}
}

// event dresses one event.
func (r *Reading) event(i int, e schemas.DomainEvent, flag dedupe.Flag) *record.Outgoing {
	flags := r.flag(i, e, flag)
	headers := contract.CloudEventHeaders(e, r.Raw.Key)
	var span [36]byte
	headers = r.trace(headers, appendCompact(span[:0], e.GetMetadata().GetEventId())[:spanSize])
	out := &record.Outgoing{Message: e, Key: r.Raw.Key, Partition: -1, Headers: append(headers, flags...)}
	if flag == "" && r.Replay == "" {
		out.Value = r.encoded[i]
	}
	return out
}

// flag writes an event's flags into its metadata, for consumers that see no headers, and returns the headers
// that say the same; that of a replay is on every record, see Outgoing.
func (r *Reading) flag(i int, e schemas.DomainEvent, flag dedupe.Flag) (flags []record.Header) {
	if flag != "" {
		flags = append(flags, record.Header{Key: headerDedupe, Value: []byte(flag)})
	}
	if r.Stale[i] {
		flags = append(flags, record.Header{Key: headerStale, Value: []byte("true")})
	}
	md := e.GetMetadata()
	if md == nil {
		return nil // against the rules, as will be said
	}
	md.Flags = nil
	for _, f := range flags {
		md.Flags = append(md.Flags, f.Key+"="+string(f.Value))
	}
	if r.Replay != "" {
		md.Flags = append(md.Flags, headerReplay+"="+r.Replay)
	}
	return flags
}

func (r *Reading) disposition(v *dedupe.Verdict, decidedAt *timestamppb.Timestamp) *kycv1.Disposition {
	d := &kycv1.Disposition{
		Raw: r.position(), RawTopicId: r.Raw.TopicID[:],
		Tenant: r.Envelope.GetTenant(), Provider: r.Envelope.GetProvider(), Endpoint: r.Envelope.GetEndpoint(),
		Stage:         r.stage,
		VendorEventId: cut(r.VendorID, 128), VendorEventType: cut(r.VendorType, 128), MapperVersion: r.MapperVersion,
		ReceivedAt: r.Envelope.GetReceivedAt(), DecidedAt: decidedAt,
	}
	if r.stage == kycv1.Stage_STAGE_HYDRATE {
		d.Claimed = &kycv1.RawPosition{Topic: r.In.Topic, Partition: r.In.Partition, Offset: r.In.Offset}
		d.ClaimedTopicId = r.In.TopicID[:]
	}
	if d.ReplayId = r.Replay; r.Replay != "" && !r.Ordered {
		d.Stage = kycv1.Stage_STAGE_REPLAY
	}
	d.DedupeKey = keyOf(v)
	if r.ContentHash != [32]byte{} {
		d.ContentHash = r.ContentHash[:]
	}
	switch {
	case v.Action == dedupe.Duplicate:
		d.Kind = kycv1.DispositionKind_DISPOSITION_KIND_DUPLICATE
		d.DuplicateOf = &kycv1.RawPosition{Topic: r.In.Topic, Partition: v.Owner.Partition, Offset: v.Owner.Offset}
	case r.Dead != nil:
		d.Kind, d.Reason = kycv1.DispositionKind_DISPOSITION_KIND_DEAD_LETTERED, r.Dead.GetReason()
	case r.Task != nil:
		d.Kind = kycv1.DispositionKind_DISPOSITION_KIND_HYDRATING
	default:
		d.Kind = kycv1.DispositionKind_DISPOSITION_KIND_EMITTED
		d.EventIds = make([]string, len(r.Events))
		for i, e := range r.Events {
			d.EventIds[i] = e.GetMetadata().GetEventId()
		}
	}
	return d
}

// keyOf is the key that was claimed; nil: none was.
func keyOf(v *dedupe.Verdict) []byte {
	if !v.Keyed {
		return nil
	}
	return v.Key[:]
}

// Item is the record as package dedupe sees it.
func (r *Reading) Item(keys dedupe.Keyer) dedupe.Item {
	item := dedupe.Item{Partition: r.In.Partition, Offset: r.In.Offset, Time: r.In.Time, Hash: r.ContentHash}
	stage := dedupe.StageNormalize
	if r.stage == kycv1.Stage_STAGE_HYDRATE {
		stage = dedupe.StageHydrate
		origin := originOf(r.Raw.TopicID, r.position(), r.Envelope, r.Replay)
		item.Origin = &origin
	}
	if len(r.Identity) > 0 {
		item.Identified = true
		item.Key = keys.Key(dedupe.Subject{
			Stage: stage, TopicID: r.In.TopicID, Tenant: r.Envelope.GetTenant(),
			RawKey: r.Raw.Key, Identity: r.Identity,
		})
	}
	return item
}

// originOf is the raw record behind a task as package dedupe sees it.
func originOf(topic [16]byte, raw *kycv1.RawPosition, e *kycv1.RawEnvelope, replay string) dedupe.Origin {
	return dedupe.Origin{
		TopicID: topic, Partition: raw.GetPartition(), Offset: raw.GetOffset(),
		Endpoint: e.GetEndpoint(), ReceivedAt: e.GetReceivedAt().AsTime(), Replay: replay,
	}
}

// shrink leaves the body out of a dead letter that would not fit: the raw record still has it, and
// a record that can never be written would hold its partition up for ever.
func (r *Reading) shrink() {
	if r.fits(proto.Size(r.Dead)) {
		return
	}
	envelope := proto.CloneOf(r.Dead.GetEnvelope())
	envelope.Body = nil
	r.Dead.Envelope = envelope
	if !r.fits(proto.Size(r.Dead)) {
		envelope.Headers = nil
	}
	r.Dead.Detail = cut(r.Dead.GetDetail()+" (without its body, which did not fit; the raw record has it)", 4096)
}

func (r *Reading) fits(bytes int) bool {
	return r.maxBytes <= 0 || bytes+len(r.Raw.Key)+recordOverhead <= r.maxBytes
}

// The lengths in hex of what a traceparent holds.
const (
	traceSize = 32
	spanSize  = 16
)

// traced is the trace header of a record that is no event, with a span of its own.
func (r *Reading) traced(what string) []record.Header {
	var text [64]byte
	sum := sha256.Sum256(append(append(text[:0], what...), r.Envelope.GetDeliveryId()...))
	var span [spanSize]byte
	hex.Encode(span[:], sum[:spanSize/2])
	return r.trace(nil, span[:])
}

// trace continues the trace that ingest began: the delivery's id is the trace's.
func (r *Reading) trace(headers []record.Header, span []byte) []record.Header {
	var room [traceSize]byte
	trace := appendCompact(room[:0], r.Envelope.GetDeliveryId())
	if len(trace) != traceSize {
		return headers
	}
	value := append(make([]byte, 0, len("00-")+traceSize+1+spanSize+len("-01")), "00-"...)
	value = append(append(value, trace...), '-')
	value = append(append(value, span...), "-01"...)
	return append(headers, record.Header{Key: headerTrace, Value: value})
}

// appendCompact writes a UUID in lower case and without its dashes.
func appendCompact(b []byte, id string) []byte {
	for i := range len(id) {
		switch c := id[i]; {
		case c == '-':
		case 'A' <= c && c <= 'Z':
			b = append(b, c-'A'+'a')
		default:
			b = append(b, c)
		}
	}
	return b
}

// cut shortens a string to at most n bytes of whole characters.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "")
}
