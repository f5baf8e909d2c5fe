package e2e

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/uuid"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/kycbridge/kycbridge/e2e/foreign"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// abortedKey marks the records of a transaction that was aborted.
const abortedKey = "session-of-an-aborted-transaction"

// analyst is somebody who follows docs/sinks.md in a folder of their own.
type analyst struct {
	*deployment
	dir    string
	env    []string
	blocks map[string]string // the page's, by name
	stage  *stage
	load   *load
	sent   int
}

// TestForeignSinks does what docs/sinks.md says, file by file and command by command, on Apache Kafka: Kafka
// Connect and ClickHouse have the events that were committed, those that `tail` prints, and no aborted one.
func TestForeignSinks(t *testing.T) {
	foreign.Need(t, "java", "mvn", "python3", "bash")
	a := &analyst{deployment: deploy(t), dir: t.TempDir(), load: newLoad("sinks")}
	a.twins(t)
	a.read(t)
	a.stage = a.run(t, "all", "--instance", "0")
	a.send(t, 30)
	aborted := a.abort(t)
	a.send(t, 30)
	want := a.decisions(t)

	a.sh(t, "lines.sh")
	a.sh(t, "lines.sh")
	a.holds(t, "lines.jsonl", a.sent)
	a.lag(t, "lines", 0, 0)
	a.connects(t, want, aborted)
	a.loads(t, want)
	a.queues(t, want)
	a.stage.stop(t)
}

