package main

import (
	"bufio"
	"cmp"
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/kycbridge/kycbridge/bench/attack"
)

// spans are the times of one attack, and how many signed webhooks come in a second.
type spans struct {
	warm  time.Duration // not counted
	calm  time.Duration // before the attack
	under time.Duration // attack
	rate  int
}

func (t spans) all() int { return int((t.warm + t.calm + t.under).Seconds() * float64(t.rate)) }

// A siege is what came of one attack.
type siege struct {
	onslaught
	calm, during seen
	peak         float64 // MB of ingest at most
	stored       stored
	probed       probed
	counted      counters // during the attack
	tally        attack.Tally
}

// besiege starts ingest, streams signed webhooks, and attacks after a while.
func (d *deployment) besiege(ctx context.Context, o onslaught, t spans) (s siege, err error) {
	s.onslaught = o
	d.files = cmp.Or(o.files, mostFiles)
	scheme, trust := "http://", (*x509.CertPool)(nil)
	if o.tls {
		scheme, d.tls = "https://", filepath.Join(d.w.scratch, "tls")
		if trust, err = certify(d.tls); err != nil {
			return s, err
		}
	}
	if err := d.createTopics(ctx); err != nil {
		return s, err
	}
	p, err := d.run(ctx, "ingest")
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, p.Stop()) }()
	m, err := usualMix()
	if err != nil {
		return s, err
	}
	all, err := m.webhooks(0, t.all())
	if err != nil {
		return s, err
	}
	hostile, err := prepareAttack(ctx, m, o, p.listen)
	if err != nil {
		return s, err
	}
	defer hostile.kill()
	became, err := s.run(ctx, p, hostile, newStream(scheme+p.listen, streamFrom, trust, t.rate), all, t)
	if err != nil {
		return s, errors.Join(err, p.Ended())
	}
	return s, s.judge(ctx, d, p, all, became)
}

// run is the time from the first webhook to the last.
func (s *siege) run(ctx context.Context, p *running, hostile *attacker, stream *stream, all []webhook, t spans) (became []posted, err error) {
	requests, err := stream.prepare(all)
	if err != nil {
		return nil, err
	}
	group, ctx := errgroup.WithContext(ctx)
	begin := time.Now()
	over, cancel := context.WithDeadline(ctx, begin.Add(t.warm+t.calm+t.under))
	defer cancel()
	group.Go(func() (err error) {
		became, err = stream.post(ctx, requests, begin)
		return err
	})
	group.Go(func() error {
		if !sleep(ctx, time.Until(begin.Add(t.warm+t.calm))) {
			return ctx.Err()
		}
		before, err := readCounters(ctx, p.admin)
		if err != nil {
			return err
		}
		if err := hostile.begin(); err != nil {
			return err
		}
		s.probed = probe(over, p.admin)
		after, err := readCounters(ctx, p.admin)
		if err != nil {
			return err
		}
		s.counted = after.since(before)
		s.tally, err = hostile.end()
		return err
	})
	if err := group.Wait(); err != nil {
		return nil, err
	}
	s.calm, s.during = sumUp(became, t.warm, t.warm+t.calm), sumUp(became, t.warm+t.calm, t.warm+t.calm+t.under)
	return became, nil
}

// sleep reports whether it slept that long, or ctx ended.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// readLimit bounds the reading of the raw topic.
const readLimit = time.Minute

func (s *siege) judge(ctx context.Context, d *deployment, p *running, all []webhook, became []posted) error {
	usage, err := p.Usage()
	if err != nil {
		return err
	}
	s.peak = float64(usage.Peak) / 1e6
	known, err := enrol(all, became)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, readLimit)
	defer cancel()
	bodies, err := d.rawBodies(ctx)
	s.stored = known.compare(bodies)
	return err
}

// forgedKinds is how many different forged webhooks there are.
const forgedKinds = 200

// prepareAttack starts the attacker, which waits.
func prepareAttack(ctx context.Context, m *mix, o onslaught, target string) (*attacker, error) {
	plan := attack.Plan{Kind: o.kind, Target: target, From: o.from(), Connections: o.connections}
	if o.wires != nil {
		good, err := m.webhooks(1_000_000, forgedKinds) // none of the stream's
		if err != nil {
			return nil, err
		}
		forged, err := forgeries(good)
		if err != nil {
			return nil, err
		}
		if plan.Wires, err = o.wires(forged); err != nil {
			return nil, err
		}
	}
	return startAttacker(ctx, plan)
}

// An attacker is this program once more, as the other side. It has one of the cores for itself if it can get it, and not
// both: what nobody is left to answer is no attack but a lack of machines.
type attacker struct {
	cmd    *exec.Cmd
	tell   io.WriteCloser
	said   *bufio.Reader
	waited bool
}

func startAttacker(ctx context.Context, plan attack.Plan) (*attacker, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	a := &attacker{cmd: exec.CommandContext(ctx, self)}
	a.cmd.Env = append(os.Environ(), attack.Variable+"=1", "GOMAXPROCS=1")
	a.cmd.Stderr = os.Stderr
	if a.tell, err = a.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := a.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	a.said = bufio.NewReader(out)
	if err := a.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the attacker: %w", err)
	}
	line, err := json.Marshal(plan)
	if err == nil {
		_, err = a.tell.Write(append(line, '\n'))
	}
	if err == nil {
		_, err = a.said.ReadString('\n') // it is ready
	}
	if err != nil {
		a.kill()
		return nil, fmt.Errorf("tell the attacker its plan: %w", err)
	}
	return a, nil
}

func (a *attacker) begin() error {
	if _, err := io.WriteString(a.tell, "go\n"); err != nil {
		return fmt.Errorf("start the attack: %w", err)
	}
	return nil
}

// end stops the attack, and says what the attacker saw.
func (a *attacker) end() (t attack.Tally, err error) {
	err = a.tell.Close()
	if e := json.NewDecoder(a.said).Decode(&t); e != nil {
		err = errors.Join(err, fmt.Errorf("what the attacker saw: %w", e))
	}
	a.waited = true
	return t, errors.Join(err, a.cmd.Wait())
}

// kill is for an attacker that was not ended.
func (a *attacker) kill() {
	if a.waited {
		return
	}
	a.waited = true
	_ = a.cmd.Process.Kill()
	_ = a.cmd.Wait()
}
