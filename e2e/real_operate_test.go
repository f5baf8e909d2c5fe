package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kycbridge/kycbridge/audit"
	"github.com/kycbridge/kycbridge/schemas"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// operator is somebody at a terminal, beside a deployment that runs.
type operator struct {
	*deployment
	in     *stage
	load   *load
	during *reader
	gaps   []delivery // what the older version did not map
}

// TestRealOperator checks, traces, lists and replays on Apache Kafka and Redis with the built program, in
// part while deliveries come in: every command says what is, and consumers see each event once, and once
// more for each replay that was ordered.
func TestRealOperator(t *testing.T) {
	d := deploy(t)
	o := &operator{deployment: d, in: d.run(t, "ingest"), load: newLoad("operator"), during: read(t, d.kafka, d.prefix)}
	older := &stage{listen: freePort(t)}
	admin := freePort(t)
	older.process = startBinary(t, faultBinary(t, ""), admin, append(d.env(admin), "KYCBRIDGE_FAILPOINT=unmapped"),
		"normalize", "--instance", "0", "--config", d.config)
	stop := o.live(t)
	o.send(t, 8)
	o.grow(t, 250)
	stop()
	o.during.quiet(t)
	older.stop(t)
	current := d.run(t, "normalize", "--instance", "0")
	cut := time.Now()
	if v := o.verify(t); len(v.Replays) > 0 {
		t.Errorf("before any replay, verify reports %v", v.Replays)
	}
	o.traces(t)
	o.letters(t)

	stop = o.live(t)
	o.grow(t, 50)
	o.fills(t)
	o.finds(t, "replay", "--mode", "fill-gaps", "--all", "--replay-id", "no-gap-left").expect(t, 0, "no_gap", "still_dead")
	again := o.reEmits(t, cut)
	o.grow(t, 50)
	stop()
	o.during.quiet(t)
	judge(t, o.load, o.during.snapshot())
	after := read(t, d.kafka, d.prefix)
	after.quiet(t)
	f := judge(t, o.load, after.snapshot())
	o.labelled(t, f, "mended", len(o.gaps))
	o.labelled(t, f, "lost-by-a-consumer", again)
	if v := o.verify(t); len(v.Replays) != 2 || v.Replays[0].Events != int64(again) || v.Replays[1].Events != int64(len(o.gaps)) {
		t.Errorf("verify reports the replays %+v, want one of %d events and one of %d", v.Replays, again, len(o.gaps))
	}
	if text := o.say(t, 0, "verify"); !strings.Contains(text, "no violation") {
		t.Errorf("verify says:\n%s", text)
	}
	current.stop(t)
	o.in.stop(t)
}

// env is what the configuration wants of the environment.
func (d *deployment) env(admin string) []string {
	return []string{"KYCBRIDGE_LISTEN=127.0.0.1:0", "KYCBRIDGE_ADMIN=" + admin, "KYCBRIDGE_SECRET_COMPLYCUBE=" + secret}
}

// live sends deliveries until stop is called.
func (o *operator) live(t *testing.T) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		o.load.drive(ctx, o.hook, 4)
	}()
	return func() { cancel(); <-sent }
}

func (o *operator) hook() string { return "http://" + o.in.listen + "/hooks/complycube" }

func (o *operator) grow(t *testing.T, by int) {
	t.Helper()
	before := o.load.accepted()
	if !eventually(patience, func() bool { return o.load.accepted() >= before+by }) {
		t.Fatalf("only %d of %d deliveries accepted in %s", o.load.accepted()-before, by, patience)
	}
}

// send posts deliveries that the older version does not map, each of them twice.
func (o *operator) send(t *testing.T, n int) {
	t.Helper()
	for i := range n {
		d := delivery{key: fmt.Sprintf("%s-gap-%d", o.load.run, i)}
		d.body = event(d.key, "check.completed.clear", `{"id":"%s","status":"complete","outcome":"clear","note":"kycbridge-unmapped","updatedAt":"%s"}`,
			fmt.Sprintf("%s-gap-subject-%d", o.load.run, i), "2026-01-02T03:00:00.000Z")
		for range 2 {
			if status := o.load.send(newClient(), o.hook(), d); status != http.StatusOK {
				t.Fatalf("status %d, want 200", status)
			}
		}
		o.gaps = append(o.gaps, d)
	}
}

