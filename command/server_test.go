package command

import (
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/kycbridge/kycbridge/embedded"
	"github.com/kycbridge/kycbridge/internal/serve"
)

// pair is a broker without topics and a Redis, for commands that take a
// configuration.
type pair struct{ kafka, redis, config string }

func startPair(t *testing.T, createMissing bool) *pair {
	t.Helper()
	services, err := embedded.Start(t.Context(), embedded.Options{DataDir: t.TempDir(), KafkaAddr: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := services.Close(); err != nil {
			t.Error(err)
		}
	})
	p := &pair{kafka: services.Brokers()[0], redis: services.RedisAddr()}
	p.config = p.file(t, createMissing, 2)
	return p
}

func (p *pair) file(t *testing.T, createMissing bool, partitions int) string {
	t.Helper()
	return writeFile(t, "kycbridge.yaml", fmt.Sprintf(`kafka:
  brokers: ["%s"]
  topic_prefix: "test."
redis:
  address: "%s"
topics:
  create_missing: %t
  partitions: %d
ingest:
  listen: "127.0.0.1:0"
  drain_delay: 0s
admin:
  listen: "127.0.0.1:0"
endpoints:
  - name: shop
    provider: complycube
    environment: ENVIRONMENT_LIVE
    secrets:
      - id: primary
        value: "${SECRET}"
`, p.kafka, p.redis, createMissing, partitions))
}

const testSecret = "hunter2hunter2hunter2"

var (
	withSecret = map[string]string{"SECRET": testSecret}
	forSend    = map[string]string{"KYCBRIDGE_SECRET_COMPLYCUBE": testSecret}
)

// TestTopicsThenServe: missing topics are refused with the command that makes
// them; after it, ingest and normalize do their halves in two processes'
// stead, normalize without the endpoints' secrets.
func TestTopicsThenServe(t *testing.T) {
	p := startPair(t, false)
	for _, args := range [][]string{{"topics", "check"}, {"ingest"}, {"normalize"}, {"all"}} {
		_, errs, code := call(t, withSecret, append(args, "--config", p.config)...)
		if code == 0 || !strings.Contains(lastLine(errs), "kycbridge topics create --config") {
			t.Errorf("%v without topics: code %d: %s", args, code, errs)
		}
	}
	if out, errs, code := call(t, nil, "topics", "create", "--config", p.config); code != 0 || strings.Count(out, "created test.") != 10 {
		t.Fatalf("topics create: code %d\n%s%s", code, out, errs)
	}
	if out, errs, code := call(t, nil, "topics", "create", "--config", p.config); code != 0 || !strings.Contains(out, "exist already") {
		t.Errorf("topics create again: code %d\n%s%s", code, out, errs)
	}
	if out, errs, code := call(t, nil, "topics", "check", "--config", p.config); code != exitFailed || !strings.Contains(out, "unsafe: replication factor is 1, expected 3 or more") {
		t.Errorf("topics check: code %d\n%s%s", code, out, errs)
	}

	in := start(t, withSecret, "ingest", "--config", p.config)
	in.ready(t)
	work := start(t, nil, "normalize", "--config", p.config, "--instance", "3")
	work.ready(t)
	if out, errs, code := call(t, forSend, "send", "complycube", "--to", "http://"+in.Hooks+"/hooks/shop", "--duplicate", "3"); code != 0 {
		t.Fatalf("send: code %d\n%s%s", code, out, errs)
	}
	out, errs, code := call(t, nil, "tail", "session", "--config", p.config, "--from-start", "--count", "1")
	if code != 0 || !strings.Contains(out, `"topic":"test.session.v1"`) || !strings.Contains(out, `"environment":"ENVIRONMENT_LIVE"`) {
		t.Errorf("tail: code %d\n%s%s", code, out, errs)
	}
	in.stop(t)
	work.stop(t)
	if text := in.stderr.String() + work.stderr.String(); strings.Contains(text, "hunter2") {
		t.Errorf("a log shows a secret:\n%s", text)
	}
}

func TestAllCreatesMissingTopics(t *testing.T) {
	p := startPair(t, true)
	all := start(t, withSecret, "all", "--config", p.config)
	all.ready(t)
	if _, errs, code := call(t, forSend, "send", "complycube", "--to", "http://"+all.Hooks+"/hooks/shop"); code != 0 {
		t.Fatalf("send: code %d: %s", code, errs)
	}
	if out, errs, code := call(t, nil, "tail", "--config", p.config, "--from-start", "--count", "1"); code != 0 || !strings.Contains(out, `"provider":"complycube"`) {
		t.Errorf("tail: code %d\n%s%s", code, out, errs)
	}
	all.stop(t)
}

func TestNormalizeSaysItsRandomInstance(t *testing.T) {
	p := startPair(t, true)
	work := start(t, nil, "normalize", "--config", p.config)
	work.ready(t)
	if text := work.stderr.String(); !strings.Contains(text, "is random") || !strings.Contains(text, "--instance") {
		t.Errorf("the log does not say that the instance is random:\n%s", text)
	}
	work.stop(t)
}

