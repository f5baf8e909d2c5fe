// Package dev is `kycbridge dev`: the whole path in one process, for trying out and for
// tests, on an embedded Kafka and Redis, with an endpoint for each way in which each
// vendor can prove itself, and their APIs played.
//
// It is not for production, and nothing else imports it: it hands package serve what it
// adds, and can be taken away without a change there. It reads no flag.
package dev

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"slices"

	"github.com/kycbridge/kycbridge/embedded"
	"github.com/kycbridge/kycbridge/internal/config"
	"github.com/kycbridge/kycbridge/internal/registry"
	"github.com/kycbridge/kycbridge/internal/serve"
	"github.com/kycbridge/kycbridge/internal/simulate"
	"github.com/kycbridge/kycbridge/providers"
	"github.com/kycbridge/kycbridge/schemas"
)

// Options say for whom, where to listen and what to add. All addresses are host:port.
type Options struct {
	Vendors              []providers.Provider // each gets endpoints; in the order of their names
	Program              string               // how this program is called, in what is printed to try next
	Listen, Kafka, Admin string
	Dir                  string                                    // where data is kept
	TLS                  bool                                      // webhooks over HTTPS, with a certificate made in Dir
	JSON                 bool                                      // events are written as JSON, too
	Passwords            bool                                      // Kafka and Redis ask for one, made anew in Dir
	Expose               bool                                      // addresses that other machines reach are allowed
	Registry             string                                    // address of a schema registry, whose ids events are written with; "": none
	RegistryHeader       bool                                      // the ids in a header, not in front of values
	Hosts                []string                                  // host names that the addresses answer to, beside this machine's
	Simulate             float64                                   // deliveries a second from simulated vendors; 0: none
	Chaos                bool                                      // they send their fixtures instead of telling stories
	Lookup               func(name string) (value string, ok bool) // variables that replace built-in secrets
	Log                  *slog.Logger
	Out                  io.Writer             // what to try next is printed there
	Started              func(serve.Addresses) // see serve.Options, as for Beside
	Beside               []serve.Part
}

func (o Options) keys() simulate.Keyring { return simulate.Keyring{Lookup: o.Lookup, Dir: o.Dir} }

// Run serves until ctx ends or something fails for good.
func Run(ctx context.Context, o Options) (err error) {
	var open closers
	defer func() { err = errors.Join(err, open.close()) }()
	if err := o.checkExposure(ctx); err != nil {
		return err
	}
	guard := o.guard()
	apis := simulate.NewFakeAPIs(o.Vendors)
	apiURL, stop, err := apis.Start(ctx, o.Log, guard.Handler)
	if err != nil {
		return err
	}
	open.add(stop)
	s := serve.Options{Role: serve.All, Log: o.Log, AdminRoutes: apis.Routes, Guard: guard, TopicsReady: true}
	// An address that is taken is the first thing said.
	if s.Admin, err = serve.Listen(o.Admin, "--admin"); err != nil {
		return err
	}
	open.add(s.Admin.Close)
	if s.Hooks, err = serve.Listen(o.Listen, "--listen"); err != nil {
		return err
	}
	open.add(s.Hooks.Close)
	secret, err := o.newPasswords()
	if err != nil {
		return err
	}
	services, err := embedded.Start(ctx, o.embedded(secret))
	if err != nil {
		return err
	}
	open.add(services.Close)
	clients, err := o.clientsFile(services, secret)
	if err != nil {
		return err
	}
	if err := secret.write(clients); err != nil {
		return err
	}
	s.TransactionalIDSuffix = services.LifeID()
	if s.Config, err = o.configuration(services, apiURL, secret); err != nil {
		return err
	}
	if err := o.register(ctx, s.Config); err != nil {
		return err
	}
	forget, err := o.leave(serve.Addresses{
		Hooks: s.Hooks.Addr().String(), Admin: s.Admin.Addr().String(), Certificate: s.Config.File.GetIngest().GetTls().GetCertificateFile(),
	}, secret.clients)
	if err != nil {
		return err
	}
	open.add(forget)
	s.Started = func(at serve.Addresses) {
		o.printBanner(at, secret)
		if o.Started != nil {
			o.Started(at)
		}
	}
	s.Beside = append([]serve.Part{
		func(ctx context.Context, _ serve.Addresses) error { return services.Wait(ctx) },
	}, o.Beside...)
	if o.Simulate > 0 {
		s.Beside = append(s.Beside, func(ctx context.Context, at serve.Addresses) error {
			o.traffic(apis, at).Run(ctx)
			return nil
		})
	}
	return serve.Run(ctx, s)
}

// register puts the schemas into the registry, where there is one: whoever tries things out need not do it. It leaves
// the compatibility of subjects alone, since the registry may be one that others use.
func (o Options) register(ctx context.Context, c *config.Config) error {
	if o.Registry == "" {
		return nil
	}
	client, err := registry.New(c.Registry().Options)
	if err != nil {
		return err
	}
	return client.Register(ctx, registry.Query{Prefix: c.File.Kafka.TopicPrefix, AnyLevel: true}, func(change registry.Change) {
		if change.Registered {
			o.Log.Info("registered a schema", "subject", change.Subject, "version", change.Version.Version, "id", change.ID)
		}
	})
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

func (o Options) embedded(p passwords) embedded.Options {
	e := embedded.Options{DataDir: o.Dir, KafkaAddr: o.Kafka, MaxMessageBytes: embedded.DefaultMaxMessageBytes, Password: p.secret, Logger: o.Log}
	topics := schemas.Topics()
	if o.JSON {
		topics = append(topics, schemas.JSONTopics()...)
	}
	for _, t := range topics {
		e.Topics = append(e.Topics, embedded.Topic{Name: t.Name(schemas.DefaultPrefix), Partitions: partitions})
	}
	return e
}

func (o Options) traffic(apis *simulate.FakeAPIs, at serve.Addresses) simulate.Traffic {
	return simulate.Traffic{
		Vendors: o.Vendors, Keys: o.keys(), URL: func(endpoint string) string { return hookURL(at, endpoint) }, Authorities: at.Certificate,
		APIs: apis, Rate: o.Simulate, Chaos: o.Chaos, Log: o.Log,
	}
}
