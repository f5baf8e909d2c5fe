// Package clientauth authenticates this program to the servers it connects to, and them to it: TLS
// connections made from files that may be renewed, and bearer tokens from an OAuth server.
//
// It knows neither Kafka nor Redis, holds no server side, and reads no configuration.
package clientauth

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"github.com/kycbridge/kycbridge/internal/secret"
)

// maxFile bounds a file with certificates or a key, in bytes.
const maxFile = 4 << 20

// Dial makes one connection, as net.Dialer.DialContext does.
type Dial func(ctx context.Context, network, address string) (net.Conn, error)

// TLS names the files behind connections to one kind of server. An empty name means: the system's
// authorities, no certificate of ours, the host of the address.
type TLS struct {
	CAFile          string
	CertificateFile string
	KeyFile         string
	ServerName      string
}

// CheckPair reports whether two files hold a certificate and its key; two empty names are fine.
func CheckPair(certificateFile, keyFile string) error {
	_, err := pair(certificateFile, keyFile)
	return err
}

// Dialer returns a Dial that speaks TLS. It reads the files again for each connection, so that
// renewed ones need no restart; while they cannot be read, or are half replaced, it uses those read last. limit bounds connecting and handshake together.
func (t TLS) Dialer(limit time.Duration) Dial {
	var last atomic.Pointer[tls.Config]
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(ctx, limit)
		defer cancel()
		config, err := t.config()
		if err == nil {
			last.Store(config)
		} else if config = last.Load(); config == nil {
			return nil, dialError(network, err)
		}
		conn, err := (&tls.Dialer{Config: config}).DialContext(ctx, network, address)
		if err != nil {
			return nil, dialError(network, err)
		}
		return conn, nil
	}
}

// dialError gives a failed handshake the form of a failed connection, which a Kafka client tries
// again after a while instead of giving up what it holds.
func dialError(network string, err error) error {
	var failed *net.OpError
	if errors.As(err, &failed) && failed.Op == "dial" {
		return err
	}
	return &net.OpError{Op: "dial", Net: network, Err: err}
}

func (t TLS) config() (*tls.Config, error) {
	roots, err := Authorities(t.CAFile)
	if err != nil {
		return nil, err
	}
	certificates, err := pair(t.CertificateFile, t.KeyFile)
	if err != nil {
		return nil, err
	}
	return &tls.Config{RootCAs: roots, Certificates: certificates, ServerName: t.ServerName, MinVersion: tls.VersionTLS12}, nil
}

// Authorities reads the certificates of authorities in a file; without a file it is nil, which stands for
// the system's.
func Authorities(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	pem, _, err := secret.ReadTrusted(file, maxFile)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate in PEM (-----BEGIN CERTIFICATE-----)", file)
	}
	return pool, nil
}

func pair(certificateFile, keyFile string) ([]tls.Certificate, error) {
	if certificateFile == "" && keyFile == "" {
		return nil, nil
	}
	certificate, _, err := secret.ReadTrusted(certificateFile, maxFile)
	if err != nil {
		return nil, err
	}
	key, _, err := secret.ReadFile(keyFile, maxFile)
	if err != nil {
		return nil, err
	}
	both, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		return nil, fmt.Errorf("%s and %s are not a certificate and its key, in PEM and without a passphrase: %w", certificateFile, keyFile, err)
	}
	return []tls.Certificate{both}, nil
}
