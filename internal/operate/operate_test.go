package operate_test

import (
	"errors"
	"fmt"
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/kycbridge/kycbridge/audit"
	"github.com/kycbridge/kycbridge/internal/operate"
	"github.com/kycbridge/kycbridge/internal/operate/operatetest"
	"github.com/kycbridge/kycbridge/normalize/replay"
	"github.com/kycbridge/kycbridge/providers/catalog"
	"github.com/kycbridge/kycbridge/schemas"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// servers ask a broker of the test.
func servers(b *operatetest.Broker) operate.Servers {
	return operate.Servers{
		Kafka: b.Kafka, Vendors: catalog.All(),
		Limits: operate.Limits{Hydrates: func(string) bool { return false }, MaxRecordBytes: 1 << 20, TransactionTimeout: 10 * time.Second},
	}
}

// TestVerifyFindsPlantedViolations: one fault a time on a broker; each is found.
func TestVerifyFindsPlantedViolations(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		plant func(p *operatetest.Broker)
		want  string // "" where nothing is wrong
	}{
		{"nothing", func(*operatetest.Broker) {}, ""},
		{"missing disposition", func(p *operatetest.Broker) { p.Write(operatetest.Checked(3)) }, "O4 1@3 no disposition (delivery " + operatetest.DeliveryID(3) + ", received 2026-01-02T12:00:03Z)"},
		{"doubled disposition", func(p *operatetest.Broker) {
			p.Write(operatetest.Checked(3), p.Disposed(3, operatetest.Emitted), p.Disposed(3, operatetest.Emitted))
		}, "O4 1@3 more than one final disposition"},
		{"missing event", func(p *operatetest.Broker) { p.Write(p.Disposed(3, operatetest.Emitted)) }, "O4 1@3 event " + operatetest.EventID(3) + " is named by its disposition and is in no topic"},
		{"missing dead letter", func(p *operatetest.Broker) { p.Write(p.Disposed(3, operatetest.Dead)) }, "O4 1@3 the dead letter is named by its disposition and is in no topic"},
		{"doubled event", func(p *operatetest.Broker) {
			p.Write(operatetest.Checked(3), operatetest.Checked(3), p.Disposed(3, operatetest.Emitted))
		}, "O2 1@3 event " + operatetest.EventID(3) + " is there twice"},
		{"wrong order", func(p *operatetest.Broker) {
			p.Write(operatetest.Raw(4), operatetest.Checked(4), operatetest.Checked(3), p.Disposed(3, operatetest.Emitted), p.Disposed(4, operatetest.Emitted))
			p.Processed(1, 5)
		}, "O5 1@3 event " + operatetest.EventID(3) + " comes after one of the same subject of 1@4"},
		{"lost by the hydrate stage", func(p *operatetest.Broker) { p.Write(p.Disposed(3, operatetest.Hydrating)) }, "O4 1@3 handed to the hydrate stage, and neither waiting"},
		{"waiting for the API", func(p *operatetest.Broker) {
			task := &kycv1.HydrateTask{Raw: &kycv1.RawPosition{Topic: "kyc.raw.v1", Partition: 1, Offset: 3}}
			p.Write(p.Disposed(3, operatetest.Hydrating), operatetest.Record{Message: task})
		}, ""},
		{"not yet processed", func(p *operatetest.Broker) {
			p.Write(operatetest.Raw(4))
			p.Write(operatetest.Checked(3), p.Disposed(3, operatetest.Emitted))
		}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := operatetest.Start(t)
			p.Sound()
			if c.name != "nothing" {
				p.Write(operatetest.Raw(3))
				p.Processed(1, 4)
			}
			c.plant(p)
			v, err := operate.Verify(t.Context(), servers(p), operate.VerifyQuery{})
			if err != nil {
				t.Fatal(err)
			}
			var found []string
			for _, check := range v.Checks {
				for _, one := range check.First {
					found = append(found, fmt.Sprintf("%s %s %s", check.ID, one.Raw, one.What))
				}
			}
			switch got := strings.Join(found, "\n"); {
			case c.want == "" && got != "", !strings.Contains(got, c.want):
				t.Errorf("found %q, want %q", got, c.want)
			case c.want != "" && c.name != "missing disposition" && len(found) != 1:
				t.Errorf("found %q, want one violation", got)
			}
		})
	}
}

