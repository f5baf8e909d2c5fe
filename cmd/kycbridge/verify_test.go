package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/kycbridge/kycbridge/audit"
	"github.com/kycbridge/kycbridge/embedded/repair"
	"github.com/kycbridge/kycbridge/internal/record"
	"github.com/kycbridge/kycbridge/normalize"
	"github.com/kycbridge/kycbridge/schemas"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
	"github.com/kycbridge/kycbridge/sink"
)

// planted is a broker in this process whose topics a test fills by hand.
type planted struct {
	t       *testing.T
	cluster *kfake.Cluster
	kafka   sink.Options
	writer  *sink.Writer
	reader  *sink.Reader
}

func plant(t *testing.T) *planted {
	t.Helper()
	p := &planted{t: t}
	var names []string
	for _, topic := range schemas.Topics() {
		names = append(names, p.kafka.Topic(topic.Base))
	}
	var err error
	if p.cluster, err = kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(2, names...)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.cluster.Close)
	repair.Fetch(p.cluster)
	p.kafka.Brokers = p.cluster.ListenAddrs()
	if p.writer, err = sink.OpenWriter(t.Context(), p.kafka); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.writer.Close)
	if p.reader, err = sink.OpenReader(t.Context(), p.kafka); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.reader.Close)
	return p
}

func (p *planted) broker() string { return p.kafka.Brokers[0] }

func (p *planted) write(out ...*record.Outgoing) {
	p.t.Helper()
	if err := p.writer.Write(p.t.Context(), out); err != nil {
		p.t.Fatal(err)
	}
}

// processed commits what the normaliser would have.
func (p *planted) processed(partition int32, next int64) {
	p.t.Helper()
	if err := p.reader.Commit(p.t.Context(), normalize.DefaultGroup, schemas.Raw, map[int32]int64{partition: next}); err != nil {
		p.t.Fatal(err)
	}
}

const plantedKey = "shop/subject-1"

// The n-th delivery, all in raw partition 1, which an empty topic gives offset n.
func plantedDelivery(n int) string {
	return uuid.NewSHA1(uuid.NameSpaceOID, fmt.Append(nil, "delivery", n)).String()
}

func plantedEvent(n int) string {
	return uuid.NewSHA1(uuid.NameSpaceOID, fmt.Append(nil, "event", n)).String()
}

func plantedTrace(n int) []record.Header {
	return []record.Header{{Key: "traceparent", Value: []byte("00-" + strings.ReplaceAll(plantedDelivery(n), "-", "") + "-0102030405060708-01")}}
}

func raw(n int) *record.Outgoing {
	return &record.Outgoing{Key: []byte(plantedKey), Partition: 1, Message: &kycv1.RawEnvelope{
		Provider: "complycube", Endpoint: "shop", Tenant: "default", DeliveryId: plantedDelivery(n), ReceivedAt: timestamppb.New(plantedAt(n)), Body: []byte(`{"name":"CANARY"}`),
	}}
}

func plantedAt(n int) time.Time {
	return time.Date(2026, 1, 2, 12, 0, n, 0, time.UTC)
}

func disposed(t *testing.T, p *planted, n int, kind kycv1.DispositionKind) *record.Outgoing {
	t.Helper()
	_, id, err := p.reader.Partitions(t.Context(), schemas.Raw)
	if err != nil {
		t.Fatal(err)
	}
	d := &kycv1.Disposition{
		Raw: &kycv1.RawPosition{Topic: "kyc.raw.v1", Partition: 1, Offset: int64(n)}, RawTopicId: id[:], Kind: kind, Stage: kycv1.Stage_STAGE_NORMALIZE,
		Provider: "complycube", Endpoint: "shop", Tenant: "default", VendorEventId: fmt.Sprintf("vendor-%d", n), VendorEventType: "check.completed", MapperVersion: "complycube/1",
		ReceivedAt: timestamppb.New(plantedAt(n)), DecidedAt: timestamppb.New(plantedAt(n).Add(40 * time.Millisecond)),
	}
	switch kind {
	case kycv1.DispositionKind_DISPOSITION_KIND_EMITTED:
		d.EventIds = []string{plantedEvent(n)}
	case kycv1.DispositionKind_DISPOSITION_KIND_DUPLICATE:
		d.VendorEventId = "vendor-0"
		d.DuplicateOf = &kycv1.RawPosition{Topic: "kyc.raw.v1", Partition: 1, Offset: 0}
	case kycv1.DispositionKind_DISPOSITION_KIND_DEAD_LETTERED:
		d.Reason = kycv1.DeadLetterReason_DEAD_LETTER_REASON_UNMAPPED
	}
	return &record.Outgoing{Key: []byte(plantedKey), Partition: 1, Message: d, Headers: plantedTrace(n)}
}