func TestInstanceFlag(t *testing.T) {
	env, _, _ := surroundings(nil)
	env.hostname = func() (string, error) { return "kycbridge-7", nil }
	for flag, want := range map[int]int{3: 3, 0: 0, instanceUnset: 7} {
		if got, err := (serverFlags{instance: flag}).number(&env, serve.Normalize, slog.New(slog.DiscardHandler)); got != want || err != nil {
			t.Errorf("--instance %d on kycbridge-7 gives %d, %v, want %d", flag, got, err, want)
		}
	}
}

func TestServerFaults(t *testing.T) {
	p := startPair(t, true)
	away := &pair{kafka: "127.0.0.1:1", redis: p.redis}
	noRedis := &pair{kafka: p.kafka, redis: "127.0.0.1:1"}
	for _, tc := range []struct {
		name string
		args []string
		want []string
	}{
		{"Kafka away", []string{"all", "--config", away.file(t, true, 2)}, []string{"127.0.0.1:1", "make services", "kafka.brokers"}},
		{"Kafka away for tail", []string{"tail", "--brokers", "127.0.0.1:1"}, []string{"127.0.0.1:1", "kycbridge dev", "--brokers"}},
		{"Redis away", []string{"normalize", "--config", noRedis.file(t, true, 2)}, []string{"127.0.0.1:1", "make services", "redis.address"}},
		{"no configuration", []string{"all"}, []string{"--config"}},
		{"no such configuration", []string{"all", "--config", "nowhere.yaml"}, []string{"nowhere.yaml"}},
		{"an argument too many", []string{"all", "now"}, []string{"now", "all --help"}},
		{"instance below 0", []string{"normalize", "--config", p.config, "--instance=-4"}, []string{"--instance is -4"}},
		{"no subcommand of topics", []string{"topics"}, []string{"create or check"}},
		{"unknown topic", []string{"tail", "sesion"}, []string{"sesion", "session"}},
		{"topic that is not there", []string{"tail", "raw", "--brokers", p.kafka}, []string{"kyc.raw.v1", "kycbridge topics create"}},
		{"unknown command", []string{"alll"}, []string{"alll"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel() // some wait
			_, errs, code := call(t, withSecret, tc.args...)
			if code == 0 {
				t.Error("code 0, want another")
			}
			for _, want := range tc.want {
				if !strings.Contains(lastLine(errs), want) {
					t.Errorf("the last line does not say %q:\n%s", want, errs)
				}
			}
		})
	}
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}

func TestConfigCheck(t *testing.T) {
	p := &pair{kafka: "127.0.0.1:9092", redis: "127.0.0.1:6379"}
	out, errs, code := call(t, withSecret, "config", "check", p.file(t, true, 12))
	if code != 0 || !strings.Contains(out, "grace period: ingest ") || !strings.Contains(out, "is valid: 1 endpoint,") || strings.Contains(out, "hunter2") {
		t.Errorf("code %d\n%s%s", code, out, errs)
	}
	_, errs, code = call(t, nil, "config", "check", p.file(t, true, 12))
	if code == 0 || !strings.Contains(errs, "kycbridge.yaml:20:16: endpoints[0].secrets[0].value: the variable SECRET") {
		t.Errorf("without the variable: code %d: %s", code, errs)
	}
	two := writeFile(t, "two.yaml", "kafka:\n  brokrs: []\ningest:\n  lissten: x\n")
	_, errs, code = call(t, nil, "config", "check", two)
	if code == 0 || !strings.Contains(errs, `two.yaml:2:3: kafka: unknown field "brokrs"`) || !strings.Contains(errs, `two.yaml:4:3: ingest: unknown field "lissten"`) {
		t.Errorf("two typos: code %d: %s", code, errs)
	}
}

// TestDrain: from the signal on the process is unready, but still takes
// deliveries for drain_delay, and still turns them into events.
func TestDrain(t *testing.T) {
	t.Parallel() // it waits for the delay to end
	p := startPair(t, true)
	text, err := os.ReadFile(p.config)
	if err != nil {
		t.Fatal(err)
	}
	slow := writeFile(t, "slow.yaml", strings.Replace(string(text), "drain_delay: 0s", "drain_delay: 5s", 1))
	all := start(t, withSecret, "all", "--config", slow)
	all.ready(t)
	all.cancel()
	for {
		if status, body := get(t, "http://"+all.Admin+"/readyz"); status == http.StatusServiceUnavailable {
			if !strings.Contains(body, "draining") {
				t.Errorf("/readyz does not say that the process drains: %s", body)
			}
			break
		}
	}
	if status, _ := get(t, "http://"+all.Admin+"/livez"); status != http.StatusOK {
		t.Errorf("/livez is %d while draining, want 200", status)
	}
	if _, errs, code := call(t, forSend, "send", "complycube", "--to", "http://"+all.Hooks+"/hooks/shop"); code != 0 {
		t.Errorf("a delivery while draining: code %d: %s", code, errs)
	}
	if out, errs, code := call(t, nil, "tail", "session", "--config", slow, "--from-start", "--count", "1"); code != 0 || out == "" {
		t.Errorf("its event: code %d: %s", code, errs)
	}
	all.stop(t)
}
