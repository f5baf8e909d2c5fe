package e2e

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// vendorKey signs tokens as a vendor does, by hand: what the program is given
// here was never near its own code.
type vendorKey struct {
	id      string
	private *rsa.PrivateKey
}

func newVendorKey(t testing.TB, id string) vendorKey {
	t.Helper()
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return vendorKey{id, private}
}

func (k vendorKey) sign(t testing.TB, claims map[string]any) string {
	t.Helper()
	text := k.unsigned(t, "RS256", claims)
	sum := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(nil, k.private, crypto.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// signWithPublic takes what everybody can know of the key as a shared secret.
func (k vendorKey) signWithPublic(t testing.TB, claims map[string]any) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(&k.private.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	text := k.unsigned(t, "HS256", claims)
	mac := hmac.New(sha256.New, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	mac.Write([]byte(text))
	return text + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// unsigned is the token up to its second dot.
func (k vendorKey) unsigned(t testing.TB, algorithm string, claims map[string]any) string {
	t.Helper()
	part := func(v any) string {
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(text)
	}
	return part(map[string]string{"alg": algorithm, "kid": k.id, "typ": "JWT"}) + "." + part(claims)
}

// jwk is the public half as a JWK Set holds it.
func (k vendorKey) jwk() map[string]string {
	encode := base64.RawURLEncoding.EncodeToString
	return map[string]string{
		"kty": "RSA", "use": "sig", "alg": "RS256", "kid": k.id,
		"n": encode(k.private.N.Bytes()), "e": encode(big.NewInt(int64(k.private.E)).Bytes()),
	}
}

// keyServer is where a vendor publishes its keys, over HTTPS.
type keyServer struct {
	*httptest.Server

	mu    sync.Mutex
	keys  []vendorKey
	asked []time.Time
}

// publishKeys starts a key server. Without a certificate it has the one that
// httptest makes up, which no process trusts.
func publishKeys(t testing.TB, certificate *tls.Certificate, keys ...vendorKey) *keyServer {
	t.Helper()
	s := &keyServer{keys: keys}
	s.Server = httptest.NewUnstartedServer(s)
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // handshakes that fail are meant to
	if certificate != nil {
		s.TLS = &tls.Config{Certificates: []tls.Certificate{*certificate}}
	}
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

func (s *keyServer) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, time.Now())
	set := map[string][]map[string]string{"keys": {}}
	for _, k := range s.keys {
		set["keys"] = append(set["keys"], k.jwk())
	}
	_ = json.NewEncoder(w).Encode(set)
}

// publish replaces the keys.
func (s *keyServer) publish(keys ...vendorKey) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys = keys
}

// fetches are the times at which the keys were asked for.
func (s *keyServer) fetches() []time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]time.Time(nil), s.asked...)
}

// privateCertificate makes a certificate for this machine that vouches for itself,
// and the file in which a process finds it.
func privateCertificate(t testing.TB) (certificate *tls.Certificate, file string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: private}, file
}
