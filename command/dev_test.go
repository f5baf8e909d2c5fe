package command

import (
	"encoding/json"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func startDev(t *testing.T, dir string, variables map[string]string, extra ...string) *serving {
	t.Helper()
	args := append([]string{"dev", "--listen", "127.0.0.1:0", "--kafka", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--data", dir}, extra...)
	s := start(t, variables, args...)
	s.ready(t)
	return s
}

func (s *serving) hook() string { return "http://" + s.Hooks + "/hooks/complycube" }

// TestDevEndToEnd is the first minute of a new user: dev, send, tail, stop,
// and again on the same data.
func TestDevEndToEnd(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	dev := startDev(t, dir, nil)
	if out, errs, code := call(t, nil, "send", "complycube", "--to", dev.hook(), "--duplicate", "10"); code != 0 || !strings.Contains(out, "10 × 200 OK") {
		t.Fatalf("send: code %d\n%s%s", code, out, errs)
	}
	if out, errs, code := call(t, nil, "send", "complycube", "--to", dev.hook(), "--corrupt"); code != 0 || !strings.Contains(out, "1 × 401") {
		t.Fatalf("send --corrupt: code %d\n%s%s", code, out, errs)
	}
	before := tailLines(t, dev, 10, "disposition")
	events := tailLines(t, dev, 1, "session")
	if got := events[0].Value["decision"]; got != "DECISION_APPROVED" {
		t.Errorf("decision is %v, want DECISION_APPROVED", got)
	}
	dev.stop(t)

	again := startDev(t, dir, nil)
	if after := tailLines(t, again, 10, "disposition"); !slices.EqualFunc(after, before, func(a, b tailed) bool { return a.raw == b.raw }) {
		t.Errorf("after a restart the dispositions differ:\n%v\nbefore:\n%v", after, before)
	}
	tailLines(t, again, 1, "session")
}

// tailed is a line of `tail`, read again as a script would.
type tailed struct {
	raw       string
	Topic     string
	Partition int32
	Offset    int64
	Key       string
	Headers   map[string]string
	Value     map[string]any
}

// tailLines reads everything in a topic and expects so many records. It first
// follows until they are there, since `--until-end` looks only once.
func tailLines(t *testing.T, s *serving, n int, topic string) []tailed {
	t.Helper()
	for _, args := range [][]string{{"--from-start", "--count", strconv.Itoa(n)}, {"--until-end"}} {
		out, errs, code := call(t, nil, append([]string{"tail", topic, "--brokers", s.Kafka}, args...)...)
		if code != 0 {
			t.Fatalf("tail %v: code %d: %s", args, code, errs)
		}
		var lines []tailed
		for text := range strings.Lines(out) {
			l := tailed{raw: text}
			if err := json.Unmarshal([]byte(text), &l); err != nil {
				t.Fatalf("not JSON: %s", text)
			}
			lines = append(lines, l)
		}
		if len(lines) != n {
			t.Fatalf("tail %s %v printed %d records, want %d:\n%s", topic, args, len(lines), n, out)
		}
		if args[0] == "--until-end" {
			return lines
		}
	}
	return nil
}

func TestDevSimulatePrintsEvents(t *testing.T) {
	dev := startDev(t, t.TempDir(), nil, "--simulate", "200")
	for _, topic := range []string{"kyc.check.v1", "kyc.session.v1", "kyc.resource.v1"} {
		dev.stdout.await(t, topic)
	}
}

func TestDevHealthAndMetrics(t *testing.T) {
	dev := startDev(t, t.TempDir(), nil)
	if _, errs, code := call(t, nil, "send", "complycube", "--to", dev.hook()); code != 0 {
		t.Fatal(errs)
	}
	body := dev.ready(t)
	for _, part := range []string{"config", "topics", "kafka", "redis", "repair", "ingest", "normalize"} {
		if !strings.Contains(body, `"`+part+`"`) {
			t.Errorf("/readyz does not name %s: %s", part, body)
		}
	}
	if status, _ := get(t, "http://"+dev.Admin+"/livez"); status != http.StatusOK {
		t.Errorf("/livez is %d, want 200", status)
	}
	if status, _ := get(t, "http://"+dev.Admin+"/debug/pprof/"); status != http.StatusNotFound {
		t.Errorf("/debug/pprof/ is %d, want 404", status)
	}
	for _, name := range []string{
		"kycbridge_build_info", "go_goroutines", "kycbridge_kafka_buffered_produce_records_total", "kycbridge_kafka_produce_bytes_total",
		`kycbridge_ingest_deliveries_total{endpoint="complycube",outcome="accepted",provider="complycube"} 1`,
		"kycbridge_normalize_lag_records",
	} {
		dev.measures(t, name)
	}
}

// TestDevBanner runs the curl command of the banner, exactly as printed.
func TestDevBanner(t *testing.T) {
	dir := t.TempDir()
	dev := startDev(t, dir, nil)
	banner := dev.stdout.String()
	for _, want := range []string{dev.hook(), dev.Kafka, dev.Admin, "dev-secret-complycube", "tail --data '" + dir + "'", "send complycube --wait --data '" + dir + "'",
		"/hooks/idenfy-headers   (X-Auth-Token: dev-secret-idenfy)", "/hooks/idnow-headers   (X-Auth-Token: dev-secret-idnow, token as body"} {
		if !strings.Contains(banner, want) {
			t.Errorf("the banner does not say %q:\n%s", want, banner)
		}
	}
	if strings.Contains(banner, "CANARY") {
		t.Errorf("the banner shows a made-up person:\n%s", banner)
	}
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("no curl here to run the banner's command with")
	}
	_, command, found := strings.Cut(banner, "  curl -i ")
	if !found {
		t.Fatalf("the banner has no curl command:\n%s", banner)
	}
	out, err := exec.CommandContext(t.Context(), "sh", "-c", "curl -i "+command).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "200 OK") {
		t.Errorf("the banner's curl command: %v\n%s", err, out)
	}
}

func TestDevOwnSecret(t *testing.T) {
	const own = "a-secret-of-my-own"
	variables := map[string]string{"KYCBRIDGE_SECRET_COMPLYCUBE": own}
	dev := startDev(t, t.TempDir(), variables)
	if banner := dev.stdout.String() + dev.stderr.String(); strings.Contains(banner, own) || !strings.Contains(banner, "KYCBRIDGE_SECRET_COMPLYCUBE") {
		t.Errorf("the output shows the secret, or not where it comes from:\n%s", banner)
	}
	if _, errs, code := call(t, variables, "send", "complycube", "--to", dev.hook()); code != 0 {
		t.Errorf("send with the same variable: code %d: %s", code, errs)
	}
	if _, errs, code := call(t, nil, "send", "complycube", "--to", dev.hook()); code == 0 || !strings.Contains(errs, "401 means") {
		t.Errorf("send with the built-in secret: code %d: %s", code, errs)
	}
}

// TestDevFaults: one line that says what and what to do.
func TestDevFaults(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	foreign := t.TempDir()
	if err := os.WriteFile(filepath.Join(foreign, "letters.txt"), []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	busy := t.TempDir()
	startDev(t, busy, nil)
	addr := taken.Addr().String()
	for _, tc := range []struct {
		name      string
		variables map[string]string
		args      []string
		want      []string
	}{
		{"webhook port taken", nil, []string{"--listen", addr}, []string{addr, "in use", "--listen"}},
		{"admin port taken", nil, []string{"--admin", addr}, []string{addr, "in use", "--admin"}},
		{"Kafka port taken", nil, []string{"--kafka", addr}, []string{addr, "in use", "--kafka"}},
		{"data directory in use", nil, []string{"--data", busy}, []string{busy, "in use", "--data"}},
		{"data directory of another program", nil, []string{"--data", foreign}, []string{foreign, "--data"}},
		{"secret empty", map[string]string{"KYCBRIDGE_SECRET_COMPLYCUBE": ""}, nil, []string{"KYCBRIDGE_SECRET_COMPLYCUBE", "too short", "unset it"}},
		{"secret too short", map[string]string{"KYCBRIDGE_SECRET_COMPLYCUBE": "hunter2"}, nil, []string{"KYCBRIDGE_SECRET_COMPLYCUBE", "too short", "16"}},
		{"address without a port", nil, []string{"--listen", "localhost"}, []string{"--listen", "localhost"}},
		{"webhooks for other machines", nil, []string{"--listen", "0.0.0.0:0"}, []string{"--listen 0.0.0.0:0", "other machines", "--expose"}},
		{"admin for other machines", nil, []string{"--admin", ":0"}, []string{"--admin :0", "other machines", "--expose"}},
		{"rate is no number", nil, []string{"--simulate", "fast"}, []string{`--simulate is "fast"; expected deliveries per second, up to 10000, such as --simulate=20, or chaos with or without a rate, such as chaos:20; see `}},
		{"rate is no number, in one word", nil, []string{"--simulate=abc"}, []string{`--simulate is "abc"; expected deliveries per second, up to 10000`}},
		{"rate below nothing", nil, []string{"--simulate=-1"}, []string{`--simulate is "-1"`, "up to 10000, such as --simulate=20"}},
		{"chaos without its rate", nil, []string{"--simulate", "chaos:"}, []string{`--simulate is "chaos:"`, "or chaos with or without a rate, such as chaos:20"}},
		{"unknown flag", nil, []string{"--lissten", "x"}, []string{"--lissten", "dev --help"}},
		{"unknown log level", nil, []string{"--log-level", "loud"}, []string{"loud", "debug"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			args := append([]string{"dev", "--listen", "127.0.0.1:0", "--kafka", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--data", filepath.Join(t.TempDir(), "d")}, tc.args...)
			_, errs, code := call(t, tc.variables, args...)
			if code == 0 || strings.Count(errs, "\n") != 1 || strings.Contains(errs, "hunter2") {
				t.Errorf("code %d, want another and one line without the secret:\n%s", code, errs)
			}
			for _, want := range tc.want {
				if !strings.Contains(errs, want) {
					t.Errorf("the line does not say %q: %s", want, errs)
				}
			}
		})
	}
}

// TestDevTLS: `dev --tls` answers over HTTPS with a certificate that it keeps;
// `send` posts to it when told what to trust, and not otherwise.
func TestDevTLS(t *testing.T) {
	dir := t.TempDir()
	dev := startDev(t, dir, nil, "--tls")
	certificate := filepath.Join(dir, "dev", "tls-cert.pem")
	url := "https://" + dev.Hooks + "/hooks/complycube"
	if out, errs, code := call(t, nil, "send", "complycube", "--to", url, "--ca", certificate); code != 0 || !strings.Contains(out, "1 × 200 OK") {
		t.Fatalf("send: code %d\n%s%s", code, out, errs)
	}
	if out, _, code := call(t, nil, "send", "complycube", "--to", url); code == 0 || strings.Contains(out, "200 OK") {
		t.Errorf("send trusts a certificate that nobody vouches for: code %d\n%s", code, out)
	}
	if _, errs, code := call(t, nil, "send", "complycube", "--to", url, "--ca", filepath.Join(dir, "none")); code == 0 || !strings.Contains(errs, "no such file") {
		t.Errorf("send with a missing --ca: code %d: %s", code, errs)
	}
	dev.stop(t)
	before, err := os.ReadFile(certificate)
	if err != nil {
		t.Fatal(err)
	}
	again := startDev(t, dir, nil, "--tls")
	again.stop(t)
	if after, err := os.ReadFile(certificate); err != nil || string(after) != string(before) {
		t.Errorf("a second start makes another certificate: %v", err)
	}
}
