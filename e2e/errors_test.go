package e2e

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestOneLineErrors: what a person can get wrong at start ends with one line
// that says what and what to do, and an exit code that is not 0.
func TestOneLineErrors(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	busy := startEmbedded(t)
	local := []string{"all", "--config", "../deploy/local.yaml"}
	typo := filepath.Join(t.TempDir(), "typo.yaml")
	if err := os.WriteFile(typo, []byte("kafka:\n  brokers: [\"127.0.0.1:1\"]\ningest:\n  lissten: \"127.0.0.1:0\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	dev := func(listen, data string) []string {
		return []string{"dev", "--listen", listen, "--kafka", freePort(t), "--admin", freePort(t), "--data", data}
	}
	cases := []struct {
		name string
		env  []string
		args []string
		want []string
	}{
		{"port taken", nil, dev(taken.Addr().String(), t.TempDir()), []string{taken.Addr().String(), "--listen"}},
		{"data directory in use", nil, dev("127.0.0.1:0", busy.data), []string{busy.data, "--data"}},
		{"Kafka away", append(secrets(), "KYCBRIDGE_KAFKA=127.0.0.1:1", "KYCBRIDGE_LISTEN=127.0.0.1:0", "KYCBRIDGE_ADMIN=127.0.0.1:0"), local, []string{"127.0.0.1:1", "make services"}},
		{"typo", nil, []string{"config", "check", typo}, []string{"typo.yaml:4", "lissten"}},
		{"secret missing", append(secrets(), "KYCBRIDGE_SECRET_COMPLYCUBE="), local, []string{"KYCBRIDGE_SECRET_COMPLYCUBE"}},
		{"secret short", append(secrets(), "KYCBRIDGE_SECRET_COMPLYCUBE=short"), local, []string{"16"}},
		{"no such file", nil, []string{"config", "check", "nowhere.yaml"}, []string{"nowhere.yaml"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, stderr, code := command(t, c.env, c.args...)
			if code == 0 {
				t.Errorf("exit code 0, want an error\n%s", stderr)
			}
			lines := strings.Split(strings.TrimSpace(stderr), "\n")
			last := lines[len(lines)-1]
			for _, want := range c.want {
				if !strings.Contains(last, want) {
					t.Errorf("the last line does not say %q:\n%s", want, tail(stderr, 1500))
				}
			}
			if strings.Contains(stderr, "goroutine ") {
				t.Errorf("a stack trace instead of a line:\n%s", tail(stderr, 1500))
			}
		})
	}
	busy.stop(t)
}
