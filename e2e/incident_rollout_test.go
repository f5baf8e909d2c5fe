package e2e

import (
	"net/http"
)

// rolloutIncidents: a configuration that is wrong, or a machine whose clock is.
func rolloutIncidents() []fault {
	return []fault{
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
	s.rewrite("endpoints:\n", "dedupe:\n  pepper: \"another-pepper-of-thirty-two-bytes\"\nendpoints:\n")
	m := s.launch(nil, first.listen, first.admin, first.args...)
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
	s.rewrite("dedupe:\n  pepper: \"another-pepper-of-thirty-two-bytes\"\n", "")
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
	s.hooks.remove(in.listen)
	in.process.stop(s)
	wrong := s.launch([]string{"KYCBRIDGE_SECRET_COMPLYCUBE=the-secret-of-another-endpoint"}, in.listen, in.admin, in.args...)
	wrong.ready(s)
	s.hooks.add(wrong.listen)
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
	s.hooks.remove(wrong.listen)
	wrong.process.stop(s)
	in = s.launch(nil, in.listen, in.admin, in.args...)
	in.ready(s)
	s.hooks.add(in.listen)
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
	s.hooks.remove(in.listen)
	in.process.stop(s)
	ahead := s.launch([]string{"KYCBRIDGE_FAILPOINT=clock-ahead:7200"}, in.listen, in.admin, in.args...)
	ahead.ready(s)
	s.hooks.add(ahead.listen)
	d := s.load.take()
	s.await("deliveries are answered 503", func() bool { return s.load.send(newClient(), s.hooks.any(), d) == http.StatusServiceUnavailable })
	p.sees("/readyz", answers(ahead), "INVALID_TIMESTAMP")
	s.hooks.remove(ahead.listen)
	ahead.process.stop(s)
	p.follow(0)
	s.strike()
	in = s.launch(nil, in.listen, in.admin, in.args...)
	in.ready(s)
	s.hooks.add(in.listen)
	s.recover()
	s.grow(60)
	s.verdict()
}
