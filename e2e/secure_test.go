package e2e

import (
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// guarded is a Kafka or a Redis that deploy/services/secure.sh set up for one test.
type guarded struct {
	dir, password string
	first         int
}

func startGuarded(t *testing.T, what string) *guarded {
	t.Helper()
	realServices(t) // the other half of the pair, and the word that such tests are wanted
	g := &guarded{dir: t.TempDir(), first: freePorts(t, 10)}
	script := func(args ...string) {
		t.Helper()
		cmd := exec.Command("../deploy/services/secure.sh", args...)
		cmd.Env = append(os.Environ(), "KYCBRIDGE_SERVICES_DIR="+g.dir, fmt.Sprint("SECURE_PORT=", g.first))
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("secure.sh %v: %v\n%s", args, err, out)
		}
	}
	t.Cleanup(func() { script("stop") })
	script("start", what)
	content, err := os.ReadFile(filepath.Join(g.dir, "password"))
	if err != nil {
		t.Fatal(err)
	}
	g.password = strings.TrimSpace(string(content))
	return g
}

// freePorts finds n ports in a row on which nobody listens.
func freePorts(t *testing.T, n int) int {
	t.Helper()
	for range 100 {
		_, text, _ := net.SplitHostPort(freePort(t))
		first, _ := strconv.Atoi(text)
		free := true
		for port := first; port < first+n && free; port++ {
			l, err := net.Listen("tcp", fmt.Sprint("127.0.0.1:", port))
			if free = err == nil; free {
				_ = l.Close()
			}
		}
		if free {
			return first
		}
	}
	t.Fatalf("no %d free ports in a row", n)
	return 0
}

func (g *guarded) address(n int) string { return fmt.Sprint("127.0.0.1:", g.first+n) }

func (g *guarded) file(name string) string { return filepath.Join(g.dir, name) }

// tls is a block of settings, indented for the section it stands in; each of
// settings is "field: name of a file of the folder".
func (g *guarded) tls(settings ...string) string {
	block := "  tls:\n    enabled: true\n"
	for _, s := range settings {
		field, name, _ := strings.Cut(s, ": ")
		block += fmt.Sprintf("    %s: %q\n", field, g.file(name))
	}
	return block
}

// settings writes a configuration with these two sections and a prefix of its own.
func settings(t *testing.T, kafka, redis string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kycbridge.yaml")
	text := fmt.Sprintf(`kafka:
  topic_prefix: "e2e-%d."
%sredis:
%stopics:
  create_missing: true
  partitions: 1
ingest:
  listen: "${KYCBRIDGE_LISTEN:-127.0.0.1:0}"
  drain_delay: 0s
admin:
  listen: "${KYCBRIDGE_ADMIN:-127.0.0.1:0}"
endpoints:
  - name: complycube
    provider: complycube
    environment: ENVIRONMENT_SANDBOX
    secrets:
      - id: primary
        value: "${KYCBRIDGE_SECRET_COMPLYCUBE}"
`, time.Now().UnixNano(), kafka, redis)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// through is one delivery, posted twice, on its way through a whole process: one
// event comes out, which `tail` sees with the same settings.
func through(t *testing.T, config string, env ...string) *stage {
	t.Helper()
	s := &stage{listen: freePort(t)}
	admin := freePort(t)
	env = append(env, "KYCBRIDGE_SECRET_COMPLYCUBE="+secret)
	createTopics(t, config, env)
	s.process = start(t, admin, append(env, "KYCBRIDGE_LISTEN="+s.listen, "KYCBRIDGE_ADMIN="+admin), "all", "--config", config)
	s.ready(t)
	once(t, s, config, env)
	return s
}

func once(t *testing.T, s *stage, config string, env []string) {
	t.Helper()
	l := newLoad("secure")
	for range 2 {
		if status := l.send(newClient(), "http://"+s.listen+"/hooks/complycube", l.make(0)); status != http.StatusOK {
			t.Fatalf("status %d, want 200", status)
		}
	}
	seen := func(args ...string) int {
		t.Helper()
		out, errs, code := command(t, env, append([]string{"tail", "--config", config}, args...)...)
		if code != 0 {
			t.Fatalf("tail %v: %s", args, errs)
		}
		return strings.Count(out, "\n")
	}
	seen("disposition", "--from-start", "--count", "2")
	if n := seen("check", "--until-end"); n != 1 {
		t.Errorf("%d events of one delivery, want 1", n)
	}
}

// refused runs a command that must end with one line that says each of wanted.
func refused(t *testing.T, password, config string, args []string, wanted ...string) {
	t.Helper()
	env := []string{"PASSWORD=" + password, "KYCBRIDGE_SECRET_COMPLYCUBE=" + secret}
	if args[0] == "normalize" { // it looks at topics before it looks at Redis
		createTopics(t, config, env)
	}
	_, errs, code := command(t, env, append(args, "--config", config)...)
	lines := strings.Split(strings.TrimSpace(errs), "\n")
	last := lines[len(lines)-1]
	for _, want := range wanted {
		if code == 0 || !strings.Contains(last, want) {
			t.Errorf("exit code %d and %q, want 1 and %q", code, last, want)
		}
	}
	if strings.Contains(errs, password) {
		t.Error("the output shows the password")
	}
}

// tokens is an OAuth 2 server whose tokens are not signed, which the broker of
// secure.sh takes.
type tokens struct {
	*httptest.Server
	asked  atomic.Int32
	refuse atomic.Bool
}

func unsigned() string {
	part := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
	now := time.Now().Unix()
	return part(`{"alg":"none"}`) + "." + part(fmt.Sprintf(`{"sub":"kyc","iat":%d,"exp":%d}`, now, now+3600)) + "."
}

func startTokens(t *testing.T, password string) *tokens {
	t.Helper()
	s := &tokens{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.asked.Add(1)
		if _, secret, _ := r.BasicAuth(); s.refuse.Load() || secret != password || r.FormValue("grant_type") != "client_credentials" {
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprint(w, `{"error":"invalid_client"}`)
			return
		}
		fmt.Fprintf(w, `{"access_token":%q,"token_type":"Bearer","expires_in":3600}`, unsigned())
	}))
	t.Cleanup(s.Close)
	return s
}

