package command

import (
	"context"
	"net"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kycbridge/kycbridge/internal/dev"
	"github.com/kycbridge/kycbridge/internal/operate"
	"github.com/kycbridge/kycbridge/internal/serve"
)

type devFlags struct {
	log                       logFlags
	listen, kafka, admin, dir string
	simulate                  simulation
	tls, passwords, expose    bool
	json                      bool
	registry                  string
	registryHeader            bool
	hosts                     []string
}

func newDev(env *environment) *cobra.Command {
	var f devFlags
	c := &cobra.Command{
		Use:   "dev",
		Short: "Run everything in one process: Kafka, Redis, ingest, normalize, hydrate",
		Long: `Run the whole path in one process, for demos and tests: an embedded Kafka on a real
port, which any Kafka client can read, an embedded Redis, ingest, normalize and
hydrate, and fake vendor APIs. Accepted deliveries survive a restart and a kill -9.
Not for production: there is one broker and no replication.

Every vendor has an endpoint, /hooks/<vendor>, with the secret dev-secret-<vendor>
(dev-secret-acme-acme for a name of fewer than five letters).
To connect a vendor's sandbox, set its secret in KYCBRIDGE_SECRET_<VENDOR>. Each
other way in which a vendor can authenticate has an endpoint of its own, such as
/hooks/idwise-bearer. Where the customer chooses the header, it is X-Auth-Token.

--simulate plays the vendors: in each, several customers at once live through a story
as the vendor's own samples have it, started, checked, decided, and later monitored or
renewed. Every eighth delivery of a vendor is sent twice, and now and then one becomes a
dead letter. --simulate=chaos sends the fixtures instead: all that a vendor might do
wrong, with words and fields that are new to us.

The fake vendor APIs know the objects of all that is simulated. Add others on the admin
address, as JSON (?status=410 answers with that status instead, ?kind= names a kind):

  curl -X PUT http://127.0.0.1:9090/dev/vendors/proofme/ID --data @object.json

Everybody knows its secrets, so it listens on loopback addresses unless --expose is
given, and answers no web page of another site, nor a request whose Host is another
name than localhost. Behind a tunnel for a vendor's sandbox, allow the tunnel's name
with --allow-host. Other users of the machine cannot read the data directory; with
--passwords they cannot use its Kafka and Redis either.`,
		Example: `  kycbridge dev --simulate          the vendors tell stories; events scroll by
  kycbridge dev --simulate=50       fifty deliveries per second
  kycbridge dev --simulate=chaos    words and forms that no vendor should send
  kycbridge dev --data /tmp/kyc     another data directory
  kycbridge dev --json              events as JSON too, for what reads no protobuf
  kycbridge dev --passwords         Kafka and Redis ask for one; the output says how to give it
  kycbridge dev --allow-host kyc.tunnel.example`,
		RunE: func(c *cobra.Command, args []string) error {
			if err := f.rateArgument(c, args); err != nil {
				return err
			}
			return runDev(c.Context(), env, f)
		},
	}
	c.Flags().StringVar(&f.listen, "listen", "127.0.0.1:8080", "address for webhooks")
	c.Flags().StringVar(&f.kafka, "kafka", operate.DefaultKafka, "address of the embedded Kafka")
	c.Flags().StringVar(&f.admin, "admin", "127.0.0.1:9090", "address for health and metrics")
	c.Flags().StringVar(&f.dir, "data", defaultData, "data directory; delete it to start over")
	c.Flags().Var(&f.simulate, "simulate", "send so many signed deliveries per second, and print what they become")
	c.Flags().Lookup("simulate").NoOptDefVal = strconv.Itoa(simulateRate)
	c.Flags().BoolVar(&f.tls, "tls", false, "serve webhooks over HTTPS, with a self-signed certificate in the data directory")
	c.Flags().BoolVar(&f.json, "json", false, "write every event as JSON as well, on a topic beside its own: kyc.session.v1.json")
	c.Flags().BoolVar(&f.passwords, "passwords", false, "have Kafka and Redis ask for a password, made at each start and kept in the data directory")
	c.Flags().StringSliceVar(&f.hosts, "allow-host", nil, "answer requests to this host name as well, such as that of a tunnel")
	c.Flags().StringVar(&f.registry, "registry", "", "schema registry with Confluent's API: register the schemas there, and write their ids in front of events")
	c.Flags().BoolVar(&f.registryHeader, "registry-header", false, "with --registry: write the ids into a header, and keep values plain protobuf")
	c.Flags().BoolVar(&f.expose, "expose", false, "allow addresses that other machines can reach, although everybody knows the secrets")
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
	return noArgs(c, args)
}

func runDev(ctx context.Context, env *environment, f devFlags) error {
	log, err := f.log.logger(env)
	if err != nil {
		return err
	}
	if err := f.addresses(); err != nil {
		return err
	}
	if f.registryHeader && f.registry == "" {
		return usagef("--registry-header needs --registry, the address of a schema registry")
	}
	o := dev.Options{
		Vendors: env.vendors, Program: env.invocation,
		Listen: f.listen, Kafka: f.kafka, Admin: f.admin, Dir: f.dir, TLS: f.tls, Simulate: f.simulate.rate, Chaos: f.simulate.chaos,
		JSON: f.json, Passwords: f.passwords, Hosts: f.hosts, Expose: f.expose, Registry: strings.TrimRight(f.registry, "/"), RegistryHeader: f.registryHeader,
		Lookup: env.lookup, Log: log, Out: env.stdout, Started: env.started,
	}
	if f.simulate.rate > 0 {
		o.Beside = append(o.Beside, func(ctx context.Context, at serve.Addresses) error {
			if err := watch(ctx, env, f.clients(at)); err != nil && ctx.Err() == nil {
				log.Warn("cannot print events any more", "error", err)
			}
			return nil
		})
	}
	return dev.Run(ctx, o)
}

// addresses refuses flags that are not addresses.
func (f devFlags) addresses() error {
	for flag, addr := range map[string]string{"--listen": f.listen, "--kafka": f.kafka, "--admin": f.admin} {
		if _, _, err := net.SplitHostPort(addr); err != nil {
			return usagef("%s is %q; expected an address such as 127.0.0.1:8080", flag, addr)
		}
	}
	return nil
}

// clients are the flags with which a command reaches this dev.
func (f devFlags) clients(at serve.Addresses) kafkaFlags {
	if f.passwords {
		return kafkaFlags{config: dev.ClientsFile(f.dir)}
	}
	return kafkaFlags{brokers: []string{at.Kafka}}
}
