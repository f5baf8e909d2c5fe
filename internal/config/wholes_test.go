package config

import (
	"google.golang.org/protobuf/types/known/timestamppb"

	configv1 "github.com/kycbridge/kycbridge/schemas/kycbridge/config/v1"
)

type changes = []func(*configv1.Config)

func withOauth() *configv1.Config { return oauth(cluster) }

func kafkaWholes() map[string]whole {
	return map[string]whole{
		"kafka.secrets_over_tls": secretsOverTLS(),
		"client_tls.enabled":     clientTLS(),
		"client_tls.certificate_and_key": {full, changes{
			func(c *configv1.Config) { c.Kafka.Tls.KeyFile = "" },
			func(c *configv1.Config) { c.Redis.Tls.CertificateFile = "" },
		}, changes{
			func(c *configv1.Config) { c.Kafka.Tls.KeyFile, c.Kafka.Tls.CertificateFile = "", "" },
		}},
		"sasl.password": {full, changes{
			func(c *configv1.Config) { c.Kafka.Sasl.Username = "" },
			func(c *configv1.Config) { c.Kafka.Sasl.Password = "" },
			func(c *configv1.Config) { c.Kafka.Sasl.PasswordFile = "/a" },
		}, changes{
			func(c *configv1.Config) { c.Kafka.Sasl.Password, c.Kafka.Sasl.PasswordFile = "", "/a" },
		}},
		"sasl.oauth": {withOauth, changes{
			func(c *configv1.Config) { c.Kafka.Sasl.Oauth = nil },
		}, changes{
			func(c *configv1.Config) { c.Kafka.Sasl.Oauth = &configv1.Oauth{TokenFile: "/a"} },
		}},
		"sasl.one_mechanism": {withOauth, changes{
			func(c *configv1.Config) { c.Kafka.Sasl.Username = "a" },
			func(c *configv1.Config) { c.Kafka.Sasl.Password = "a" },
			func(c *configv1.Config) { c.Kafka.Sasl.PasswordFile = "a" },
			func(c *configv1.Config) { oauthToo(c, 1) },
			func(c *configv1.Config) { oauthToo(c, 3) },
		}, changes{
			func(c *configv1.Config) { oauthToo(c, 1); c.Kafka.Sasl.Oauth = nil },
		}},
		"oauth.url_or_file": {withOauth, changes{
			func(c *configv1.Config) { c.Kafka.Sasl.Oauth.TokenUrl = "" },
			func(c *configv1.Config) { c.Kafka.Sasl.Oauth = &configv1.Oauth{} },
		}, changes{
			func(c *configv1.Config) { c.Kafka.Sasl.Oauth.TokenUrl = "http://[::1]:8080/token" },
		}},
		"oauth.credentials": {withOauth, changes{
			func(c *configv1.Config) { c.Kafka.Sasl.Oauth.ClientId = "" },
			func(c *configv1.Config) { c.Kafka.Sasl.Oauth.ClientSecret = "" },
			func(c *configv1.Config) { c.Kafka.Sasl.Oauth.ClientSecretFile = "/a" },
		}, changes{
			func(c *configv1.Config) {
				c.Kafka.Sasl.Oauth.ClientSecret, c.Kafka.Sasl.Oauth.ClientSecretFile = "", "/a"
			},
		}},
		"oauth.token_file_alone": {tokenFile, changes{
			func(c *configv1.Config) { c.Kafka.Sasl.Oauth.ClientId = "a" },
			func(c *configv1.Config) { c.Kafka.Sasl.Oauth.ClientSecret = "a" },
			func(c *configv1.Config) { c.Kafka.Sasl.Oauth.ClientSecretFile = "a" },
			func(c *configv1.Config) { c.Kafka.Sasl.Oauth.Scopes = []string{"a"} },
			func(c *configv1.Config) { c.Kafka.Sasl.Oauth.Audience = "a" },
			func(c *configv1.Config) { c.Kafka.Sasl.Oauth.CaFile = "a" },
		}, changes{
			func(c *configv1.Config) { c.Kafka.Sasl.Oauth.TokenFile = "/b" },
		}},
	}
}