// twins adds the JSON topics to the deployment.
func (a *analyst) twins(t *testing.T) {
	t.Helper()
	yaml, err := os.ReadFile(a.config)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(a.config, bytes.Replace(yaml, []byte("topics:\n"), []byte("topics:\n  json: true\n"), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	createTopics(t, a.config, a.deployment.env("127.0.0.1:0"))
}

// A file's name stands above it, that of commands in a comment.
var block = regexp.MustCompile("(?ms)^(?:<!-- |`)([\\w.]+)(?: -->|`:\n)\n```\\w*\n(.*?)^```$")

// read takes the page's blocks as files, with this deployment's addresses and topics in place of dev's.
func (a *analyst) read(t *testing.T) {
	t.Helper()
	page, err := os.ReadFile("../docs/sinks.md")
	if err != nil {
		t.Fatal(err)
	}
	a.blocks = map[string]string{}
	for _, found := range block.FindAllStringSubmatch(string(page), -1) {
		a.blocks[found[1]] = strings.NewReplacer(
			"127.0.0.1:9092", a.kafka, "127.0.0.1:8083", freePort(t), "kyc.session.", a.prefix+"session.",
			"kycbridge tail ", "kycbridge tail --config '"+a.config+"' ",
		).Replace(found[2])
		a.write(t, found[1], a.blocks[found[1]])
	}
	if fences := strings.Count(string(page), "\n```") / 2; len(a.blocks) != fences {
		t.Fatalf("docs/sinks.md has %d blocks, of which %d have a name of their own: the others are not tested", fences, len(a.blocks))
	}
	if err := os.Symlink(binary, filepath.Join(a.dir, "kycbridge")); err != nil {
		t.Fatal(err)
	}
	a.env = append(a.deployment.env("127.0.0.1:0"), "PATH="+a.dir+":"+os.Getenv("PATH"))
	a.install(t, "maven", "pom.xml", "jars.sh", "connect")
	a.install(t, "python", "requirements.txt", "install.sh", "venv")
}

// install has a block put the packages that another one lists into a folder.
func (a *analyst) install(t *testing.T, kind, list, script, folder string) {
	t.Helper()
	store := foreign.Store(t, kind, filepath.Join(a.dir, list), func(dir string) {
		if err := os.WriteFile(filepath.Join(dir, list), []byte(a.blocks[list]), 0o600); err != nil {
			t.Fatal(err)
		}
		foreign.Run(t, dir, nil, "bash", "-ec", a.blocks[script])
	})
	if err := os.Symlink(filepath.Join(store, folder), filepath.Join(a.dir, folder)); err != nil {
		t.Fatal(err)
	}
}

func (a *analyst) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(a.dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// sh runs a block and gives what it prints.
func (a *analyst) sh(t *testing.T, name string) string {
	t.Helper()
	if a.blocks[name] == "" {
		t.Fatalf("docs/sinks.md has no block %s", name)
	}
	return foreign.Run(t, a.dir, a.env, "bash", "-ec", a.blocks[name])
}

// send delivers verdicts on sessions, and waits for their events.
func (a *analyst) send(t *testing.T, n int) {
	t.Helper()
	outcomes := []string{"clear", "decline", "review", "clear", "nothing-known"}
	for range n {
		d := delivery{key: a.load.id(a.sent)}
		d.body = event(d.key, "workflow.session.completed", `{"id":"%s","status":"complete","outcome":"`+outcomes[a.sent%len(outcomes)]+`","updatedAt":"%s"}`,
			a.load.id(1000+a.sent), "2026-01-02T03:00:00.000Z")
		if status := a.load.send(newClient(), "http://"+a.stage.listen+"/hooks/complycube", d); status != http.StatusOK {
			t.Fatalf("status %d, want 200", status)
		}
		a.sent++
	}
	if _, errs, code := command(t, a.env, "tail", "session.json", "--config", a.config, "--group", "arrived", "--count", fmt.Sprint(n)); code != 0 {
		t.Fatalf("tail: code %d\n%s", code, errs)
	}
}

// abort writes approvals to every partition of both topics in a transaction that is aborted, and gives how many.
func (a *analyst) abort(t *testing.T) (n int) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(a.kafka), kgo.TransactionalID(a.prefix+"aborter"), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := client.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	for n = range 12 {
		m := &kycv1.SessionEvent{
			Metadata:   &kycv1.EventMetadata{EventId: uuid.NewSHA1(uuid.Nil, fmt.Append(nil, n)).String(), ReceivedAt: timestamppb.Now(), Subject: &kycv1.Subject{SessionId: abortedKey}},
			Transition: kycv1.SessionTransition_SESSION_TRANSITION_COMPLETED, Decision: kycv1.Decision_DECISION_APPROVED,
		}
		plain, err := proto.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		text, err := protojson.MarshalOptions{EmitDefaultValues: true}.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		for topic, value := range map[string][]byte{"session.v1": plain, "session.v1.json": text} {
			r := &kgo.Record{Topic: a.prefix + topic, Partition: int32(n % 6), Key: []byte("complycube/" + abortedKey), Value: value}
			if err := client.ProduceSync(t.Context(), r).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := client.EndTransaction(t.Context(), kgo.TryAbort); err != nil {
		t.Fatal(err)
	}
	return n + 1
}

// decisions counts those that `tail` prints of the protobuf topic, and finds the same in the JSON topic.
func (a *analyst) decisions(t *testing.T) string {
	t.Helper()
	var counted []string
	for _, topic := range []string{"session", "session.json"} {
		lines, errs, code := command(t, a.env, "tail", topic, "--config", a.config, "--until-end", "--full")
		if code != 0 {
			t.Fatalf("tail: code %d\n%s", code, errs)
		}
		var all []string
		for line := range strings.Lines(lines) {
			var r struct{ Value struct{ Decision string } }
			if err := json.Unmarshal([]byte(line), &r); err != nil {
				t.Fatal(err)
			}
			all = append(all, r.Value.Decision)
		}
		if len(all) != a.sent {
			t.Fatalf("tail %s prints %d events of %d deliveries", topic, len(all), a.sent)
		}
		counted = append(counted, tally(all))
	}
	if counted[0] != counted[1] || strings.Count(counted[0], "\n") < 4 {
		t.Fatalf("tail has these decisions:\n%s\nand in JSON:\n%s", counted[0], counted[1])
	}
	return counted[0]
}

// tally is a table of words and how often each is there, as ClickHouse prints it.
func tally(words []string) (table string) {
	n := map[string]int{}
	for _, word := range words {
		n[word]++
	}
	for _, word := range slices.Sorted(maps.Keys(n)) {
		table += fmt.Sprintf("%s\t%d\n", word, n[word])
	}
	return table
}

// lines are those of a file that is there or not yet.
func (a *analyst) lines(name string) []string {
	text, err := os.ReadFile(filepath.Join(a.dir, name))
	if err != nil {
		return nil
	}
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
}

func (a *analyst) holds(t *testing.T, name string, want int) {
	t.Helper()
	if got := len(a.lines(name)); got != want {
		t.Errorf("%s has %d lines, want %d", name, got, want)
	}
}

// connects runs Kafka Connect as the page does, and beside it a worker whose isolation level is Connect's own.
func (a *analyst) connects(t *testing.T, want string, aborted int) {
	t.Helper()
	const level = "consumer.isolation.level=read_committed\n"
	own := strings.Replace(a.blocks["worker.properties"], level, "", 1)
	if own == a.blocks["worker.properties"] {
		t.Fatalf("the worker has no line %s", level)
	}
	a.write(t, "own.properties", regexp.MustCompile("(listeners=http://).*").ReplaceAllString(strings.Replace(own, "=offsets", "=own-offsets", 1), "${1}"+freePort(t)))
	a.write(t, "all.properties", strings.NewReplacer("name=events", "name=all", "file=events.jsonl", "file=all.jsonl").Replace(a.blocks["events.properties"]))
	ours := a.worker(t, a.blocks["connect.sh"])
	theirs := a.worker(t, strings.NewReplacer("worker.properties decisions.properties events.properties", "own.properties all.properties").Replace(a.blocks["connect.sh"]))
	if !eventually(patience, func() bool {
		return len(a.lines("decisions.txt")) >= a.sent && len(a.lines("events.jsonl")) >= a.sent && len(a.lines("all.jsonl")) >= a.sent+aborted
	}) {
		t.Errorf("Connect wrote %d decisions, %d events and, where it reads what is aborted, %d", len(a.lines("decisions.txt")), len(a.lines("events.jsonl")), len(a.lines("all.jsonl")))
	}
	ours()
	theirs()
	a.holds(t, "events.jsonl", a.sent)
	if got := strings.Count(strings.Join(a.lines("all.jsonl"), "\n"), abortedKey); got != aborted { // the bridge may have aborted others
		t.Errorf("at Connect's own isolation level there are %d aborted records, want %d", got, aborted)
	}
	if got := tally(a.lines("decisions.txt")); got != want {
		t.Errorf("Connect has these decisions:\n%s\ntail has\n%s", got, want)
	}
	a.lag(t, "connect-events", 1, 2)
}

// worker starts one, and gives what stops it as Ctrl-C does.
func (a *analyst) worker(t *testing.T, script string) (stop func()) {
	t.Helper()
	c := exec.Command("bash", "-ec", script)
	var log logBuffer
	c.Dir, c.Env, c.Stdout, c.Stderr, c.SysProcAttr = a.dir, append(os.Environ(), a.env...), &log, &log, &syscall.SysProcAttr{Setpgid: true}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	end := func(with syscall.Signal) { _ = syscall.Kill(-c.Process.Pid, with) }
	t.Cleanup(func() {
		end(syscall.SIGKILL)
		if t.Failed() {
			t.Logf("Kafka Connect says:\n%s", tail(log.String(), 4000))
		}
	})
	return func() {
		end(syscall.SIGTERM)
		_ = c.Wait() // 143, as a JVM ends that was told to
	}
}

// lag wants a group to be so far behind in the JSON topic's partitions that have any records.
func (a *analyst) lag(t *testing.T, group string, least, most int64) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(a.kafka))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if strings.HasPrefix(group, "lines") {
		group = a.prefix + group
	}
	lags, err := kadm.NewClient(client).Lag(context.Background(), group)
	if err != nil || lags.Error() != nil {
		t.Fatalf("lag of %s: %v", group, cmp.Or(err, lags.Error()))
	}
	of := lags[group].Lag[a.prefix+"session.v1.json"]
	if len(of) == 0 {
		t.Errorf("group %s has no offsets", group)
	}
	for partition, one := range of {
		if one.End.Offset > 0 && (one.Lag < least || one.Lag > most) {
			t.Errorf("group %s is behind by %d in partition %d, want %d to %d", group, one.Lag, partition, least, most)
		}
	}
}

// loads puts both files into one table, in which each event is once.
func (a *analyst) loads(t *testing.T, want string) {
	t.Helper()
	if got := a.sh(t, "load.sh"); got != want {
		t.Errorf("the table has these decisions:\n%s\ntail has\n%s", got, want)
	}
}

// queues has ClickHouse read both topics by itself.
func (a *analyst) queues(t *testing.T, want string) {
	t.Helper()
	a.sh(t, "protos.sh")
	script, err := filepath.Abs("testdata/sinks/kafka_engine.py")
	if err != nil {
		t.Fatal(err)
	}
	got := foreign.Run(t, filepath.Join(a.dir, "proto"), nil, filepath.Join(a.dir, "venv", "bin", "python"), script, a.dir, fmt.Sprint(a.sent))
	if want := want + want + "99\nCould not convert value '99'\n"; got != want {
		t.Errorf("ClickHouse's Kafka engine has\n%s\nwant the decisions of the protobuf topic, of the JSON topic, and an enum's number 99:\n%s", got, want)
	}
}
