package dedupe

import (
	"errors"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/types/known/timestamppb"

	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// brief reads dispositions into one place, as far as marks are made of them: tenant, provider, names and ids of
// events, reasons and versions are checked and left out. It accepts what proto.Unmarshal accepts, in a third
// of its time and without memory, of which a repair would fill 1 kB for each mark (BenchmarkBrief).
//
// What it read is good until it reads again, or until the bytes that it was read from change.
type brief struct {
	d                 kycv1.Disposition
	raw, claimed, of  kycv1.RawPosition
	received, decided timestamppb.Timestamp
	endpoint, replay  string // the last ones; most are the same again
}

// Fields of a disposition and of what is in it.
const (
	fieldRaw            = 1
	fieldRawTopicID     = 2
	fieldEndpoint       = 5
	fieldStage          = 6
	fieldKind           = 7
	fieldDedupeKey      = 8
	fieldContentHash    = 9
	fieldDuplicateOf    = 10
	fieldReceivedAt     = 16
	fieldReplayID       = 17
	fieldDecidedAt      = 18
	fieldClaimed        = 19
	fieldClaimedTopicID = 20
	fieldPepperID       = 21

	fieldTopic, fieldPartition, fieldOffset = 1, 2, 3
	fieldSeconds, fieldNanos                = 1, 2
)

var errBrief = errors.New("not a disposition")

// read returns the disposition, or nil where the bytes are none.
func (b *brief) read(value []byte) *kycv1.Disposition {
	d := &b.d
	d.Raw, d.Claimed, d.ReceivedAt, d.DecidedAt = nil, nil, nil, nil
	d.RawTopicId, d.ClaimedTopicId, d.DedupeKey, d.ContentHash, d.PepperId = nil, nil, nil, nil, nil
	d.Endpoint, d.ReplayId, d.Stage, d.Kind = "", "", 0, 0
	if fields(value, b.varint, b.bytes) != nil {
		return nil
	}
	return d
}

func (b *brief) varint(field protowire.Number, n uint64) {
	switch field {
	case fieldStage:
		b.d.Stage = kycv1.Stage(n)
	case fieldKind:
		b.d.Kind = kycv1.DispositionKind(n)
	}
}

func (b *brief) bytes(field protowire.Number, v []byte) error {
	d := &b.d
	switch field {
	case fieldRaw:
		return position(&d.Raw, &b.raw, v)
	case fieldClaimed:
		return position(&d.Claimed, &b.claimed, v)
	case fieldDuplicateOf:
		var unused *kycv1.RawPosition
		return position(&unused, &b.of, v)
	case fieldReceivedAt:
		return instant(&d.ReceivedAt, &b.received, v)
	case fieldDecidedAt:
		return instant(&d.DecidedAt, &b.decided, v)
	case fieldRawTopicID:
		d.RawTopicId = v
	case fieldClaimedTopicID:
		d.ClaimedTopicId = v
	case fieldDedupeKey:
		d.DedupeKey = v
	case fieldContentHash:
		d.ContentHash = v
	case fieldPepperID:
		d.PepperId = v
	case fieldEndpoint:
		d.Endpoint = same(&b.endpoint, v)
		return text(v)
	case fieldReplayID:
		d.ReplayId = same(&b.replay, v)
		return text(v)
	case 3, 4, 11, 13, 14, 15, 23: // the other strings
		return text(v)
	}
	return nil
}

// same returns the bytes as a string, the last one where it is equal.
func same(last *string, v []byte) string {
	if string(v) != *last {
		*last = string(v)
	}
	return *last
}

func text(v []byte) error {
	if !utf8.Valid(v) {
		return errBrief
	}
	return nil
}

// position reads a RawPosition without its topic into the place for it. One that comes in parts adds to what
// was there.
func position(at **kycv1.RawPosition, place *kycv1.RawPosition, v []byte) error {
	if *at == nil {
		place.Partition, place.Offset = 0, 0
		*at = place
	}
	return fields(v, func(field protowire.Number, n uint64) {
		switch field {
		case fieldPartition:
			place.Partition = int32(n)
		case fieldOffset:
			place.Offset = int64(n)
		}
	}, func(field protowire.Number, v []byte) error {
		if field == fieldTopic {
			return text(v)
		}
		return nil
	})
}

func instant(at **timestamppb.Timestamp, place *timestamppb.Timestamp, v []byte) error {
	if *at == nil {
		place.Seconds, place.Nanos = 0, 0
		*at = place
	}
	return fields(v, func(field protowire.Number, n uint64) {
		switch field {
		case fieldSeconds:
			place.Seconds = int64(n)
		case fieldNanos:
			place.Nanos = int32(n)
		}
	}, func(protowire.Number, []byte) error { return nil })
}

// fields goes through the fields of a message; those of other wire types are passed over.
func fields(b []byte, varint func(protowire.Number, uint64), bytes func(protowire.Number, []byte) error) error {
	for len(b) > 0 {
		field, kind, n := protowire.Number(b[0]>>3), protowire.Type(b[0]&7), 1
		if b[0] >= 0x80 || field == 0 {
			field, kind, n = protowire.ConsumeTag(b)
		}
		if n < 0 || field > protowire.MaxValidNumber {
			return errBrief
		}
		b = b[n:]
		switch kind {
		case protowire.VarintType:
			var v uint64
			if v, n = protowire.ConsumeVarint(b); n >= 0 {
				varint(field, v)
			}
		case protowire.BytesType:
			var v []byte
			if v, n = protowire.ConsumeBytes(b); n >= 0 {
				if err := bytes(field, v); err != nil {
					return err
				}
			}
		default:
			n = protowire.ConsumeFieldValue(field, kind, b)
		}
		if n < 0 {
			return errBrief
		}
		b = b[n:]
	}
	return nil
}
