package main

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"net"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/kycbridge/kycbridge/embedded"
	"github.com/kycbridge/kycbridge/internal/config"
	"github.com/kycbridge/kycbridge/providers"
	"github.com/kycbridge/kycbridge/providers/catalog"
	"github.com/kycbridge/kycbridge/schemas"
	configv1 "github.com/kycbridge/kycbridge/schemas/kycbridge/config/v1"
)

// defaultData is where `dev` keeps its data.
const defaultData = "./.kycbridge"

// devPartitions is the partition count of every topic of `dev`.
const devPartitions = 4

// simulateRate is --simulate without a number: posts per second.
const simulateRate = 4

type devFlags struct {
	log                       logFlags
	listen, kafka, admin, dir string
	simulate                  float64
	tls                       bool
}

func newDev(w *world) *cobra.Command {
	var f devFlags
	c := &cobra.Command{
		Use:   "dev",
		Short: "Everything in one process: Kafka, Redis, ingest, normalize, hydrate",
		Long: `Run the whole path in one process, for trying out and for tests: an embedded
Kafka on a real port, which any Kafka client can read, an embedded Redis, ingest,
normalize and hydrate, with fake APIs of the vendors. What was accepted survives a restart and a kill -9. Not for
production: there is one broker and no replication.

There is one endpoint for each vendor, /hooks/<vendor>, with the secret
dev-secret-<vendor>; KYCBRIDGE_SECRET_<VENDOR> replaces it, for those who point
a vendor's sandbox at it. A vendor that can prove itself in other ways has an
endpoint for each, such as /hooks/idwise-bearer; a header of the customer's choice
is X-Auth-Token there.

The APIs of the vendors are played in this process. They answer about sample
traffic, and about what they are given on the admin address:

  curl -X PUT http://127.0.0.1:9090/dev/vendors/proofme/ID --data @object.json

The fake APIs know the objects of the sample traffic. PUT /dev/vendors/<vendor>/<id>
on the admin address, with the object as JSON, makes another one known (?status=410
answers that instead, ?kind= names a kind).`,
		Example: `  kycbridge dev --simulate          with sample traffic; events scroll by
  kycbridge dev --simulate=50       fifty deliveries a second
  kycbridge dev --data /tmp/kyc     keep the data elsewhere`,
		RunE: func(c *cobra.Command, args []string) error {
			if err := f.rateArgument(c, args); err != nil {
				return err
			}
			return runDev(c.Context(), w, f)
		},
	}
	c.Flags().StringVar(&f.listen, "listen", "127.0.0.1:8080", "address for webhooks")
	c.Flags().StringVar(&f.kafka, "kafka", defaultKafka, "address of the embedded Kafka")
	c.Flags().StringVar(&f.admin, "admin", "127.0.0.1:9090", "address for health and metrics")
	c.Flags().StringVar(&f.dir, "data", defaultData, "data directory; delete it to start afresh")
	c.Flags().Float64Var(&f.simulate, "simulate", 0, "send signed sample deliveries, so many a second, and print the events")
	c.Flags().Lookup("simulate").NoOptDefVal = strconv.Itoa(simulateRate)
	c.Flags().BoolVar(&f.tls, "tls", false, "webhooks over HTTPS, with a certificate of its own making in the data directory")
	f.log.bind(c.Flags())
	return c
}

// rateArgument allows `--simulate 20` beside `--simulate=20`: a flag that may
// stand alone does not take the next word by itself.
func (f *devFlags) rateArgument(c *cobra.Command, args []string) error {
	if len(args) == 1 && c.Flags().Changed("simulate") {
		if err := c.Flags().Set("simulate", args[0]); err != nil {
			return c.FlagErrorFunc()(c, err)
		}
		args = nil
	}
	if f.simulate < 0 || f.simulate > 10_000 || math.IsNaN(f.simulate) {
		return usagef("--simulate is %g; it is a number of deliveries a second, up to 10000, such as --simulate=20", f.simulate)
	}
	return noArgs(c, args)
}

func runDev(ctx context.Context, w *world, f devFlags) (err error) {
	log, err := f.log.logger(w)
	if err != nil {
		return err
	}
	apis, err := listenFake(ctx)
	if err != nil {
		return err
	}
	cfg := devBase(f)
	s := &service{world: w, role: roleAll, config: &config.Config{File: cfg}, log: log, embedded: true, health: &health{}, registry: newRegistry(), fakes: newFakeAPIs(catalog.All()), data: f.dir}
	s.later(s.fakes.serve(apis, log))
	defer func() { err = errors.Join(err, s.close()) }()
	if err := f.addresses(); err != nil {
		return err
	}
	if err := s.listen("--listen", "--admin"); err != nil {
		return err
	}
	services, err := startEmbedded(ctx, f, log)
	if err != nil {
		return err
	}
	s.later(services.Close)
	s.broken = services.Wait
	cfg.Kafka.Brokers = services.Brokers()
	cfg.Redis.Address = services.RedisAddr()
	s.life = services.LifeID()
	if s.config, err = devConfig(w, f, cfg, "http://"+apis.Addr().String()); err != nil {
		return err
	}
	if f.tls { // in the data directory, which is ours only now
		if s.config.File.Ingest.Tls, err = devCertificate(f.dir, f.listen, time.Now()); err != nil {
			return err
		}
	}
	return runWithTraffic(ctx, s, f)
}

