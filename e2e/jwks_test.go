package e2e

import (
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	pair "github.com/kycbridge/kycbridge/embedded"
)

const (
	tokenIssuer   = "https://idnow.invalid/oidc"
	tokenAudience = "https://hooks.invalid/idnow"
	tokenHeader   = "X-Idnow-Signature"
	// refreshWindow is the least time between two fetches that a token can cause.
	refreshWindow = 30 * time.Second
)

// tokenBridge is `kycbridge all` with endpoints that fetch the keys of a vendor's
// tokens, and the ledger of what was posted to them.
type tokenBridge struct {
	*process
	*load
	listen, kafka, prefix string
	client                *http.Client
}

// startTokenBridge makes two endpoints for each address of keys: <name>-body takes
// the token as body, <name>-header in a header. The file holds the certificates
// that the process trusts.
func startTokenBridge(t testing.TB, addresses map[string]string, trusted string) *tokenBridge {
	t.Helper()
	services, err := pair.Start(t.Context(), pair.Options{DataDir: t.TempDir(), KafkaAddr: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := services.Close(); err != nil {
			t.Error(err)
		}
	})
	b := &tokenBridge{load: newLoad("jwks"), listen: freePort(t), kafka: services.Brokers()[0], prefix: "jwks.", client: newClient()}
	admin := freePort(t)
	var yaml strings.Builder
	fmt.Fprintf(&yaml, `kafka: {brokers: [%q], topic_prefix: %q}
redis: {address: %q}
topics: {create_missing: true, partitions: 2}
ingest: {listen: %q, drain_delay: 0.1s}
admin: {listen: %q}
endpoints:
`, b.kafka, b.prefix, services.RedisAddr(), b.listen, admin)
	for name, address := range addresses {
		for way, header := range map[string]string{"body": "", "header": tokenHeader} {
			fmt.Fprintf(&yaml, `  - {name: %s-%s, provider: idnow, environment: ENVIRONMENT_SANDBOX,
     jwt: {jwks_url: %q, issuer: %q, audience: %q, header: %q}}
`, name, way, address, tokenIssuer, tokenAudience, header)
		}
	}
	config := filepath.Join(t.TempDir(), "kycbridge.yaml")
	if err := os.WriteFile(config, []byte(yaml.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	b.process = start(t, admin, []string{"SSL_CERT_FILE=" + trusted}, "all", "--config", config)
	b.ready(t)
	return b
}

// claims are those of a new event, with its id, which is the sender's to remember.
func (b *tokenBridge) claims(change map[string]any) (id string, claims map[string]any) {
	b.next++
	id = fmt.Sprintf("%s-%06d", b.run, b.next)
	claims = map[string]any{
		"iss": tokenIssuer, "aud": tokenAudience, "iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(),
		"data": map[string]any{
			"eventId": id, "eventVersion": "1.0", "eventName": "session.created", "eventSequence": "1", "environment": "staging",
			"payload": map[string]any{"flowId": "flow", "sessionId": "session-" + id, "sessionStatus": "CREATED"},
		},
	}
	maps.Copy(claims, change)
	return id, claims
}

// send posts a token to an endpoint, where that expects it.
func (b *tokenBridge) send(t testing.TB, endpoint, id, token string) int {
	t.Helper()
	url, body := "http://"+b.listen+"/hooks/"+endpoint, token
	if strings.HasSuffix(endpoint, "-header") {
		body = `{"eventName":"session.completed"}` // nothing binds it, so nobody reads it
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if strings.HasSuffix(endpoint, "-header") {
		r.Header.Set(tokenHeader, token)
		r.Header.Set("Content-Type", "application/json")
	} else {
		r.Header.Set("Content-Type", "application/jwt")
	}
	resp, err := b.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusOK {
		b.acked[id]++
	}
	return resp.StatusCode
}

// wants posts a new event, signed with the key, until the answer is the wanted one:
// keys take a while to be fetched. On the way there it may only be one of the others.
func (b *tokenBridge) wants(t testing.TB, endpoint string, key vendorKey, status int, others ...int) {
	t.Helper()
	id, claims := b.claims(nil)
	token, last := key.sign(t, claims), 0
	if !eventually(patience, func() bool {
		last = b.send(t, endpoint, id, token)
		if last != status && !slices.Contains(others, last) {
			t.Fatalf("%s: a token of key %s is answered %d, want %d", endpoint, key.id, last, status)
		}
		return last == status
	}) {
		t.Fatalf("%s: a token of key %s is still answered %d, want %d", endpoint, key.id, last, status)
	}
}

// refuses posts what must not be believed; each is wrong in one thing. The key is
// one that the endpoint believes.
func (b *tokenBridge) refuses(t testing.TB, endpoint string, key, stranger vendorKey) {
	t.Helper()
	signed := func(k vendorKey) func(map[string]any) string {
		return func(claims map[string]any) string { return k.sign(t, claims) }
	}
	for _, tc := range []struct {
		name   string
		change map[string]any
		token  func(claims map[string]any) string
	}{
		{"a stranger's signature under the vendor's key id", nil, signed(vendorKey{key.id, stranger.private})},
		{"the signature of other claims", nil, func(claims map[string]any) string {
			_, others := b.claims(nil)
			other := key.sign(t, others)
			return key.unsigned(t, "RS256", claims) + other[strings.LastIndexByte(other, '.'):]
		}},
		{"another iss", map[string]any{"iss": tokenIssuer + "/other"}, signed(key)},
		{"another aud", map[string]any{"aud": tokenAudience + "/other"}, signed(key)},
		{"expired", map[string]any{"exp": time.Now().Add(-time.Hour).Unix()}, signed(key)},
		{"alg none", nil, func(claims map[string]any) string { return key.unsigned(t, "none", claims) + "." }},
		{"HS256 over the public key", nil, func(claims map[string]any) string { return key.signWithPublic(t, claims) }},
		{"a key that was never published", nil, signed(stranger)},
		{"no token", nil, func(map[string]any) string { return "" }},
	} {
		id, claims := b.claims(tc.change)
		b.forged[id] = true
		if status := b.send(t, endpoint, id, tc.token(claims)); status != http.StatusUnauthorized {
			t.Errorf("%s: %s: answered %d, want 401", endpoint, tc.name, status)
		}
	}
}

// TestEmbeddedFetchedKeys: the keys of a vendor's tokens come from its key server. Forged
// tokens are refused and leave no trace; a new key is believed after the next
// fetch, a withdrawn one no longer; while the key server is away the known keys
// still count, and what cannot be judged is answered 503, for the vendor to repeat.
func TestEmbeddedFetchedKeys(t *testing.T) {
	if runtime.GOOS == "darwin" || runtime.GOOS == "windows" {
		t.Skip("SSL_CERT_FILE, by which the process trusts the key servers of this test, does not count on " + runtime.GOOS)
	}
	first, second, stranger := newVendorKey(t, "first"), newVendorKey(t, "second"), newVendorKey(t, "stranger")
	certificate, trusted := privateCertificate(t)
	rotating, leaving := publishKeys(t, certificate, first), publishKeys(t, certificate, first)
	untrusted := publishKeys(t, nil, first)
	b := startTokenBridge(t, map[string]string{
		"rotating": rotating.URL + "/jwks.json", "leaving": leaving.URL + "/jwks.json", "untrusted": untrusted.URL + "/jwks.json",
	}, trusted)

	for _, endpoint := range []string{"rotating-body", "rotating-header", "leaving-body", "leaving-header"} {
		b.wants(t, endpoint, first, http.StatusOK, http.StatusServiceUnavailable)
		b.refuses(t, endpoint, first, stranger)
	}
	rotating.publish(second)
	leaving.Close()
	for _, way := range []string{"-body", "-header"} {
		b.wants(t, "leaving"+way, first, http.StatusOK)
		b.wants(t, "untrusted"+way, first, http.StatusServiceUnavailable)
	}
	// Until the next fetch is due, a key that was not in a set of just now is refused.
	for _, way := range []string{"-body", "-header"} {
		b.wants(t, "rotating"+way, second, http.StatusOK, http.StatusUnauthorized)
		b.wants(t, "rotating"+way, first, http.StatusUnauthorized)
		b.wants(t, "leaving"+way, second, http.StatusServiceUnavailable, http.StatusUnauthorized)
		b.wants(t, "leaving"+way, first, http.StatusOK)
	}
	b.fetchedSeldom(t, rotating)
	if n := len(untrusted.fetches()); n > 0 {
		t.Errorf("a key server whose certificate is not trusted was asked for its keys %d times", n)
	}
	if text := b.log.String(); !strings.Contains(text, untrusted.URL) || !strings.Contains(text, "certificate") {
		t.Errorf("the log does not say that the certificate of %s is not trusted", untrusted.URL)
	}
	b.cameOut(t)
	b.stop(t)
}

// fetchedSeldom: whatever was posted, the vendor's key server was left in peace.
func (b *tokenBridge) fetchedSeldom(t testing.TB, s *keyServer) {
	t.Helper()
	at := s.fetches()
	if len(at) < 2 {
		t.Errorf("keys were fetched %d times, want once at the start and once for the new key", len(at))
	}
	for i := 1; i < len(at); i++ {
		if apart := at[i].Sub(at[i-1]); apart < refreshWindow {
			t.Errorf("two fetches of one key set are %s apart, want at least %s", apart, refreshWindow)
		}
	}
}

// cameOut: what was answered 200 is an event, and nothing else is in Kafka.
func (b *tokenBridge) cameOut(t testing.TB) {
	t.Helper()
	r := read(t, b.kafka, b.prefix)
	r.quiet(t)
	f := judge(t, b.load, r.snapshot())
	if len(f.raw) != len(b.acked) || len(f.events) != len(b.acked) || len(f.dead) > 0 {
		t.Errorf("%d raw records, %d events and %d dead letters of %d accepted deliveries", len(f.raw), len(f.events), len(f.dead), len(b.acked))
	}
	if missing := notSeen([]string{"rotating-body", "rotating-header", "leaving-body", "leaving-header"}, f); len(missing) > 0 {
		t.Errorf("no event of %v", missing)
	}
}
