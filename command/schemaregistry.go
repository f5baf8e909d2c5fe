package command

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kycbridge/kycbridge/internal/config"
	"github.com/kycbridge/kycbridge/internal/operate"
	"github.com/kycbridge/kycbridge/internal/registry"
	configv1 "github.com/kycbridge/kycbridge/schemas/kycbridge/config/v1"
)

// registryHelp is part of the help of every command that asks a registry.
const registryHelp = `The registry is that of --config, or at --registry, with the credentials of the files that are
named beside it. It is one that speaks Confluent's API: of Confluent, Karapace, Redpanda, or Apicurio
(whose address ends in /apis/ccompat/v7). Each topic of domain events has a subject, its name and
"-value"; what the schemas import are subjects named by their paths.`

// registryFlags locate a registry.
type registryFlags struct {
	config, url, prefix       string
	user, password, token, ca string
	certificate, key, form    string
	anyLevel                  bool
}

func (f *registryFlags) bind(c *cobra.Command) {
	bindConfig(c, &f.config)
	flags := c.Flags()
	flags.StringVar(&f.url, "registry", "", "address of the registry, such as https://registry.internal:8081")
	flags.StringVar(&f.user, "user", "", "user of the registry")
	flags.StringVar(&f.password, "password-file", "", "file that holds the user's password")
	flags.StringVar(&f.token, "token-file", "", "file that holds a bearer token, instead of user and password")
	flags.StringVar(&f.ca, "ca-file", "", "certificates of the authorities to trust, in PEM (default: the system's)")
	flags.StringVar(&f.certificate, "certificate-file", "", "certificate to show to the registry, in PEM")
	flags.StringVar(&f.key, "key-file", "", "its private key")
	flags.StringVar(&f.prefix, "topic-prefix", "", "prefix of the topics (default: that of --config, or \"kyc.\")")
	flags.StringVar(&f.form, "form", "", "text or descriptor: how schemas are registered (default: text, or what is there)")
	flags.BoolVar(&f.anyLevel, "any-compatibility", false, "leave the compatibility of subjects as it is")
}

// open gives a client of the registry, and what to ask it.
func (f *registryFlags) open(env *environment) (client *registry.Client, q registry.Query, err error) {
	switch f.form {
	case "":
	case registry.Text.String():
		q.Form = registry.Text
	case registry.Descriptor.String():
		q.Form = registry.Descriptor
	default:
		return nil, q, usagef("--form is %q; expected text, the .proto files, or descriptor, for a registry that is not Confluent's and clients that ask for descriptors", f.form)
	}
	c, err := f.read(env)
	if err != nil {
		return nil, q, err
	}
	printWarnings(env.stderr, c.Warnings)
	use := c.Registry()
	if use.URL == "" {
		return nil, q, usagef("no registry is given: pass --registry URL, or set registry.url in the file of --config")
	}
	q.Prefix, q.AnyLevel = cmp.Or(f.prefix, use.Prefix), f.anyLevel
	client, err = registry.New(use.Options)
	return client, q, err
}

// compare holds what the registry has against the schemas of this release.
func (f *registryFlags) compare(ctx context.Context, env *environment) (registry.Query, []registry.Finding, error) {
	client, q, err := f.open(env)
	if err != nil {
		return q, nil, err
	}
	findings, err := client.Compare(ctx, q)
	return q, findings, err
}

// read makes a configuration of a file or of the flags; their secrets are read by the same rules.
func (f *registryFlags) read(env *environment) (*config.Config, error) {
	given := &configv1.Registry{
		Url: strings.TrimRight(f.url, "/"), Username: f.user, PasswordFile: f.password, TokenFile: f.token,
		CaFile: f.ca, CertificateFile: f.certificate, KeyFile: f.key,
	}
	if f.config != "" {
		if f.url != "" || f.user != "" || f.password != "" || f.token != "" || f.ca != "" || f.certificate != "" || f.key != "" {
			return nil, usagef("--config names the registry, its credentials and certificates: pass it, or --registry and what belongs to it, not both")
		}
		return loadConfig(env, f.config, config.Needs{Registry: true})
	}
	if f.url == "" {
		return nil, usagef("no registry is given: pass --registry URL, or --config FILE with registry.url")
	}
	m := &configv1.Config{Kafka: &configv1.Kafka{Brokers: []string{operate.DefaultKafka}}, Registry: given}
	return config.Build("--registry", m, config.Needs{Registry: true, Vendors: env.vendors})
}

