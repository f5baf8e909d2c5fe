package config

import (
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
	configv1 "github.com/kycbridge/kycbridge/schemas/kycbridge/config/v1"
)

// The full configurations keep all rules, and have every field set between them: where one of two may be set,
// each is in one of them.

func fullConfigs() []proto.Message {
	return []proto.Message{full(), oauth(sentinel), oauth(cluster), tokenFile(), fromFiles(), passwordFile()}
}

func seconds(n int) *durationpb.Duration { return durationpb.New(time.Duration(n) * time.Second) }

func full() *configv1.Config {
	return &configv1.Config{
		Kafka: &configv1.Kafka{
			Brokers: []string{"10.0.0.1:9092 , 10.0.0.2:9092", "[::1]:9", "kafka-1.internal:65535"}, TopicPrefix: "shop.kyc-2_a.", ClientId: "kyc shop",
			Compression: configv1.Compression_COMPRESSION_GZIP, RawCompression: configv1.Compression_COMPRESSION_ZSTD, MaxMessageBytes: 8388608, Rack: "eu-1a", Tls: fullTLS(),
			Sasl: &configv1.Sasl{Mechanism: configv1.SaslMechanism_SASL_MECHANISM_PLAIN, Username: "kyc", Password: secretValue, AllowWithoutTls: true},
		},
		Redis:     &configv1.Redis{Address: "redis.internal:6380", Username: "kyc", Password: secretValue, Db: 3, EvictionChecked: true, Tls: fullTLS()},
		Topics:    fullTopics(),
		Ingest:    fullIngest(),
		Normalize: &configv1.Normalize{Slots: 4, BatchRecords: 100, SessionTimeout: seconds(20), HeartbeatInterval: seconds(3), TransactionTimeout: seconds(30), ShutdownGrace: seconds(6)},
		Hydrate:   &configv1.Hydrate{Slots: 4, Concurrency: 8, Rate: 0.5, Timeout: seconds(5), GiveUpAfter: seconds(3600), MaxResponseBytes: 65536},
		Dedupe:    &configv1.Dedupe{Ttl: seconds(700000), Pepper: secretValue, ConfirmWait: seconds(3), FailOpenAfter: seconds(60), AcceptOtherPepper: true, FormerTopics: formerTopics()}, Admin: &configv1.Admin{Listen: ":9090"},
		Endpoints: []*configv1.Endpoint{fullEndpoint(), smallEndpoint("shop-test"), smallEndpoint("a")},
		Registry: &configv1.Registry{
			Url: "https://registry.internal:8081/apis/ccompat/v7", Username: "kyc", Password: secretValue,
			CaFile: "/etc/ca.crt", CertificateFile: "/etc/client.crt", KeyFile: "/etc/client.key",
		},
	}
}

func fullTLS() *configv1.ClientTls {
	return &configv1.ClientTls{Enabled: true, CaFile: "/etc/ca.crt", CertificateFile: "/etc/client.crt", KeyFile: "/etc/client.key", ServerName: "server.internal"}
}

func fullTopics() *configv1.Topics {
	return &configv1.Topics{
		CreateMissing: true, Partitions: 24, Replication: 3, Safety: configv1.Safety_SAFETY_REFUSE, Encoding: configv1.Encoding_ENCODING_PROTOBUF, Json: true,
		RawRetention: seconds(604800), DomainRetention: seconds(604800), DispositionRetention: seconds(604800), DeadletterRetention: seconds(604800),
	}
}

func fullIngest() *configv1.Ingest {
	return &configv1.Ingest{
		Listen: "10.0.3.7:8443", MaxBodyBytes: 65536, MaxRequests: 100, MaxWaitingBodyBytes: 1 << 33, MaxUnprovedBytes: 1 << 25, EndpointEventsPerSecond: 20000, UnreadyWhileKafkaAway: true,
		ReadHeaderTimeout: seconds(6), ReadTimeout: seconds(16), IdleTimeout: seconds(61), DrainDelay: seconds(6), RetryAfter: seconds(7),
		Tls:            &configv1.Tls{CertificateFile: "/etc/tls.crt", KeyFile: "/etc/tls.key", MinVersion: configv1.TlsVersion_TLS_VERSION_1_3},
		TrustedProxies: []string{"10.0.0.0/8", "::1", "192.0.2.1"},
	}
}

func smallEndpoint(name string) *configv1.Endpoint {
	return &configv1.Endpoint{Name: name, Provider: "vendor", Environment: kycv1.Environment_ENVIRONMENT_SANDBOX}
}

func fullEndpoint() *configv1.Endpoint {
	return &configv1.Endpoint{
		Name: "shop-live-1", Provider: "vendor_2", Tenant: "Shop.eu", Environment: kycv1.Environment_ENVIRONMENT_LIVE, MaxBodyBytes: 65536, Secrets: fullSecrets(),
		CustomerReference: configv1.CustomerReference_CUSTOMER_REFERENCE_AS_IS,
		Api: &configv1.Api{
			BaseUrl: "https://api.example.com/v1", TokenUrl: "http://auth.internal:8080/oidc/token", Internal: true, Scheme: configv1.ApiScheme_API_SCHEME_BASIC,
			Key: secretValue, Username: "kyc", Password: secretValue, ClientId: "kyc", ClientSecret: secretValue,
		},
		Basic: fullSecrets(), Bearer: fullSecrets(), PathTokens: fullSecrets(),
		Headers: []*configv1.HeaderProof{{Name: "X-Auth-Token", Secrets: fullSecrets()}, {Name: "X-Other", Secrets: fullSecrets()}, {Name: "x", Secrets: fullSecrets()}},
		Jwt: &configv1.Jwt{
			JwksUrl: "https://vendor.invalid/jwks.json", Issuer: "https://vendor.invalid", Audience: "https://hooks.invalid/shop", Header: "X-Token",
			Algorithms: []string{"RS256", "PS256", "ES256"}, Leeway: seconds(20),
		},
		AllowFrom: []string{"192.0.2.0/24", "2001:db8::/32", "203.0.113.7"}, AllowUnauthenticated: true,
	}
}

