package e2e

import (
	"bytes"
	"net/http"
	"strings"
)

// rolloutIncidents: a configuration that is wrong, or a machine whose clock is.
func rolloutIncidents() []fault {
	return []fault{
		{name: "wrong-prefix", does: "a wrong topic prefix is rolled out, with `create_missing`", real: true, run: wrongPrefix},
		{name: "body-limits", does: "bodies are allowed that a batch cannot be unpacked with", real: true, run: bodyLimits},
		{name: "another-pepper", does: "another pepper is rolled out", real: true, run: anotherPepper},
		{name: "wrong-secret", does: "a wrong secret of an endpoint is rolled out", real: true, run: wrongSecret},
		{name: "wrong-clock", does: "the clock of ingest is two hours ahead of the broker's", only: true, run: wrongClock},
	}
}

// anotherPepper: hashes under another key find no mark, so every copy would come out again. It is refused at
// start, and the old one put back cures it.
func anotherPepper(s *scene) {
	_, first, second := s.calm()
	s.grow(100)
	p := s.runbook("Another pepper")
	first.process.stop(s)
	second.process.stop(s)
	s.rewrite("endpoints:\n", "dedupe:\n  pepper: \"${PEPPER}\"\nendpoints:\n")
	m := s.launch([]string{"PEPPER=another-pepper-of-thirty-two-bytes"}, first.listen, first.admin, first.args...)
	s.resend(200)
	p.sees("the exit", logs(m), "another pepper was used before")
	select {
	case <-m.done:
		last, code := m.ends()
		if code == 0 {
			s.Errorf("it ended with code 0 and %q, want an error", last)
		}
	default:
		s.Error("it runs under another pepper")
		m.process.stop(s)
	}
	s.rewrite("dedupe:\n  pepper: \"${PEPPER}\"\n", "")
	s.strike()
	first.again()
	second.again()
	s.recover()
	s.resend(300)
	s.verdict()
}

// wrongSecret: everything of the endpoint is answered 401 until the right one is back; vendors try again.
func wrongSecret(s *scene) {
	in, _, _ := s.calm()
	p := s.runbook("`outcome=\"mismatch\"`, `\"unsigned\"` or `\"stale\"` rises")
	s.stop()
	s.during.quiet(s)
	in.withdraw()
	wrong := in.replaced("KYCBRIDGE_SECRET_COMPLYCUBE=the-secret-of-another-endpoint")
	client := newClient()
	var refused []delivery
	for range 30 {
		if d := s.load.take(); !d.forged {
			if status, _ := post(client, s.hooks.any(), d.body, sign(d.body, secret)); status != http.StatusUnauthorized {
				s.Errorf("status %d, want 401", status)
			}
			refused = append(refused, d)
		}
	}
	p.sees("the metrics", metrics(wrong), `outcome="mismatch"`)
	wrong.withdraw()
	in.replaced()
	s.strike()
	for _, d := range refused {
		s.await("the vendor's next try is accepted", func() bool { return s.load.send(client, s.hooks.any(), d) == http.StatusOK })
	}
	s.during.stop()
	s.during = read(s, s.kafka, s.prefix)
	s.verdict()
}

// wrongClock: the broker refuses what is stamped hours ahead. It is named for what it is.
func wrongClock(s *scene) {
	in, _, _ := s.calm()
	p := s.runbook("A clock is wrong")
	in.withdraw()
	ahead := in.replaced("KYCBRIDGE_FAILPOINT=clock-ahead:7200")
	d := s.load.take()
	for d.forged {
		d = s.load.take()
	}
	s.await("deliveries are answered 503", func() bool { return s.load.send(newClient(), s.hooks.any(), d) == http.StatusServiceUnavailable })
	p.sees("/readyz", answers(ahead), "INVALID_TIMESTAMP", "this machine's clock or the broker's is wrong")
	ahead.withdraw()
	p.follow(0)
	s.strike()
	in.replaced()
	s.recover()
	s.grow(60)
	s.verdict()
}

// wrongPrefix: ingest would make topics of its own and accept into them, where nobody reads.
func wrongPrefix(s *scene) {
	in, first, _ := s.calm()
	p := s.runbook("A wrong configuration was rolled out")
	s.stop()
	s.during.quiet(s)
	right := s.prefix
	in.withdraw()
	wrong := strings.TrimSuffix(right, ".") + "-wrong."
	s.rewrite(right, wrong)
	in = s.launch(nil, in.listen, in.admin, in.args...)
	if !s.refused(in) {
		s.Error("it makes topics under another prefix, and accepts into them, where nobody reads")
		s.hooks.add(in.listen)
		for range 40 {
			s.load.send(newClient(), s.hooks.any(), s.load.take())
		}
		in.withdraw()
	}
	p.sees("the exit", logs(in), "no topic begins with kafka.topic_prefix")
	s.seen("the exit", logs(in), wrong)
	if s.fake != nil { // other scenes have prefixes of their own in a Kafka that they share
		s.seen("the exit", logs(in), right)
	}
	s.rewrite(wrong, right)
	in.replaced()
	s.strike()
	s.resend(s.load.next)
	s.during.stop()
	s.during = read(s, s.kafka, s.prefix)
	s.during.quiet(s)
	first.ready(s)
	s.verdict()
}

// refused reports whether a process ended by itself instead of becoming ready.
func (s *scene) refused(m *member) bool {
	s.Helper()
	ended := false
	s.await("the process is ready, or refuses to start", func() bool {
		select {
		case <-m.done:
			ended = true
			return true
		default:
		}
		status, _ := get("http://" + m.admin + "/readyz")
		return status == http.StatusOK
	})
	return ended
}

// bodyLimits: what may be accepted must be readable afterwards, or such limits are refused at start.
func bodyLimits(s *scene) {
	p := s.runbook("A process does not start")
	s.rewrite("  drain_delay: 0.2s\n", "  drain_delay: 0.2s\n  max_body_bytes: 67108864\n  max_waiting_body_bytes: 536870912\n",
		"  client_id:", "  max_message_bytes: 104857600\n  client_id:")
	in := s.launch(nil, freePort(s), freePort(s), "ingest")
	if s.refused(in) {
		p.sees("the exit", logs(in), "must be 0 (default 4194304)")
		s.seen("the exit", logs(in), "kafka.max_message_bytes")
	} else {
		s.hooks.add(in.listen)
		m := s.normalizer(0, "")
		s.during = read(s, s.kafka, s.prefix)
		d := padded("body-limits-large", 64<<20)
		s.await("the large body is accepted", func() bool {
			return request(newClient(), s.hooks.any(), bytes.NewReader(d.body), sign(d.body, secret)) == http.StatusOK
		})
		s.load.mu.Lock()
		s.load.acked[d.key]++
		s.load.mu.Unlock()
		if !eventually(incidentPatience, func() bool { return s.disposed() == 1 }) {
			s.Fatalf("a body that was accepted holds its partition: %s", tail(m.log.String(), 2000))
		}
		in.process.stop(s)
	}
	s.write()
	s.calm()
	s.strike()
	s.recover()
	s.verdict()
}