// TestProgress: progress is reported to whoever asks for it.
func TestProgress(t *testing.T) {
	t.Parallel()
	b := operatetest.Start(t)
	b.Sound()
	told := map[string]bool{}
	progress := func(p audit.Progress) { told[p.Source] = true }
	_, err1 := operate.Verify(t.Context(), servers(b), operate.VerifyQuery{Progress: progress})
	verified := len(told)
	clear(told)
	_, err2 := operate.Trace(t.Context(), servers(b), operate.TraceQuery{ID: "1@0", Progress: progress})
	traced := len(told)
	clear(told)
	_, err3 := operate.Drift(t.Context(), servers(b), operate.DriftQuery{Progress: progress})
	if err := errors.Join(err1, err2, err3); err != nil || verified == 0 || traced == 0 || !told["kyc.raw.v1"] {
		t.Errorf("%d, %d and %d topics are reported, %v", verified, traced, len(told), err)
	}
}

func TestTraceTakesAPlaceInBothSpellings(t *testing.T) {
	t.Parallel()
	b := operatetest.Start(t)
	b.Sound()
	for _, id := range []string{"1@0", "kyc.raw.v1/1/0"} {
		story, err := operate.Trace(t.Context(), servers(b), operate.TraceQuery{ID: id})
		if err != nil || len(story.Deliveries) != 2 { // itself and its duplicate
			t.Errorf("%s: %+v, %v", id, story, err)
		}
	}
}

// TestDriftSince: a time bounds what is read.
func TestDriftSince(t *testing.T) {
	t.Parallel()
	b := operatetest.Start(t)
	b.Sound()
	for since, want := range map[time.Time]int64{{}: 3, time.Now().Add(time.Hour): 0} {
		r, err := operate.Drift(t.Context(), servers(b), operate.DriftQuery{Since: since})
		if err != nil || r.Records+r.Unread != want {
			t.Errorf("since %v: %d records, %v, want %d", since, r.Records+r.Unread, err, want)
		}
	}
}

// TestErrors: without servers, or without topics, an answer says so, whatever was asked.
func TestErrors(t *testing.T) {
	t.Parallel()
	b := operatetest.Start(t)
	absent, away := servers(b), servers(b)
	absent.Kafka.TopicPrefix = "other."
	away.Kafka.Brokers = []string{"127.0.0.1:1"}
	for name, ask := range map[string]func(operate.Servers) error{
		"verify": func(s operate.Servers) error {
			_, err := operate.Verify(t.Context(), s, operate.VerifyQuery{})
			return err
		},
		"trace": func(s operate.Servers) error {
			_, err := operate.Trace(t.Context(), s, operate.TraceQuery{ID: "1@0"})
			return err
		},
		"drift": func(s operate.Servers) error {
			_, err := operate.Drift(t.Context(), s, operate.DriftQuery{})
			return err
		},
		"tail": func(s operate.Servers) error {
			return failure(operate.Tail(t.Context(), s, operate.TailQuery{Topics: []string{schemas.Raw}}))
		},
		"tail to the end": func(s operate.Servers) error {
			return failure(operate.Tail(t.Context(), s, operate.TailQuery{Topics: []string{schemas.Raw}, UntilEnd: true}))
		},
		"dead letters": func(s operate.Servers) error {
			return failure(operate.DeadLetters(t.Context(), s, audit.LetterQuery{}))
		},
		"replay": func(s operate.Servers) error {
			_, err := operate.Replay(t.Context(), s, operate.ReplayQuery{ID: "r", Mode: replay.ReEmit})
			return err
		},
		"replay letters": func(s operate.Servers) error {
			_, err := operate.ReplayLetters(t.Context(), s, audit.LetterQuery{}, operate.ReplayQuery{ID: "r"})
			return err
		},
	} {
		if err := ask(away); !errors.Is(err, operate.ErrUnavailable) {
			t.Errorf("%s without Kafka: %v", name, err)
		}
		if err := ask(absent); !operate.TopicMissing(err) || operate.Advice(err) == "" {
			t.Errorf("%s without topics: %v", name, err)
		}
	}
}

// failure is the error that a sequence ends with.
func failure[T any](all iter.Seq2[T, error]) error {
	for _, err := range all {
		if err != nil {
			return err
		}
	}
	return nil
}