func startEmbedded(ctx context.Context, f devFlags, log *slog.Logger) (*embedded.Services, error) {
	o := embedded.Options{DataDir: f.dir, KafkaAddr: f.kafka, MaxMessageBytes: embedded.DefaultMaxMessageBytes, Logger: log}
	for _, t := range schemas.Topics() {
		o.Topics = append(o.Topics, embedded.Topic{Name: t.Name(schemas.DefaultPrefix), Partitions: devPartitions})
	}
	return embedded.Start(ctx, o)
}

// runWithTraffic serves, and beside it sends and prints where that was asked
// for. Neither of the two can fail the process.
func runWithTraffic(ctx context.Context, s *service, f devFlags) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	serving := make(chan addresses, 1)
	told := s.world.started
	w := *s.world
	w.started = func(a addresses) {
		printBanner(s.world, a, f)
		serving <- a
		if told != nil {
			told(a)
		}
	}
	s.world = &w
	var beside errgroup.Group
	if f.simulate > 0 {
		beside.Go(func() error {
			select {
			case <-ctx.Done():
			case a := <-serving:
				watchAndSimulate(ctx, s, a, f.simulate)
			}
			return nil
		})
	}
	err := s.run(ctx)
	cancel()
	_ = beside.Wait()
	return err
}

// addresses refuses flags that are none.
func (f devFlags) addresses() error {
	for flag, addr := range map[string]string{"--listen": f.listen, "--kafka": f.kafka, "--admin": f.admin} {
		if _, _, err := net.SplitHostPort(addr); err != nil {
			return usagef("%s is %q; it is an address such as 127.0.0.1:8080", flag, addr)
		}
	}
	return nil
}

// devBase is the configuration of `dev` as far as it is known before the data
// directory is ours.
func devBase(f devFlags) *configv1.Config {
	return &configv1.Config{
		Kafka:     &configv1.Kafka{ClientId: "kycbridge-dev", MaxMessageBytes: embedded.DefaultMaxMessageBytes},
		Redis:     &configv1.Redis{},
		Topics:    &configv1.Topics{Partitions: devPartitions, Replication: 1},
		Ingest:    &configv1.Ingest{Listen: f.listen, DrainDelay: durationpb.New(0)}, // nobody balances load over one process
		Normalize: &configv1.Normalize{Slots: 2},                                     // they share partitions, as processes do
		Hydrate:   &configv1.Hydrate{Concurrency: 16, Rate: 10_000},                  // the APIs are in this process
		Admin:     &configv1.Admin{Listen: f.admin},
	}
}

// devConfig adds the endpoints: one for each vendor, and one more for each other
// way in which a vendor can be told to prove itself.
func devConfig(w *world, f devFlags, m *configv1.Config, apis string) (*config.Config, error) {
	needs := config.Needs{Ingest: true, Normalize: true, Hydrate: true, Vendors: catalog.All()}
	for _, v := range needs.Vendors {
		var key []byte
		var keySet string
		var err error
		if tokenSigned(v) {
			if key, keySet, err = devKeys(f.dir, v.Name); err != nil {
				return nil, err
			}
		}
		ways, err := vendorWays(w, v, key)
		if err != nil {
			return nil, err
		}
		for _, way := range ways {
			e := &configv1.Endpoint{Name: way.endpoint, Provider: v.Name, Environment: v.FixtureEnvironment(), Api: devAPI(v, apis)}
			way.prove(e, keySet)
			m.Endpoints = append(m.Endpoints, e)
		}
	}
	return config.Build("dev", m, needs)
}

// devAPI points an endpoint at the fake API of its vendor; nil where none is
// asked.
func devAPI(v providers.Provider, apis string) *configv1.Api {
	if v.Hydration == nil {
		return nil
	}
	return &configv1.Api{
		BaseUrl: apis + "/" + v.Name, TokenUrl: apis + "/" + v.Name + fakeTokenPath, Internal: true,
		Key: "dev-key", Username: "dev", Password: "dev-key", ClientId: "dev", ClientSecret: "dev-key",
	}
}
