package e2e

import (
	"context"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// incidentFaults are the incidents of docs/runbook.md: each is made, seen as its section
// says, cured with the commands of its section, and ends before the oracle and `verify`.
func incidentFaults() []fault {
	return slices.Concat(storeIncidents(), clusterIncidents(), offsetIncidents(), topicIncidents(),
		brokerIncidents(), rolloutIncidents(), replayIncidents(), moveIncidents(), hydrateIncidents(), contentIncidents())
}

// runbookFile is what an operator has at three in the morning.
const runbookFile = "../docs/runbook.md"

// page is one section of the runbook.
type page struct {
	s      *scene
	title  string
	text   string
	blocks []string // its fenced commands, in order
}

// runbook finds a section by its heading.
func (s *scene) runbook(title string) page {
	s.Helper()
	text, err := os.ReadFile(runbookFile)
	if err != nil {
		s.Fatal(err)
	}
	section, ok := section(string(text), title)
	if !ok {
		s.Fatalf("%s has no section %q", runbookFile, title)
	}
	return page{s: s, title: title, text: section, blocks: fenced(section)}
}

// section is the text below a heading of the third level, up to the next heading.
func section(text, title string) (string, bool) {
	_, rest, ok := strings.Cut(text, "\n### "+title+"\n")
	if at := regexp.MustCompile(`(?m)^##`).FindStringIndex(rest); at != nil {
		rest = rest[:at[0]]
	}
	return rest, ok
}

// fenced are the blocks between lines of three backticks.
func fenced(text string) (blocks []string) {
	for i, part := range strings.Split("\n"+text, "\n```") {
		if i%2 == 1 {
			_, block, _ := strings.Cut(part, "\n")
			blocks = append(blocks, block)
		}
	}
	return blocks
}

// oneSpace makes a text that is broken over lines comparable.
func oneSpace(text string) string { return strings.Join(strings.Fields(text), " ") }

// sees waits until what an operator looks at says all of the words, each of which the
// section must show. `kyc.` in them stands for the topic prefix of the deployment.
func (p page) sees(what string, look func() string, words ...string) {
	p.s.Helper()
	for _, w := range words {
		if !strings.Contains(p.title+oneSpace(p.text), w) {
			p.s.Errorf("the section %q does not show %q", p.title, w)
		}
	}
	p.s.seen(what, look, words...)
}

// incidentPatience is how long an operator looks before the runbook is wrong: "within seconds", on a
// machine that does other things as well.
const incidentPatience = 30 * time.Second

// seen is sees without the section. It does not end the scene, which goes on to what is worse.
func (s *scene) seen(what string, look func() string, words ...string) {
	s.Helper()
	var last string
	missing := func() (none []string) {
		last = look()
		for _, w := range words {
			if !strings.Contains(last, strings.ReplaceAll(w, "kyc.", s.prefix)) {
				none = append(none, w)
			}
		}
		return none
	}
	if !eventually(incidentPatience, func() bool { return len(missing()) == 0 }) {
		s.Errorf("%s never says %q:\n%s", what, missing(), tail(last, 1500))
	}
}

// unready is what /readyz of processes says while they are not ready, and nothing while they are.
func unready(members ...*member) func() string {
	return func() string {
		var all []string
		for _, m := range members {
			if status, body := get("http://" + m.admin + "/readyz"); status != http.StatusOK {
				all = append(all, body)
			}
		}
		return strings.Join(all, "\n")
	}
}

// answers is what /readyz says, ready or not.
func answers(m *member) func() string {
	return func() string { _, body := get("http://" + m.admin + "/readyz"); return body }
}

// logs are what processes printed so far.
func logs(members ...*member) func() string {
	return func() string {
		var all strings.Builder
		for _, m := range members {
			all.WriteString(m.log.String())
		}
		return all.String()
	}
}

// metrics is the metrics page of a process.
func metrics(m *member) func() string {
	return func() string { _, body := get("http://" + m.admin + "/metrics"); return body }
}

// rises waits until a metric, the sum of its samples over processes, is more than a number. The section
// must name it.
func (p page) rises(name string, than float64, members ...*member) {
	p.s.Helper()
	if !strings.Contains(p.text, "`"+name+"`") && !strings.Contains(p.title, name) {
		p.s.Errorf("the section %q does not name the metric %s", p.title, name)
	}
	var sum float64
	if !eventually(incidentPatience, func() bool { sum = total(name, members...); return sum > than }) {
		p.s.Errorf("%s is %g, want more than %g", name, sum, than)
	}
}

// follow runs the n-th block of commands of the section as it stands, in a shell that has the variables of
// the runbook's first section, and more.
func (p page) follow(n int, more ...string) (out string) {
	p.s.Helper()
	if n >= len(p.blocks) {
		p.s.Fatalf("the section %q has %d blocks of commands, want block %d", p.title, len(p.blocks), n)
	}
	out, err := p.s.shell(p.blocks[n], more...)
	if err != nil {
		p.s.Errorf("the commands of %q: %v\n%s%s", p.title, err, p.blocks[n], out)
	}
	p.s.Logf("%s:\n%s%s", p.title, p.blocks[n], tail(out, 3000))
	return out
}

// shell runs commands as an operator would type them.
func (s *scene) shell(commands string, more ...string) (string, error) {
	s.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-eu", "-o", "pipefail", "-c", commands)
	cmd.Dir = s.redis.dir // holds kycbridge.yaml
	cmd.Env = append(append(os.Environ(), idle("operator")...), "PATH="+s.tools()+":"+os.Getenv("PATH"),
		"KAFKA="+s.kafka, "PREFIX="+s.prefix, "GROUP="+s.prefix+"kycbridge-normalize", "REDIS=redis://"+s.redis.addr)
	cmd.Env = append(cmd.Env, more...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// kafkaTools are Kafka's scripts that the runbook uses, and what they run.
var kafkaTools = map[string]string{
	"kafka-consumer-groups.sh": "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
	"kafka-transactions.sh":    "org.apache.kafka.tools.TransactionsCommand",
	"kafka-topics.sh":          "org.apache.kafka.tools.TopicCommand",
	"kafka-get-offsets.sh":     "org.apache.kafka.tools.GetOffsetShell",
	"kafka-configs.sh":         "kafka.admin.ConfigCommand",
}

// tools is a folder with kycbridge, and with Kafka's scripts where `make services` has fetched their jars.
func (s *scene) tools() string {
	s.Helper()
	dir := filepath.Join(scratch, "tools")
	if _, err := os.Stat(dir); err == nil {
		return dir
	}
	part, err := os.MkdirTemp(scratch, "tools-")
	if err != nil {
		s.Fatal(err)
	}
	script := func(name, line string) {
		if err := os.WriteFile(filepath.Join(part, name), []byte("#!/bin/sh\nexec "+line+" \"$@\"\n"), 0o755); err != nil {
			s.Fatal(err)
		}
	}
	script("kycbridge", binary)
	if jars := kafkaJars(s); jars != "" {
		for name, class := range kafkaTools {
			script(name, "java -XX:TieredStopAtLevel=1 -cp '"+jars+"/*' "+class)
		}
	}
	if err := os.Rename(part, dir); err != nil {
		s.Fatal(err)
	}
	return dir
}

// kafkaJars is where deploy/services/need.sh puts them; "" before it did.
func kafkaJars(t testing.TB) string {
	all, _ := filepath.Glob("../.services/lib/*")
	for _, dir := range all {
		if !strings.Contains(filepath.Base(dir), ".part.") {
			path, err := filepath.Abs(dir)
			if err != nil {
				t.Fatal(err)
			}
			return path
		}
	}
	return ""
}

// rewrite changes the configuration that processes read at their next start.
func (s *scene) rewrite(pairs ...string) {
	s.Helper()
	text, err := os.ReadFile(s.configFile())
	if err != nil {
		s.Fatal(err)
	}
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(string(text), pairs[i]) {
			s.Fatalf("the configuration has no %q:\n%s", pairs[i], text)
		}
	}
	if err := os.WriteFile(s.configFile(), []byte(strings.NewReplacer(pairs...).Replace(string(text))), 0o600); err != nil {
		s.Fatal(err)
	}
}

// calm is ordinary at the pace of a day: what an incident shows does not need a load.
func (s *scene) calm() (in, first, second *member) {
	s.Helper()
	s.pace = 60 * time.Millisecond
	return s.ordinary()
}

// resend is what vendors do that saw no answer, or an outage: the first n deliveries again, until each has
// its success code.
func (s *scene) resend(n int) {
	s.Helper()
	client := newClient()
	s.load.mu.Lock()
	n = min(n, s.load.next)
	s.load.mu.Unlock()
	for i := range n {
		if d := s.load.make(i); !d.forged {
			s.await("a copy is accepted", func() bool { return s.load.send(client, s.hooks.any(), d) == http.StatusOK })
		}
	}
}

// verdict ends a drill: the oracle over both readers, each request in raw once, and `kycbridge verify`. allowed are
// the flags that some events may carry: a consumer is told that those may be copies.
func (s *scene) verdict(allowed ...string) {
	s.Helper()
	f := s.outcome(allowed...)
	storedOnce(s, f)
	s.enter(f)
}

// outcome is verdict where others than ingest wrote to raw; the row is for its caller to enter.
func (s *scene) outcome(allowed ...string) found {
	s.Helper()
	f := s.weighed(allowed)
	s.verified()
	return f
}

// verified is what an operator asks last.
func (s *scene) verified() {
	s.Helper()
	if out, err := s.shell("kycbridge verify --config kycbridge.yaml"); err != nil || !strings.Contains(out, "no violation") {
		s.Errorf("kycbridge verify: %v\n%s", err, tail(out, 3000))
	}
}

// total is what metric adds up, over processes; one where it is not there, or that does not answer, counts as 0.
func total(name string, members ...*member) (sum float64) {
	for _, m := range members {
		sum += max(metric(m.admin, name), 0)
	}
	return sum
}

// TestRunbookSections: a drill finds its section, and a section's commands are those between its fences.
func TestRunbookSections(t *testing.T) {
	const text = "# Book\n\n### One\n\nSee: a\nline.\n\n```\nfirst\nsecond\n```\n\nthen\n\n```sh\nthird\n```\n\n### Two\n\nother\n"
	one, ok := section(text, "One")
	if got := fenced(one); !ok || strings.Contains(one, "other") || len(got) != 2 || strings.TrimSpace(got[0]) != "first\nsecond" || strings.TrimSpace(got[1]) != "third" {
		t.Errorf("the section One is %v %q with the blocks %q", ok, one, got)
	}
	if _, ok := section(text, "Three"); ok {
		t.Error("a section that is not there is found")
	}
	if !strings.Contains(oneSpace(one), "a line.") {
		t.Errorf("a broken line does not compare: %q", oneSpace(one))
	}
}

// TestRunbookIsDrilled: every command that the runbook shows in a block is run by a drill, and every drill's
// section is there. What is not a block is not claimed to have been run.
func TestRunbookIsDrilled(t *testing.T) {
	text, err := os.ReadFile(runbookFile)
	if err != nil {
		t.Fatal(err)
	}
	drills := string(testSource(t))
	used := map[string]int{} // per section, the blocks that some drill follows
	for _, m := range regexp.MustCompile(`s\.runbook\(("(?:[^"\\]|\\.)+")\)`).FindAllStringSubmatch(drills, -1) {
		title, err := strconv.Unquote(m[1])
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := section(string(text), title); !ok {
			t.Errorf("a drill is about the section %q, which %s does not have", title, runbookFile)
		}
		used[title]++
	}
	for _, m := range regexp.MustCompile(`(?m)^### (.+)$`).FindAllStringSubmatch(string(text), -1) {
		if body, _ := section(string(text), m[1]); len(fenced(body)) > 0 && used[m[1]] == 0 {
			t.Errorf("no drill runs the commands of the section %q", m[1])
		}
	}
}

// TestRefusalsOfTheRunbook: what the runbook quotes of a process that does not start is what the program says.
func TestRefusalsOfTheRunbook(t *testing.T) {
	text, err := os.ReadFile(runbookFile)
	if err != nil {
		t.Fatal(err)
	}
	refusals, ok := section(string(text), "A process does not start")
	if !ok {
		t.Fatal("the section is not there")
	}
	source := programSource(t)
	quoted := 0
	for row := range strings.Lines(refusals) {
		cells := strings.Split(row, "|")
		if len(cells) < 3 {
			continue
		}
		for _, m := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(cells[1], -1) {
			if quoted++; !strings.Contains(source, m[1]) {
				t.Errorf("the runbook quotes %q, which the program does not say", m[1])
			}
		}
	}
	if quoted < 10 {
		t.Errorf("%d quotes found, want the whole table", quoted)
	}
}

// programSource is all Go code of the repository that is no test.
func programSource(t *testing.T) string {
	t.Helper()
	return string(sources(t, func(name string) bool { return strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go") }))
}
