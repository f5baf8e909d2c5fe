package main

import (
	"crypto/tls"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

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

func TestDevCertificateIsRenewed(t *testing.T) {
	dir := t.TempDir()
	now := time.Now()
	serial := func(listen string, now time.Time) string {
		t.Helper()
		files, err := devCertificate(dir, listen, now)
		if err != nil {
			t.Fatal(err)
		}
		pair, err := tls.LoadX509KeyPair(files.CertificateFile, files.KeyFile)
		if err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(files.KeyFile); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("the key has mode %v, %v; want 0600", info.Mode(), err)
		}
		return pair.Leaf.SerialNumber.String()
	}
	first := serial("127.0.0.1:8080", now)
	for what, tc := range map[string]struct {
		listen string
		now    time.Time
	}{
		"a day later":      {"127.0.0.1:8080", now.Add(24 * time.Hour)},
		"on every address": {":8080", now},
	} {
		if serial(tc.listen, tc.now) != first {
			t.Errorf("%s the certificate is another", what)
		}
	}
	second := serial("192.0.2.1:8080", now)
	if second == first {
		t.Error("another address is not in the certificate")
	}
	if serial("127.0.0.1:8080", now.Add(devCertLife-time.Hour)) == second {
		t.Error("shortly before its end the certificate is the same")
	}
}
