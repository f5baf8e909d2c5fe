package ingest

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/kycbridge/kycbridge/internal/secret"
)

// TLS is HTTPS from a pair of files, which may be replaced while it is in use.
type TLS struct {
	CertificateFile string // PEM, the server's certificate first
	KeyFile         string // PEM
	MinVersion      uint16 // such as tls.VersionTLS13; 0 means tls.VersionTLS12
}

// pairCheck is how often the files are looked at, at most.
const pairCheck = time.Second

// maxPairFile bounds each of the files, in bytes.
const maxPairFile = 4 << 20

// A pair is a certificate with its key. Handshakes look whether the files have
// changed; a pair that cannot be used is reported, and the one before stays.
type pair struct {
	files TLS
	log   *slog.Logger
	now   func() time.Time // wall clock, for validity

	mu      sync.Mutex
	current *tls.Certificate
	seen    [2]stamp // of the files when they were last read
	checked time.Time
}

// stamp identifies one state of a file.
type stamp struct {
	modified time.Time
	size     int64
}

// openPair reads the files and refuses what no sender would accept.
func openPair(files TLS, now func() time.Time, log *slog.Logger) (*pair, error) {
	if files.MinVersion != 0 && files.MinVersion < tls.VersionTLS12 {
		return nil, errors.New("ingest: TLS below 1.2 is not supported")
	}
	p := &pair{files: files, now: now, log: log, checked: time.Now()}
	p.seen, _ = p.stamps() // read gives the better error
	var err error
	if p.current, err = p.read(); err != nil {
		return nil, err
	}
	return p, nil
}

func (p *pair) stamps() (s [2]stamp, err error) {
	for i, path := range []string{p.files.CertificateFile, p.files.KeyFile} {
		info, err := os.Stat(path)
		if err != nil {
			return s, err
		}
		s[i] = stamp{info.ModTime(), info.Size()}
	}
	return s, nil
}

func (p *pair) read() (*tls.Certificate, error) {
	certificate, _, err := secret.ReadTrusted(p.files.CertificateFile, maxPairFile)
	if err != nil {
		return nil, fmt.Errorf("ingest: TLS: %w", err)
	}
	key, _, err := secret.ReadFile(p.files.KeyFile, maxPairFile)
	if err != nil {
		return nil, fmt.Errorf("ingest: TLS: %w", err)
	}
	c, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		return nil, fmt.Errorf("ingest: TLS: %s and %s are not a certificate and its key: %w", p.files.CertificateFile, p.files.KeyFile, err)
	}
	switch now, leaf := p.now(), c.Leaf; {
	case now.After(leaf.NotAfter):
		return nil, fmt.Errorf("ingest: TLS: the certificate in %s expired at %s; renew it", p.files.CertificateFile, leaf.NotAfter.Format(time.RFC3339))
	case now.Before(leaf.NotBefore):
		return nil, fmt.Errorf("ingest: TLS: the certificate in %s is not valid before %s; is the clock right?", p.files.CertificateFile, leaf.NotBefore.Format(time.RFC3339))
	}
	return &c, nil
}

// get gives the certificate for a handshake, the new one if there is one.
func (p *pair) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if time.Since(p.checked) < pairCheck {
		return p.current, nil
	}
	p.checked = time.Now()
	stamps, err := p.stamps()
	if err != nil || stamps == p.seen {
		return p.current, nil // a file that is missing for a moment is being replaced
	}
	p.seen = stamps
	renewed, err := p.read()
	if err != nil {
		p.log.Error("cannot use the new certificate; the previous one stays in use", "error", err)
		return p.current, nil
	}
	p.current = renewed
	p.log.Info("using a new certificate", "valid_until", renewed.Leaf.NotAfter)
	return p.current, nil
}

// expires is when the certificate in use ends, in seconds since 1970.
func (p *pair) expires() float64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return float64(p.current.Leaf.NotAfter.Unix())
}

// config speaks HTTP/1.1 only, like the server without TLS.
func (p *pair) config() *tls.Config {
	version := p.files.MinVersion
	if version == 0 {
		version = tls.VersionTLS12
	}
	return &tls.Config{GetCertificate: p.get, MinVersion: version, NextProtos: []string{"http/1.1"}}
}
