package config

import (
	"fmt"

	"github.com/kycbridge/kycbridge/internal/config/rules"
)

// Where a case needs several sections, "\n;" stands between them.

const otherListen = "\n;ingest: {listen: \"127.0.0.1:8080\"}"

func lintedFiles() []linted {
	served := func(certificate, key string) string {
		return fmt.Sprintf(`ingest: {listen: "127.0.0.1:8080", tls: {certificate_file: "${DIR}/%s", key_file: "${DIR}/%s"}}`, certificate, key)
	}
	client := `kafka: {brokers: ["127.0.0.1:9092"], tls: {enabled: true, ca_file: "${DIR}/ca.pem", certificate_file: "${DIR}/client.pem", key_file: "${DIR}/client.key"}}`
	return []linted{
		{rules.FilesWritable, "ingest.tls.certificate_file", []string{served("written.pem", "client.key"), served("open/secret", "client.key"), served("shut/link", "client.key")},
			[]string{served("client.pem", "client.key"), served("shut/secret", "client.key"), served("sticky/secret", "client.key"), served("sticky/link", "client.key"), client}},
		{rules.KeyReadable, "ingest.tls.key_file", []string{served("client.pem", "open.key")}, []string{served("client.pem", "client.key")}},
		{rules.SecretReused, "redis.password", []string{`redis: {address: "127.0.0.1:6379", password: "${ONE}"}`}, []string{`redis: {address: "127.0.0.1:6379", password: "${TWO}"}`}},
		{rules.SecretReused, "dedupe.pepper", []string{`dedupe: {pepper: "${ONE}"}`}, []string{`dedupe: {pepper: "${TWO}"}`}},
		{rules.SecretReused, "dedupe.pepper", []string{"dedupe: {pepper: \"${TWO}\"}\n;redis: {address: \"127.0.0.1:6379\", password: \"${TWO}\"}"}, []string{`dedupe: {pepper: "${TWO}"}`}},
		{rules.SecretAsName, "endpoints[0].secrets[0]", []string{endpointsOf(`name: "${NAME}", provider: vendor, secrets: [{id: a, value: "${NAME}"}]`),
			endpointsOf(`name: one, tenant: "${NAME}", provider: vendor, secrets: [{id: a, value: "${NAME}"}]`), endpointsOf(`name: one, provider: vendor, secrets: [{id: "${NAME}", value: "${NAME}"}]`),
			endpointsOf(`name: one, provider: asks, secrets: [{id: a, value: "${ONE}"}], api: {username: "${ONE}", password: "${TWO}"}`)},
			[]string{endpointsOf(`name: a-name-of-16-bytes, provider: vendor, secrets: [{id: an-id-of-16-bytes-, value: "${ONE}"}]`)}},
		{rules.SecretAsName, "redis.password", []string{`redis: {address: "127.0.0.1:6379", username: "${TWO}", password: "${TWO}"}`}, []string{`redis: {address: "127.0.0.1:6379", username: kycbridge, password: "${TWO}"}`}},
		{rules.SecretReused, "endpoints[0].api.key", []string{endpointsOf(`name: one, provider: asks, secrets: [{id: a, value: "${ONE}"}], api: {key: "${ONE}"}`)},
			[]string{endpointsOf(`name: one, provider: asks, secrets: [{id: a, value: "${ONE}"}], api: {key: "${TWO}"}`)}},
	}
}

