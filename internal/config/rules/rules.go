// Package rules is the table of what a configuration is held against as a whole, beside the rules of single
// settings that stand in config.proto: for each rule its id, why a configuration that breaks it is dangerous, and
// what to write instead. Package config looks for what breaks them, and tools/configdoc prints the table.
//
// It judges nothing itself, and imports nothing.
package rules

// Severity is what becomes of a configuration that breaks a rule.
type Severity int

const (
	// Nothing: it is no fault there.
	Nothing Severity = iota
	// Warned of, at every start and by `config check`.
	Warned
	// RefusedByCheck: `config check` refuses it. A start only warns, since what time alone made wrong at one
	// endpoint must not silence the others.
	RefusedByCheck
	// Refused, by every start and by `config check`.
	Refused
)

// String is how the documents name it.
func (s Severity) String() string {
	return [...]string{"–", "warned of", "refused by `config check`, warned of at a start", "refused"}[s]
}

// Rule is one row of the table.
type Rule struct {
	ID string
	// Live is for what touches an endpoint of ENVIRONMENT_LIVE, or the whole process while there is one; Sandbox
	// for everything else.
	Live, Sandbox Severity
	Why           string // why it is dangerous: the rest of a sentence
	Write         string // what to write instead: an imperative
}

// For is what becomes of a configuration that breaks the rule.
func (r Rule) For(live bool) Severity {
	if live {
		return r.Live
	}
	return r.Sandbox
}

// All are the rules, by the section of the file that they are about.
func All() []Rule {
	return []Rule{
		FilesWritable, KeyReadable, SecretReused, SecretAsName,
		KafkaPlainText, KafkaPasswordPlain, KafkaUnauthenticated,
		RedisPasswordPlain, RedisPlainText, RedisUnauthenticated,
		RawLost, PersonalDataKept,
		ListenPublic, SlowSenders, StrangersMemory, LittleRoom, ProxiesEverybody,
		NoPepper, PepperChange, FailOpenSoon,
		AdminExposed,
		HeaderStandard, HeaderKept, Unauthenticated, Unsigned, NoValidSecret, ProofAcrossTenants, ProofAcrossEndpoints, SecretTwice, ReferenceAsIs,
		AllowFromEverybody, AllowFromProxy, AllowFromPrivate, KeySetPlain,
		APIPlain, APIInternal, APIAcrossTenants,
		TasksLost,
	}
}

// Of files and secrets, wherever they are named.
var (
	FilesWritable = Rule{"files.writable", Refused, Warned,
		"whoever can write it, or put another in its place, decides whom this process believes",
		"chmod o-w the file and its folder, or move it to a folder that only its owner may write to"}
	KeyReadable = Rule{"files.key_readable", Warned, Warned,
		"whoever reads the private key can pass for this process",
		"chmod 600 the file"}
	SecretReused = Rule{"secrets.reused", Refused, Warned,
		"whoever is told it for the one purpose has it for the other: a vendor would know the password of a server",
		"make a secret of its own for each purpose"}
	SecretAsName = Rule{"secrets.as_name", Refused, Warned,
		"names stand in metrics, logs, records and addresses, and the secret with them",
		"make a new secret, and give the name that says nothing about it"}
)

// Of kafka and redis.
var (
	KafkaPlainText = Rule{"kafka.plain_text", Warned, Warned,
		"whoever is on the way reads what people are asked for and can change it",
		"set kafka.tls.enabled: true"}
	KafkaPasswordPlain = Rule{"kafka.password_plain_text", Warned, Warned,
		"whoever is on the way reads the password or token",
		"set kafka.tls.enabled: true and remove allow_without_tls"}
	KafkaUnauthenticated = Rule{"kafka.unauthenticated", Warned, Warned,
		"a Kafka that asks nobody who he is lets everybody who reaches it read deliveries and write events",
		"set kafka.sasl, or a client certificate in kafka.tls"}
	RedisPasswordPlain = Rule{"redis.password_plain_text", Refused, Warned,
		"whoever is on the way reads the password, and can then make deliveries pass for duplicates",
		"set redis.tls.enabled: true, or reach Redis through a tunnel that ends at 127.0.0.1"}
	RedisPlainText = Rule{"redis.plain_text", Warned, Warned,
		"whoever is on the way can change marks and so make deliveries pass for duplicates",
		"set redis.tls.enabled: true"}
	RedisUnauthenticated = Rule{"redis.unauthenticated", Warned, Warned,
		"whoever reaches it can write marks and so make deliveries pass for duplicates",
		"set redis.password or password_file, or a client certificate in redis.tls"}
)

