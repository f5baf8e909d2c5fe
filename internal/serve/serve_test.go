package serve

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/kycbridge/kycbridge/embedded"
	"github.com/kycbridge/kycbridge/internal/config"
	"github.com/kycbridge/kycbridge/providers/catalog"
	"github.com/kycbridge/kycbridge/schemas"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
	configv1 "github.com/kycbridge/kycbridge/schemas/kycbridge/config/v1"
)

// startServices is a broker with all topics, and a Redis.
func startServices(t *testing.T) *embedded.Services {
	t.Helper()
	o := embedded.Options{DataDir: t.TempDir(), KafkaAddr: "127.0.0.1:0"}
	for _, topic := range schemas.Topics() {
		o.Topics = append(o.Topics, embedded.Topic{Name: topic.Name(schemas.DefaultPrefix), Partitions: 1})
	}
	services, err := embedded.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := services.Close(); err != nil {
			t.Error(err)
		}
	})
	return services
}

// options serve one endpoint over a pair, on any free ports.
func options(t *testing.T, services *embedded.Services) Options {
	t.Helper()
	c, err := config.Build("test", &configv1.Config{
		Kafka:  &configv1.Kafka{Brokers: services.Brokers()},
		Redis:  &configv1.Redis{Address: services.RedisAddr()},
		Ingest: &configv1.Ingest{Listen: "127.0.0.1:0", DrainDelay: durationpb.New(0)},
		Endpoints: []*configv1.Endpoint{{
			Name: "shop", Provider: "complycube", Environment: kycv1.Environment_ENVIRONMENT_LIVE,
			Secrets: []*configv1.Secret{{Id: "a", Value: "hunter2hunter2hunter2"}},
		}},
	}, config.Needs{Ingest: true, Normalize: true, Vendors: catalog.All()})
	if err != nil {
		t.Fatal(err)
	}
	return Options{Role: All, Config: c, Log: slog.New(slog.DiscardHandler), TopicsReady: true}
}

// TestRunWithWhatTheCallerAdds: listeners, routes and parts from outside, and an end to all of it when
// a part fails.
func TestRunWithWhatTheCallerAdds(t *testing.T) {
	services := startServices(t)
	o := options(t, services)
	var log strings.Builder // a handler writes one line at a time
	o.Log = slog.New(slog.NewTextHandler(&log, nil))
	var err error
	if o.Admin, err = Listen("127.0.0.1:0", "--admin"); err != nil {
		t.Fatal(err)
	}
	o.AdminRoutes = func(mux *http.ServeMux) {
		mux.HandleFunc("GET /more", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "added") })
	}
	o.TransactionalIDSuffix = services.LifeID()
	broken := errors.New("the disk is full")
	var at Addresses
	var answer string
	o.Started = func(a Addresses) { at = a }
	o.Beside = []Part{
		func(context.Context, Addresses) error { return nil }, // its end ends nothing
		func(ctx context.Context, a Addresses) error {
			if at != a {
				t.Errorf("parts are told %+v, Started %+v", a, at)
			}
			if resp, err := http.Get("http://" + a.Admin + "/more"); err == nil {
				text, _ := io.ReadAll(resp.Body)
				resp.Body.Close()
				answer = string(text)
			}
			return broken
		},
		func(ctx context.Context, _ Addresses) error { // told to stop with the workers
			<-ctx.Done()
			return nil
		},
	}
	if err := Run(t.Context(), o); !errors.Is(err, broken) {
		t.Errorf("ended with %v, want the part's error", err)
	}
	if answer != "added" {
		t.Errorf("the added route answers %q", answer)
	}
	if at.Admin != o.Admin.Addr().String() || at.Hooks == "" || at.Kafka != services.Brokers()[0] || at.Redis != services.RedisAddr() {
		t.Errorf("the addresses are %+v", at)
	}
	mustBeClosed(t, o.Admin)
	if text := log.String(); !strings.Contains(text, "msg=serving") || strings.Contains(text, "level=WARN") {
		t.Errorf("topics that are ready were checked:\n%s", text)
	}
}

// TestRunClosesListenersOfAStartThatFails: what was handed over is closed in any case.
func TestRunClosesListenersOfAStartThatFails(t *testing.T) {
	o := options(t, startServices(t))
	o.Config.File.Kafka.Brokers = []string{"127.0.0.1:1"}
	taken, err := Listen("127.0.0.1:0", "--listen")
	if err != nil {
		t.Fatal(err)
	}
	o.Config.File.Admin.Listen = taken.Addr().String() // in use: by the other listener
	o.Hooks = taken
	if err := Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), "admin.listen") {
		t.Errorf("ended with %v, want the address that is in use", err)
	}
	mustBeClosed(t, taken)
}

func mustBeClosed(t *testing.T, l net.Listener) {
	t.Helper()
	if err := l.(*net.TCPListener).SetDeadline(time.Now()); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the listener that was handed over gives %v, want it closed", err)
	}
}

// TestTransactionalIDSuffix: every life of the embedded broker gets ids of its own.
func TestTransactionalIDSuffix(t *testing.T) {
	services := startServices(t)
	o := options(t, services)
	o.TransactionalIDSuffix = services.LifeID()
	client, err := kgo.NewClient(kgo.SeedBrokers(services.Brokers()...))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	var ids []string
	o.Beside = []Part{func(ctx context.Context, _ Addresses) error {
		for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline) && ctx.Err() == nil; {
			listed, err := kadm.NewClient(client).ListTransactions(ctx, nil, nil)
			if err != nil {
				return err
			}
			if ids = listed.TransactionalIDs(); len(ids) > 0 {
				break
			}
		}
		return errors.New("seen enough")
	}}
	_ = Run(t.Context(), o)
	if len(ids) == 0 {
		t.Fatal("no transactional id was ever taken")
	}
	for _, id := range ids {
		if !strings.HasSuffix(id, "-"+services.LifeID()) {
			t.Errorf("%s does not end in the suffix", id)
		}
	}
}
