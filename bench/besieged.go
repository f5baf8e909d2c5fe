package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"time"
)

// What every attack must leave alone.
const (
	mostAdded  = 50.0        // ms, of p99 during the attack over that before it
	mostMemory = 150.0       // MB
	mostLate   = 2000.0      // ms, of the stream's slowest event over p99 before the attack
	mostWork   = 300.0       // MB of a normaliser
	mostAsked  = 10.0        // requests a second to a vendor's API, by default
	mostProbe  = time.Second // for an answer of the admin address: the default of an orchestrator's probe
)

// added is how much longer p99 became, in ms.
func (s siege) added() float64 { return s.during.p99 - s.before.p99 }

// refused is how many signed webhooks were not taken, before and during the attack.
func (s siege) refused() int { return s.before.sent - s.before.taken + s.during.sent - s.during.taken }

// memory is the most that the process may have, in MB.
func (s siege) memory() float64 {
	if s.behind() {
		return mostWork
	}
	return mostMemory
}

// missed names each goal that was missed.
func (s siege) missed() (all []string) {
	add := func(bad bool, format string, args ...any) {
		if bad {
			all = append(all, fmt.Sprintf(format, args...))
		}
	}
	if s.events == nil {
		add(s.added() > mostAdded && !s.rush, "p99 of signed webhooks is %.0f ms longer, at most %.0f ms", s.added(), mostAdded)
		add(s.alarmed() == "", "no counter of an alarm moved")
	} else {
		late := s.events.slowest - s.events.calm99
		add(late > mostLate, "an event of another endpoint came %.0f ms later, at most %.0f ms", late, mostLate)
	}
	add(s.refused() > 0, "%d signed webhooks were not taken (%s)", s.refused(), counts(s.before.others, s.during.others))
	add(s.peak > s.memory(), "%.0f MB of memory, at most %.0f MB", s.peak, s.memory())
	add(s.stored.letIn > 0, "%d forged webhooks were let in", s.stored.letIn)
	add(s.stored.lost > 0, "%d webhooks were taken and are not in the raw topic", s.stored.lost)
	add(s.probed.unanswered > 0 || s.probed.asked == 0, "%d of %d requests to the admin address were not answered with 200", s.probed.unanswered, s.probed.asked)
	add(s.probed.slowest > mostProbe, "the admin address took %.1f s, at most %s", s.probed.slowest.Seconds(), mostProbe)
	most := mostAsked * (s.under.Seconds() + 2)
	add(float64(s.asked) > most, "the vendor's API was asked %d times, at most %.0f", s.asked, most)
	add(s.tally.Opened == 0, "the attack did not come about")
	return all
}

// alarms are the counters that alarms are made of, by what the table calls them.
var alarms = []struct{ counter, name string }{
	{"evicted_connections_total", "evicted"},
	{"refused_connections_total", "not let in"},
	{"abandoned_connections_total", "abandoned"},
	{"deliveries_total noisy", "noisy"},
	{"deliveries_total crowded", "crowded"},
	{"deliveries_total slow_body", "slow_body"},
	{"deliveries_total mismatch", "mismatch"},
	{"deliveries_total unknown_endpoint", "unknown_endpoint"},
	{"deliveries_total unsigned", "unsigned"},
}

// alarmed says which of them moved.
func (s siege) alarmed() string {
	var moved []string
	for _, a := range alarms {
		if n := s.counted[a.counter]; n > 0 {
			moved = append(moved, fmt.Sprintf("%s %.0f", a.name, n))
		}
	}
	return strings.Join(moved, ", ")
}

// counts lists how often each was, by name.
func counts(all ...map[string]int) string {
	sum := map[string]int{}
	for _, one := range all {
		for name, n := range one {
			sum[name] += n
		}
	}
	var text []string
	for _, name := range slices.Sorted(maps.Keys(sum)) {
		text = append(text, fmt.Sprintf("%s × %d", name, sum[name]))
	}
	return strings.Join(text, ", ")
}

// besieged is what came of all attacks.
type besieged struct{ all []siege }