// Of topics, ingest, dedupe, admin and hydrate.
var (
	RawLost = Rule{"topics.raw_lost", Refused, Warned,
		"Kafka deletes what a vendor was told is accepted once the normalizer is away for longer, or is held up by somebody",
		"set raw_retention to 24h or more; the default is 14 days"}
	PersonalDataKept = Rule{"topics.personal_data_kept", Warned, Nothing,
		"raw deliveries and dead letters hold all that a vendor says about people, and whoever gets in finds all of it",
		"lower raw_retention and deadletter_retention to 90 days or less"}
	ListenPublic = Rule{"ingest.plain_http", Refused, Warned,
		"secrets in headers and addresses, and what people are asked for, cross the internet in the clear",
		"set ingest.tls, or listen on a private address behind a proxy that terminates HTTPS"}
	SlowSenders = Rule{"ingest.slow_senders", Refused, Warned,
		"a stranger who sends a byte now and then holds a place for as long, and no vendor needs it",
		"leave it out for its default, or set read_header_timeout to 30s, read_timeout to 120s and idle_timeout to 900s at most"}
	StrangersMemory = Rule{"ingest.strangers_memory", Refused, Warned,
		"strangers may make the process hold as much, and it ends when there is no more memory",
		"leave max_unproved_bytes out for its default, or set it to 1073741824 (1 GiB) at most"}
	LittleRoom = Rule{"ingest.little_room", Warned, Warned,
		"a few deliveries of one endpoint, while Kafka is slow, are 503 for all others",
		"leave max_requests and max_waiting_body_bytes out for their defaults, or let 100 requests and 8 of the largest bodies wait"}
	ProxiesEverybody = Rule{"ingest.proxies_everybody", Refused, Warned,
		"X-Forwarded-For is believed from strangers, who so get past every allow_from and every share of a source",
		"list the networks of your own proxies alone, such as 10.0.3.0/24"}
	NoPepper = Rule{"dedupe.no_pepper", Warned, Nothing,
		"hashes without a key can be tried out by whoever reads Redis, and found to be of a known id",
		"set dedupe.pepper or pepper_file; where there are marks already, beside accept_other_pepper for one start"}
	PepperChange = Rule{"dedupe.accept_other_pepper", Warned, Warned,
		"another pepper, put there by mistake or by somebody, makes events come out again",
		"remove it once every process has started"}
	FailOpenSoon = Rule{"dedupe.fail_open_soon", Warned, Warned,
		"whoever can disturb Redis for that long has deliveries published again",
		"set fail_open_after to 60s or more, or leave it out"}
	TasksLost = Rule{"hydrate.tasks_lost", Refused, Warned,
		"Kafka deletes a delivery that waits for the vendor's API before it is given up, and it leaves no event",
		"lower give_up_after below topics.raw_retention, or raise that"}
	AdminExposed = Rule{"admin.exposed", Refused, Warned,
		"metrics name endpoints, vendors and how much comes in, and nobody is asked who he is",
		"listen on 127.0.0.1 or on the one private address that probes use, such as \"${POD_IP}:9090\""}
)

// Of endpoints.
var (
	HeaderStandard = Rule{"endpoint.standard_header", Refused, Refused,
		"proxies and libraries write, change, drop and log such headers, so the secret would be replaced or shown",
		"choose a header that means nothing to anybody else, such as X-Auth-Token"}
	HeaderKept = Rule{"endpoint.kept_header", Refused, Refused,
		"what the vendor says in it is kept with each delivery, and a secret there would be kept and shown with it",
		"choose another header, such as X-Auth-Token"}
	Unauthenticated = Rule{"endpoint.unauthenticated", Refused, Warned,
		"anybody who knows the address can forge events",
		"configure a proof, which the vendor's part of docs/vendors.md names"}
	Unsigned = Rule{"endpoint.unsigned", Refused, Warned,
		"a secret that is sent along says nothing about the body, and whoever once reads it can forge every event, while the vendor could sign",
		"set what the vendor signs with, secrets or jwt, beside it or in its place"}
	NoValidSecret = Rule{"endpoint.no_valid_secret", RefusedByCheck, Warned,
		"nobody can be proved, so every delivery is answered 503 until the vendor gives up",
		"add the secret that is valid now"}
	ProofAcrossTenants = Rule{"endpoint.proof_across_tenants", Refused, Warned,
		"whoever may speak for the one tenant or test account can forge events of the other",
		"make a secret, or an audience, of its own for each"}
	ProofAcrossEndpoints = Rule{"endpoint.proof_across_endpoints", Warned, Warned,
		"a delivery to the one is believed by the other as well, and its event told twice",
		"make a secret, or an audience, of its own for each where the vendor can"}
	SecretTwice = Rule{"endpoint.secret_twice", Warned, Warned,
		"what looks like two locks, or like a new secret beside the old one, is one",
		"make a secret of its own for each"}
	ReferenceAsIs = Rule{"endpoint.reference_as_is", Warned, Nothing,
		"a mail address or a name that stands for a customer at the vendor is in every event about them, and whoever reads the topics finds it",
		"leave customer_reference out, so that it is hashed and still finds your record, or send the vendor an id that says nothing"}
	AllowFromEverybody = Rule{"endpoint.allow_from_everybody", Refused, Warned,
		"it stops next to nobody",
		"list the networks that the vendor names, such as 192.0.2.0/24, or remove it"}
	AllowFromProxy = Rule{"endpoint.allow_from_proxy", Refused, Warned,
		"all that a proxy passes on without X-Forwarded-For counts as the vendor's",
		"list the vendor's networks alone"}
	AllowFromPrivate = Rule{"endpoint.allow_from_private", Warned, Warned,
		"vendors send from the internet, so it is likely a proxy's address, which everybody has who comes through it",
		"list the vendor's networks, and the proxy under ingest.trusted_proxies"}
	KeySetPlain = Rule{"endpoint.jwks_plain_http", Refused, Warned,
		"whoever can answer in the key server's place signs what is believed",
		"use https, or jwks_file"}
	APIPlain = Rule{"api.plain_http", Warned, Warned,
		"whoever is on the way reads the credentials and makes up what the API says",
		"use https"}
	APIInternal = Rule{"api.internal", Refused, Warned,
		"private and loopback addresses are allowed for a name on the internet, so whoever has a hand in its DNS reaches into your network",
		"remove internal, or set base_url and token_url to addresses in your own network"}
	APIAcrossTenants = Rule{"api.credentials_across_tenants", Warned, Warned,
		"an id that is sent to the one tenant or test account shows an object of the other",
		"make credentials of its own for each"}
)