func redisWholes() map[string]whole {
	return map[string]whole{
		"redis.one_password": {full, changes{
			func(c *configv1.Config) { c.Redis.PasswordFile = "/a" },
		}, changes{
			func(c *configv1.Config) { c.Redis.Password, c.Redis.PasswordFile = "", "/a" },
			func(c *configv1.Config) { c.Redis.Password = "" },
		}},
		"redis.one_place": {full, changes{
			func(c *configv1.Config) { sentinel(c.Redis); c.Redis.Address = "a:1" },
			func(c *configv1.Config) { cluster(c.Redis); c.Redis.Address = "a:1" },
			func(c *configv1.Config) { sentinel(c.Redis); cluster(c.Redis) },
			func(c *configv1.Config) { sentinel(c.Redis); cluster(c.Redis); c.Redis.Address = "a:1" },
		}, changes{
			func(c *configv1.Config) { sentinel(c.Redis) },
			func(c *configv1.Config) { cluster(c.Redis) },
			func(c *configv1.Config) { c.Redis.Address = "" },
		}},
		"redis.cluster_db": {withOauth, changes{
			func(c *configv1.Config) { c.Redis.Db = 1 },
		}, changes{
			func(c *configv1.Config) { c.Redis.Cluster, c.Redis.Db = nil, 1 },
		}},
		"redis.one_sentinel_password": {tokenFile, changes{
			func(c *configv1.Config) { c.Redis.Sentinel.Password = "a" },
		}, changes{
			func(c *configv1.Config) { c.Redis.Sentinel.Password, c.Redis.Sentinel.PasswordFile = "a", "" },
			func(c *configv1.Config) { c.Redis.Sentinel.PasswordFile = "" },
		}},
	}
}

func registryWholes() map[string]whole {
	return map[string]whole{
		"registry.one_secret": {passwordFile, changes{
			func(c *configv1.Config) { c.Registry.TokenFile = "/a" },
			func(c *configv1.Config) { c.Registry.Username, c.Registry.Password = "a", "a" },
			func(c *configv1.Config) { c.Registry.Username, c.Registry.PasswordFile = "a", "/a" },
		}, changes{
			func(c *configv1.Config) { c.Registry.Token = "" },
			func(c *configv1.Config) { c.Registry.Token, c.Registry.TokenFile = "", "/a" },
		}},
		"registry.username_and_password": {full, changes{
			func(c *configv1.Config) { c.Registry.Username = "" },
			func(c *configv1.Config) { c.Registry.Password = "" },
		}, changes{
			func(c *configv1.Config) { c.Registry.Username, c.Registry.Password = "", "" },
			func(c *configv1.Config) { c.Registry.Password, c.Registry.PasswordFile = "", "/a" },
		}},
		"registry.certificate_and_key": {full, changes{
			func(c *configv1.Config) { c.Registry.KeyFile = "" },
			func(c *configv1.Config) { c.Registry.CertificateFile = "" },
		}, changes{
			func(c *configv1.Config) { c.Registry.CertificateFile, c.Registry.KeyFile = "", "" },
		}},
	}
}

