package command

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kycbridge/kycbridge/internal/config"
	"github.com/kycbridge/kycbridge/internal/operate"
	"github.com/kycbridge/kycbridge/schemas"
)

// kafkaHelp is part of the help of every command with these flags.
const kafkaHelp = `Kafka is at --brokers, else as in --config, else at $KYCBRIDGE_KAFKA, else at
` + operate.DefaultKafka + `.`

// kafkaFlags locate Kafka, for the commands that read its topics.
type kafkaFlags struct {
	unread  error // why the endpoints of the configuration could not be had; see servers
	brokers []string
	prefix  string
	config  string
}

func (f *kafkaFlags) bind(c *cobra.Command) {
	c.Flags().StringSliceVar(&f.brokers, "brokers", nil, "Kafka brokers, host:port")
	c.Flags().StringVar(&f.prefix, "topic-prefix", "", "prefix of the topics (default \"kyc.\")")
	bindConfig(c, &f.config)
}

// servers are what a command talks to: flags win over the configuration, that over the
// environment, and that over the address of `dev`.
func (f *kafkaFlags) servers(env *environment, command string) (operate.Servers, error) {
	s := operate.Servers{Vendors: env.vendors}
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
		return fmt.Errorf("no Kafka answers at %s: start `kycbridge dev` or `make services`, or pass --brokers HOST:PORT", strings.Join(s.Kafka.Brokers, ", "))
	case operate.TopicMissing(err):
		return fmt.Errorf("%w: %s; or pass --topic-prefix", err, operate.Advice(err))
	}
	return err
}