func lintedServers() []linted {
	const (
		tls    = `, tls: {enabled: true}`
		mutual = `, tls: {enabled: true, ca_file: "${DIR}/ca.pem", certificate_file: "${DIR}/client.pem", key_file: "${DIR}/client.key"}`
		scram  = `, sasl: {mechanism: SASL_MECHANISM_SCRAM_SHA_512, username: kyc, password: "${KAFKA}"}`
		plain  = `, sasl: {mechanism: SASL_MECHANISM_PLAIN, username: kyc, password: "${KAFKA}", allow_without_tls: true}`
		word   = `, password: "${REDIS}"`
	)
	kafka := func(brokers, more string) string { return fmt.Sprintf("kafka: {brokers: [%s]%s}", brokers, more) }
	redis := func(place, more string) string { return fmt.Sprintf("redis: {%s%s}", place, more) }
	const (
		here      = `"127.0.0.1:9092", "localhost:9092, [::1]:9092"`
		there     = `"127.0.0.1:9092", "localhost:9092,kafka-1.internal:9092"`
		redisHere = `address: "127.0.0.1:6379"`
		address   = `address: "10.0.0.4:6379"`
		sentinels = `sentinel: {master: kyc, addresses: ["127.0.0.1:26379", "10.0.0.4:26379"]}`
		guarded   = `sentinel: {master: kyc, addresses: ["10.0.0.4:26379"], password: "${SENTINEL}"}`
		cluster   = `cluster: {addresses: ["redis.internal:6379"]}`
	)
	return []linted{
		{rules.KafkaPlainText, "kafka.brokers[1]", []string{kafka(there, ""), kafka(there, scram)}, []string{kafka(here, ""), kafka(there, tls)}},
		{rules.KafkaPasswordPlain, "kafka.sasl.allow_without_tls", []string{kafka(there, plain)}, []string{kafka(there, tls+plain), kafka(here, plain), kafka(there, scram)}},
		{rules.KafkaUnauthenticated, "kafka.brokers[1]", []string{kafka(there, ""), kafka(there, tls)}, []string{kafka(here, ""), kafka(there, mutual), kafka(there, scram)}},
		{rules.RedisPasswordPlain, "redis.address", []string{redis(address, word)}, []string{redis(address, word+tls), redis(redisHere, word), redis(address, "")}},
		{rules.RedisPasswordPlain, "redis.sentinel.addresses[1]", []string{redis(sentinels, word)}, []string{redis(sentinels, word+tls)}},
		{rules.RedisPasswordPlain, "redis.sentinel.addresses[0]", []string{redis(guarded, "")}, []string{redis(guarded, tls)}},
		{rules.RedisPasswordPlain, "redis.cluster.addresses[0]", []string{redis(cluster, word)}, []string{redis(cluster, word+tls)}},
		{rules.RedisPlainText, "redis.address", []string{redis(address, "")}, []string{redis(address, tls), redis(redisHere, "")}},
		{rules.RedisUnauthenticated, "redis.address", []string{redis(address, ""), redis(address, tls)}, []string{redis(address, word), redis(address, mutual), redis(redisHere, "")}},
		{rules.RawLost, "topics.raw_retention", []string{"topics: {raw_retention: 60s}", "topics: {raw_retention: 23h}"}, []string{"topics: {raw_retention: 24h}"}},
		{rules.TasksLost, "hydrate.give_up_after", []string{"topics: {raw_retention: 24h}\nhydrate: {give_up_after: 24h}"}, []string{"topics: {raw_retention: 24h}\nhydrate: {give_up_after: 23h}"}},
		{rules.FailOpenSoon, "dedupe.fail_open_after", []string{`dedupe: {pepper: "${PEPPER}", fail_open_after: 59s}`}, []string{`dedupe: {pepper: "${PEPPER}", fail_open_after: 60s}`}},
		{rules.PersonalDataKept, "topics.raw_retention", []string{"topics: {raw_retention: 2400h}"}, []string{"topics: {raw_retention: 2160h}"}},
		{rules.PersonalDataKept, "topics.deadletter_retention", []string{"topics: {deadletter_retention: 2400h}"}, []string{"topics: {deadletter_retention: 2160h, domain_retention: 9000h}"}},
		{rules.NoPepper, "dedupe.pepper", []string{"dedupe: {}"}, []string{`dedupe: {pepper_file: "${DIR}/shut/secret"}`}},
		{rules.PepperChange, "dedupe.accept_other_pepper", []string{`dedupe: {pepper: "${PEPPER}", accept_other_pepper: true}`}, []string{`dedupe: {pepper: "${PEPPER}"}`}},
		{rules.AdminExposed, "admin.listen", []string{`admin: {listen: ":9090"}`, `admin: {listen: "0.0.0.0:9090"}`, `admin: {listen: "[::]:9090"}`, `admin: {listen: "[::ffff:0.0.0.0]:9090"}`, `admin: {listen: "203.0.113.7:9090"}`},
			[]string{`admin: {}`, `admin: {listen: "10.0.0.7:9090"}`, `admin: {listen: "localhost:9090"}`, `admin: {listen: "[fe80::1%eth0]:9090"}`}},
	}
}

