package e2e

import (
	"bytes"
	"net"
	"sync"
	"sync/atomic"
	"testing"
)

// proxy stands between the programs and Redis and loses answers.
type proxy struct {
	addr, target string
	losing       atomic.Int64 // answers to writes that are still to be lost
	lost         atomic.Int64
}

func startProxy(t testing.TB, target string) *proxy {
	t.Helper()
	p := &proxy{addr: freePort(t), target: target}
	ln, err := net.Listen("tcp", p.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go p.join(conn)
		}
	}()
	return p
}

// lose drops the answers to the next n pipelines that claim, each together with
// its connection: the server has done what it was asked, and nobody hears of it.
func (p *proxy) lose(n int64) { p.losing.Store(n) }

func (p *proxy) join(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", p.target)
	if err != nil {
		return
	}
	defer server.Close()
	var eat atomic.Bool
	var wg sync.WaitGroup
	wg.Go(func() {
		defer server.Close()
		forward(client, server, func(chunk []byte) bool {
			if bytes.Contains(chunk, []byte("\r\nnx\r\n")) && p.losing.Add(-1) >= 0 {
				eat.Store(true)
			}
			return true
		})
	})
	forward(server, client, func([]byte) bool {
		if eat.Load() {
			p.lost.Add(1)
			return false
		}
		return true
	})
	client.Close()
	server.Close()
	wg.Wait()
}

// forward copies until either side ends or look says no.
func forward(from, to net.Conn, look func(chunk []byte) bool) {
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			if !look(buffer[:n]) {
				return
			}
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}
