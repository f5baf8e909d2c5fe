package dev

import (
	"crypto/tls"
	"os"
	"testing"
	"time"
)

func TestCertificateIsRenewed(t *testing.T) {
	dir := t.TempDir()
	now := time.Now()
	serial := func(listen string, now time.Time) string {
		t.Helper()
		files, err := certificate(dir, listen, now)
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
	if serial("127.0.0.1:8080", now.Add(certificateLife-time.Hour)) == second {
		t.Error("shortly before its end the certificate is the same")
	}
}