func lintedIngest() []linted {
	listen := func(address, more string) string { return fmt.Sprintf("ingest: {listen: %q%s}", address, more) }
	proxies := func(networks string) string { return listen("127.0.0.1:8080", ", trusted_proxies: ["+networks+"]") }
	const tls = `, tls: {certificate_file: "${DIR}/client.pem", key_file: "${DIR}/client.key"}`
	return []linted{
		{rules.ListenPublic, "ingest.listen", []string{listen("203.0.113.7:80", ""), listen("[2001:db8::7]:80", "")},
			[]string{listen("203.0.113.7:443", tls), listen("10.0.0.7:80", ""), listen(":8080", "")}},
		{rules.SlowSenders, "ingest.read_header_timeout", []string{listen(":8080", ", read_header_timeout: 31s, read_timeout: 60s")}, []string{listen(":8080", ", read_header_timeout: 30s, read_timeout: 60s")}},
		{rules.SlowSenders, "ingest.read_timeout", []string{listen(":8080", ", read_timeout: 3600s")}, []string{listen(":8080", ", read_timeout: 120s")}},
		{rules.SlowSenders, "ingest.idle_timeout", []string{listen(":8080", ", idle_timeout: 3600s")}, []string{listen(":8080", ", idle_timeout: 620s")}},
		{rules.StrangersMemory, "ingest.max_unproved_bytes", []string{listen(":8080", ", max_unproved_bytes: 1073741825")}, []string{listen(":8080", ", max_unproved_bytes: 1073741824"), listen(":8080", "")}},
		{rules.LittleRoom, "ingest.max_requests", []string{listen(":8080", ", max_requests: 99")}, []string{listen(":8080", ", max_requests: 100")}},
		{rules.LittleRoom, "ingest.max_waiting_body_bytes", []string{listen(":8080", ", max_waiting_body_bytes: 8388607"), listen(":8080", ", max_body_bytes: 1024, max_waiting_body_bytes: 131072") + "\n;" + endpointsOf(`name: one, provider: vendor, max_body_bytes: 16385, secrets: [{id: a, value: "${ONE}"}]`)},
			[]string{listen(":8080", ", max_waiting_body_bytes: 8388608"), listen(":8080", ", max_body_bytes: 1024, max_waiting_body_bytes: 131072")}},
		{rules.ProxiesEverybody, "ingest.trusted_proxies[0]", []string{proxies(`"0.0.0.0/0"`), proxies(`"::/0"`), proxies(`"8.0.0.0/8", "10.0.3.0/24"`), proxies(`"2000::/3"`), proxies(`"10.0.0.0/7"`)},
			[]string{proxies(`"10.0.0.0/8", "fc00::/7", "::1"`), proxies(`"104.16.0.0/12", "2606:4700::/32"`)}},
		{rules.ProxiesEverybody, "ingest.trusted_proxies[1]", []string{proxies(`"0.0.0.0/1", "128.0.0.0/1"`)}, []string{proxies(`"10.0.3.0/24"`)}},
	}
}

// lintedSecret is an endpoint whose one secret says more.
func lintedSecret(more string) string {
	return endpointsOf(`name: one, provider: vendor, secrets: [{id: a, value: "${ONE}", ` + more + `}]`)
}