// TestRealKafkaSecurity: one event end to end over each way to connect to Kafka,
// and a clear line for each that fails.
func TestRealKafkaSecurity(t *testing.T) {
	g := startGuarded(t, "kafka")
	_, pair := realServices(t)
	server := startTokens(t, g.password)
	if err := os.WriteFile(g.file("token"), []byte(unsigned()), 0o600); err != nil {
		t.Fatal(err)
	}
	kafka := func(listener int, more ...string) string {
		return settings(t, fmt.Sprintf("  brokers: [%q]\n  client_id: e2e\n  rack: here\n%s", g.address(listener), strings.Join(more, "")),
			fmt.Sprintf("  address: %q\n", pair))
	}
	sasl := func(mechanism, more string) string {
		return "  sasl:\n    mechanism: SASL_MECHANISM_" + mechanism + "\n" + more
	}
	const user = "    username: kyc\n    password: \"${PASSWORD}\"\n"
	oauth := func(url string) string {
		return sasl("OAUTHBEARER", fmt.Sprintf("    oauth:\n      token_url: %q\n      client_id: kyc\n      client_secret: \"${PASSWORD}\"\n", url))
	}
	trusting := g.tls("ca_file: ca.crt")

	ways := map[string]func(*testing.T){}
	for name, config := range map[string]string{
		"TLS":           kafka(2, trusting),
		"mutual TLS":    kafka(3, g.tls("ca_file: ca.crt", "certificate_file: client.crt", "key_file: client.key")),
		"SCRAM-SHA-256": kafka(4, trusting, sasl("SCRAM_SHA_256", user)),
		"SCRAM-SHA-512": kafka(4, trusting, sasl("SCRAM_SHA_512", fmt.Sprintf("    username: kyc\n    password_file: %q\n", g.file("password")))),
		"PLAIN":         kafka(4, trusting, sasl("PLAIN", user)),
		"OAUTHBEARER":   kafka(4, trusting, oauth(server.URL)),
		"token file":    kafka(4, trusting, sasl("OAUTHBEARER", fmt.Sprintf("    oauth:\n      token_file: %q\n", g.file("token")))),
	} {
		ways[name] = func(t *testing.T) { through(t, config, "PASSWORD="+g.password).stop(t) }
	}
	together(t, ways)
	if server.asked.Load() == 0 {
		t.Error("nobody asked for a token")
	}

	const wrong = "not-the-password"
	failures := map[string]func(*testing.T){}
	for name, c := range map[string]struct {
		config string
		want   []string
	}{
		"wrong password, SCRAM": {kafka(4, trusting, sasl("SCRAM_SHA_512", user)), []string{"no connection to Kafka", g.address(4), "kafka.sasl", "password"}},
		"wrong password, PLAIN": {kafka(4, trusting, sasl("PLAIN", user)), []string{"no connection to Kafka", "kafka.sasl", "password"}},
		"wrong client secret":   {kafka(4, trusting, oauth(server.URL)), []string{"status 401 (invalid_client)", "kafka.sasl.oauth"}},
		"wrong authority":       {kafka(2, g.tls("ca_file: foreign.crt")), []string{"no connection to Kafka", "not trusted", "kafka.tls.ca_file"}},
		"wrong name":            {kafka(2, g.tls("ca_file: ca.crt")+"    server_name: kafka.internal\n"), []string{"kafka.tls.server_name"}},
		"no certificate":        {kafka(3, trusting), []string{"certificate_file"}},
		"a foreign certificate": {kafka(3, g.tls("ca_file: ca.crt", "certificate_file: stranger.crt", "key_file: stranger.key")), []string{"certificate_file"}},
		"plain text to TLS":     {kafka(2), []string{"kafka.tls.enabled"}},
		"TLS to plain text":     {kafka(0, trusting), []string{"kafka.tls"}},
		"no SASL":               {kafka(4, trusting), []string{"kafka.sasl"}},
	} {
		failures[name] = func(t *testing.T) { refused(t, wrong, c.config, []string{"topics", "check"}, c.want...) }
	}
	together(t, failures)
}