// say runs a command to its end and returns what it printed.
func (o *operator) say(t *testing.T, code int, args ...string) string {
	t.Helper()
	out, errs, got := command(t, o.env("127.0.0.1:0"), append(args, "--config", o.config)...)
	if got != code {
		t.Fatalf("kycbridge %s: code %d, want %d\n%s%s", strings.Join(args, " "), got, code, tail(out, 4000), errs)
	}
	quietAbout(t, "the errors of "+args[0], errs, false)
	return out
}

// verify runs it, where everything must be well and nothing may be pending.
func (o *operator) verify(t *testing.T) (v audit.Verdict) {
	t.Helper()
	if err := json.Unmarshal([]byte(o.say(t, 0, "verify", "--json")), &v); err != nil {
		t.Fatal(err)
	}
	raw := len(sorted(t, o.during.snapshot()).raw)
	if v.Violations() != 0 || v.Raw != int64(raw) || v.Pending != 0 || v.Emitted == 0 || v.Repeats == 0 || v.Dead == 0 {
		t.Errorf("verify says %+v, want %d raw records, some of each kind, and nothing wrong", v, raw)
	}
	return v
}

// trace runs it and returns the deliveries it shows.
func (o *operator) trace(t *testing.T, id string) (all []audit.Delivery) {
	t.Helper()
	for line := range strings.Lines(o.say(t, 0, "trace", id, "--json")) {
		var d audit.Delivery
		if err := json.Unmarshal([]byte(line), &d); err != nil {
			t.Fatal(err)
		}
		all = append(all, d)
	}
	return all
}

// traces follows one delivery by each of its names.
func (o *operator) traces(t *testing.T) {
	f := sorted(t, o.during.snapshot())
	e := f.events[len(f.events)/2]
	copies, delivered := 0, ""
	for _, d := range f.dispositions {
		if d.GetVendorEventId() == e.metadata.GetVendorEventId() {
			copies++
		}
	}
	raw := e.metadata.GetRaw()
	for _, r := range f.raw {
		if r.Partition == raw.GetPartition() && r.Offset == raw.GetOffset() {
			delivered = decode[*kycv1.RawEnvelope](t, r).GetDeliveryId()
		}
	}
	subject := e.metadata.GetSubject()
	session := subject.GetSessionId() + subject.GetCheckId() + subject.GetClientId()
	for name, id := range map[string]string{
		"event": e.metadata.GetEventId(), "vendor's event": e.metadata.GetVendorEventId(), "delivery": delivered,
		"coordinate": fmt.Sprintf("%d@%d", raw.GetPartition(), raw.GetOffset()), "subject": session, "key": string(e.record.Key),
	} {
		all := o.trace(t, id)
		if at := slices.IndexFunc(all, func(d audit.Delivery) bool { return d.ID == delivered }); at < 0 ||
			!slices.ContainsFunc(all[at].Events, func(s audit.Event) bool { return s.ID == e.metadata.GetEventId() }) ||
			len(all[at].RepeatedBy) != copies-1 {
			t.Errorf("trace of the %s %q does not show the delivery %s with its event and %d copies: %+v", name, id, delivered, copies-1, all)
		}
	}
	if text := o.say(t, 0, "trace", e.metadata.GetEventId()); !strings.Contains(text, delivered) || !strings.Contains(text, "EMITTED") {
		t.Errorf("trace %s says:\n%s", e.metadata.GetEventId(), text)
	}
	o.say(t, 1, "trace", "nobody-of-this-name")
}

// letters lists the dead letters and shows one of them by each of its names.
func (o *operator) letters(t *testing.T) {
	f := sorted(t, o.during.snapshot())
	if got := strings.Count(o.say(t, 0, "deadletter", "list", "--reason", "unmapped", "--limit", "0", "--json"), "\n"); got != len(f.dead) {
		t.Errorf("deadletter list shows %d letters, want %d", got, len(f.dead))
	}
	for _, letter := range f.dead {
		body := string(letter.GetEnvelope().GetBody())
		if body != string(o.gaps[0].body) {
			continue
		}
		raw := letter.GetRaw()
		for _, id := range []string{o.gaps[0].key, letter.GetEnvelope().GetDeliveryId(), fmt.Sprintf("%d@%d", raw.GetPartition(), raw.GetOffset())} {
			if text := o.say(t, 0, "deadletter", "show", id); !strings.Contains(text, letter.GetEnvelope().GetDeliveryId()) || strings.Contains(text, "payload") {
				t.Errorf("deadletter show %s says:\n%s", id, text)
			}
		}
		if got := o.say(t, 0, "deadletter", "show", o.gaps[0].key, "--body", "-"); got != body {
			t.Errorf("the body of %s is %q, want %q", o.gaps[0].key, got, body)
		}
		return
	}
	t.Errorf("none of %d dead letters is that of %s", len(f.dead), o.gaps[0].key)
}