func lintedProofs() []linted {
	header := func(name string) string {
		return endpointsOf(fmt.Sprintf(`name: one, provider: keeps, secrets: [{id: s, value: "${ONE}"}], headers: [{name: %s, secrets: [{id: a, value: "${TWO}"}]}]`, name))
	}
	two := func(vendor, first, second string) string {
		return endpointsOf(`name: one, tenant: a, provider: `+vendor+`, `+first, `name: two, tenant: b, provider: `+vendor+`, `+second)
	}
	same := func(vendor, first, second string) string {
		return endpointsOf(`name: one, provider: `+vendor+`, `+first, `name: two, provider: `+vendor+`, `+second)
	}
	token := func(audience string) string {
		return `jwt: {jwks_url: "https://vendor.invalid/k", issuer: "https://vendor.invalid", audience: "` + audience + `"}`
	}
	marks := func(proof string) string { return endpointsOf("name: one, provider: marks, " + proof) }
	const (
		one, two2 = `secrets: [{id: a, value: "${ONE}"}]`, `secrets: [{id: a, value: "${TWO}"}]`
		beside    = `secrets: [{id: a, value: "${TWO}"}, {id: b, value: "${ONE}"}]`
		bearer    = `bearer: [{id: a, value: "${ONE}"}]`
		pathToken = `path_tokens: [{id: a, value: "${ONE}"}]`
	)
	var standard []string
	for _, name := range []string{"User-Agent", "content-type", "Host", "Cookie", "Connection", "proxy-authorization", "Transfer-Encoding", "X-Forwarded-For", "Forwarded",
		"X-Real-IP", "Sec-Fetch-Site", "Accept-Encoding", "If-None-Match", "X-Request-Id", "Kycbridge-Delivery-Id"} {
		standard = append(standard, header(name))
	}
	return []linted{
		{rules.HeaderStandard, "endpoints[0].headers[0].name", standard, []string{header("X-Auth-Token"), header("Authorization"), header("Acceptance"), header("X-Forward"), marks(`secrets: [{id: a, value: "${ONE}"}]`)}},
		{rules.HeaderKept, "endpoints[0].headers[0].name", []string{header("X-Vendor-Event"), header("x-VENDOR-event")}, []string{header("X-Vendor-Events"), marks(`jwt: {jwks_url: "https://vendor.invalid/k", issuer: i, audience: a, header: x-token}`)}},
		{rules.NoValidSecret, "endpoints[0].secrets", []string{lintedSecret(`not_after: "2020-01-01T00:00:00Z"`), lintedSecret(`not_before: "2999-01-01T00:00:00Z"`)},
			[]string{lintedSecret(`not_before: "2020-01-01T00:00:00Z", not_after: "2999-01-01T00:00:00Z"`),
				endpointsOf(`name: one, provider: vendor, secrets: [{id: a, value: "${ONE}", not_after: "2020-01-01T00:00:00Z"}, {id: b, value: "${TWO}"}]`)}},
		{rules.ProofAcrossTenants, "endpoints[1].secrets[0]", []string{two("vendor", one, one)}, []string{two("vendor", one, two2), same("vendor", one, one)}},
		{rules.ProofAcrossTenants, "endpoints[1].secrets[1]", []string{two("vendor", one, beside)}, []string{two("vendor", one, two2)}},
		{rules.ProofAcrossTenants, "endpoints[1].path_tokens[0]", []string{two("mute", bearer, pathToken)}, []string{two("mute", bearer, `path_tokens: [{id: a, value: "${TWO}"}]`)}},
		{rules.ProofAcrossTenants, "endpoints[1].path_tokens[0]", []string{two("mute", `bearer: [{id: a, value: "${TWO}"}], path_tokens: [{id: b, value: "${ONE}"}]`, pathToken)},
			[]string{two("mute", `bearer: [{id: a, value: "${TWO}"}], path_tokens: [{id: b, value: "${THREE}"}]`, pathToken)}},
		{rules.ProofAcrossTenants, "endpoints[1].jwt.audience", []string{two("other", token("x"), token("x"))}, []string{two("other", token("x"), token("y"))}},
		{rules.ProofAcrossEndpoints, "endpoints[1].secrets[0]", []string{same("vendor", one, one)}, []string{same("vendor", one, two2), same("vendor", `secrets: [{id: a, value: "${ONE}"}, {id: b, value: "${ONE}"}]`, two2)}},
		{rules.ProofAcrossEndpoints, "endpoints[1].jwt.audience", []string{same("other", token("x"), token("x"))}, []string{same("other", token("x"), token("y"))}},
		{rules.SecretTwice, "endpoints[0]", []string{same("vendor", `secrets: [{id: a, value: "${ONE}"}, {id: b, value: "${ONE}"}]`, two2), same("mute", bearer+", "+`path_tokens: [{id: b, value: "${ONE}"}]`, `bearer: [{id: a, value: "${TWO}"}]`)},
			[]string{same("vendor", beside, `secrets: [{id: a, value: "${THREE}"}]`)}},
	}
}

