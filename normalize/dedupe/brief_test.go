package dedupe

import (
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// full is a disposition with every field set.
func full() *kycv1.Disposition {
	at := &timestamppb.Timestamp{Seconds: 1_790_000_000, Nanos: 123_456_789}
	return &kycv1.Disposition{
		Raw: &kycv1.RawPosition{Topic: "kyc.raw.v1", Partition: 11, Offset: 1 << 40}, RawTopicId: rawTopic[:],
		Tenant: "default", Provider: "complycube", Endpoint: "complycube-live", Stage: kycv1.Stage_STAGE_HYDRATE,
		Kind: kycv1.DispositionKind_DISPOSITION_KIND_DUPLICATE, DedupeKey: make([]byte, KeySize), ContentHash: make([]byte, 32),
		DuplicateOf: &kycv1.RawPosition{Topic: "kyc.raw.v1", Partition: 11, Offset: 7}, EventIds: []string{"a", "b"},
		Reason: kycv1.DeadLetterReason(2), VendorEventId: "id", VendorEventType: "type", MapperVersion: "complycube/1",
		ReceivedAt: at, ReplayId: "replay", DecidedAt: at, Claimed: &kycv1.RawPosition{Topic: "kyc.hydrate.v1", Partition: 11, Offset: 9},
		ClaimedTopicId: dispTopic[:], PepperId: []byte("12345678"), DuplicateOfTopicId: rawTopic[:], DedupeFlag: "unconfirmed",
	}
}

// strip leaves the fields that brief keeps.
func strip(d *kycv1.Disposition) *kycv1.Disposition {
	place := func(p *kycv1.RawPosition) *kycv1.RawPosition {
		if p == nil {
			return nil
		}
		return &kycv1.RawPosition{Partition: p.GetPartition(), Offset: p.GetOffset()}
	}
	instant := func(t *timestamppb.Timestamp) *timestamppb.Timestamp {
		if t == nil {
			return nil
		}
		return &timestamppb.Timestamp{Seconds: t.GetSeconds(), Nanos: t.GetNanos()}
	}
	return &kycv1.Disposition{
		Raw: place(d.GetRaw()), RawTopicId: d.GetRawTopicId(), Endpoint: d.GetEndpoint(), Stage: d.GetStage(), Kind: d.GetKind(),
		DedupeKey: d.GetDedupeKey(), ContentHash: d.GetContentHash(), ReceivedAt: instant(d.GetReceivedAt()), ReplayId: d.GetReplayId(),
		DecidedAt: instant(d.GetDecidedAt()), Claimed: place(d.GetClaimed()), ClaimedTopicId: d.GetClaimedTopicId(), PepperId: d.GetPepperId(),
	}
}

// FuzzBrief holds what brief reads against what the library reads.
func FuzzBrief(f *testing.F) {
	whole := func(d *kycv1.Disposition) []byte {
		value, err := proto.Marshal(d)
		if err != nil {
			f.Fatal(err)
		}
		return value
	}
	everything := whole(full())
	f.Add(everything)
	f.Add(whole(disposition(3, Key{4})))
	f.Add([]byte{})
	f.Add([]byte("\xff not one"))
	for n := 1; n < len(everything); n += 3 {
		f.Add(everything[:n]) // cut off
	}
	f.Add(append(whole(disposition(3, Key{4})), everything...)) // in two parts
	field := func(number protowire.Number, kind protowire.Type, value ...byte) []byte {
		return append(protowire.AppendTag(nil, number, kind), value...)
	}
	for number := range protowire.Number(25) {
		if number > 0 {
			f.Add(field(number, protowire.VarintType, 0x85, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01))
			f.Add(field(number, protowire.BytesType, 2, 0xc3, 0x28)) // not UTF-8
			f.Add(field(number, protowire.BytesType, 4, 0x0a, 2, 0xc3, 0x28))
			f.Add(field(number, protowire.Fixed32Type, 1, 2, 3, 4))
			f.Add(field(number, protowire.StartGroupType, byte(number<<3|4)))
			f.Add(field(number, protowire.EndGroupType))
		}
	}
	f.Add([]byte{0, 1}) // fields are numbered from 1
	f.Add(append(protowire.AppendVarint(nil, uint64(protowire.MaxValidNumber+1)<<3), 1))
	var b brief
	f.Fuzz(func(t *testing.T, value []byte) {
		b.read(everything) // leaves nothing behind
		want := &kycv1.Disposition{}
		err := proto.Unmarshal(value, want)
		got := b.read(value)
		if (got == nil) != (err != nil) {
			t.Fatalf("%x is read as %v, the library says %v", value, got, err)
		}
		if err == nil && !proto.Equal(got, strip(want)) {
			t.Errorf("%x is read as %v, expected %v", value, got, strip(want))
		}
	})
}

// BenchmarkBrief reads a disposition as far as marks are made of it.
func BenchmarkBrief(b *testing.B) {
	value, err := proto.Marshal(full())
	if err != nil {
		b.Fatal(err)
	}
	b.Run("brief", func(b *testing.B) {
		var r brief
		b.ReportAllocs()
		for b.Loop() {
			r.read(value)
		}
	})
	b.Run("library", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_ = proto.Unmarshal(value, &kycv1.Disposition{})
		}
	})
}