func stageWholes() map[string]whole {
	return map[string]whole{
		"config.endpoint_names_unique": {full, changes{
			func(c *configv1.Config) { c.Endpoints[2].Name = c.Endpoints[0].Name },
			func(c *configv1.Config) { c.Endpoints[1].Name = c.Endpoints[2].Name },
		}, changes{
			func(c *configv1.Config) { c.Endpoints[2].Name = c.Endpoints[0].Name + "0" },
			func(c *configv1.Config) { c.Endpoints = nil },
		}},
		"config.dedupe_outlives_raw": {full, changes{
			func(c *configv1.Config) { c.Dedupe.Ttl = seconds(604799) },
			func(c *configv1.Config) { c.Topics.RawRetention, c.Topics.DispositionRetention = nil, nil },
			func(c *configv1.Config) { c.Topics, c.Dedupe.Ttl = nil, seconds(1209599) },
		}, changes{
			func(c *configv1.Config) { c.Dedupe.Ttl = seconds(604800) },
			func(c *configv1.Config) { c.Topics, c.Dedupe.Ttl = nil, seconds(1209600) },
			func(c *configv1.Config) { c.Topics, c.Dedupe.Ttl = nil, nil },
			func(c *configv1.Config) { c.Topics, c.Dedupe = nil, nil },
		}},
		"topics.disposition_outlives_raw": {full, changes{
			func(c *configv1.Config) { c.Topics.DispositionRetention = seconds(604799) },
			func(c *configv1.Config) { c.Topics.RawRetention, c.Dedupe = nil, nil },
			func(c *configv1.Config) {
				c.Topics.DispositionRetention, c.Topics.RawRetention, c.Dedupe = nil, seconds(34560001), nil
			},
		}, changes{
			func(c *configv1.Config) { c.Topics.DispositionRetention = nil },
			func(c *configv1.Config) {
				c.Topics.DispositionRetention, c.Topics.RawRetention, c.Dedupe = nil, seconds(34560000), nil
			},
			func(c *configv1.Config) {
				c.Topics.DispositionRetention, c.Topics.RawRetention, c.Dedupe = seconds(1209600), nil, nil
			},
		}},
		"ingest.header_before_request": {full, changes{
			func(c *configv1.Config) { c.Ingest.ReadHeaderTimeout = seconds(17) },
			func(c *configv1.Config) { c.Ingest.ReadTimeout, c.Ingest.ReadHeaderTimeout = nil, seconds(16) },
			func(c *configv1.Config) { c.Ingest.ReadTimeout, c.Ingest.ReadHeaderTimeout = seconds(4), nil },
		}, changes{
			func(c *configv1.Config) { c.Ingest.ReadHeaderTimeout = seconds(16) },
			func(c *configv1.Config) { c.Ingest.ReadTimeout, c.Ingest.ReadHeaderTimeout = nil, seconds(15) },
			func(c *configv1.Config) { c.Ingest.ReadTimeout, c.Ingest.ReadHeaderTimeout = seconds(5), nil },
		}},
		"normalize.heartbeat_within_session": {full, changes{
			func(c *configv1.Config) { c.Normalize.HeartbeatInterval = seconds(20) },
			func(c *configv1.Config) { c.Normalize.SessionTimeout, c.Normalize.HeartbeatInterval = nil, seconds(10) },
			func(c *configv1.Config) {
				c.Normalize.SessionTimeout, c.Normalize.HeartbeatInterval = seconds(2), seconds(2)
			},
		}, changes{
			func(c *configv1.Config) { c.Normalize.HeartbeatInterval = seconds(19) },
			func(c *configv1.Config) { c.Normalize.SessionTimeout, c.Normalize.HeartbeatInterval = nil, seconds(9) },
			func(c *configv1.Config) { c.Normalize.SessionTimeout, c.Normalize.HeartbeatInterval = seconds(1), nil },
		}},
		"dedupe.one_pepper": {full, changes{
			func(c *configv1.Config) { c.Dedupe.PepperFile = "/a" },
		}, changes{
			func(c *configv1.Config) { c.Dedupe.Pepper, c.Dedupe.PepperFile = "", "/a" },
		}},
	}
}