func checked(n int) *record.Outgoing {
	return &record.Outgoing{Key: []byte(plantedKey), Partition: 1, Headers: plantedTrace(n), Message: &kycv1.CheckEvent{
		Kind: kycv1.CheckKind_CHECK_KIND_DOCUMENT, Result: kycv1.CheckResult_CHECK_RESULT_PASSED, VendorResult: "clear",
		Metadata: &kycv1.EventMetadata{
			EventId: plantedEvent(n), Provider: "complycube", Endpoint: "shop", Tenant: "default", VendorEventId: fmt.Sprintf("vendor-%d", n), VendorEventType: "check.completed",
			Subject: &kycv1.Subject{CheckId: "subject-1", SessionId: "session-1"}, Raw: &kycv1.RawPosition{Topic: "kyc.raw.v1", Partition: 1, Offset: int64(n)},
			ReceivedAt: timestamppb.New(plantedAt(n)), OccurredAt: timestamppb.New(plantedAt(n).Add(-time.Second)), Hydration: kycv1.Hydration_HYDRATION_NOT_NEEDED,
		},
	}}
}

func buried(n int) *record.Outgoing {
	return &record.Outgoing{Key: []byte(plantedKey), Partition: 1, Headers: plantedTrace(n), Message: &kycv1.DeadLetter{
		Raw:    &kycv1.RawPosition{Topic: "kyc.raw.v1", Partition: 1, Offset: int64(n)},
		Reason: kycv1.DeadLetterReason_DEAD_LETTER_REASON_UNMAPPED, Stage: "map", Field: "type", Detail: "no mapping for this event type", Attempts: 1,
		Envelope: raw(n).Message.(*kycv1.RawEnvelope),
	}}
}

const (
	kindEmitted   = kycv1.DispositionKind_DISPOSITION_KIND_EMITTED
	kindDuplicate = kycv1.DispositionKind_DISPOSITION_KIND_DUPLICATE
	kindDead      = kycv1.DispositionKind_DISPOSITION_KIND_DEAD_LETTERED
	kindHydrating = kycv1.DispositionKind_DISPOSITION_KIND_HYDRATING
)

// sound writes an event, its duplicate and a dead letter, at raw offsets 0, 1 and 2.
func (p *planted) sound() {
	p.t.Helper()
	p.write(raw(0), raw(1), raw(2), checked(0), buried(2))
	p.write(disposed(p.t, p, 0, kindEmitted), disposed(p.t, p, 1, kindDuplicate), disposed(p.t, p, 2, kindDead))
	p.processed(1, 3)
}

