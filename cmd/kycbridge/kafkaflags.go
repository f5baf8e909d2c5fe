package main

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kycbridge/kycbridge/internal/config"
	"github.com/kycbridge/kycbridge/schemas"
	"github.com/kycbridge/kycbridge/sink"
)

// defaultKafka is where `dev` listens.
const defaultKafka = "127.0.0.1:9092"

// kafkaFlags say where Kafka is, for the commands that look at its topics.
type kafkaFlags struct {
	brokers []string
	prefix  string
	config  string
}

func (f *kafkaFlags) bind(c *cobra.Command) {
	c.Flags().StringSliceVar(&f.brokers, "brokers", nil, "Kafka brokers, host:port")
	c.Flags().StringVar(&f.prefix, "topic-prefix", "", "prefix of the topics (default \"kyc.\")")
	bindConfig(c, &f.config)
}

// kafka is what a command connects with: flags, then the configuration, then the
// environment, then where `dev` listens.
func (f *kafkaFlags) kafka(env *environment, command string) (sink.Options, error) {
	o := sink.Options{Brokers: []string{env.variable("KYCBRIDGE_KAFKA", defaultKafka)}, TopicPrefix: schemas.DefaultPrefix}
	if f.config != "" {
		c, err := loadConfig(env, f.config, config.Needs{})
		if err != nil {
			return o, err
		}
		o = c.KafkaOptions(nil)
	}
	o.ClientID, o.Logger = "kycbridge-"+command, slog.New(slog.DiscardHandler)
	if len(f.brokers) > 0 {
		o.Brokers = f.brokers
	}
	if f.prefix != "" {
		o.TopicPrefix = f.prefix
	}
	return o, o.Validate()
}

// readTrouble adds what to do about a Kafka that a command reads from and that
// does not answer as it should.
func readTrouble(o sink.Options, err error) error {
	switch {
	case errors.Is(err, sink.ErrUnavailable):
		return fmt.Errorf("no Kafka answers at %s: start `kycbridge dev` or `make services`, or pass --brokers HOST:PORT", strings.Join(o.Brokers, ", "))
	case sink.Classify(err) == sink.ClassUnknownTopic:
		return fmt.Errorf("%w: %s; or pass --topic-prefix", err, sink.Advice(err))
	}
	return err
}
