package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
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
	spans
	before, during seen
	events         *lateness // of the stream's, where the attack is on what makes them
	asked          int       // requests to a vendor's API
	peak           float64   // MB at most, of the largest process
	stored         stored
	probed         probed
	counted        counters // during the attack
	tally          attack.Tally
}

// lateness is how long after their webhooks were due events came, in ms.
type lateness struct {
	calm99, during99, slowest float64
}

// A battle is an attack while it goes on.
type battle struct {
	spans
	d        *deployment
	ingest   *running
	all      []*running // ingest, and the stages that run behind it
	api      *vendorAPI
	hostile  *attacker
	plan     attack.Plan
	stream   *stream
	webhooks []webhook
	reader   *arrivals // nil where events do not matter
	begin    time.Time
	became   []posted
}

// besiege streams signed webhooks to a new ingest, and attacks after a while.
func (d *deployment) besiege(ctx context.Context, o onslaught, t spans) (s siege, err error) {
	s.onslaught, s.spans = o, t
	b, stop, err := d.muster(ctx, o, t)
	defer func() { err = errors.Join(err, stop()) }()
	if err != nil {
		return s, err
	}
	if err := b.fight(ctx, &s); err != nil {
		for _, p := range b.all {
			err = errors.Join(err, p.Ended())
		}
		return s, err
	}
	return s, b.judge(ctx, &s)
}

// muster starts all that takes part. stop ends it, whatever the error.
func (d *deployment) muster(ctx context.Context, o onslaught, t spans) (b *battle, stop func() error, err error) {
	b = &battle{spans: t, d: d}
	var stops []func() error
	stop = func() (err error) {
		for _, one := range slices.Backward(stops) {
			err = errors.Join(err, one())
		}
		return err
	}
	b.api = startAPI()
	stops = append(stops, b.api.stop)
	d.files = cmp.Or(o.files, mostFiles)
	if o.behind() {
		d.others = []string{o.endpoint(b.api.URL)}
	}
	scheme, trust := "http://", (*x509.CertPool)(nil)
	if o.tls {
		scheme, d.tls = "https://", filepath.Join(d.w.scratch, "tls")
		if trust, err = certify(d.tls); err != nil {
			return b, stop, err
		}
	}
	if err := d.createTopics(ctx); err != nil {
		return b, stop, err
	}
	if b.ingest, err = d.run(ctx, "ingest"); err != nil {
		return b, stop, err
	}
	stops, b.all = append(stops, b.ingest.Stop), append(b.all, b.ingest)
	m, err := usualMix()
	if err != nil {
		return b, stop, err
	}
	if b.webhooks, err = m.webhooks(0, t.all()); err != nil {
		return b, stop, err
	}
	for _, stage := range o.stages {
		p, err := d.run(ctx, stage, "--instance", "0")
		if err != nil {
			return b, stop, err
		}
		stops, b.all = append(stops, p.Stop), append(b.all, p)
	}
	if o.behind() {
		if b.reader, err = d.openReader(ctx, b.webhooks); err != nil {
			return b, stop, err
		}
		stops = append(stops, func() error { b.reader.close(); return nil })
	}
	if b.plan, err = o.plan(m, b.ingest.listen); err != nil {
		return b, stop, err
	}
	if b.hostile, err = startAttacker(ctx, b.plan); err != nil {
		return b, stop, err
	}
	stops = append(stops, func() error { b.hostile.kill(); return nil })
	b.stream = newStream(scheme+b.ingest.listen, streamFrom, trust, t.rate)
	return b, stop, nil
}

// fight is the time from the first webhook to the last answer, or event.
func (b *battle) fight(ctx context.Context, s *siege) error {
	requests, err := b.stream.prepare(b.webhooks)
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	b.begin = time.Now()
	group.Go(func() (err error) {
		b.became, err = b.stream.post(ctx, requests, b.begin)
		return err
	})
	group.Go(func() error { return b.attack(ctx, s) })
	if b.reader != nil {
		group.Go(func() error { return b.read(ctx) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	s.before, s.during = sumUp(b.became, b.warm, b.warm+b.calm), sumUp(b.became, b.warm+b.calm, b.warm+b.calm+b.under)
	if b.reader != nil {
		s.events = b.late()
	}
	return nil
}

// attack lets the attacker loose for its time, and watches the admin address of the last stage.
func (b *battle) attack(ctx context.Context, s *siege) error {
	if !sleep(ctx, time.Until(b.begin.Add(b.warm+b.calm))) {
		return ctx.Err()
	}
	before, err := readCounters(ctx, b.ingest.admin)
	if err != nil {
		return err
	}
	if err := b.hostile.begin(); err != nil {
		return err
	}
	over, cancel := context.WithDeadline(ctx, b.begin.Add(b.warm+b.calm+b.under))
	defer cancel()
	s.probed = probe(over, b.all[len(b.all)-1].admin)
	s.asked = int(b.api.asked.Load())
	after, err := readCounters(ctx, b.ingest.admin)
	if err != nil {
		return err
	}
	s.counted = after.since(before)
	s.tally, err = b.hostile.end()
	return err
}

// lastEvent is how long after the attack the last event may come. One that did not come by then counts as that late.
const lastEvent = time.Minute

func (b *battle) read(ctx context.Context) error {
	over, cancel := context.WithDeadline(ctx, b.begin.Add(b.warm+b.calm+b.under+lastEvent))
	defer cancel()
	err := b.reader.run(over)
	if errors.Is(over.Err(), context.DeadlineExceeded) {
		return nil
	}
	return err
}

func (b *battle) late() *lateness {
	end := b.begin.Add(b.warm + b.calm + b.under + lastEvent)
	var before, during []time.Duration
	for i, p := range b.became {
		came := b.reader.came[i]
		if came.IsZero() {
			came = end
		}
		switch took := came.Sub(b.begin.Add(p.due)); {
		case p.due < b.warm:
		case p.due < b.warm+b.calm:
			before = append(before, took)
		default:
			during = append(during, took)
		}
	}
	return &lateness{quantile(before, 0.99), quantile(during, 0.99), quantile(during, 1)}
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

func (b *battle) judge(ctx context.Context, s *siege) error {
	for _, p := range b.all {
		usage, err := p.Usage()
		if err != nil {
			return err
		}
		s.peak = max(s.peak, float64(usage.Peak)/1e6)
	}
	known, err := enrol(b.webhooks, b.became)
	if err != nil {
		return err
	}
	if s.behind() { // what the attacker sends is signed as well
		for _, wire := range b.plan.Wires {
			_, body, _ := bytes.Cut(wire, []byte("\r\n\r\n"))
			known[sha256.Sum256(body)] = false
		}
	}
	ctx, cancel := context.WithTimeout(ctx, readLimit)
	defer cancel()
	bodies, err := b.d.rawBodies(ctx)
	s.stored = known.compare(bodies)
	return err
}

// forgedKinds is how many different forged webhooks there are.
const forgedKinds = 200

// plan is what the attacker is told.
func (o onslaught) plan(m *mix, target string) (attack.Plan, error) {
	p := attack.Plan{Kind: o.kind, Target: target, From: o.from(), Connections: o.connections, Again: o.again(), Once: o.behind()}
	if o.wires == nil {
		return p, nil
	}
	good, err := m.webhooks(1_000_000, forgedKinds) // none of the stream's
	if err != nil {
		return p, err
	}
	forged, err := forgeries(good)
	if err != nil {
		return p, err
	}
	p.Wires, err = o.wires(forged)
	return p, err
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