// TestVerifyFindsPlantedViolations: one fault a time on a broker; each is found, and said in the
// exit code.
func TestVerifyFindsPlantedViolations(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		plant func(p *planted)
		want  string // "" where nothing is wrong
	}{
		{"nothing", func(*planted) {}, ""},
		{"missing disposition", func(p *planted) { p.write(checked(3)) }, "O4 1@3 no disposition (delivery " + plantedDelivery(3) + ", received 2026-01-02T12:00:03Z)"},
		{"doubled disposition", func(p *planted) {
			p.write(checked(3), disposed(p.t, p, 3, kindEmitted), disposed(p.t, p, 3, kindEmitted))
		}, "O4 1@3 more than one final disposition"},
		{"missing event", func(p *planted) { p.write(disposed(p.t, p, 3, kindEmitted)) }, "O4 1@3 event " + plantedEvent(3) + " is named by its disposition and is in no topic"},
		{"missing dead letter", func(p *planted) { p.write(disposed(p.t, p, 3, kindDead)) }, "O4 1@3 the dead letter is named by its disposition and is in no topic"},
		{"doubled event", func(p *planted) { p.write(checked(3), checked(3), disposed(p.t, p, 3, kindEmitted)) }, "O2 1@3 event " + plantedEvent(3) + " stands twice"},
		{"wrong order", func(p *planted) {
			p.write(raw(4), checked(4), checked(3), disposed(p.t, p, 3, kindEmitted), disposed(p.t, p, 4, kindEmitted))
			p.processed(1, 5)
		}, "O5 1@3 event " + plantedEvent(3) + " stands after one of the same subject of 1@4"},
		{"lost by the hydrate stage", func(p *planted) { p.write(disposed(p.t, p, 3, kindHydrating)) }, "O4 1@3 handed to the hydrate stage, and neither waiting"},
		{"waiting for the API", func(p *planted) {
			task := &kycv1.HydrateTask{Raw: &kycv1.RawPosition{Topic: "kyc.raw.v1", Partition: 1, Offset: 3}}
			p.write(disposed(p.t, p, 3, kindHydrating), &record.Outgoing{Key: []byte(plantedKey), Partition: 1, Message: task})
		}, ""},
		{"not yet processed", func(p *planted) { p.write(raw(4)); p.write(checked(3), disposed(p.t, p, 3, kindEmitted)) }, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := plant(t)
			p.sound()
			if c.name != "nothing" {
				p.write(raw(3))
				p.processed(1, 4)
			}
			c.plant(p)
			out, errs, code := call(t, nil, "verify", "--brokers", p.broker(), "--json")
			var v audit.Verdict
			if err := json.Unmarshal([]byte(out), &v); err != nil {
				t.Fatalf("code %d, no JSON: %s%s", code, out, errs)
			}
			var found []string
			for _, check := range v.Checks {
				for _, one := range check.First {
					found = append(found, fmt.Sprintf("%s %s %s", check.ID, one.Raw, one.What))
				}
			}
			switch got := strings.Join(found, "\n"); {
			case c.want == "" && (got != "" || code != 0 || errs != ""):
				t.Errorf("code %d, found %q, %s; want nothing", code, got, errs)
			case c.want != "" && (!strings.Contains(got, c.want) || code != exitFailed || !strings.Contains(errs, "violations in")):
				t.Errorf("code %d, found %q, %s; want %q", code, got, errs, c.want)
			case c.want != "" && c.name != "missing disposition" && len(found) != 1:
				t.Errorf("found %q, want one violation", got)
			}
		})
	}
}

