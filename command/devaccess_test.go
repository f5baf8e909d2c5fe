package command

import (
	"crypto/tls"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestDevAnswersNoWebPage: neither a page of another site nor a name that its DNS points
// here reaches the webhooks, with plain HTTP or TLS, or the admin address, which can change
// what the played APIs say; a tunnel's name is answered once it is allowed.
func TestDevAnswersNoWebPage(t *testing.T) {
	plain := startDev(t, t.TempDir(), nil, "--allow-host", "kyc.tunnel.example")
	secure := startDev(t, t.TempDir(), nil, "--tls")
	hook, admin := "/hooks/proofme/dev-secret-proofme", "/dev/vendors/proofme/some-object"
	trusting := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	t.Cleanup(trusting.CloseIdleConnections)
	for name, tc := range map[string]struct {
		method, url, host string
		header            string // "Name: value"
		want              int
	}{
		"webhook":                       {"POST", "http://" + plain.Hooks + hook, "", "", 200},
		"webhook by localhost":          {"POST", "http://" + plain.Hooks + hook, "localhost:8080", "", 200},
		"webhook through the tunnel":    {"POST", "http://" + plain.Hooks + hook, "kyc.tunnel.example", "", 200},
		"webhook by a rebound name":     {"POST", "http://" + plain.Hooks + hook, "rebound.example.invalid", "", 421},
		"webhook from a page":           {"POST", "http://" + plain.Hooks + hook, "", "Sec-Fetch-Site: cross-site", 403},
		"webhook from an older page":    {"POST", "http://" + plain.Hooks + hook, "", "Origin: https://example.invalid", 403},
		"webhook over TLS":              {"POST", "https://" + secure.Hooks + hook, "", "", 200},
		"TLS, by a name not allowed":    {"POST", "https://" + secure.Hooks + hook, "kyc.tunnel.example", "", 421},
		"TLS, from a page":              {"POST", "https://" + secure.Hooks + hook, "", "Origin: null", 403},
		"an object":                     {"PUT", "http://" + plain.Admin + admin, "", "", 204},
		"an object by a rebound name":   {"PUT", "http://" + plain.Admin + admin, "rebound.example.invalid", "", 421},
		"an object from a page":         {"PUT", "http://" + plain.Admin + admin, "", "Origin: https://example.invalid", 403},
		"an object deleted from a page": {"DELETE", "http://" + plain.Admin + admin, "", "Sec-Fetch-Site: same-site", 403},
		"a preflight":                   {"OPTIONS", "http://" + plain.Admin + admin, "", "Origin: https://example.invalid", 403},
		"metrics":                       {"GET", "http://" + plain.Admin + "/metrics", "", "", 200},
		"metrics by a rebound name":     {"GET", "http://" + plain.Admin + "/metrics", "rebound.example.invalid", "", 421},
		"metrics read by a page":        {"GET", "http://" + plain.Admin + "/metrics", "", "Sec-Fetch-Site: cross-site", 403},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := http.NewRequestWithContext(t.Context(), tc.method, tc.url, strings.NewReader(`{"id":"some-object"}`))
			if err != nil {
				t.Fatal(err)
			}
			r.Host = tc.host
			r.Header.Set("Content-Type", "application/json")
			if field, value, ok := strings.Cut(tc.header, ": "); ok {
				r.Header.Set(field, value)
			}
			answer, err := trusting.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			answer.Body.Close()
			if answer.StatusCode != tc.want {
				t.Errorf("answered %d, want %d", answer.StatusCode, tc.want)
			}
		})
	}
}

// TestDevPasswords: with --passwords the commands reach Kafka as the output says, and not
// otherwise; the password is in files of this user alone, and in no output.
func TestDevPasswords(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "da$ta")
	dev := startDev(t, dir, nil, "--passwords", "--simulate", "50")
	dev.stdout.await(t, "kyc.session.v1") // the events that it prints itself
	secret, err := os.ReadFile(filepath.Join(dir, "dev", "password"))
	if err != nil || len(strings.TrimSpace(string(secret))) < 20 {
		t.Fatalf("the password is %q, %v", secret, err)
	}
	clients := filepath.Join(dir, "dev", "clients.yaml")
	for _, want := range []string{"tail --data '" + dir + "'", "other commands take it with --config '" + clients + "'", "kcat -F '" + filepath.Join(dir, "dev", "kcat.conf") + "'", "user kycbridge"} {
		if !strings.Contains(dev.stdout.String(), want) {
			t.Errorf("the output does not say %s:\n%s", want, dev.stdout)
		}
	}
	if strings.Contains(dev.stdout.String()+dev.stderr.String(), strings.TrimSpace(string(secret))) {
		t.Error("the output shows the password")
	}
	for _, args := range [][]string{{"tail", "--count", "1", "--from-start"}, {"verify"}, {"deadletter", "list"}, {"replay", "--mode", "fill-gaps", "--all", "--dry-run"}} {
		if out, errs, code := call(t, nil, append(args, "--config", clients)...); code != 0 {
			t.Errorf("%v with the file: code %d: %s%s", args, code, out, errs)
		}
	}
	if out, errs, code := call(t, nil, "tail", "--until-end", "--brokers", dev.Kafka); code == 0 || out != "" || !strings.Contains(errs, "SASL") {
		t.Errorf("tail without the password: code %d: %s%s", code, out, errs)
	}
	err = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if info, err := entry.Info(); err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("other users may use %s (%04o)", path, info.Mode().Perm())
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	dev.stop(t)
	last := startDev(t, dir, nil, "--passwords")
	if again, err := os.ReadFile(filepath.Join(dir, "dev", "password")); err != nil || string(again) == string(secret) {
		t.Errorf("the next life has the same password, %v", err)
	}
	last.stop(t)
	startDev(t, dir, nil)
	if text, err := os.ReadFile(clients); err != nil || strings.Contains(string(text), "password") {
		t.Errorf("a life without passwords has its clients give one: %s, %v", text, err)
	}
	if left, err := filepath.Glob(filepath.Join(dir, "dev", "*")); err != nil || strings.Contains(strings.Join(left, " "), "password") || strings.Contains(strings.Join(left, " "), "kcat") {
		t.Errorf("a life without passwords leaves %v, %v", left, err)
	}
}
