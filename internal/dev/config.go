package dev

import (
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/kycbridge/kycbridge/embedded"
	"github.com/kycbridge/kycbridge/internal/config"
	"github.com/kycbridge/kycbridge/internal/simulate"
	"github.com/kycbridge/kycbridge/providers"
	configv1 "github.com/kycbridge/kycbridge/schemas/kycbridge/config/v1"
)

// partitions is the partition count of every topic.
const partitions = 4

// configuration is what the process serves with.
func (o Options) configuration(services *embedded.Services, apis string, p passwords) (*config.Config, error) {
	m, err := o.message(services.Brokers(), services.RedisAddr(), apis)
	if err != nil {
		return nil, err
	}
	p.apply(m)
	return config.Build("dev", m, config.Needs{Ingest: true, Normalize: true, Hydrate: true, Vendors: o.Vendors})
}

// message is what a file would say.
func (o Options) message(brokers []string, redis, apis string) (*configv1.Config, error) {
	m := &configv1.Config{
		Kafka:     &configv1.Kafka{Brokers: brokers, ClientId: "kycbridge-dev", MaxMessageBytes: embedded.DefaultMaxMessageBytes},
		Redis:     &configv1.Redis{Address: redis},
		Topics:    &configv1.Topics{Partitions: partitions, Replication: 1, Json: o.JSON},
		Ingest:    &configv1.Ingest{Listen: o.Listen, DrainDelay: durationpb.New(0)}, // nobody balances load over one process
		Normalize: &configv1.Normalize{Slots: 2},                                     // they share partitions, as processes do
		Hydrate:   &configv1.Hydrate{Concurrency: 16, Rate: 10_000},                  // the APIs are in this process
		Admin:     &configv1.Admin{Listen: o.Admin},
	}
	if o.Registry != "" {
		m.Registry, m.Topics.Encoding = &configv1.Registry{Url: o.Registry}, o.encoding()
	}
	var err error
	if o.TLS {
		if m.Ingest.Tls, err = certificate(o.Dir, o.Listen, time.Now()); err != nil {
			return nil, err
		}
	}
	for _, v := range o.Vendors {
		all, err := endpoints(o.keys(), v, apis)
		if err != nil {
			return nil, err
		}
		m.Endpoints = append(m.Endpoints, all...)
	}
	return m, nil
}

// encoding of events, where there is a registry.
func (o Options) encoding() configv1.Encoding {
	if o.RegistryHeader {
		return configv1.Encoding_ENCODING_CONFLUENT_HEADER
	}
	return configv1.Encoding_ENCODING_CONFLUENT_PROTOBUF
}

// endpoints are those of a vendor: one named after it, and one more for each other
// way in which it can be told to prove itself.
func endpoints(keys simulate.Keyring, v providers.Provider, apis string) (all []*configv1.Endpoint, err error) {
	ways, err := keys.Prepare(v)
	if err != nil {
		return nil, err
	}
	for _, way := range ways {
		e := &configv1.Endpoint{Name: way.Endpoint, Provider: v.Name, Environment: providers.FixtureEnvironment, Api: simulate.Configure(v, apis)}
		for _, c := range keys.Checks(way) {
			if err := config.Prove(e, c.Scheme, c.Secrets, c.Token); err != nil {
				return nil, err
			}
		}
		all = append(all, e)
	}
	return all, nil
}
