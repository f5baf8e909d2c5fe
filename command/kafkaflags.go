package command

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kycbridge/kycbridge/internal/config"
	"github.com/kycbridge/kycbridge/internal/dev"
	"github.com/kycbridge/kycbridge/internal/operate"
	"github.com/kycbridge/kycbridge/schemas"
)

// kafkaHelp is part of the help of every command with these flags.
const kafkaHelp = `Kafka is at --brokers, else as in --config, else where the ` + "`dev`" + ` of the directory --data
listens, else at $KYCBRIDGE_KAFKA, else where a ` + "`dev`" + ` of ` + defaultData + ` listens, else at
` + operate.DefaultKafka + `.`

// kafkaFlags locate Kafka, for the commands that read its topics.
type kafkaFlags struct {
	unread  error // why the endpoints of the configuration could not be had; see servers
	brokers []string
	prefix  string
	config  string
	data    string // of a dev
}

func (f *kafkaFlags) bind(c *cobra.Command) {
	c.Flags().StringSliceVar(&f.brokers, "brokers", nil, "Kafka brokers, host:port")
	c.Flags().StringVar(&f.prefix, "topic-prefix", "", "prefix of the topics (default \"kyc.\")")
	bindConfig(c, &f.config)
	bindData(c, &f.data)
}

// bindData binds the flag that finds a `dev`.
func bindData(c *cobra.Command, dir *string) {
	c.Flags().StringVar(dir, "data", "", "data directory of a running dev, which says there where it listens (default \""+defaultData+"\", where one runs)")
	_ = c.MarkFlagDirname("data")
}

// findDev is what the `dev` of a directory left there: of the usual one, where none is named. found is false where
// none was asked for and none is there.
func findDev(dir string) (at dev.Found, found bool, err error) {
	at, err = dev.Find(cmp.Or(dir, defaultData))
	switch {
	case errors.Is(err, dev.ErrNotFound) && dir == "":
		return at, false, nil
	case errors.Is(err, dev.ErrNotFound):
		return at, false, usagef("--data is %q, and %w: start it with `kycbridge dev --data %s`", dir, err, shellWord(dir))
	}
	return at, err == nil, err
}

// fromDev takes the configuration of a `dev`'s clients, unless it was said where Kafka is.
func (f *kafkaFlags) fromDev(env *environment) error {
	if f.config != "" || len(f.brokers) > 0 || f.data == "" && env.variable("KYCBRIDGE_KAFKA", "") != "" {
		return nil
	}
	at, found, err := findDev(f.data)
	if found {
		f.config = at.Config
	}
	return err
}

// servers are what a command talks to: flags win over the configuration, that over the
// environment, and that over the address of `dev`.
func (f *kafkaFlags) servers(env *environment, command string) (operate.Servers, error) {
	s := operate.Servers{Vendors: env.vendors}
	if err := f.fromDev(env); err != nil {
		return s, err
	}
	s.Kafka.Brokers, s.Kafka.TopicPrefix = []string{env.variable("KYCBRIDGE_KAFKA", operate.DefaultKafka)}, schemas.DefaultPrefix
	if f.config != "" {
		c, unread, err := loadForTopics(env, f.config)
		if err != nil {
			return s, err
		}
		s, f.unread = operate.FromConfig(c), unread
	}
	return f.override(s, command)
}

// loadForTopics reads what it takes to read the topics, and where it can be had, what more there is to find: the
// settings of endpoints that a mapping goes by, and the pepper, since what dispositions hold under it is found with
// it alone. unread is why the endpoints could not be had.
func loadForTopics(env *environment, path string) (c *config.Config, unread, err error) {
	for _, needs := range []config.Needs{{Pepper: true, Mapping: true}, {Mapping: true}} {
		if c, unread = loadConfig(env, path, needs); unread == nil {
			return c, nil, nil
		}
	}
	if c, err := loadConfig(env, path, config.Needs{Pepper: true}); err == nil {
		return c, unread, nil
	}
	c, err = loadConfig(env, path, config.Needs{})
	return c, unread, err
}

// override lets flags win over the configuration.
func (f *kafkaFlags) override(s operate.Servers, command string) (operate.Servers, error) {
	s.Kafka.ClientID = "kycbridge-" + command
	if len(f.brokers) > 0 {
		s.Kafka.Brokers = f.brokers
	}
	if f.prefix != "" {
		s.Kafka.TopicPrefix = f.prefix
	}
	return s, s.Kafka.Validate()
}

// explainKafka adds to an error of Kafka what to do about it.
func explainKafka(s operate.Servers, err error) error {
	switch {
	case errors.Is(err, operate.ErrUnavailable):
		return fmt.Errorf("no Kafka answers at %s: start `kycbridge dev` or `make services`, or pass --brokers HOST:PORT, or --data DIR for the dev of another directory", strings.Join(s.Kafka.Brokers, ", "))
	case operate.TopicMissing(err):
		return fmt.Errorf("%w: %s; or pass --topic-prefix", err, operate.Advice(err))
	}
	return err
}
