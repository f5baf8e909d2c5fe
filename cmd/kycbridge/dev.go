package main

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"net"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/kycbridge/kycbridge/embedded"
	"github.com/kycbridge/kycbridge/internal/config"
	"github.com/kycbridge/kycbridge/internal/serve"
	"github.com/kycbridge/kycbridge/internal/simulate"
	"github.com/kycbridge/kycbridge/providers"
	"github.com/kycbridge/kycbridge/providers/catalog"
	"github.com/kycbridge/kycbridge/schemas"
	configv1 "github.com/kycbridge/kycbridge/schemas/kycbridge/config/v1"
	"github.com/kycbridge/kycbridge/sink"
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

func newDev(env *environment) *cobra.Command {
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
			return runDev(c.Context(), env, f)
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

func runDev(ctx context.Context, env *environment, f devFlags) (err error) {
	log, err := f.log.logger(env)
	if err != nil {
		return err
	}
	if err := f.addresses(); err != nil {
		return err
	}
	var open closers
	defer func() { err = errors.Join(err, open.close()) }()
	apis := simulate.NewFakeAPIs(catalog.All())
	apiURL, stop, err := apis.Start(ctx, log)
	if err != nil {
		return err
	}
	open.add(stop)
	o := serve.Options{Role: serve.All, Log: log, AdminRoutes: apis.Routes, TopicsReady: true}
	if o.Admin, err = serve.Listen(f.admin, "--admin"); err != nil {
		return err
	}
	open.add(o.Admin.Close)
	if o.Hooks, err = serve.Listen(f.listen, "--listen"); err != nil {
		return err
	}
	open.add(o.Hooks.Close)
	services, err := startEmbedded(ctx, f, log)
	if err != nil {
		return err
	}
	open.add(services.Close)
	o.TransactionalIDSuffix = services.LifeID()
	if o.Config, err = devConfig(env, f, services, apiURL); err != nil {
		return err
	}
	o.Beside = []serve.Part{
		func(ctx context.Context, _ serve.Addresses) error { return services.Wait(ctx) },
		func(ctx context.Context, at serve.Addresses) error {
			printBanner(env, at, f)
			return env.serving(ctx, at)
		},
	}
	if f.simulate > 0 {
		o.Beside = append(o.Beside, func(ctx context.Context, at serve.Addresses) error {
			watchAndSimulate(ctx, env, f, at, apis, log)
			return nil
		})
	}
	return serve.Run(ctx, o)
}

// closers are what is open, closed last to first.
type closers []func() error

func (c *closers) add(f func() error) { *c = append(*c, f) }

func (c closers) close() error {
	var errs []error
	for _, f := range slices.Backward(c) {
		if err := f(); !errors.Is(err, net.ErrClosed) { // whoever served has closed its listeners
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func startEmbedded(ctx context.Context, f devFlags, log *slog.Logger) (*embedded.Services, error) {
	o := embedded.Options{DataDir: f.dir, KafkaAddr: f.kafka, MaxMessageBytes: embedded.DefaultMaxMessageBytes, Logger: log}
	for _, t := range schemas.Topics() {
		o.Topics = append(o.Topics, embedded.Topic{Name: t.Name(schemas.DefaultPrefix), Partitions: devPartitions})
	}
	return embedded.Start(ctx, o)
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

// devConfig is the configuration of `dev`.
func devConfig(env *environment, f devFlags, services *embedded.Services, apis string) (*config.Config, error) {
	m := &configv1.Config{
		Kafka:     &configv1.Kafka{Brokers: services.Brokers(), ClientId: "kycbridge-dev", MaxMessageBytes: embedded.DefaultMaxMessageBytes},
		Redis:     &configv1.Redis{Address: services.RedisAddr()},
		Topics:    &configv1.Topics{Partitions: devPartitions, Replication: 1},
		Ingest:    &configv1.Ingest{Listen: f.listen, DrainDelay: durationpb.New(0)}, // nobody balances load over one process
		Normalize: &configv1.Normalize{Slots: 2},                                     // they share partitions, as processes do
		Hydrate:   &configv1.Hydrate{Concurrency: 16, Rate: 10_000},                  // the APIs are in this process
		Admin:     &configv1.Admin{Listen: f.admin},
	}
	var err error
	if f.tls {
		if m.Ingest.Tls, err = devCertificate(f.dir, f.listen, time.Now()); err != nil {
			return nil, err
		}
	}
	for _, v := range catalog.All() {
		endpoints, err := devEndpoints(simulate.Keyring{Lookup: env.lookup, Dir: f.dir}, v, apis)
		if err != nil {
			return nil, err
		}
		m.Endpoints = append(m.Endpoints, endpoints...)
	}
	return config.Build("dev", m, config.Needs{Ingest: true, Normalize: true, Hydrate: true, Vendors: catalog.All()})
}

// devEndpoints are those of a vendor: one named after it, and one more for each other
// way in which it can be told to prove itself.
func devEndpoints(keys simulate.Keyring, v providers.Provider, apis string) (all []*configv1.Endpoint, err error) {
	ways, keySet, err := keys.Prepare(v)
	if err != nil {
		return nil, err
	}
	for _, way := range ways {
		e := &configv1.Endpoint{Name: way.Endpoint, Provider: v.Name, Environment: v.FixtureEnvironment(), Api: simulate.Configure(v, apis)}
		way.Prove(e, keySet)
		all = append(all, e)
	}
	return all, nil
}

// watchAndSimulate sends sample traffic and prints what becomes of it, until ctx ends.
func watchAndSimulate(ctx context.Context, env *environment, f devFlags, at serve.Addresses, apis *simulate.FakeAPIs, log *slog.Logger) {
	var group errgroup.Group
	group.Go(func() error {
		if err := watch(ctx, env, at.Kafka); err != nil && ctx.Err() == nil {
			log.Warn("events are no longer printed", "error", err)
		}
		return nil
	})
	simulate.Traffic{
		Keys: simulate.Keyring{Lookup: env.lookup, Dir: f.dir}, URL: func(endpoint string) string { return hookURL(at, endpoint) },
		Authorities: at.Certificate, APIs: apis, Rate: f.simulate, Log: log,
	}.Run(ctx)
	_ = group.Wait()
}

// watch prints the domain events, one short line each.
func watch(ctx context.Context, env *environment, kafka string) error {
	o := sink.Options{Brokers: []string{kafka}, ClientID: "kycbridge-watch", Logger: slog.New(slog.DiscardHandler)}
	var bases []string
	for _, topic := range schemas.Topics() {
		if topic.Domain {
			bases = append(bases, topic.Base)
		}
	}
	return follow(ctx, o, bases, false, &printer{out: env.stdout, format: shortLine, prefix: schemas.DefaultPrefix})
}
