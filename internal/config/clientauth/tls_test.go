package clientauth

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// authority signs certificates and gives them as PEM.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	pem         []byte
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{key: newKey(t)}
	template := template(1)
	template.IsCA, template.BasicConstraintsValid = true, true
	der, err := x509.CreateCertificate(rand.Reader, template, template, a.key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	a.certificate, err = x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	a.pem = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return a
}

func template(serial int64) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// sign makes a certificate for 127.0.0.1 and its key.
func (a *authority) sign(t *testing.T, serial int64) (certificate, key []byte) {
	t.Helper()
	leaf, private := template(serial), newKey(t)
	leaf.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
	der, err := x509.CreateCertificate(rand.Reader, leaf, a.certificate, private.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})
}

// serve answers handshakes and sends the serial of the client's certificate.
func serve(t *testing.T, a *authority) string {
	t.Helper()
	pair, err := tls.X509KeyPair(a.sign(t, 7))
	if err != nil {
		t.Fatal(err)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequestClientCert})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				c := conn.(*tls.Conn)
				if c.Handshake() != nil {
					return
				}
				serial := byte(0)
				if peers := c.ConnectionState().PeerCertificates; len(peers) > 0 {
					serial = byte(peers[0].SerialNumber.Int64())
				}
				_, _ = c.Write([]byte{serial})
			}()
		}
	}()
	return l.Addr().String()
}

func write(t *testing.T, path string, content []byte) string {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// shown dials and says which of our certificates the server saw; 0 is none.
func shown(t *testing.T, dial Dial, address string) (byte, error) {
	t.Helper()
	conn, err := dial(t.Context(), "tcp", address)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	var serial [1]byte
	_, err = conn.Read(serial[:])
	return serial[0], err
}

func TestDialerTakesUpRenewedFiles(t *testing.T) {
	ours, foreign, dir := newAuthority(t), newAuthority(t), t.TempDir()
	address := serve(t, ours)
	files := TLS{CAFile: write(t, filepath.Join(dir, "ca"), foreign.pem)}
	dial := files.Dialer(time.Minute)

	_, err := shown(t, dial, address)
	var unknown x509.UnknownAuthorityError
	if !errors.As(err, &unknown) {
		t.Fatalf("an authority that is not trusted: %v, want x509.UnknownAuthorityError", err)
	}
	var failed *net.OpError
	if !errors.As(err, &failed) || failed.Op != "dial" {
		t.Errorf("%v has not the form of a failed connection", err)
	}

	write(t, files.CAFile, ours.pem)
	if serial, err := shown(t, dial, address); err != nil || serial != 0 {
		t.Fatalf("after the file was replaced: certificate %d, %v; want none and no error", serial, err)
	}
	if err := os.Remove(files.CAFile); err != nil {
		t.Fatal(err)
	}
	if _, err := shown(t, dial, address); err != nil {
		t.Errorf("while the file is away: %v, want what was read last", err)
	}
}

func TestDialerShowsTheClientCertificate(t *testing.T) {
	ours, dir := newAuthority(t), t.TempDir()
	address := serve(t, ours)
	files := TLS{CAFile: write(t, filepath.Join(dir, "ca"), ours.pem), CertificateFile: filepath.Join(dir, "crt"), KeyFile: filepath.Join(dir, "key")}
	dial := files.Dialer(time.Minute)
	for _, serial := range []byte{21, 22} {
		certificate, key := ours.sign(t, int64(serial))
		write(t, files.CertificateFile, certificate)
		write(t, files.KeyFile, key)
		if got, err := shown(t, dial, address); err != nil || got != serial {
			t.Errorf("the server saw certificate %d (%v), want %d", got, err, serial)
		}
	}
	files.ServerName = "kafka.internal"
	_, err := shown(t, files.Dialer(time.Minute), address)
	var name x509.HostnameError
	if !errors.As(err, &name) {
		t.Errorf("a certificate for another name: %v, want x509.HostnameError", err)
	}
}

func TestDialerEnds(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0") // accepts, and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, err = TLS{}.Dialer(50*time.Millisecond)(t.Context(), "tcp", l.Addr().String())
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a silent server: %v, want the limit", err)
	}
}
