package config

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kycbridge/kycbridge/internal/secret"
)

// writeCertificates writes ca.pem, which is client.pem too, client.key and the
// key of nothing, other.key.
func writeCertificates(t testing.TB, dir string) {
	t.Helper()
	for _, name := range []string{"client.key", "other.key"} {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		writePEM(t, filepath.Join(dir, name), "PRIVATE KEY", der)
		if name == "other.key" {
			return
		}
		template := &x509.Certificate{
			SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"},
			NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1<<33, 0), IsCA: true, BasicConstraintsValid: true,
		}
		der, err = x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"ca.pem", "client.pem"} {
			writePEM(t, filepath.Join(dir, name), "CERTIFICATE", der)
		}
	}
}

func writePEM(t testing.TB, path, kind string, der []byte) {
	t.Helper()
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestSecretsOfServers: they are read, and only Reveal shows them.
func TestSecretsOfServers(t *testing.T) {
	c, err := Load("testdata/good/secured.yaml", environment(t), everything())
	if err != nil {
		t.Fatal(err)
	}
	for name, v := range map[string]secret.Value{
		"kafka client secret": c.KafkaClientSecret, "redis": c.RedisPassword, "sentinel": c.SentinelPassword,
	} {
		if !strings.HasPrefix(v.Reveal(), secretValue) {
			t.Errorf("the secret of %s was not read", name)
		}
	}
	if c.KafkaPassword.Set() {
		t.Error("there is a Kafka password that nobody configured")
	}
}

// TestServersLeftOut: who needs no Redis does not read its secrets.
func TestServersLeftOut(t *testing.T) {
	lookup := environment(t)
	needs := everything()
	needs.Normalize, needs.Hydrate = false, false
	_, err := Load("testdata/good/secured.yaml", func(name string) (string, bool) {
		if name == "REDIS_PASSWORD" {
			return "", false
		}
		return lookup(name)
	}, needs)
	if err != nil {
		t.Error(err)
	}
}