// replayed is what a replay reports.
type replayed struct {
	Events, Transactions int
	Counts               []struct {
		Outcome string
		Records int
	}
}

func (o *operator) finds(t *testing.T, args ...string) (r replayed) {
	t.Helper()
	if err := json.Unmarshal([]byte(o.say(t, 0, append(args, "--json")...)), &r); err != nil {
		t.Fatal(err)
	}
	return r
}

// expect wants so many events, and these outcomes alone.
func (r replayed) expect(t *testing.T, events int, outcomes ...string) {
	t.Helper()
	for _, c := range r.Counts {
		if !slices.Contains(outcomes, c.Outcome) {
			t.Errorf("%d records came out as %s, want only %v", c.Records, c.Outcome, outcomes)
		}
	}
	if r.Events != events || events == 0 && r.Transactions != 0 {
		t.Errorf("%d events in %d transactions, want %d", r.Events, r.Transactions, events)
	}
}

// fills replays the dead letters: what this version maps becomes events, once, however often it is asked.
func (o *operator) fills(t *testing.T) {
	fill := []string{"deadletter", "replay", "--reason", "unmapped", "--replay-id"}
	o.finds(t, append(fill, "rehearsed", "--dry-run")...).expect(t, len(o.gaps), "emitted", "still_dead")
	o.finds(t, append(fill, "mended")...).expect(t, len(o.gaps), "emitted", "still_dead")
	o.finds(t, append(fill, "mended")...).expect(t, 0, "done_before", "still_dead")
	o.finds(t, append(fill, "mended-again")...).expect(t, 0, "no_gap", "still_dead")
}

// reEmits publishes once more what was published from deliveries before a time, by a replay that is killed on
// its way and goes on. It returns how many events those are.
func (o *operator) reEmits(t *testing.T, cut time.Time) (events int) {
	const id = "lost-by-a-consumer"
	args := []string{"replay", "--mode", "re-emit", "--until", cut.UTC().Format(time.RFC3339Nano), "--replay-id", id}
	p := start(t, "", o.env("127.0.0.1:0"), append(args, "--config", o.config)...)
	begun := func() bool {
		select {
		case <-p.done:
			return true
		default:
		}
		return slices.ContainsFunc(slices.Collect(maps.Values(o.during.snapshot())), func(r *kgo.Record) bool { return header(r, "replay") == id })
	}
	if !eventually(patience, begun) {
		t.Fatalf("the replay writes nothing:\n%s", p.log.String())
	}
	p.kill()
	o.say(t, 0, args...)
	o.finds(t, args...).expect(t, 0, "done_before", "never_emitted")
	for _, e := range sorted(t, o.during.snapshot()).events {
		if replay := header(e.record, "replay"); (replay == "" || replay == "mended") && e.metadata.GetReceivedAt().AsTime().Before(cut) {
			events++
		}
	}
	return events
}

// labelled wants so many different events with the label of a replay, each once and each said before.
func (o *operator) labelled(t *testing.T, f found, id string, want int) {
	t.Helper()
	seen, first := map[string]int{}, map[string]bool{}
	for _, e := range f.events {
		name := e.record.Topic + e.metadata.GetEventId()
		if header(e.record, "replay") == id {
			seen[name]++
		} else if header(e.record, "replay") == "" {
			first[name] = true
		}
	}
	for name, n := range seen {
		if n > 1 {
			t.Errorf("the replay %s published %s %d times", id, strings.TrimPrefix(name, schemas.DefaultPrefix), n)
		}
		if id == "mended" && first[name] {
			t.Errorf("the replay %s published %s, which was there", id, name)
		}
	}
	if len(seen) != want {
		t.Errorf("the replay %s published %d events, want %d", id, len(seen), want)
	}
}
