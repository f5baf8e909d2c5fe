package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"strings"
	"time"

	"github.com/kycbridge/kycbridge/bench/attack"
)

// An onslaught is one attack on ingest, with a stream of signed webhooks beside it.
type onslaught struct {
	name        string // as a command names it
	does        string
	kind        attack.Kind
	from        func() []netip.Addr
	connections int // at a time
	wires       func(forged []webhook) ([][]byte, error)
	tls         bool
	files       int // limit of ingest's open files; 0: mostFiles
	// rush: nothing but a processor of its own holds the attacker back, and the stream's new connections stand in one
	// line with its. What the stream then waits is shown and is no goal.
	rush bool

	// stages run behind ingest: the attacker is proved, sends each of its requests once, and is after these.
	stages []string
	// endpoint is the attacker's own, as an item of the configuration; its vendor's API is at that address.
	endpoint func(api string) string
}

// behind reports whether the attack is on what is behind ingest.
func (o onslaught) behind() bool { return len(o.stages) > 0 }

// mostFiles is the limit of open files where none is part of the attack, if the machine allows it.
const mostFiles = 65536

// attackSeconds is how long an attack takes unless told otherwise.
const attackSeconds = 20

// streamFrom is where the signed webhooks come from.
var streamFrom = netip.MustParseAddr("127.0.0.1")

// A source network has 256 addresses, so that each of these is in another.
func own() []netip.Addr   { return []netip.Addr{streamFrom} }
func other() []netip.Addr { return []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 1, 1})} }

func many() (all []netip.Addr) {
	for n := range byte(200) {
		all = append(all, netip.AddrFrom4([4]byte{127, 0, 2 + n, 1}))
	}
	return all
}

// comeback is when an attacker that holds connections comes again after it was thrown out.
const comeback = 5 * time.Second

// again is the same for this one.
func (o onslaught) again() time.Duration {
	switch o.kind {
	case attack.Hold, attack.Linger, attack.Trickle:
		if !o.rush {
			return comeback
		}
	}
	return 0
}

// onslaughts are all of them.
func onslaughts() []onslaught {
	return []onslaught{
		{name: "slow-own", does: "5 000 slow bodies (100 bytes announced, one sent), from the stream's own address", kind: attack.Hold, from: own, connections: 5000, wires: slowBodies},
		{name: "slow-other", does: "the same from one other address", kind: attack.Hold, from: other, connections: 5000, wires: slowBodies},
		{name: "slow-many", does: "the same from 200 networks", kind: attack.Hold, from: many, connections: 5000, wires: slowBodies},
		{name: "idle-own", does: "10 000 connections with half a header, from the stream's own address", kind: attack.Hold, from: own, connections: 10_000, wires: halfHeaders(0)},
		{name: "idle-many", does: "the same from 200 networks", kind: attack.Hold, from: many, connections: 10_000, wires: halfHeaders(0)},
		{name: "idle-1024", does: "the same from 200 networks, 2 000 of them, with 1 024 open files for ingest", kind: attack.Hold, from: many, connections: 2000, wires: halfHeaders(0), files: 1024},
		{name: "header-own", does: "10 000 connections with 15 or 28 kB of half a header, from the stream's own address", kind: attack.Hold, from: own, connections: 10_000, wires: halfHeaders(15<<10, 28<<10)},
		{name: "header-many", does: "the same from 200 networks", kind: attack.Hold, from: many, connections: 10_000, wires: halfHeaders(15<<10, 28<<10)},
		{name: "rush-own", does: "5 000 connections with half a header that come again at once, from the stream's own address", kind: attack.Hold, from: own, connections: 5000, wires: halfHeaders(0), rush: true},
		{name: "rush-many", does: "the same from 200 networks", kind: attack.Hold, from: many, connections: 5000, wires: halfHeaders(0), rush: true},
		{name: "linger-own", does: "10 000 connections that stay after their answer 401, from the stream's own address", kind: attack.Linger, from: own, connections: 10_000, wires: wrongSignatures},
		{name: "linger-many", does: "the same from 200 networks", kind: attack.Linger, from: many, connections: 10_000, wires: wrongSignatures},
		{name: "forged-own", does: "wrong signatures at full speed over 64 connections, from the stream's own address", kind: attack.Ask, from: own, connections: 64, wires: wrongSignatures},
		{name: "forged-other", does: "the same from one other address", kind: attack.Ask, from: other, connections: 64, wires: wrongSignatures},
		{name: "forged-many", does: "the same over 400 connections from 200 networks", kind: attack.Ask, from: many, connections: 400, wires: wrongSignatures},
		{name: "unknown-many", does: "names that nobody configured at full speed over 400 connections from 200 networks", kind: attack.Ask, from: many, connections: 400, wires: unknownNames},
		{name: "deaf-own", does: "wrong signatures one after the other, answers never read, over 64 connections, from the stream's own address", kind: attack.Deaf, from: own, connections: 64, wires: wrongSignatures},
		{name: "deaf-many", does: "the same over 400 connections from 200 networks", kind: attack.Deaf, from: many, connections: 400, wires: wrongSignatures},
		{name: "body-own", does: "1 000 bodies of 1 MiB that trickle in at 2.5 kB/s, from the stream's own address", kind: attack.Trickle, from: own, connections: 1000, wires: longBodies},
		{name: "body-other", does: "the same from one other address", kind: attack.Trickle, from: other, connections: 1000, wires: longBodies},
		{name: "body-many", does: "the same from 200 networks", kind: attack.Trickle, from: many, connections: 1000, wires: longBodies},
		{name: "tls-own", does: "TLS handshakes at full speed, 64 at a time, from the stream's own address", kind: attack.Handshake, from: own, connections: 64, tls: true, rush: true},
		{name: "tls-other", does: "the same from one other address", kind: attack.Handshake, from: other, connections: 64, tls: true},
		{name: "tls-many", does: "the same, 400 at a time, from 200 networks", kind: attack.Handshake, from: many, connections: 400, tls: true},
		{name: "hello-own", does: "first flights of handshakes that go no further, 64 at a time, from the stream's own address", kind: attack.HalfHello, from: own, connections: 64, tls: true, rush: true},
		{name: "hello-many", does: "the same, 400 at a time, from 200 networks", kind: attack.HalfHello, from: many, connections: 400, tls: true},
		{
			name: "work-reviews", does: "1 000 company reviews with 1 000 beneficiaries each, signed, as fast as they are taken, for another endpoint",
			kind: attack.Ask, from: other, connections: 16, wires: largeReviews, stages: []string{"normalize"}, endpoint: reviewer,
		},
		{
			name: "work-blanks", does: "100 bodies of 1 MiB of blanks, signed, as fast as they are taken, for another endpoint",
			kind: attack.Ask, from: other, connections: 16, wires: blanks, stages: []string{"normalize"}, endpoint: reviewer,
		},
		{
			name: "fetch-flood", does: "5 000 notices with invented ids, which the vendor's API must be asked for, with the right token, for another endpoint",
			kind: attack.Ask, from: other, connections: 16, wires: notices, stages: []string{"normalize", "hydrate"}, endpoint: noticed,
		},
	}
}