func fullSecrets() []*configv1.Secret {
	secret := func(id string) *configv1.Secret {
		return &configv1.Secret{Id: id, Value: secretValue, NotBefore: &timestamppb.Timestamp{Seconds: 1}, NotAfter: &timestamppb.Timestamp{Seconds: 1, Nanos: 1}}
	}
	return []*configv1.Secret{secret("2026-01"), secret("b"), {Id: "c", File: "/run/secrets/c"}}
}

func sentinel(r *configv1.Redis) {
	r.Address = ""
	r.Sentinel = &configv1.RedisSentinel{Addresses: []string{"10.0.0.1:26379", "10.0.0.2:26379", "c:1"}, Master: "kyc_1.A-b", Username: "watcher", Password: secretValue}
}

func cluster(r *configv1.Redis) {
	r.Address, r.Db = "", 0
	r.Cluster = &configv1.RedisCluster{Addresses: []string{"10.0.0.1:6379", "10.0.0.2:6379", "c:1"}}
}

func oauth(place func(*configv1.Redis)) *configv1.Config {
	c := full()
	place(c.Redis)
	c.Kafka.Sasl = &configv1.Sasl{Mechanism: configv1.SaslMechanism_SASL_MECHANISM_OAUTHBEARER, Oauth: &configv1.Oauth{
		TokenUrl: "https://auth.example.com/oauth2/token?a=b", ClientId: "kyc", ClientSecret: secretValue, Scopes: []string{"kafka", "topics:write", "!"}, Audience: "kafka.internal", CaFile: "/etc/ca.crt",
	}}
	return c
}

func tokenFile() *configv1.Config {
	c := oauth(sentinel)
	c.Kafka.Sasl.Oauth = &configv1.Oauth{TokenFile: "/run/secrets/token"}
	c.Registry = &configv1.Registry{Url: "http://127.0.0.1:8081", TokenFile: "/run/secrets/registry"}
	c.Redis.Sentinel.Password, c.Redis.Sentinel.PasswordFile = "", "/run/secrets/sentinel"
	return c
}

func passwordFile() *configv1.Config {
	c := full()
	c.Registry = &configv1.Registry{Url: "http://localhost:8081", Token: secretValue}
	c.Kafka.Sasl = &configv1.Sasl{Mechanism: configv1.SaslMechanism_SASL_MECHANISM_SCRAM_SHA_512, Username: "kyc", PasswordFile: "/run/secrets/kafka"}
	return c
}

// fromFiles has every other secret in a file.
func fromFiles() *configv1.Config {
	c := oauth(cluster)
	c.Kafka.Sasl.Oauth.ClientSecret, c.Kafka.Sasl.Oauth.ClientSecretFile = "", "/run/secrets/kafka"
	c.Kafka.Tls = nil
	c.Kafka.Sasl.AllowWithoutTls = true
	c.Redis.Password, c.Redis.PasswordFile = "", "/run/secrets/redis"
	c.Dedupe.Pepper, c.Dedupe.PepperFile = "", "/run/secrets/pepper"
	c.Registry.Password, c.Registry.PasswordFile = "", "/run/secrets/registry"
	e := c.Endpoints[0]
	e.Jwt.JwksUrl, e.Jwt.JwksFile = "", "/run/secrets/keys"
	a := e.Api
	a.Key, a.KeyFile, a.Password, a.PasswordFile, a.ClientSecret, a.ClientSecretFile = "", "/a", "", "/b", "", "/c"
	return c
}

// smallConfigs are configurations that leave nearly everything out.
func smallConfigs() []proto.Message {
	bare := &configv1.Config{Kafka: &configv1.Kafka{Brokers: []string{"127.0.0.1:9092"}}}
	empty := &configv1.Config{
		Kafka: &configv1.Kafka{Brokers: []string{"127.0.0.1:9092"}}, Redis: &configv1.Redis{}, Topics: &configv1.Topics{}, Ingest: &configv1.Ingest{}, Normalize: &configv1.Normalize{},
		Hydrate: &configv1.Hydrate{}, Dedupe: &configv1.Dedupe{}, Admin: &configv1.Admin{}, Endpoints: []*configv1.Endpoint{smallEndpoint("one")},
	}
	return []proto.Message{bare, empty}
}

func formerTopics() (all []*configv1.FormerTopics) {
	for _, last := range "ABC" {
		all = append(all, &configv1.FormerTopics{
			RawId: "AAAAAAAAAAAAAAAAAAAAB" + string(last), HydrateId: "AAAAAAAAAAAAAAAAAAAAC" + string(last), SameOffsets: true,
		})
	}
	return all
}
