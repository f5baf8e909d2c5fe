package attack

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// kinds do what one connection does, until it ends or ctx does.
var kinds = map[Kind]func(context.Context, *attacker, net.Conn, []byte){
	Hold: hold, Trickle: trickle, Ask: ask, Linger: linger, Deaf: deaf, Handshake: handshake, HalfHello: halfHello,
}

func hold(ctx context.Context, a *attacker, c net.Conn, wire []byte) {
	_, _ = c.Write(wire)
	a.last(ctx, c)
}

// last waits for an answer, or the end without one.
func (a *attacker) last(ctx context.Context, c net.Conn) {
	var head [len("HTTP/1.1 401")]byte
	_, err := io.ReadFull(c, head[:])
	switch {
	case ctx.Err() != nil:
	case err != nil:
		a.note(func(t *Tally) { t.Cut++ })
	default:
		a.note(func(t *Tally) { t.Answers[string(bytes.TrimSpace(head[len(head)-3:]))]++ })
	}
}

// Above the least rate of most servers, far below that of a sender that means it.
const (
	trickleEvery = 100 * time.Millisecond
	trickleBytes = 256
)

func trickle(ctx context.Context, a *attacker, c net.Conn, wire []byte) {
	_, _ = c.Write(wire)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		a.last(ctx, c)
	}()
	tick := time.NewTicker(trickleEvery)
	defer tick.Stop()
	more := bytes.Repeat([]byte{' '}, trickleBytes)
	for {
		select {
		case <-ended:
			return
		case <-tick.C:
			_, _ = c.Write(more)
		}
	}
}

func ask(ctx context.Context, a *attacker, c net.Conn, _ []byte) {
	answers := bufio.NewReader(c)
	for ctx.Err() == nil {
		wire, more := a.next()
		if !more {
			return
		}
		if _, err := c.Write(wire); err != nil {
			a.cut(ctx)
			return
		}
		answer, err := http.ReadResponse(answers, nil)
		if err != nil {
			a.cut(ctx)
			return
		}
		_, err = io.Copy(io.Discard, answer.Body)
		a.note(func(t *Tally) { t.Answers[strconv.Itoa(answer.StatusCode)]++ })
		if err != nil || answer.Close {
			return
		}
	}
}

func linger(ctx context.Context, a *attacker, c net.Conn, wire []byte) {
	_, _ = c.Write(wire)
	answers := bufio.NewReader(c)
	answer, err := http.ReadResponse(answers, nil)
	if err != nil {
		a.cut(ctx)
		return
	}
	a.note(func(t *Tally) { t.Answers[strconv.Itoa(answer.StatusCode)]++ })
	_, _ = io.Copy(io.Discard, answer.Body)
	_, _ = answers.ReadByte() // there is none: it waits for the end
}

func deaf(ctx context.Context, a *attacker, c net.Conn, wire []byte) {
	many := bytes.Repeat(wire, 16)
	for ctx.Err() == nil {
		if _, err := c.Write(many); err != nil {
			a.cut(ctx)
			return
		}
	}
}

func (a *attacker) cut(ctx context.Context) {
	if ctx.Err() == nil {
		a.note(func(t *Tally) { t.Cut++ })
	}
}

// anybody is no check of who answers: this side does not care.
var anybody = &tls.Config{InsecureSkipVerify: true}

func handshake(ctx context.Context, a *attacker, c net.Conn, _ []byte) {
	if err := tls.Client(c, anybody).HandshakeContext(ctx); err != nil {
		a.cut(ctx)
		return
	}
	a.note(func(t *Tally) { t.Shaken++ })
}

// hello is a client's first flight. One serves all connections: a server does not mind.
var hello = sync.OnceValue(func() []byte {
	var r recorder
	_ = tls.Client(&r, anybody).Handshake() // fails at the first read
	return r.sent.Bytes()
})

// A recorder is a connection that keeps what is sent and answers nothing.
type recorder struct {
	net.Conn
	sent bytes.Buffer
}

func (r *recorder) Write(b []byte) (int, error) { return r.sent.Write(b) }
func (r *recorder) Read([]byte) (int, error)    { return 0, io.EOF }
func (r *recorder) Close() error                { return nil }
func (r *recorder) SetDeadline(time.Time) error { return nil }

func halfHello(ctx context.Context, a *attacker, c net.Conn, _ []byte) {
	_, _ = c.Write(hello())
	var first [1]byte
	if _, err := c.Read(first[:]); err != nil {
		a.cut(ctx)
		return
	}
	a.note(func(t *Tally) { t.Shaken++ })
}
