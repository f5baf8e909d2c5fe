package config

import (
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	configv1 "github.com/kycbridge/kycbridge/schemas/kycbridge/config/v1"
)

// What no sender and no topic needs more of.
const (
	longestHeaderTime = 30 * time.Second
	longestReadTime   = 2 * time.Minute
	longestIdleTime   = 15 * time.Minute // load balancers of public clouds keep connections for ten
	longestPersonal   = 90 * 24 * time.Hour
	mostUnproved      = 1 << 30 // bytes
)

// What a deployment with senders cannot do with less of.
const (
	shortestRaw      = 24 * time.Hour
	shortestFailOpen = time.Minute
	fewestRequests   = 100
	fewestBodies     = 8 // of the largest
)

func (l *linter) kafkaPlainText() {
	if at := l.kafkaElsewhere(); at >= 0 && !l.config.File.Kafka.Tls.GetEnabled() {
		l.ofProcess(fieldPath("kafka", "brokers", at), "a Kafka on another machine is spoken to without TLS")
	}
}

func (l *linter) kafkaPasswordPlain() {
	k := l.config.File.Kafka
	if k.Sasl.GetAllowWithoutTls() && sendsSecret(k.Sasl.Mechanism) && !k.Tls.GetEnabled() && l.kafkaElsewhere() >= 0 {
		l.ofProcess(fieldPath("kafka", "sasl", "allow_without_tls"), "the mechanism sends its secret to another machine without TLS")
	}
}

func sendsSecret(m configv1.SaslMechanism) bool {
	return m == configv1.SaslMechanism_SASL_MECHANISM_PLAIN || m == configv1.SaslMechanism_SASL_MECHANISM_OAUTHBEARER
}

func (l *linter) kafkaUnauthenticated() {
	k := l.config.File.Kafka
	if at := l.kafkaElsewhere(); at >= 0 && k.Sasl == nil && k.Tls.GetCertificateFile() == "" {
		l.ofProcess(fieldPath("kafka", "brokers", at), "a Kafka on another machine is asked for everything without authentication")
	}
}

// kafkaElsewhere is the first of the brokers that is not on this machine, or -1.
func (l *linter) kafkaElsewhere() int {
	return slices.IndexFunc(l.config.File.Kafka.Brokers, func(item string) bool {
		return slices.ContainsFunc(strings.Split(item, ","), func(one string) bool { return !onThisMachine(strings.TrimSpace(one)) })
	})
}

func (l *linter) redisPasswordPlain() {
	r := l.config.File.Redis
	at := l.redisElsewhere()
	if at == nil || r.Tls.GetEnabled() {
		return
	}
	if len(l.config.RedisPassword.Reveal()) > 0 {
		l.ofProcess(fieldPath(at...), "the password is sent to another machine without TLS")
	}
	if len(l.config.SentinelPassword.Reveal()) > 0 {
		l.ofProcess(fieldPath(at...), "the Sentinels' password is sent to another machine without TLS")
	}
}

func (l *linter) redisPlainText() {
	at := l.redisElsewhere()
	if at != nil && !l.config.File.Redis.Tls.GetEnabled() && len(l.config.RedisPassword.Reveal()) == 0 {
		l.ofProcess(fieldPath(at...), "a Redis on another machine is spoken to without TLS")
	}
}

func (l *linter) redisUnauthenticated() {
	at := l.redisElsewhere()
	if at != nil && len(l.config.RedisPassword.Reveal()) == 0 && l.config.File.Redis.Tls.GetCertificateFile() == "" {
		l.ofProcess(fieldPath(at...), "a Redis on another machine is used without authentication")
	}
}

// redisElsewhere is where the file names a Redis that is not on this machine; nil if it names none.
func (l *linter) redisElsewhere() []any {
	r, at := l.config.File.Redis, []any{"redis", "address"}
	switch {
	case r.Sentinel != nil:
		at = []any{"redis", "sentinel", "addresses"}
	case r.Cluster != nil:
		at = []any{"redis", "cluster", "addresses"}
	}
	addresses := redisAddresses(r)
	switch i := slices.IndexFunc(addresses, func(a string) bool { return a != "" && !onThisMachine(a) }); {
	case i < 0:
		return nil
	case r.Sentinel != nil || r.Cluster != nil:
		return append(at, i)
	}
	return at
}

// onThisMachine reports whether "host:port" is a loopback address. A name that is not localhost may be anywhere.
func onThisMachine(address string) bool {
	host, _, err := net.SplitHostPort(address)
	return err == nil && loopback(host)
}

func loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback() || strings.EqualFold(host, "localhost")
}

func (l *linter) rawLost() {
	if d := l.config.File.Topics.RawRetention.AsDuration(); d < shortestRaw {
		l.ofProcess(fieldPath("topics", "raw_retention"), "raw deliveries are kept for %s", d)
	}
}

// tasksLost compares what a task may wait with how long its topic keeps it.
func (l *linter) tasksLost() {
	h, t := l.config.File.Hydrate, l.config.File.Topics
	if l.needs.Hydrate && h.GiveUpAfter.AsDuration() >= t.RawRetention.AsDuration() {
		l.ofProcess(fieldPath("hydrate", "give_up_after"), "is %s, and the hydrate topic is kept for %s", h.GiveUpAfter.AsDuration(), t.RawRetention.AsDuration())
	}
}