// together runs tests side by side and returns when all are over.
func together(t *testing.T, tests map[string]func(t *testing.T)) {
	t.Helper()
	t.Run("group", func(t *testing.T) {
		for name, test := range tests {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				test(t)
			})
		}
	})
}

// TestRealRedisSecurity: the same for Redis, with users, TLS, a Sentinel and a Cluster.
func TestRealRedisSecurity(t *testing.T) {
	g := startGuarded(t, "redis")
	pair, _ := realServices(t)
	redis := func(section string) string {
		return settings(t, fmt.Sprintf("  brokers: [%q]\n", pair), "  username: kyc\n  password: \"${PASSWORD}\"\n"+section)
	}
	at := func(n int) string { return fmt.Sprintf("  address: %q\n", g.address(n)) }
	both := g.tls("ca_file: ca.crt", "certificate_file: client.crt", "key_file: client.key")
	cluster := fmt.Sprintf("  cluster:\n    addresses: [%q, %q]\n", g.address(5), g.address(6))
	env := "PASSWORD=" + g.password

	tests := map[string]func(*testing.T){
		"mutual TLS, a user with few rights": func(t *testing.T) { through(t, redis(at(0)+both), env).stop(t) },
		"Cluster":                            func(t *testing.T) { through(t, redis(cluster), env).stop(t) },
		"Sentinel, and another master":       func(t *testing.T) { g.throughFailover(t, redis, env) },
		"a node of a Cluster as a single server": func(t *testing.T) {
			refused(t, g.password, redis(at(4)), []string{"normalize"}, "redis.cluster")
		},
	}
	const wrong = "not-the-password"
	for name, c := range map[string]struct {
		config string
		want   []string
	}{
		"wrong password":          {redis(at(0) + both), []string{g.address(0), "WRONGPASS", "redis.password"}},
		"wrong authority":         {redis(at(0) + g.tls("ca_file: foreign.crt", "certificate_file: client.crt", "key_file: client.key")), []string{"redis.tls.ca_file"}},
		"no certificate":          {redis(at(0) + g.tls("ca_file: ca.crt")), []string{"certificate_file"}},
		"plain text":              {redis(at(0)), []string{"redis.tls"}},
		"wrong password, Cluster": {redis(cluster), []string{g.address(5), "redis.password"}},
	} {
		tests[name] = func(t *testing.T) { refused(t, wrong, c.config, []string{"normalize"}, c.want...) }
	}
	together(t, tests)
}

// throughFailover ends the master after the first delivery: the replica takes
// over, and the second copy of what it may not have seen is still no event.
func (g *guarded) throughFailover(t *testing.T, redis func(string) string, env string) {
	config := redis(fmt.Sprintf("  sentinel:\n    addresses: [%q]\n    master: kyc\n    password: \"${PASSWORD}\"\n", g.address(3)))
	s := through(t, config, env)
	text, err := os.ReadFile(filepath.Join(g.dir, "redis-1", "pid"))
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	master, err := os.FindProcess(pid)
	if err != nil {
		t.Fatal(err)
	}
	if err := master.Kill(); err != nil {
		t.Fatal(err)
	}
	l := newLoad("secure")
	if status := l.send(newClient(), "http://"+s.listen+"/hooks/complycube", l.make(0)); status != http.StatusOK {
		t.Fatalf("status %d while Redis is away, want 200", status)
	}
	vars := []string{env, "KYCBRIDGE_SECRET_COMPLYCUBE=" + secret}
	if out, errs, code := command(t, vars, "tail", "disposition", "--config", config, "--from-start", "--count", "3"); code != 0 || strings.Count(out, "DUPLICATE") != 2 {
		t.Errorf("after the failover: exit code %d, dispositions %s %s; want one event and two duplicates", code, out, errs)
	}
	s.stop(t)
}