func lintedEndpoints() []linted {
	allow := func(networks string) string {
		return endpointsOf(`name: one, provider: vendor, secrets: [{id: a, value: "${ONE}"}], allow_from: [` + networks + `]`)
	}
	behind := func(proxies string) string {
		return "\n;ingest: {listen: \"127.0.0.1:8080\", trusted_proxies: [" + proxies + "]}"
	}
	api := func(more string) string {
		return endpointsOf(`name: one, provider: asks, secrets: [{id: a, value: "${ONE}"}], api: {key: "${KEY}"` + more + `}`)
	}
	keys := func(url string) string {
		return endpointsOf(`name: one, provider: other, jwt: {jwks_url: "` + url + `", issuer: i, audience: a}`)
	}
	two := func(key string) string {
		return endpointsOf(`name: one, tenant: a, provider: asks, secrets: [{id: a, value: "${ONE}"}], api: {key: "${KEY}"}`,
			`name: two, tenant: b, provider: asks, secrets: [{id: a, value: "${TWO}"}], api: {key: "`+key+`"}`)
	}
	reference := func(leaves string) string {
		return endpointsOf(`name: one, provider: vendor, secrets: [{id: a, value: "${ONE}"}], customer_reference: ` + leaves)
	}
	return []linted{
		{rules.Unauthenticated, "endpoints[0].allow_unauthenticated", []string{endpointsOf("name: one, provider: vendor, allow_unauthenticated: true")},
			[]string{endpointsOf(`name: one, provider: vendor, secrets: [{id: a, value: "${ONE}"}]`)}},
		{rules.Unsigned, "endpoints[0]",
			[]string{endpointsOf(`name: one, provider: keeps, headers: [{name: X-Auth-Token, secrets: [{id: a, value: "${ONE}"}]}], allow_from: ["192.0.2.0/24"]`),
				endpointsOf(`name: one, provider: strict, path_tokens: [{id: a, value: "${ONE}"}]`)},
			[]string{endpointsOf(`name: one, provider: keeps, secrets: [{id: b, value: "${TWO}"}], headers: [{name: X-Auth-Token, secrets: [{id: a, value: "${ONE}"}]}]`),
				endpointsOf(`name: one, provider: strict, jwt: {jwks_url: "https://vendor.invalid/k", issuer: i, audience: a, header: X-Token}`)}},
		{rules.ReferenceAsIs, "endpoints[0].customer_reference", []string{reference("AS_IS"), reference("CUSTOMER_REFERENCE_AS_IS")}, []string{reference("HASHED")}},
		{rules.AllowFromEverybody, "endpoints[0].allow_from[1]", []string{allow(`"192.0.2.0/24", "0.0.0.0/0"`), allow(`"192.0.2.0/24", "::/0"`), allow(`"192.0.2.0/24", "64.0.0.0/2"`)}, []string{allow(`"192.0.2.0/24", "104.16.0.0/12"`)}},
		{rules.AllowFromProxy, "endpoints[0].allow_from[0]", []string{allow(`"10.0.3.7"`) + behind(`"10.0.0.0/8"`), allow(`"203.0.113.0/24"`) + behind(`"203.0.113.7"`)},
			[]string{allow(`"192.0.2.0/24"`) + behind(`"10.0.0.0/8"`), allow(`"0.0.0.0/0"`) + behind(`"10.0.0.0/8"`), allow(`"192.0.2.0/24"`) + behind(`"0.0.0.0/0"`), allow(`"10.0.3.7"`) + otherListen}},
		{rules.AllowFromPrivate, "endpoints[0].allow_from[0]", []string{allow(`"10.0.3.7"`), allow(`"127.0.0.1"`), allow(`"fd00::/8"`)}, []string{allow(`"192.0.2.0/24", "2001:db8::/32"`)}},
		{rules.KeySetPlain, "endpoints[0].jwt.jwks_url", []string{keys("http://127.0.0.1:1/k"), keys("HTTP://localhost:1/k")}, []string{keys("https://127.0.0.1:1/k")}},
		{rules.APIPlain, "endpoints[0].api.base_url", []string{api(`, internal: true, base_url: "http://10.0.0.9:8080"`)}, []string{api(`, internal: true, base_url: "https://10.0.0.9"`), api(`, internal: true, base_url: "http://127.0.0.1:8080"`)}},
		{rules.APIPlain, "endpoints[0].api.token_url", []string{api(`, internal: true, base_url: "https://10.0.0.9", token_url: "http://auth.internal"`)}, []string{api("")}},
		{rules.APIInternal, "endpoints[0].api.internal", []string{api(", internal: true"), api(`, internal: true, base_url: "https://api.asks.example"`)}, []string{api(""), api(`, internal: true, base_url: "https://10.0.0.9"`)}},
		{rules.APIAcrossTenants, "endpoints[1].api.key", []string{two("${KEY}")}, []string{two("${OTHER}")}},
	}
}