func newSchemaRegister(env *environment) *cobra.Command {
	var f registryFlags
	c := &cobra.Command{
		Use:   "register",
		Short: "Register the schemas of the events in a schema registry",
		Long: `Register what a schema registry lacks of this release's schemas, each after those it imports, and set
the compatibility of their subjects to BACKWARD_TRANSITIVE. What is there already stays as it is, even
if its text has another layout. Run it before a new release is deployed: processes that write the ids of
schemas refuse to start without.

` + registryHelp,
		Example: `  kycbridge schema register --registry http://127.0.0.1:8081
  kycbridge schema register --config kycbridge.yaml`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			client, q, err := f.open(env)
			if err != nil {
				return err
			}
			return registerSchemas(c.Context(), env.stdout, client, q)
		},
	}
	f.bind(c)
	return c
}

func registerSchemas(ctx context.Context, out io.Writer, client *registry.Client, q registry.Query) error {
	all, changed := 0, 0
	err := client.Register(ctx, q, func(c registry.Change) {
		all++
		if c.Registered || c.SetLevel {
			changed++
		}
		printChange(out, c)
	})
	if err != nil {
		return err
	}
	if changed == 0 {
		fmt.Fprintf(out, "nothing to do: all %d schemas are registered\n", all)
	}
	return nil
}

func printChange(out io.Writer, c registry.Change) {
	if c.Registered {
		fmt.Fprintf(out, "registered %s version %d, id %d\n", c.Subject, c.Version.Version, c.ID)
	}
	if c.SetLevel {
		fmt.Fprintf(out, "set compatibility of %s to %s; it was %s\n", c.Subject, registry.Wanted, c.Level)
	}
}

func newSchemaDiff(env *environment) *cobra.Command {
	var f registryFlags
	c := &cobra.Command{
		Use:   "diff",
		Short: "Print what register would change in a schema registry",
		Long: `Print what ` + "`schema register`" + ` would change in a schema registry, and what the registry would refuse.
Nothing is changed.

` + registryHelp,
		Example: `  kycbridge schema diff --registry http://127.0.0.1:8081`,
		Args:    noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			q, findings, err := f.compare(c.Context(), env)
			if err != nil {
				return err
			}
			if printDiff(env.stdout, q, findings) == 0 {
				fmt.Fprintf(env.stdout, "nothing would change: all %d schemas are registered\n", len(findings))
			}
			return nil
		},
	}
	f.bind(c)
	return c
}

func newSchemaCheck(env *environment) *cobra.Command {
	var f registryFlags
	c := &cobra.Command{
		Use:   "check",
		Short: "Check that a schema registry has the schemas of the events",
		Long: `Check that a schema registry has this release's schemas, and keeps the versions of their subjects
compatible: BACKWARD_TRANSITIVE, or FULL_TRANSITIVE. Prints what is there and what would have to be
changed; the exit code is 1 if there is anything of that.

` + registryHelp,
		Example: `  kycbridge schema check --config kycbridge.yaml`,
		Args:    noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			q, findings, err := f.compare(c.Context(), env)
			if err != nil {
				return err
			}
			for _, one := range findings {
				if one.Found() && q.Strict(one.Level) {
					fmt.Fprintf(env.stdout, "ok %s version %d, id %d, %s\n", one.Subject, one.Version.Version, one.ID, one.Level)
				}
			}
			if faults := printDiff(env.stdout, q, findings); faults > 0 {
				return fmt.Errorf("%s to make: run `kycbridge schema register` before this release is deployed", plural(faults, "change", "changes"))
			}
			return nil
		},
	}
	f.bind(c)
	return c
}

// printDiff prints one line for each change that register would make, and returns how many there are.
func printDiff(out io.Writer, q registry.Query, findings []registry.Finding) (changes int) {
	for _, f := range findings {
		if !f.Found() {
			changes++
			fmt.Fprintln(out, "would register "+f.Subject+": "+whyRegister(f))
		}
		if !q.Strict(f.Level) {
			changes++
			fmt.Fprintf(out, "would set compatibility of %s to %s; it is %s\n", f.Subject, registry.Wanted, f.Level)
		}
	}
	return changes
}

func whyRegister(f registry.Finding) string {
	switch {
	case !f.Taken:
		return "there is no such subject"
	case f.Refused != "":
		return "no version of it is the schema of this release, and the registry would refuse it as incompatible: " + f.Refused
	case f.Doubt != "":
		return "no version of it is the schema of this release; whether it is compatible cannot be known: " + f.Doubt
	}
	return "no version of it is the schema of this release, which is compatible with all of them"
}
