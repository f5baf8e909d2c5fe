package dev

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	configv1 "github.com/kycbridge/kycbridge/schemas/kycbridge/config/v1"
)

// certificateLife is how long the certificate is good; it is replaced
// at a start within a day of its end.
const certificateLife = 90 * 24 * time.Hour

// certificate makes a certificate for this machine that signs itself, or finds
// the one it made before. Clients must be told to trust it; no vendor will.
func certificate(dir, listen string, now time.Time) (*configv1.Tls, error) {
	dir = filepath.Join(dir, "dev")
	files := &configv1.Tls{CertificateFile: filepath.Join(dir, "tls-cert.pem"), KeyFile: filepath.Join(dir, "tls-key.pem")}
	names := []string{"localhost", "127.0.0.1", "::1"}
	if host, _, err := net.SplitHostPort(listen); err == nil && host != "" {
		names = append(names, host)
	}
	if pair, err := tls.LoadX509KeyPair(files.CertificateFile, files.KeyFile); err == nil && serves(pair.Leaf, names, now) {
		return files, nil
	}
	cert, key, err := selfSigned(names, now)
	if err != nil {
		return nil, fmt.Errorf("make a certificate: %w", err)
	}
	return files, errors.Join(os.MkdirAll(dir, 0o700), os.WriteFile(files.KeyFile, key, 0o600), os.WriteFile(files.CertificateFile, cert, 0o600))
}

func serves(leaf *x509.Certificate, names []string, now time.Time) bool {
	for _, name := range names {
		if leaf.VerifyHostname(name) != nil {
			return false
		}
	}
	return now.After(leaf.NotBefore) && now.Before(leaf.NotAfter.Add(-24*time.Hour))
}

// selfSigned returns certificate and key in PEM.
func selfSigned(names []string, now time.Time) (certificate, key []byte, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, nil, err
	}
	template := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: "kycbridge dev"},
		NotBefore:    now.Add(-time.Hour), // clocks differ
		NotAfter:     now.Add(certificateLife),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		return nil, nil, err
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded}), nil
}
