package serve

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kycbridge/kycbridge/normalize"
	"github.com/kycbridge/kycbridge/normalize/dedupe"
	"github.com/kycbridge/kycbridge/normalize/normalizetest"
	"github.com/kycbridge/kycbridge/schemas"
	"github.com/kycbridge/kycbridge/sink"
)

// shapes are the topics of a Kafka, by base name.
type shapes map[string]sink.Shape

func (s shapes) Shapes(context.Context, ...string) (map[string]sink.Shape, error) { return s, nil }

func (s shapes) with(base string, shape sink.Shape) shapes {
	changed := shapes{}
	for b, was := range s {
		changed[b] = was
	}
	changed[base] = shape
	return changed
}

func TestTopicsWatch(t *testing.T) {
	whole, bases := shapes{}, []string{}
	for n, topic := range schemas.Topics() {
		whole[topic.Base] = sink.Shape{ID: sink.TopicID{byte(n + 1)}, Partitions: 4}
		bases = append(bases, topic.Base)
	}
	raw := whole[schemas.Raw]
	wider := raw
	wider.Partitions = 6
	for _, c := range []struct {
		what        string
		first, now  shapes
		ends        bool
		says        []string
		saysNothing bool
	}{
		{what: "nothing changed", first: whole, now: whole, saysNothing: true},
		{what: "a topic is gone", first: whole, now: whole.with(schemas.Session, sink.Shape{}), says: []string{"topic kyc.session.v1 is gone", "topics create"}},
		{what: "raw was made anew", first: whole, now: whole.with(schemas.Raw, sink.Shape{ID: sink.TopicID{99}, Partitions: 4}), ends: true, says: []string{"topic kyc.raw.v1 has id 63", "had 01"}},
		{what: "so were the dispositions", first: whole, now: whole.with(schemas.DispositionTopic, sink.Shape{ID: sink.TopicID{99}, Partitions: 4}), ends: true, says: []string{"topic kyc.disposition.v1"}},
		{
			what: "raw alone has more partitions", first: whole, now: whole.with(schemas.Raw, wider),
			says: []string{
				"topic kyc.disposition.v1 has 4 partitions and kyc.raw.v1 has 6: records of its partition(s) [4 5] wait",
				"kafka-topics.sh --bootstrap-server b:9092 --alter --topic kyc.disposition.v1 --partitions 6", "--topic kyc.hydrate.v1 ", "--topic kyc.hydrate.wait.v1 ",
			},
		},
		{what: "a domain topic has", first: whole, now: whole.with(schemas.Session, sink.Shape{ID: whole[schemas.Session].ID, Partitions: 40}), saysNothing: true},
		{what: "the first broker did not know a topic yet", first: whole.with(schemas.Raw, sink.Shape{}), now: whole, saysNothing: true},
	} {
		var log strings.Builder
		w := &topicsWatch{reader: c.now, kafka: sink.Options{Brokers: []string{"b:9092"}}, bases: bases, first: c.first.with("", sink.Shape{}), log: slog.New(slog.NewTextHandler(&log, nil))}
		err := w.look(t.Context())
		if errors.Is(err, sink.ErrTopicChanged) != c.ends {
			t.Errorf("%s: %v, expected that it ends the process: %v", c.what, err, c.ends)
		}
		for _, words := range c.says {
			if found := w.down(); found == nil || !strings.Contains(found.Error(), words) {
				t.Errorf("%s: /readyz says %v, expected %q", c.what, found, words)
			}
			if !strings.Contains(log.String(), words) {
				t.Errorf("%s: the log says %q, expected %q", c.what, log.String(), words)
			}
		}
		if c.saysNothing && (w.down() != nil || log.Len() > 0) {
			t.Errorf("%s: %v, %s", c.what, w.down(), log.String())
		}
		said := log.Len()
		if _ = w.look(t.Context()); log.Len() != said && !c.ends {
			t.Errorf("%s: it is logged again: %s", c.what, log.String())
		}
	}
}

// serving runs a process until the test ends; ended gives how it did.
func serving(t *testing.T, o Options) (at Addresses, ended <-chan error) {
	t.Helper()
	var err error
	if o.Admin, err = Listen("127.0.0.1:0", "--admin"); err != nil {
		t.Fatal(err)
	}
	started, end := make(chan Addresses, 1), make(chan error, 1)
	o.Started = func(a Addresses) { started <- a }
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); end <- Run(ctx, o) }()
	t.Cleanup(func() { cancel(); <-done })
	select {
	case at = <-started:
	case err := <-end:
		t.Fatalf("it ended before it served: %v", err)
	}
	return at, end
}

// await asks until an address answers as expected.
func await(t *testing.T, what, url string, as func(status int, body string) bool) {
	t.Helper()
	var status int
	var body string
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		resp, err := http.Get(url)
		if err != nil {
			continue
		}
		text, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if status, body = resp.StatusCode, string(text); as(status, body) {
			return
		}
	}
	t.Fatalf("%s never happened; %s answers %d %s", what, url, status, body)
}

