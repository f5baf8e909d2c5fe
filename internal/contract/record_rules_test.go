package contract_test

import (
	"bytes"
	"strings"
	"testing"

	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

func TestEnvelopeRules(t *testing.T) {
	runSpoils(t, envelope, []spoil[*kycv1.RawEnvelope]{
		{"no body", func(e *kycv1.RawEnvelope) { e.Body = []byte{} }, nil},
		{"any bytes as body", func(e *kycv1.RawEnvelope) { e.Body = []byte{0xff, 0} }, nil},
		{"no environment", func(e *kycv1.RawEnvelope) { e.Environment = 0 }, []string{"environment required"}},
		{"no time", func(e *kycv1.RawEnvelope) { e.ReceivedAt = nil }, []string{"received_at required"}},
		{"odd method", func(e *kycv1.RawEnvelope) { e.Method = "post" }, []string{"method string.pattern"}},
		{"no delivery id", func(e *kycv1.RawEnvelope) { e.DeliveryId = "" }, []string{"delivery_id string.uuid_empty"}},
		{"header", func(e *kycv1.RawEnvelope) { e.Headers = []*kycv1.HttpHeader{{Name: "X", Value: ""}} }, nil},
		{"header without name", func(e *kycv1.RawEnvelope) { e.Headers = []*kycv1.HttpHeader{{Value: "v"}} }, []string{"headers[0].name string.min_len"}},
		{"too many headers", func(e *kycv1.RawEnvelope) {
			for range 65 {
				e.Headers = append(e.Headers, &kycv1.HttpHeader{Name: "X"})
			}
		}, []string{"headers repeated.max_items"}},
	})
}

func TestTaskRules(t *testing.T) {
	const fetched = kycv1.FetchResult_FETCH_RESULT_FETCHED
	runSpoils(t, task, []spoil[*kycv1.HydrateTask]{
		{"no envelope", func(h *kycv1.HydrateTask) { h.Envelope = nil }, []string{"envelope required"}},
		{"no position", func(h *kycv1.HydrateTask) { h.Raw = nil }, []string{"raw required"}},
		{"negative attempt", func(h *kycv1.HydrateTask) { h.Attempt = -1 }, []string{"attempt int32.gte"}},
		{"fetched", func(h *kycv1.HydrateTask) { h.FetchResult, h.Fetched, h.FetchedAt = fetched, []byte("{}"), noon }, nil},
		{"fetched nothing", func(h *kycv1.HydrateTask) { h.FetchResult, h.FetchedAt = fetched, noon }, []string{"hydrate.fetched_is_there"}},
		{"fetched at no time", func(h *kycv1.HydrateTask) { h.FetchResult, h.Fetched = fetched, []byte("{}") }, []string{"hydrate.fetched_is_there"}},
	})
}

func TestDispositionRules(t *testing.T) {
	kind := func(k kycv1.DispositionKind) *kycv1.Disposition {
		d := disposition()
		d.Kind, d.EventIds = k, nil
		return d
	}
	runSpoils(t, disposition, []spoil[*kycv1.Disposition]{
		{"of no envelope", func(d *kycv1.Disposition) { d.Tenant, d.Provider, d.Endpoint, d.ReceivedAt = "", "", "", nil }, nil},
		{"no topic id", func(d *kycv1.Disposition) { d.RawTopicId = nil }, []string{"raw_topic_id bytes.len"}},
		{"no stage", func(d *kycv1.Disposition) { d.Stage = 0 }, []string{"stage required"}},
		{"no kind", func(d *kycv1.Disposition) { d.Kind = 0 }, []string{"kind required"}},
		{"not decided", func(d *kycv1.Disposition) { d.DecidedAt = nil }, []string{"decided_at required"}},
		{"key", func(d *kycv1.Disposition) { d.DedupeKey = bytes.Repeat([]byte{1}, 16) }, nil},
		{"short key", func(d *kycv1.Disposition) { d.DedupeKey = []byte{1} }, []string{"dedupe_key bytes.len"}},
		{"hash", func(d *kycv1.Disposition) { d.ContentHash = bytes.Repeat([]byte{1}, 32) }, nil},
		{"short hash", func(d *kycv1.Disposition) { d.ContentHash = bytes.Repeat([]byte{1}, 31) }, []string{"content_hash bytes.len"}},
		{"emitted nothing", func(d *kycv1.Disposition) { d.EventIds = nil }, []string{"disposition.emitted_names_events"}},
		{"replay without id", func(d *kycv1.Disposition) { d.Stage = kycv1.Stage_STAGE_REPLAY }, []string{"disposition.replay_has_id"}},
		{"replay", func(d *kycv1.Disposition) { d.Stage, d.ReplayId = kycv1.Stage_STAGE_REPLAY, "r-1" }, nil},
		{"claimed without topic", func(d *kycv1.Disposition) { d.Claimed = position() }, []string{"disposition.claimed_has_topic_id"}},
		{"claimed", func(d *kycv1.Disposition) { d.Claimed, d.ClaimedTopicId = position(), bytes.Repeat([]byte{2}, 16) }, nil},
	})
	v := validator(t)
	for m, want := range map[*kycv1.Disposition]string{
		kind(kycv1.DispositionKind_DISPOSITION_KIND_DUPLICATE):     "disposition.duplicate_names_first",
		kind(kycv1.DispositionKind_DISPOSITION_KIND_DEAD_LETTERED): "disposition.dead_letter_has_reason",
		kind(kycv1.DispositionKind_DISPOSITION_KIND_HYDRATING):     "",
	} {
		if got := strings.Join(broken(t, v, m), " "); got != want {
			t.Errorf("a bare %v breaks %q, want %q", m.GetKind(), got, want)
		}
		m.DuplicateOf, m.Reason = position(), kycv1.DeadLetterReason_DEAD_LETTER_REASON_UNMAPPED
		if got := broken(t, v, m); got != nil {
			t.Errorf("a whole %v breaks %v", m.GetKind(), got)
		}
	}
}

func TestDeadLetterRules(t *testing.T) {
	runSpoils(t, deadLetter, []spoil[*kycv1.DeadLetter]{
		{"no envelope", func(d *kycv1.DeadLetter) { d.Envelope = nil }, nil},
		{"no reason", func(d *kycv1.DeadLetter) { d.Reason = 0 }, []string{"reason required"}},
		{"no stage", func(d *kycv1.DeadLetter) { d.Stage = "" }, []string{"stage string.pattern"}},
		{"no position", func(d *kycv1.DeadLetter) { d.Raw = nil }, []string{"raw required"}},
		{"endless detail", func(d *kycv1.DeadLetter) { d.Detail = strings.Repeat("x", 4097) }, []string{"detail string.max_len"}},
	})
}
