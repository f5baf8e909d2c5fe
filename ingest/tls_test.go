package ingest

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// writePair writes a certificate of its own for 127.0.0.1 and its key.
func writePair(t *testing.T, dir string, serial int64, from, to time.Time) TLS {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "test"}, NotBefore: from, NotAfter: to,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	files := TLS{CertificateFile: filepath.Join(dir, "tls.crt"), KeyFile: filepath.Join(dir, "tls.key")}
	for path, block := range map[string]*pem.Block{
		files.CertificateFile: {Type: "CERTIFICATE", Bytes: der}, files.KeyFile: {Type: "PRIVATE KEY", Bytes: private},
	} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

// TestTLS serves HTTPS: from TLS 1.2 on, HTTP/1.1, no plain HTTP.
func TestTLS(t *testing.T) {
	files := writePair(t, t.TempDir(), 1, time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
	log := ackAll()
	o := testOptions(t, log)
	registry := prometheus.NewRegistry()
	var logged lockedBuffer
	o.TLS, o.DrainDelay, o.Registerer = &files, -1, registry
	o.Logger = slog.New(slog.NewTextHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug}))
	s := newServer(t, o)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)

	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	go func() { ended <- s.Run(ctx, l) }()
	pem, err := os.ReadFile(files.CertificateFile)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	for name, tc := range map[string]struct {
		from, to uint16
		ok       bool
	}{"1.1": {tls.VersionTLS10, tls.VersionTLS11, false}, "1.2": {tls.VersionTLS12, tls.VersionTLS12, true}, "1.3": {tls.VersionTLS13, tls.VersionTLS13, true}} {
		client := &http.Client{Transport: &http.Transport{ForceAttemptHTTP2: true, DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tc.from, MaxVersion: tc.to}}}
		r := signed(t, "one", "old", testBody)
		r.RequestURI, r.URL.Scheme, r.URL.Host = "", "https", l.Addr().String()
		resp, err := client.Do(r)
		if (err == nil) != tc.ok || tc.ok && (resp.StatusCode != 200 || resp.ProtoMajor != 1) {
			t.Errorf("TLS %s: %v, %v", name, resp, err)
		}
		if err == nil {
			_ = resp.Body.Close()
		}
	}
	plain, err := http.Post("http://"+l.Addr().String()+"/hooks/one", "application/json", strings.NewReader(testBody))
	if err != nil || plain.StatusCode != 400 {
		t.Errorf("plain HTTP: %v, %v; want 400", plain, err)
	} else {
		_, _ = io.Copy(io.Discard, plain.Body)
		_ = plain.Body.Close()
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if n := len(log.all()); n != 2 {
		t.Errorf("%d appends, want 2", n)
	}
	failed := 0
	for line := range strings.Lines(logged.String()) { // scanners that fail the handshake fill no log
		if strings.Contains(line, "handshake") {
			failed++
			if !strings.Contains(line, "level=DEBUG") {
				t.Errorf("a failed handshake is logged as %s", line)
			}
		}
	}
	if failed == 0 {
		t.Error("no failed handshake is logged, and two failed")
	}
	if got := gathered(t, registry)[`kycbridge_ingest_certificate_expires_timestamp_seconds`]; got < float64(time.Now().Unix()) {
		t.Errorf("the certificate ends at %v", got)
	}
}