// TestVerifyOfARange: a range by time, what retention has removed, and topics that keep their
// records for a shorter time than raw.
func TestVerifyOfARange(t *testing.T) {
	t.Parallel()
	p := plant(t)
	p.sound()
	before, err := p.reader.Ends(t.Context(), schemas.Raw)
	if err != nil || before[1] != 3 {
		t.Fatal(before, err)
	}
	p.write(raw(3))
	p.processed(1, 4)
	var last time.Time
	if _, err := p.reader.Scan(t.Context(), schemas.Raw, 1, sink.Start{Offset: 3}, func(r *kgo.Record) error { last = r.Timestamp; return nil }); err != nil {
		t.Fatal(err)
	}
	out, _, code := call(t, nil, "verify", "--brokers", p.broker(), "--until", last.Format(time.RFC3339Nano))
	if code != 0 || !strings.Contains(out, "no violation in") {
		t.Errorf("before the fault: code %d\n%s", code, out)
	}
	out, _, code = call(t, nil, "verify", "--brokers", p.broker(), "--since", "1h")
	if code != exitFailed || !strings.Contains(out, "raw 1@3: no disposition") || !strings.Contains(out, "1 violations in 4 raw records") {
		t.Errorf("with the fault: code %d\n%s", code, out)
	}
	if out, _, code = call(t, nil, "verify", "--brokers", p.broker(), "--since", "0s"); code != 0 || !strings.Contains(out, "nothing was checked") {
		t.Errorf("of no time at all: code %d\n%s", code, out)
	}

	if err := p.cluster.DeleteRecords("kyc.raw.v1", 1, 1); err != nil {
		t.Fatal(err)
	}
	p.write(disposed(t, p, 3, kindEmitted), checked(3))
	out, _, code = call(t, nil, "verify", "--brokers", p.broker())
	if code != 0 || !strings.Contains(out, "note: retention has removed the 1 raw records before these") || !strings.Contains(out, "1 duplicates repeat a record outside of the range") {
		t.Errorf("after retention: code %d\n%s", code, out)
	}
	short := "1"
	alter := []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "retention.ms", Value: &short}}
	client, err := kgo.NewClient(kgo.SeedBrokers(p.broker()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if _, err := kadm.NewClient(client).AlterTopicConfigs(t.Context(), alter, "kyc.deadletter.v1"); err != nil {
		t.Fatal(err)
	}
	out, _, code = call(t, nil, "verify", "--brokers", p.broker())
	if code != 0 || !strings.Contains(out, "are not checked: kyc.deadletter.v1 keeps its records no longer (1ms)") || !strings.Contains(out, "nothing was checked") {
		t.Errorf("with dead letters kept too shortly: code %d\n%s", code, out)
	}
}

func TestVerifyCannotCheck(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args []string
		want []string
	}{
		{[]string{"--since", "yesterday"}, []string{"--since", `"yesterday"`, "7d"}},
		{[]string{"--since", "1h", "--until", "2h"}, []string{"not before"}},
		{[]string{"now"}, []string{"no argument"}},
		{[]string{"--brokers", "127.0.0.1:1"}, []string{"cannot check", "127.0.0.1:1", "--brokers"}},
	} {
		out, errs, code := call(t, nil, append([]string{"verify"}, c.args...)...)
		if code != exitUnchecked || out != "" || strings.Count(errs, "\n") != 1 {
			t.Errorf("%v: code %d\n%s%s", c.args, code, out, errs)
		}
		for _, want := range c.want {
			if !strings.Contains(errs, want) {
				t.Errorf("%v says %q, want %q in it", c.args, errs, want)
			}
		}
	}
	p := plant(t)
	out, errs, code := call(t, nil, "verify", "--brokers", p.broker(), "--topic-prefix", "other.")
	if code != exitUnchecked || out != "" || !strings.Contains(errs, "--topic-prefix") {
		t.Errorf("without topics: code %d\n%s%s", code, out, errs)
	}
}

func TestParseWindow(t *testing.T) {
	now := time.Date(2026, 1, 10, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]string{
		"2026-01-02T15:04:05Z":      "2026-01-02T15:04:05Z",
		"2026-01-02T15:04:05+02:00": "2026-01-02T13:04:05Z",
		"2026-01-02":                "2026-01-02T00:00:00Z",
		"90m":                       "2026-01-10T10:30:00Z",
		"7d":                        "2026-01-03T12:00:00Z",
		"0s":                        "2026-01-10T12:00:00Z",
		"-1h":                       "error",
		"-1d":                       "error",
		"d":                         "error",
		"2026-13-01":                "error",
	} {
		w, err := parseWindow(text, "", now)
		got := w.from.UTC().Format(time.RFC3339)
		if err != nil {
			got = "error"
		}
		if got != want || !w.to.IsZero() {
			t.Errorf("%q is read as %s, want %s", text, got, want)
		}
	}
}

// TestVerifyEndToEnd: what `dev` made is sound.
func TestVerifyEndToEnd(t *testing.T) {
	dev := startDev(t, t.TempDir(), nil)
	if out, errs, code := call(t, nil, "send", "complycube", "--to", dev.hook(), "--duplicate", "10"); code != 0 {
		t.Fatalf("send: code %d\n%s%s", code, out, errs)
	}
	tailLines(t, dev, 10, "disposition")
	out, errs, code := call(t, nil, "verify", "--brokers", dev.Kafka)
	if code != 0 || errs != "" || !strings.Contains(out, "10 raw records: 1 emitted, 9 duplicates") {
		t.Errorf("verify: code %d\n%s%s", code, out, errs)
	}
}
