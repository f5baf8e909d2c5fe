package config

import (
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/kycbridge/kycbridge/internal/config/generated"
	"github.com/kycbridge/kycbridge/internal/contract/ruletest"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
	configv1 "github.com/kycbridge/kycbridge/schemas/kycbridge/config/v1"
)

// simple is a configuration as most are.
func simple() *configv1.Config {
	return &configv1.Config{
		Kafka: &configv1.Kafka{Brokers: []string{"127.0.0.1:9092"}},
		Endpoints: []*configv1.Endpoint{{
			Name: "complycube", Provider: "complycube", Environment: kycv1.Environment_ENVIRONMENT_SANDBOX,
			Secrets: []*configv1.Secret{{Id: "first", Value: secretValue}},
		}},
	}
}

func TestRules(t *testing.T) {
	secret := func(change func(*configv1.Secret)) func(*configv1.Config) {
		return func(c *configv1.Config) { change(c.Endpoints[0].Secrets[0]) }
	}
	token := func(url string) func(*configv1.Config) {
		return func(c *configv1.Config) {
			c.Kafka.Sasl = &configv1.Sasl{Mechanism: configv1.SaslMechanism_SASL_MECHANISM_OAUTHBEARER, AllowWithoutTls: true,
				Oauth: &configv1.Oauth{TokenUrl: url, ClientId: "kyc", ClientSecret: secretValue}}
		}
	}
	for _, c := range []struct {
		name   string
		change func(*configv1.Config)
		breaks []string
	}{
		{"nothing", func(*configv1.Config) {}, nil},
		{"no Kafka", func(c *configv1.Config) { c.Kafka = nil }, []string{"kafka required"}},
		{"no brokers", func(c *configv1.Config) { c.Kafka.Brokers = nil }, []string{"kafka.brokers repeated.min_items"}},
		{"several in one", func(c *configv1.Config) { c.Kafka.Brokers = []string{"a:1, [::1]:2,c.example:65535"} }, nil},
		{"broker without port", func(c *configv1.Config) { c.Kafka.Brokers = []string{"a:1,b"} }, []string{"kafka.brokers[0] kafka.broker_address"}},
		{"prefix", func(c *configv1.Config) { c.Kafka.TopicPrefix = "eu.kyc-2." }, nil},
		{"prefix without dot", func(c *configv1.Config) { c.Kafka.TopicPrefix = "kyc" }, []string{"kafka.topic_prefix kafka.topic_prefix"}},
		{"prefix in capitals", func(c *configv1.Config) { c.Kafka.TopicPrefix = "KYC." }, []string{"kafka.topic_prefix kafka.topic_prefix"}},
		{"tiny records", func(c *configv1.Config) { c.Kafka.MaxMessageBytes = 10 }, []string{"kafka.max_message_bytes kafka.max_message_bytes"}},
		{"two passwords", func(c *configv1.Config) { c.Redis = &configv1.Redis{Password: "a", PasswordFile: "b"} }, []string{"redis redis.one_password"}},
		{"Redis by URL", func(c *configv1.Config) { c.Redis = &configv1.Redis{Address: "redis://h:1/0"} }, []string{"redis.address redis.address"}},
		{"Redis without port", func(c *configv1.Config) { c.Redis = &configv1.Redis{Address: "localhost"} }, []string{"redis.address redis.address"}},
		{"any interface", func(c *configv1.Config) { c.Ingest = &configv1.Ingest{Listen: ":8080"} }, nil},
		{"drain at once", func(c *configv1.Config) { c.Ingest = &configv1.Ingest{DrainDelay: seconds(0)} }, nil},
		{"no time to read", func(c *configv1.Config) { c.Ingest = &configv1.Ingest{ReadTimeout: seconds(0)} },
			[]string{"ingest ingest.header_before_request", "ingest.read_timeout duration.gt_lte"}},
		{"read shorter than header", func(c *configv1.Config) { c.Ingest = &configv1.Ingest{ReadTimeout: seconds(4)} }, []string{"ingest ingest.header_before_request"}},
		{"rare heartbeats", func(c *configv1.Config) { c.Normalize = &configv1.Normalize{HeartbeatInterval: seconds(10)} }, []string{"normalize normalize.heartbeat_within_session"}},
		{"short marks", func(c *configv1.Config) { c.Dedupe = &configv1.Dedupe{Ttl: seconds(1209599)} }, []string{"config.dedupe_outlives_raw"}},
		{"long enough marks", func(c *configv1.Config) { c.Dedupe = &configv1.Dedupe{Ttl: seconds(1209600)} }, nil},
		{"short marks, shorter raw", func(c *configv1.Config) {
			c.Dedupe, c.Topics = &configv1.Dedupe{Ttl: seconds(3600)}, &configv1.Topics{RawRetention: seconds(3600)}
		}, nil},
		{"dispositions before raw", func(c *configv1.Config) { c.Topics = &configv1.Topics{DispositionRetention: seconds(86400)} }, []string{"topics topics.disposition_outlives_raw"}},
		{"two peppers", func(c *configv1.Config) { c.Dedupe = &configv1.Dedupe{Pepper: "a", PepperFile: "b"} }, []string{"dedupe dedupe.one_pepper"}},
		{"the same name twice", func(c *configv1.Config) { c.Endpoints = append(c.Endpoints, c.Endpoints[0]) }, []string{"config.endpoint_names_unique"}},
		{"name with capitals", func(c *configv1.Config) { c.Endpoints[0].Name = "A" }, []string{"endpoints[0].name endpoint.name"}},
		{"no provider", func(c *configv1.Config) { c.Endpoints[0].Provider = "" }, []string{"endpoints[0].provider endpoint.provider"}},
		{"no environment", func(c *configv1.Config) { c.Endpoints[0].Environment = 0 }, []string{"endpoints[0].environment endpoint.environment"}},
		{"a file", secret(func(s *configv1.Secret) { s.Value, s.File = "", "/run/secrets/a" }), nil},
		{"value and file", secret(func(s *configv1.Secret) { s.File = "/run/secrets/a" }), []string{"endpoints[0].secrets[0] secret.value_or_file"}},
		{"neither", secret(func(s *configv1.Secret) { s.Value = "" }), []string{"endpoints[0].secrets[0] secret.value_or_file"}},
		{"short", secret(func(s *configv1.Secret) { s.Value = "fifteen-bytes-x" }), []string{"endpoints[0].secrets[0].value secret.value"}},
		{"16 bytes in 8 characters", secret(func(s *configv1.Secret) { s.Value = "üüüüüüüü" }), nil},
		{"no id", secret(func(s *configv1.Secret) { s.Id = "" }), []string{"endpoints[0].secrets[0].id secret.id"}},
		{"over before it begins", secret(func(s *configv1.Secret) {
			s.NotBefore, s.NotAfter = &timestamppb.Timestamp{Seconds: 9}, &timestamppb.Timestamp{Seconds: 9}
		}),
			[]string{"endpoints[0].secrets[0] secret.valid_some_time"}},
		{"tokens over http", token("http://auth.example.com/token"), []string{"kafka.sasl.oauth.token_url oauth.token_url"}},
		{"tokens over http from a host that begins as this machine", token("http://localhost.example.com/token"), []string{"kafka.sasl.oauth.token_url oauth.token_url"}},
		{"tokens over http on this machine", token("http://localhost:8080"), nil},
		{"tokens over http on this machine by address", token("http://127.0.0.1/a/b?c"), nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := simple()
			c.change(m)
			if got := ruletest.Broken(t, m); !slices.Equal(got, c.breaks) || generated.Valid(m) != (got == nil) {
				t.Errorf("breaks %q, proven: %v, want %q", got, generated.Valid(m), c.breaks)
			}
		})
	}
}

// What a rule says goes to logs and terminals.
func TestViolationsDoNotQuoteSecrets(t *testing.T) {
	const short = "tiny-secret"
	c := simple()
	c.Endpoints[0].Secrets[0].Value = short
	c.Endpoints[0].Secrets[0].File = "/run/secrets/a"
	c.Redis = &configv1.Redis{Password: secretValue, PasswordFile: "b", Address: "x"}
	c.Dedupe = &configv1.Dedupe{Pepper: secretValue, PepperFile: "b"}
	_, err := Build("test", c, everything())
	if err == nil {
		t.Fatal("the configuration is valid, want violations")
	}
	for _, line := range err.(*Error).Lines() {
		if strings.Contains(line, short) || strings.Contains(line, secretValue) {
			t.Errorf("the error quotes a secret: %v", line)
		}
	}
}
