package ingest

import (
	"bufio"
	"bytes"
	"context"
	"crypto"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kycbridge/kycbridge/internal/contract"
	"github.com/kycbridge/kycbridge/internal/record"
	"github.com/kycbridge/kycbridge/providers"
	"github.com/kycbridge/kycbridge/providers/auth"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

const (
	testHeader = "X-Test-Signature"
	testBody   = `{"id":"event-1","payload":{"id":"subject-1"}}`
	testBudget = 3 * time.Second // what an unknown vendor limit leaves
)

var (
	testScheme = auth.HMAC{Header: testHeader, Hash: crypto.SHA256}
	errTest    = errors.New("test: the log said no")
)

// An appended record, with the callback that the test may call when it likes.
type appended struct {
	envelope *kycv1.RawEnvelope
	key      []byte
	headers  []record.Header
	done     func(error)
}

// A heldLog is a raw log whose acknowledgements the test gives. It exists to
// decide when they come; that a real log keeps its word is shown elsewhere.
type heldLog struct {
	mu      sync.Mutex
	records []appended
	away    error
	closed  bool
	late    int // appends after close

	// reply answers an append from within; nil leaves it to the test.
	reply func(done func(error))
	// came gets every append; made by withhold.
	came chan appended
}

// ackAll answers every append at once.
func ackAll() *heldLog {
	return &heldLog{reply: func(done func(error)) { done(nil) }}
}

func withhold() *heldLog { return &heldLog{came: make(chan appended, 10_000)} }

func (l *heldLog) Append(key, envelope []byte, headers []record.Header, done func(error)) {
	e := &kycv1.RawEnvelope{}
	if err := contract.Unmarshal(envelope, e); err != nil {
		panic(err)
	}
	a := appended{e, key, headers, done}
	l.mu.Lock()
	l.records = append(l.records, a)
	if l.closed {
		l.late++
	}
	l.mu.Unlock()
	if l.came != nil {
		l.came <- a
	}
	if l.reply != nil {
		l.reply(done)
	}
}

func (l *heldLog) Down() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.away
}

func (l *heldLog) Close(context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	return nil
}

func (l *heldLog) all() []appended {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]appended(nil), l.records...)
}

// take is all, which is then forgotten.
func (l *heldLog) take() []appended {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := l.records
	l.records = nil
	return all
}

func (l *heldLog) setAway(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.away = err
}

func testSecret(t testing.TB, id string) auth.Secret {
	t.Helper()
	s, err := auth.NewSecret(id, []byte("synthetic-secret-"+id), time.Time{}, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// proofs is one check.
func proofs(scheme auth.Scheme, secrets ...auth.Secret) auth.Proofs {
	return auth.Proofs{{Scheme: scheme, Secrets: secrets}}
}

func testProvider() providers.Provider {
	return providers.Provider{
		Name:        "testvendor",
		Scheme:      testScheme,
		KeepHeaders: []string{"x-test-kind", "X-Another"},
		Key:         func(*providers.Delivery) string { return "subject-1" },
	}
}

// testOptions has one endpoint "one" with the secrets "old" and "new".
func testOptions(t testing.TB, log rawLog) Options {
	return Options{
		Log: log,
		Endpoints: []Endpoint{{
			Name: "one", Tenant: "default", Environment: kycv1.Environment_ENVIRONMENT_SANDBOX,
			Provider: testProvider(), Proofs: proofs(testScheme, testSecret(t, "old"), testSecret(t, "new")),
			EventsPerSecond: 1 << 30, // tests of other things send as fast as they can
		}},
	}
}

func newServer(t testing.TB, o Options) *Server {
	t.Helper()
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// signed is a POST of body to an endpoint, proved with the secret of that id.
func signed(t testing.TB, endpoint, secretID, body string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/hooks/"+endpoint, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json; charset=utf-8")
	signInto(t, secretID, []byte(body), r.Header)
	return r
}

// signInto puts the proof of body into h.
func signInto(t testing.TB, secretID string, body []byte, h http.Header) {
	testScheme.Sign(testSecret(t, secretID), &auth.Request{Header: h, Body: body})
}

func serve(s *Server, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	return w
}

// serveTCP serves on a real port, with the limits of production.
func serveTCP(t testing.TB, s *Server) *httptest.Server {
	server := httptest.NewUnstartedServer(nil)
	server.Config = s.httpServer()
	server.Listener = s.door(server.Listener)
	server.Start()
	t.Cleanup(server.Close)
	return server
}

// wire is the bytes of a signed request, so that a test can send them in parts.
func wire(t testing.TB, endpoint, secretID, body string, chunked bool) []byte {
	t.Helper()
	r := signed(t, endpoint, secretID, body)
	if chunked {
		r.ContentLength = -1
		r.Body = io.NopCloser(strings.NewReader(body))
	}
	var b bytes.Buffer
	if err := r.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// A pipeListener serves connections that live in memory: inside a synctest
// bubble, a server behind it runs on virtual time.
type pipeListener struct {
	conns  chan net.Conn
	once   sync.Once
	closed chan struct{}
}

func listenPipe() *pipeListener {
	return &pipeListener{conns: make(chan net.Conn), closed: make(chan struct{})}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *pipeListener) Addr() net.Addr { return pipeAddr{} }

type pipeAddr struct{}

func (pipeAddr) Network() string { return "pipe" }
func (pipeAddr) String() string  { return "pipe" }

// A fromConn is a connection with the address of its other end.
type fromConn struct {
	net.Conn
	from net.Addr
}

func (c fromConn) RemoteAddr() net.Addr { return c.from }

// dial opens a connection, or fails once the listener is closed.
func (l *pipeListener) dial() (net.Conn, error) { return l.dialFrom(pipeAddr{}) }

// dialFrom opens one that seems to come from an address.
func (l *pipeListener) dialFrom(from net.Addr) (net.Conn, error) {
	here, there := net.Pipe()
	select {
	case l.conns <- fromConn{there, from}:
		return here, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// A reply is an answer as it came over a connection.
type reply struct {
	status int
	header http.Header
	body   string
	close  bool
	err    error
	after  time.Duration // since the request was sent
}

// exchange sends the request's bytes over a new connection and reads one answer.
func exchange(l *pipeListener, request []byte) reply {
	start := time.Now()
	c, err := l.dial()
	if err != nil {
		return reply{err: err}
	}
	defer func() { _ = c.Close() }()
	go func() { _, _ = c.Write(request) }()
	got := readReply(bufio.NewReader(c))
	got.after = time.Since(start)
	return got
}

func readReply(from *bufio.Reader) reply {
	response, err := http.ReadResponse(from, nil)
	if err != nil {
		return reply{err: err}
	}
	body, err := io.ReadAll(response.Body)
	return reply{status: response.StatusCode, header: response.Header, body: string(body), close: response.Close, err: err}
}

// run starts Run on a listener in memory and gives a stop that ends it and
// returns what Run returned.
func run(t testing.TB, s *Server) (l *pipeListener, stop func() error) {
	t.Helper()
	l = listenPipe()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx, l) }()
	return l, func() error {
		cancel()
		return <-ended
	}
}