// note adds the figures to a report, for --json.
func (b *besieged) note(r *report) {
	for _, s := range b.all {
		note := func(name, unit string, value float64, g goal) { r.note("attacks", s.name+": "+name, unit, value, g) }
		note("signed webhooks, answer before the attack, p50", "ms", s.before.p50, goal{})
		note("signed webhooks, answer before the attack, p99", "ms", s.before.p99, goal{})
		note("signed webhooks, answer during the attack, p50", "ms", s.during.p50, goal{})
		note("signed webhooks, answer during the attack, p99", "ms", s.during.p99, goal{})
		if s.events == nil {
			most := goal{below: mostAdded}
			if s.rush {
				most = goal{}
			}
			note("signed webhooks, p99 added", "ms", s.added(), most)
		} else {
			note("slowest event of the signed webhooks, beyond p99 before", "ms", s.events.slowest-s.events.calm99, goal{atMost: mostLate})
		}
		note("signed webhooks that were not taken", "", float64(s.refused()), goal{below: 1})
		note("resident memory at most", "MB", s.peak, goal{atMost: s.memory()})
		note("let in", "", float64(s.stored.letIn), goal{below: 1})
		note("slowest answer of the admin address", "ms", milliseconds(s.probed.slowest), goal{atMost: milliseconds(mostProbe)})
		note("connections of the attacker", "", float64(s.tally.Opened), goal{})
	}
}

// missed is an error that names each goal that an attack missed, or nil.
func (b *besieged) missed() error {
	var problems []error
	for _, s := range b.all {
		for _, m := range s.missed() {
			problems = append(problems, fmt.Errorf("attacks: %s: goal missed: %s", s.name, m))
		}
	}
	return errors.Join(problems...)
}

const attacksHeader = "| Attack | The signed stream saw | Memory | Let in | The attacker saw | Ingest counted | Admin address | Command |\n" +
	"|---|---|---:|---:|---|---|---:|---|\n"

// markdown is the table of docs/faults.md.
func (b *besieged) markdown() string {
	var out strings.Builder
	out.WriteString(attacksHeader)
	for _, s := range b.all {
		fmt.Fprintf(&out, "| %s | %s | %.0f MB | %d | %s | %s | %.0f ms | `%s` |\n",
			s.does, s.saw(), s.peak, s.stored.letIn, s.faced(), s.alarmed(), milliseconds(s.probed.slowest), s.command())
	}
	return out.String()
}

// command repeats the attack.
func (s siege) command() string {
	text := "ATTACK=" + s.name + " make attacks"
	if seconds := int(s.under.Seconds()); seconds != attackSeconds {
		text += fmt.Sprintf(" ATTACKS='--attack-seconds %d'", seconds)
	}
	return text
}

// saw is what became of the signed stream.
func (s siege) saw() string {
	text := fmt.Sprintf("%d sent, %d refused; p50 %.1f → %.1f ms, p99 %.1f → %.1f ms",
		s.before.sent+s.during.sent, s.refused(), s.before.p50, s.during.p50, s.before.p99, s.during.p99)
	if s.events != nil {
		text += fmt.Sprintf("; event after p99 %.0f → %.0f ms, at most %.0f ms", s.events.calm99, s.events.during99, s.events.slowest)
	}
	if s.asked > 0 {
		text += fmt.Sprintf("; the vendor's API was asked %d times", s.asked)
	}
	if s.refused() > 0 {
		text += " (" + counts(s.before.others, s.during.others) + ")"
	}
	if m := s.missed(); len(m) > 0 {
		text += "; **fails: " + strings.Join(m, "; ") + "**"
	}
	return text
}

// faced is what the attacker saw.
func (s siege) faced() string {
	text := fmt.Sprintf("%d connections, %d cut", s.tally.Opened, s.tally.Cut)
	if len(s.tally.Answers) > 0 {
		text += ", " + counts(s.tally.Answers)
	}
	if s.tally.Shaken > 0 {
		text += fmt.Sprintf(", %d handshakes", s.tally.Shaken)
	}
	return text
}

// write puts the table into a file: in the place of the one that is there, or as the file. No path, no file.
func (b *besieged) write(path string) error {
	if path == "" {
		return nil
	}
	page, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.WriteFile(path, b.into(page), 0o644)
}

func (b *besieged) into(page []byte) []byte {
	before, rest, there := bytes.Cut(page, []byte(attacksHeader))
	if !there {
		return []byte(b.markdown())
	}
	for bytes.HasPrefix(rest, []byte("|")) {
		_, rest, _ = bytes.Cut(rest, []byte("\n"))
	}
	return slices.Concat(before, []byte(b.markdown()), rest)
}