// TestPairIsRefused: what no sender would accept does not start.
func TestPairIsRefused(t *testing.T) {
	now := time.Now()
	for name, tc := range map[string]struct {
		spoil func(dir string) TLS
		want  string
	}{
		"expired":    {func(dir string) TLS { return writePair(t, dir, 1, now.Add(-2*time.Hour), now.Add(-time.Hour)) }, "expired at"},
		"not yet":    {func(dir string) TLS { return writePair(t, dir, 1, now.Add(time.Hour), now.Add(2*time.Hour)) }, "is the clock right?"},
		"no file":    {func(dir string) TLS { return TLS{CertificateFile: dir + "/none", KeyFile: dir + "/none"} }, "no such file"},
		"a folder":   {func(dir string) TLS { return TLS{CertificateFile: dir, KeyFile: dir} }, "is not a regular file"},
		"no PEM":     {func(dir string) TLS { f := pairFor(t, dir); write(t, f.KeyFile, "x"); return f }, "not a certificate and its key"},
		"mixed":      {func(dir string) TLS { return mixed(t, dir) }, "not a certificate and its key"},
		"an old TLS": {func(dir string) TLS { f := pairFor(t, dir); f.MinVersion = tls.VersionTLS11; return f }, "below 1.2"},
	} {
		o := testOptions(t, ackAll())
		files := tc.spoil(t.TempDir())
		o.TLS = &files
		if _, err := New(o); err == nil || !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want one line with %q", name, err, tc.want)
		}
	}
}

func pairFor(t *testing.T, dir string) TLS {
	return writePair(t, dir, 1, time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
}

func mixed(t *testing.T, dir string) TLS {
	other := t.TempDir()
	a, b := pairFor(t, dir), pairFor(t, other)
	return TLS{CertificateFile: a.CertificateFile, KeyFile: b.KeyFile}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestRenewal: a new pair is taken up at the next handshake after a while; a
// broken one is reported once and the old stays.
func TestRenewal(t *testing.T) {
	var logged bytes.Buffer
	dir := t.TempDir()
	now := time.Now()
	p, err := openPair(writePair(t, dir, 1, now.Add(-time.Hour), now.Add(time.Hour)), time.Now, slog.New(slog.NewTextHandler(&logged, nil)))
	if err != nil {
		t.Fatal(err)
	}
	touched := now
	serial := func(later bool) int64 {
		t.Helper()
		if later { // a while ago, and with times that differ however coarse the clock of the file system
			p.checked = p.checked.Add(-pairCheck)
			touched = touched.Add(time.Second)
			_ = os.Chtimes(p.files.KeyFile, touched, touched)
		}
		c, err := p.get(nil)
		if err != nil {
			t.Fatal(err)
		}
		return c.Leaf.SerialNumber.Int64()
	}
	if got := serial(false); got != 1 {
		t.Fatalf("certificate %d is in use, want 1", got)
	}
	writePair(t, dir, 2, now.Add(-time.Hour), now.Add(time.Hour))
	if got := serial(false); got != 1 {
		t.Errorf("the files are looked at for every handshake")
	}
	if got := serial(true); got != 2 {
		t.Errorf("certificate %d is in use, want 2", got)
	}
	writePair(t, dir, 3, now.Add(-2*time.Hour), now.Add(-time.Hour))
	if got := serial(true); got != 2 || strings.Count(logged.String(), "level=ERROR") != 1 {
		t.Errorf("an expired certificate: %d is in use, want 2, and one line:\n%s", got, logged.String())
	}
	write(t, p.files.KeyFile, "half a fi")
	if got := serial(true); got != 2 || strings.Count(logged.String(), "level=ERROR") != 2 {
		t.Errorf("a broken key: %d is in use, want 2:\n%s", got, logged.String())
	}
	if err := os.Remove(p.files.KeyFile); err != nil {
		t.Fatal(err)
	}
	if got := serial(true); got != 2 {
		t.Errorf("a missing key: %d is in use, want 2", got)
	}
	writePair(t, dir, 4, now.Add(-time.Hour), now.Add(time.Hour))
	if got := serial(true); got != 4 || p.expires() != float64(now.Add(time.Hour).Unix()) {
		t.Errorf("certificate %d is in use, want 4", got)
	}
}

// What net/http has to say is logged.
func TestServerLog(t *testing.T) {
	var logged bytes.Buffer
	n := noise{slog.New(slog.NewTextHandler(&logged, nil))}
	if _, err := n.Write([]byte("http: something else\n")); err != nil || !strings.Contains(logged.String(), "something else") {
		t.Errorf("%v, the log is %s", err, logged.String())
	}
}