func (l *linter) personalDataKept() {
	t := l.config.File.Topics
	if d := t.RawRetention.AsDuration(); d > longestPersonal {
		l.ofProcess(fieldPath("topics", "raw_retention"), "raw deliveries are kept for %d days", int(d.Hours()/24))
	}
	if d := t.DeadletterRetention.AsDuration(); d > longestPersonal {
		l.ofProcess(fieldPath("topics", "deadletter_retention"), "dead letters are kept for %d days", int(d.Hours()/24))
	}
}

func (l *linter) listenPublic() {
	i := l.config.File.Ingest
	if l.needs.Ingest && i.Tls == nil && isPublic(i.Listen) {
		l.ofProcess(fieldPath("ingest", "listen"), "%s is on the internet, and there is no tls", i.Listen)
	}
}

func (l *linter) slowSenders() {
	i := l.config.File.Ingest
	if !l.needs.Ingest {
		return
	}
	for _, limit := range []struct {
		field   string
		is, may time.Duration
	}{
		{"read_header_timeout", i.ReadHeaderTimeout.AsDuration(), longestHeaderTime},
		{"read_timeout", i.ReadTimeout.AsDuration(), longestReadTime},
		{"idle_timeout", i.IdleTimeout.AsDuration(), longestIdleTime},
	} {
		if limit.is > limit.may {
			l.ofProcess(fieldPath("ingest", limit.field), "a connection may take %s", limit.is)
		}
	}
}

func (l *linter) strangersMemory() {
	if n := l.config.File.Ingest.MaxUnprovedBytes; n > mostUnproved {
		l.ofProcess(fieldPath("ingest", "max_unproved_bytes"), "%d bytes are for senders that are not proved", n)
	}
}

func (l *linter) littleRoom() {
	i := l.config.File.Ingest
	if !l.needs.Ingest {
		return
	}
	if i.MaxRequests < fewestRequests {
		l.ofProcess(fieldPath("ingest", "max_requests"), "only %d requests may wait", i.MaxRequests)
	}
	largest := int64(0)
	for _, e := range l.config.Endpoints {
		largest = max(largest, int64(e.MaxBodyBytes))
	}
	if i.MaxWaitingBodyBytes < fewestBodies*largest {
		l.ofProcess(fieldPath("ingest", "max_waiting_body_bytes"), "only %d bytes may wait, and a body may have %d", i.MaxWaitingBodyBytes, largest)
	}
}

func (l *linter) proxiesEverybody() {
	for i, p := range l.config.Trusted {
		if wide(p) {
			l.ofProcess(fieldPath("ingest", "trusted_proxies", i), "trusts all of %s", p)
		}
	}
}

// wide reports whether a network holds so much of the internet that it can be nobody's own.
func wide(p netip.Prefix) bool {
	if isPrivate(p) {
		return false
	}
	return p.Bits() < 10 && p.Addr().Is4() || p.Bits() < 20 && p.Addr().Is6()
}

// privateNetworks are those that no sender on the internet has an address of: private, shared, loopback, link-local.
var privateNetworks = []netip.Prefix{
	netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("172.16.0.0/12"), netip.MustParsePrefix("192.168.0.0/16"),
	netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("169.254.0.0/16"),
	netip.MustParsePrefix("fc00::/7"), netip.MustParsePrefix("::1/128"), netip.MustParsePrefix("fe80::/10"),
}

// isPrivate reports whether all of a network is private.
func isPrivate(p netip.Prefix) bool {
	return slices.ContainsFunc(privateNetworks, func(n netip.Prefix) bool { return n.Bits() <= p.Bits() && n.Contains(p.Addr()) })
}

func (l *linter) noPepper() {
	if (l.needs.Normalize || l.needs.Hydrate) && len(l.config.Pepper.Reveal()) == 0 {
		l.ofProcess(fieldPath("dedupe", "pepper"), "is not set")
	}
}

func (l *linter) pepperChange() {
	if l.config.File.Dedupe.AcceptOtherPepper {
		l.ofProcess(fieldPath("dedupe", "accept_other_pepper"), "marks of another pepper are accepted")
	}
}

func (l *linter) failOpenSoon() {
	if d := l.config.File.Dedupe.FailOpenAfter; d != nil && d.AsDuration() < shortestFailOpen {
		l.ofProcess(fieldPath("dedupe", "fail_open_after"), "after %s without Redis, nothing is recognised as a copy", d.AsDuration())
	}
}

func (l *linter) adminExposed() {
	if a := l.config.File.Admin.Listen; isPublic(a) || everyInterface(a) {
		l.ofProcess(fieldPath("admin", "listen"), "%q is open to whoever reaches this machine", a)
	}
}

// everyInterface reports whether listening on "host:port" is listening on every address of the machine.
func everyInterface(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return host == "" || err == nil && ip.Unmap().IsUnspecified()
}

// isPublic reports whether "host:port" is an address on the internet; a name is not looked up.
func isPublic(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	ip = ip.WithZone("").Unmap()
	return err == nil && ip.IsGlobalUnicast() && !isPrivate(netip.PrefixFrom(ip, ip.BitLen()))
}
