package ingest

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// A stream is a connection in the clear, above TLS. It watches how requests are written, which net/http does not
// tell: it takes line ends, folded lines and repeated lengths that a proxy in front may read another way, and
// serves as the next request whatever stands behind the end that it found. A request of which two readers may
// see two ends must be the last of its connection, or what one of them takes for its body is a request of
// somebody else's to the other.
type stream struct {
	net.Conn
	handshakeFailed func(error)

	mu     sync.Mutex
	line   headLine
	odd    bool
	ended  bool  // the head is over
	behind int64 // bytes that came behind the head
}

// headLine is what is known of a line of a head that is being read.
type headLine struct {
	at      int  // how much of lengthName it has begun with: 0 at its start, -1 when it is another
	cr      bool // the last byte was a carriage return
	lengths int  // lines so far that begin with lengthName
}

// lengthName is the beginning of a header that must be there once.
const lengthName = "content-length:"

// streams makes streams of the connections of a listener.
type streams struct {
	net.Listener
	patience        time.Duration // for the first head, a handshake before it included
	handshakeFailed func(error)
}

// Accept returns the next connection as a stream.
func (l streams) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	// net/http sets the times for reading, and for writing once it has read a request. A handshake writes before.
	_ = c.SetWriteDeadline(time.Now().Add(l.patience))
	return &stream{Conn: c, handshakeFailed: l.handshakeFailed}, nil
}

// Read looks at what it reads.
func (s *stream) Read(b []byte) (int, error) {
	n, err := s.Conn.Read(b)
	if err != nil {
		s.noteHandshake(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, c := range b[:n] {
		if s.ended {
			s.behind += int64(n - i)
			break
		}
		s.look(c)
	}
	return n, err
}

// look takes the head's next byte. A carriage return that ends no line is for net/http to refuse.
func (s *stream) look(c byte) {
	l := &s.line
	switch {
	case c == '\n':
		s.odd = s.odd || !l.cr
		s.ended = l.at == 0
		l.at, l.cr = 0, false
		return
	case l.at == 0 && (c == ' ' || c == '\t'): // a folded line
		s.odd = true
	}
	if l.cr = c == '\r'; l.cr {
		return
	}
	s.countLength(c)
}

// countLength follows the beginning of a line as long as it is that of a length.
func (s *stream) countLength(c byte) {
	l := &s.line
	if l.at < 0 { // another line
		return
	}
	if c|0x20 != lengthName[l.at]|0x20 {
		l.at = -1
		return
	}
	if l.at++; l.at == len(lengthName) {
		l.lengths++
		s.odd = s.odd || l.lengths > 1
		l.at = -1
	}
}

// lastOf reports whether the request that was read must be the last of its connection: it could be cut off
// somewhere else, or something stands behind it already.
func (s *stream) lastOf(r *http.Request) bool {
	unsaid := r.Method == http.MethodPost && len(r.TransferEncoding) == 0 && r.Header.Get("Content-Length") == ""
	if len(r.TransferEncoding) > 0 || unsaid || r.Header.Get("Upgrade") != "" {
		return true
	}
	if s == nil { // a request without a connection, in tests
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.odd || s.behind > max(r.ContentLength, 0)
}

// next begins to look at the head of another request.
func (s *stream) next() {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.line, s.odd, s.ended, s.behind = headLine{}, false, false, 0
}

// noteHandshake tells whoever sent plain HTTP where TLS is spoken, and the log of all who fail.
func (s *stream) noteHandshake(err error) {
	t, ok := s.Conn.(*tls.Conn)
	if !ok || errors.Is(err, net.ErrClosed) || t.ConnectionState().HandshakeComplete {
		return
	}
	var plain tls.RecordHeaderError
	if errors.As(err, &plain) && plain.Conn != nil {
		_, _ = io.WriteString(plain.Conn, "HTTP/1.0 400 Bad Request\r\n\r\nHTTPS is spoken here\n")
	}
	s.handshakeFailed(err)
}

type streamKey struct{}

// introduceStream is http.Server.ConnContext: a handler finds the stream in its request, and the visitor below it.
func introduceStream(ctx context.Context, c net.Conn) context.Context {
	s, _ := c.(*stream)
	return introduce(context.WithValue(ctx, streamKey{}, s), c)
}

// streamOf is the connection that a request came over, or nil.
func streamOf(r *http.Request) *stream {
	s, _ := r.Context().Value(streamKey{}).(*stream)
	return s
}