func endpointWholes() map[string]whole {
	return map[string]whole{
		"endpoint.headers_unique": {full, changes{
			func(c *configv1.Config) { c.Endpoints[0].Headers[2].Name = "X-Other" },
			func(c *configv1.Config) { c.Endpoints[0].Headers[2].Name = "x-aUTH-tOKEN" },
		}, changes{
			func(c *configv1.Config) { c.Endpoints[0].Headers[2].Name = "X-Others" },
			func(c *configv1.Config) { c.Endpoints[0].Headers = nil },
		}},
		"jwt.url_or_file": {full, changes{
			func(c *configv1.Config) { c.Endpoints[0].Jwt.JwksUrl = "" },
			func(c *configv1.Config) { c.Endpoints[0].Jwt.JwksFile = "/a" },
		}, changes{
			func(c *configv1.Config) { c.Endpoints[0].Jwt.JwksUrl, c.Endpoints[0].Jwt.JwksFile = "", "/a" },
		}},
		"secret.value_or_file": {full, changes{
			func(c *configv1.Config) { c.Endpoints[0].Secrets[0].Value = "" },
			func(c *configv1.Config) { c.Endpoints[0].Bearer[2].File = "" },
			func(c *configv1.Config) { c.Endpoints[0].Headers[1].Secrets[1].File = "/a" },
		}, changes{
			func(c *configv1.Config) { c.Endpoints[0].Basic[0].Value, c.Endpoints[0].Basic[0].File = "", "/a" },
		}},
		"secret.valid_some_time": {full, changes{
			func(c *configv1.Config) { c.Endpoints[0].Secrets[1].NotBefore.Nanos = 1 },
			func(c *configv1.Config) { c.Endpoints[0].PathTokens[0].NotAfter = &timestamppb.Timestamp{} },
		}, changes{
			func(c *configv1.Config) { c.Endpoints[0].Secrets[1].NotBefore = nil },
			func(c *configv1.Config) { c.Endpoints[0].Secrets[1].NotAfter = nil },
			func(c *configv1.Config) { c.Endpoints[0].Secrets[1].NotAfter.Seconds = 2 },
		}},
		"api.secrets_once": {full, changes{
			func(c *configv1.Config) { c.Endpoints[0].Api.KeyFile = "/a" },
			func(c *configv1.Config) { c.Endpoints[0].Api.PasswordFile = "/a" },
			func(c *configv1.Config) { c.Endpoints[0].Api.ClientSecretFile = "/a" },
		}, changes{
			func(c *configv1.Config) { c.Endpoints[0].Api = &configv1.Api{Key: "a", PasswordFile: "/a"} },
			func(c *configv1.Config) { c.Endpoints[0].Api = &configv1.Api{KeyFile: "/a", ClientSecret: "a"} },
			func(c *configv1.Config) { c.Endpoints[0].Api = &configv1.Api{} },
		}},
		"api.https_outside": {full, changes{
			func(c *configv1.Config) { c.Endpoints[0].Api.Internal = false },
			func(c *configv1.Config) { c.Endpoints[0].Api = &configv1.Api{BaseUrl: "http://a"} },
		}, changes{
			func(c *configv1.Config) { c.Endpoints[0].Api.BaseUrl = "http://a" },
			func(c *configv1.Config) {
				c.Endpoints[0].Api = &configv1.Api{BaseUrl: "https://a/b", TokenUrl: "https://a"}
			},
		}},
	}
}

// oauthToo makes the mechanism another one, beside what OAUTHBEARER asks for.
func oauthToo(c *configv1.Config, mechanism configv1.SaslMechanism) {
	s := c.Kafka.Sasl
	s.Mechanism, s.Username, s.Password = mechanism, "kyc", secretValue
}

func secretsOverTLS() whole {
	w := whole{of: full}
	for mechanism := configv1.SaslMechanism(1); mechanism <= 4; mechanism++ {
		with := func(tls *configv1.ClientTls, allow bool) func(*configv1.Config) {
			return func(c *configv1.Config) {
				s := &configv1.Sasl{Mechanism: mechanism, AllowWithoutTls: allow, Username: "kyc", Password: secretValue}
				if mechanism == configv1.SaslMechanism_SASL_MECHANISM_OAUTHBEARER {
					s.Username, s.Password, s.Oauth = "", "", &configv1.Oauth{TokenFile: "/a"}
				}
				c.Kafka.Sasl, c.Kafka.Tls = s, tls
			}
		}
		open := changes{with(nil, false), with(&configv1.ClientTls{}, false)}
		if mechanism == configv1.SaslMechanism_SASL_MECHANISM_PLAIN || mechanism == configv1.SaslMechanism_SASL_MECHANISM_OAUTHBEARER {
			w.breaks = append(w.breaks, open...)
		} else {
			w.keeps = append(w.keeps, open...)
		}
		w.keeps = append(w.keeps, with(nil, true), with(fullTLS(), false), with(fullTLS(), true))
	}
	w.keeps = append(w.keeps, func(c *configv1.Config) { c.Kafka.Sasl, c.Kafka.Tls = nil, nil })
	return w
}

func clientTLS() whole {
	tls := func(t *configv1.ClientTls) func(*configv1.Config) {
		return func(c *configv1.Config) { c.Redis.Tls = t }
	}
	return whole{full, changes{
		tls(&configv1.ClientTls{CaFile: "/a"}),
		tls(&configv1.ClientTls{CertificateFile: "/a", KeyFile: "/b"}),
		tls(&configv1.ClientTls{ServerName: "a"}),
	}, changes{
		tls(&configv1.ClientTls{}),
		tls(&configv1.ClientTls{Enabled: true}),
		tls(&configv1.ClientTls{Enabled: true, ServerName: "a"}),
		tls(nil),
	}}
}