// attacks runs those whose whole name matches, each on a process and topics of its own.
func attacks(ctx context.Context, w *world, s size, r *report) error {
	wanted, err := regexp.Compile("^(?:" + s.attack + ")$")
	if err != nil {
		return fmt.Errorf("--attack: %w", err)
	}
	t := spans{warm: 3 * time.Second, calm: 10 * time.Second, under: time.Duration(s.attackSeconds) * time.Second, rate: 200}
	for _, o := range onslaughts() {
		if s.attack != "" && !wanted.MatchString(o.name) {
			continue
		}
		w.say("attacks: %s: %s", o.name, o.does)
		one, err := w.deploy().besiege(ctx, o, t)
		if err != nil {
			return fmt.Errorf("%s: %w", o.name, err)
		}
		for _, missed := range one.missed() {
			w.say("attacks: %s: goal missed: %s", o.name, missed)
		}
		r.besieged.all = append(r.besieged.all, one)
	}
	if len(r.besieged.all) == 0 {
		return fmt.Errorf("--attack %q matches none of %s", s.attack, strings.Join(attackNames(), ", "))
	}
	return r.besieged.write(s.attacksTable)
}

func attackNames() (all []string) {
	for _, o := range onslaughts() {
		all = append(all, o.name)
	}
	return all
}

// cutBody is the head of a forged webhook, with another length announced, and how much of its body there is.
func cutBody(h webhook, announced, sent int) ([]byte, error) {
	head, body, ok := bytes.Cut(h.wire, []byte("\r\n\r\n"))
	length := fmt.Sprintf("Content-Length: %d", len(body))
	if !ok || !bytes.Contains(head, []byte(length)) {
		return nil, errors.New("a webhook without a length or a body")
	}
	head = bytes.Replace(head, []byte(length), fmt.Appendf(nil, "Content-Length: %d", announced), 1)
	return append(append(head, "\r\n\r\n"...), body[:sent]...), nil
}

// slowBodies go to a name that nobody configured, without and with a signature, and to one that is there: the one that
// shows nothing to verify may be judged by its head, the others may not.
func slowBodies(forged []webhook) ([][]byte, error) {
	signed, err := cutBody(forged[0], 100, 1)
	if err != nil {
		return nil, err
	}
	return [][]byte{
		[]byte("POST /hooks/nobody HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"),
		signed, renamed(signed, 0),
	}, nil
}

// renamed is the same request for a name that nobody configured.
func renamed(wire []byte, n int) []byte {
	return bytes.Replace(wire, []byte(" /hooks/complycube "), fmt.Appendf(nil, " /hooks/nobody-%d ", n), 1)
}

// halfHeaders are as long as they are told, and do not end.
func halfHeaders(lengths ...int) func([]webhook) ([][]byte, error) {
	return func([]webhook) (wires [][]byte, err error) {
		for _, length := range lengths {
			wires = append(wires, []byte("POST /hooks/complycube HTTP/1.1\r\nHost: x\r\nX-Half: "+strings.Repeat("x", length)))
		}
		return wires, nil
	}
}

func wrongSignatures(forged []webhook) (wires [][]byte, err error) {
	for _, h := range forged {
		wires = append(wires, h.wire)
	}
	return wires, nil
}

func unknownNames(forged []webhook) (wires [][]byte, err error) {
	for i, h := range forged {
		wires = append(wires, renamed(h.wire, i))
	}
	return wires, nil
}

func longBodies(forged []webhook) ([][]byte, error) {
	one, err := cutBody(forged[0], 1<<20, 100)
	return [][]byte{one}, err
}