// TestTopicMadeAnewEndsTheProcess: its clients would ask for the old one for ever.
func TestTopicMadeAnewEndsTheProcess(t *testing.T) {
	for _, c := range []struct {
		role  Role
		topic string
	}{{Ingest, schemas.Raw}, {Normalize, schemas.Raw}, {Normalize, schemas.DispositionTopic}} {
		t.Run(c.role.Name+" "+c.topic, func(t *testing.T) {
			t.Parallel()
			services := startServices(t)
			o := options(t, services)
			o.Role = c.role
			_, ended := serving(t, o)
			client, err := kgo.NewClient(kgo.SeedBrokers(services.Brokers()...))
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			admin, name := kadm.NewClient(client), schemas.DefaultPrefix+c.topic
			if _, err := admin.DeleteTopic(t.Context(), name); err != nil {
				t.Fatal(err)
			}
			if _, err := admin.CreateTopic(t.Context(), 1, 1, nil, name); err != nil {
				t.Fatal(err)
			}
			if err := <-ended; !errors.Is(err, sink.ErrTopicChanged) || !strings.Contains(err.Error(), name) {
				t.Errorf("it ended with %v, expected ErrTopicChanged that names %s", err, name)
			}
		})
	}
}

// TestIdleHydrateNoticesThatRedisIsAway: it has no tasks, so it asks Redis for nothing.
func TestIdleHydrateNoticesThatRedisIsAway(t *testing.T) {
	addr := normalizetest.StartRedis(t)
	o := options(t, startServices(t))
	o.Config.File.Redis.Address = addr
	o.Role = Hydrate
	at, _ := serving(t, o)
	await(t, "it is ready", "http://"+at.Admin+"/readyz", func(status int, _ string) bool { return status == http.StatusOK })
	await(t, "the gauge says so", "http://"+at.Admin+"/metrics", func(_ int, body string) bool {
		return strings.Contains(body, `kycbridge_ready{part="process"} 1`) && strings.Contains(body, `kycbridge_ready{part="hydrate"} 1`)
	})
	normalizetest.Shutdown(t, addr)
	await(t, "it is not ready, and says why", "http://"+at.Admin+"/readyz", func(status int, body string) bool {
		return status == http.StatusServiceUnavailable && strings.Contains(body, `"redis":"redis is unavailable`) && strings.Contains(body, `"hydrate":"redis is unavailable`)
	})
	await(t, "the gauge says so, too", "http://"+at.Admin+"/metrics", func(_ int, body string) bool {
		return strings.Contains(body, `kycbridge_ready{part="process"} 0`) && strings.Contains(body, `kycbridge_ready{part="redis"} 0`) && strings.Contains(body, "kycbridge_redis_evicted_keys_total 0")
	})
}

func TestReadyGauge(t *testing.T) {
	h := &health{}
	h.watch("config", func() error { return nil })
	h.expect("redis", errNotYet)
	h.mention("transactions", func() error { return errNotYet })
	reg := prometheus.NewRegistry()
	reg.MustRegister(newReadyGauge(h))
	values := func() (text string) {
		t.Helper()
		all, err := reg.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range all[0].GetMetric() {
			text += fmt.Sprintf("%s=%v ", m.GetLabel()[0].GetValue(), m.GetGauge().GetValue())
		}
		return text
	}
	if got, want := values(), "config=1 process=0 redis=0 transactions=0 "; got != want {
		t.Errorf("the gauge says %q, expected %q", got, want)
	}
	h.drain() // "process" is down as a part, too, and one metric
	if got, want := values(), "config=1 process=0 redis=0 transactions=0 "; got != want {
		t.Errorf("while it drains the gauge says %q, expected %q", got, want)
	}
}

// Each part of /readyz has the reasons that are its own, whole.
func TestReasonsOfWorkersAreSorted(t *testing.T) {
	kafka := fmt.Errorf("%w: %w", normalize.ErrKafka, errors.New("dial"))
	redis := fmt.Errorf("%w: %w", dedupe.ErrUnavailable, errors.New("i/o timeout"))
	both := errors.Join(normalize.NotReady{kafka, redis}, normalize.NotReady{redis})
	for kind, want := range map[error]string{
		normalize.ErrKafka:     "kafka is unavailable: dial",
		dedupe.ErrUnavailable:  "redis is unavailable: i/o timeout\nredis is unavailable: i/o timeout",
		normalize.ErrRepairing: "<nil>",
	} {
		if got := fmt.Sprint(only(both, kind)); got != want {
			t.Errorf("of %v: %q, expected %q", kind, got, want)
		}
	}
	if got := only(nil, normalize.ErrKafka); got != nil {
		t.Errorf("of nothing: %v", got)
	}
}
