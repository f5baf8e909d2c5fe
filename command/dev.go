package command

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/kycbridge/kycbridge/internal/dev"
	"github.com/kycbridge/kycbridge/internal/operate"
	"github.com/kycbridge/kycbridge/internal/serve"
	"github.com/kycbridge/kycbridge/schemas"
)

// simulateRate is --simulate without a number: posts per second.
const simulateRate = 4

type devFlags struct {
	log                       logFlags
	listen, kafka, admin, dir string
	simulate                  float64
	tls, passwords, expose    bool
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

The fake vendor APIs know the objects of the sample traffic. Add others on the admin
address, as JSON (?status=410 answers with that status instead, ?kind= names a kind):

  curl -X PUT http://127.0.0.1:9090/dev/vendors/proofme/ID --data @object.json

Everybody knows its secrets, so it listens on loopback addresses unless --expose is
given, and answers no web page of another site, nor a request whose Host is another
name than localhost. Behind a tunnel for a vendor's sandbox, allow the tunnel's name
with --allow-host. Other users of the machine cannot read the data directory; with
--passwords they cannot use its Kafka and Redis either.`,
		Example: `  kycbridge dev --simulate          sample traffic; events scroll by
  kycbridge dev --simulate=50       fifty deliveries per second
  kycbridge dev --data /tmp/kyc     another data directory
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
	c.Flags().Float64Var(&f.simulate, "simulate", 0, "send this many signed sample deliveries per second, and print the events")
	c.Flags().Lookup("simulate").NoOptDefVal = strconv.Itoa(simulateRate)
	c.Flags().BoolVar(&f.tls, "tls", false, "serve webhooks over HTTPS, with a self-signed certificate in the data directory")
	c.Flags().BoolVar(&f.passwords, "passwords", false, "have Kafka and Redis ask for a password, made at each start and kept in the data directory")
	c.Flags().StringSliceVar(&f.hosts, "allow-host", nil, "answer requests to this host name as well, such as that of a tunnel")
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
	if f.simulate < 0 || f.simulate > 10_000 || math.IsNaN(f.simulate) {
		return usagef("--simulate is %g; expected deliveries per second, up to 10000, such as --simulate=20", f.simulate)
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
	o := dev.Options{
		Vendors: env.vendors, Program: env.invocation,
		Listen: f.listen, Kafka: f.kafka, Admin: f.admin, Dir: f.dir, TLS: f.tls, Simulate: f.simulate,
		Passwords: f.passwords, Hosts: f.hosts, Expose: f.expose,
		Lookup: env.lookup, Log: log, Out: env.stdout, Started: env.started,
	}
	if f.simulate > 0 {
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

// watch prints the domain events, one short line each.
func watch(ctx context.Context, env *environment, f kafkaFlags) error {
	s, err := f.servers(env, "watch")
	if err != nil {
		return err
	}
	bases, err := topicBases(nil, schemas.DefaultPrefix)
	if err != nil {
		return err
	}
	for r, err := range operate.Tail(ctx, s, operate.TailQuery{Topics: bases}) {
		if err != nil {
			return err
		}
		if _, err := io.WriteString(env.stdout, shortLine(r)); err != nil {
			return cannotPrint(err)
		}
	}
	return nil
}

// shortLine renders a record for a person who watches: when, topic, key, what
// happened. It shows what the event says and none of its metadata.
func shortLine(r operate.Record) string {
	line := fmt.Sprintf("%s  %-18s %s  ", r.Time.Local().Format(time.TimeOnly), r.Topic, shown(string(r.Key)))
	if r.Message == nil {
		return fmt.Sprintf("%s(%v)\n", line, cmp.Or(r.Err, errors.New("no value")))
	}
	what := operate.Words(r.Message)
	if e, ok := r.Message.(schemas.DomainEvent); ok {
		what = append(what, "("+shown(e.GetMetadata().GetVendorEventType())+")")
	}
	return line + strings.Join(what, " ") + "\n"
}
