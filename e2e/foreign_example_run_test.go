package e2e

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kycbridge/kycbridge/e2e/foreign"
)

// program is an example that is built, and what its variables say.
type program struct {
	example
	dir, kafka, topic, group, db string
}

// readsFrom gives the program a feed to read, a group and a database of its own.
func (p *program) readsFrom(t testing.TB, f *feed, group string) {
	p.kafka, p.topic, p.group, p.db = f.kafka, f.topic, p.name+"-"+group, filepath.Join(t.TempDir(), "accounts.db")
}

// one is a running example. What it prints is read only when it is asked for.
type one struct {
	cmd     *exec.Cmd
	printed *os.File
	scanner *bufio.Scanner
	errors  *logBuffer
	done    chan struct{} // closed when somebody has read all that it printed
	rest    []string      // read after done
}

// start runs the example by its command, in a process group of its own: what a command starts is ended with it.
func (p program) start(t testing.TB, env ...string) *one {
	t.Helper()
	reading, writing, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	o := &one{cmd: exec.Command("sh", "-c", p.run), printed: reading, scanner: bufio.NewScanner(reading), errors: &logBuffer{}}
	o.cmd.Dir, o.cmd.Stdout, o.cmd.Stderr = p.dir, writing, o.errors
	o.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	o.cmd.Env = append(os.Environ(), append([]string{"KYC_BROKERS=" + p.kafka, "KYC_TOPIC=" + p.topic, "KYC_GROUP=" + p.group, "KYC_DB=" + p.db}, env...)...)
	err = o.cmd.Start()
	writing.Close()
	if err != nil {
		t.Fatalf("start %q: %v", p.run, err)
	}
	t.Cleanup(func() {
		o.kill()
		reading.Close()
		if t.Failed() {
			t.Logf("what %s said:\n%s", p.name, tail(o.errors.String(), 10_000))
		}
	})
	return o
}

// lines reads as many.
func (o *one) lines(t testing.TB, n int) (lines []string) {
	t.Helper()
	_ = o.printed.SetReadDeadline(time.Now().Add(patience))
	for len(lines) < n && o.scanner.Scan() {
		lines = append(lines, o.scanner.Text())
	}
	if len(lines) < n {
		t.Fatalf("%d of %d lines were printed (%v), among them %q\n%s", len(lines), n, o.scanner.Err(), lines[:min(len(lines), 5)], tail(o.errors.String(), 10_000))
	}
	return lines
}

// readOn reads what is printed from now on, so that nothing waits for it.
func (o *one) readOn(t testing.TB) {
	t.Helper()
	_ = o.printed.SetReadDeadline(time.Time{})
	o.done = make(chan struct{})
	go func() {
		defer close(o.done)
		for o.scanner.Scan() {
			if line := o.scanner.Text(); strings.Contains(line, " -> ") { // Maven adds an escape sequence
				o.rest = append(o.rest, line)
			}
		}
	}()
}

// end reads all that is printed, and waits for an end in peace.
func (o *one) end(t testing.TB) []string {
	t.Helper()
	o.readOn(t)
	select {
	case <-o.done:
	case <-time.After(patience):
		t.Fatalf("does not come to its end\n%s", tail(o.errors.String(), 10_000))
	}
	if err := o.cmd.Wait(); err != nil {
		t.Fatalf("ends with %v\n%s", err, tail(o.errors.String(), 10_000))
	}
	return o.rest
}

// stop asks for the end with SIGTERM; readOn was called before.
func (o *one) stop(t testing.TB) {
	t.Helper()
	_ = syscall.Kill(-o.cmd.Process.Pid, syscall.SIGTERM)
	select {
	case <-o.done:
	case <-time.After(patience):
		t.Fatalf("still running %s after SIGTERM\n%s", patience, tail(o.errors.String(), 10_000))
	}
}

// kill is kill -9 of all that the command started.
func (o *one) kill() {
	_ = syscall.Kill(-o.cmd.Process.Pid, syscall.SIGKILL)
	_ = o.cmd.Wait()
}

// members are the ids of those in the group that have partitions, once no rebalance is under way.
func (p program) members(t testing.TB) (ids []string) {
	t.Helper()
	groups, err := kadm.NewClient(clientTo(t, p.kafka)).DescribeGroups(t.Context(), p.group)
	if err != nil {
		t.Fatal(err)
	}
	group := groups[p.group]
	for _, member := range group.Members {
		if assigned, ok := member.Assigned.AsConsumer(); ok && group.State == "Stable" && len(assigned.Topics) > 0 {
			ids = append(ids, member.MemberID)
		}
	}
	return ids
}

// expel takes members that were killed out of the group, as the broker does when their sessions time out.
func (p program) expel(t testing.TB, members ...string) {
	t.Helper()
	request := kmsg.NewPtrLeaveGroupRequest()
	request.Group = p.group
	for _, id := range members {
		member := kmsg.NewLeaveGroupRequestMember()
		member.MemberID = id
		request.Members = append(request.Members, member)
	}
	if _, err := request.RequestWith(t.Context(), clientTo(t, p.kafka)); err != nil {
		t.Fatal(err)
	}
}

func clientTo(t testing.TB, kafka string, options ...kgo.Opt) *kgo.Client {
	t.Helper()
	client, err := kgo.NewClient(append(options, kgo.SeedBrokers(kafka))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

// books are the rows of each table, each as JSON, sorted.
type books map[string][]string

func (b books) add(table string, row ...any) {
	text, err := json.Marshal(row)
	if err != nil {
		panic(err) // texts and numbers
	}
	b[table] = append(b[table], string(text))
}

func (b books) sorted() books {
	for _, rows := range b {
		slices.Sort(rows)
	}
	return b
}

// dumpTables is in Python, whose library has SQLite.
const dumpTables = `
import json, sqlite3, sys
db = sqlite3.connect(sys.argv[1])
print(json.dumps({name: [list(row) for row in db.execute("SELECT %s FROM %s" % (columns, name))] for name, columns in {
  "inbox": "event_id, topic, partition, offset",
  "offsets": "topic, partition, next",
  "decisions": "event_id, endpoint, subject, customer_reference, decision, finality, acted, occurred_at, received_at",
  "rejected": "topic, partition, offset, why",
}.items()}))
`

// stored is what is in the database, which may be in use.
func (p program) stored(t testing.TB) books {
	t.Helper()
	out := foreign.Run(t, filepath.Dir(p.db), nil, "python3", "-c", dumpTables, p.db)
	var tables map[string][][]any
	if err := json.Unmarshal([]byte(out), &tables); err != nil {
		t.Fatal(err)
	}
	b := books{}
	for name, rows := range tables {
		for _, row := range rows {
			b.add(name, row...)
		}
	}
	return b.sorted()
}

// forget empties all tables but the offsets.
func (p program) forget(t testing.TB) {
	t.Helper()
	const script = "import sqlite3, sys\nwith sqlite3.connect(sys.argv[1]) as db:\n  for table in 'inbox', 'decisions', 'rejected':\n    db.execute('DELETE FROM ' + table)"
	foreign.Run(t, filepath.Dir(p.db), nil, "python3", "-c", script, p.db)
}

// compare holds all rows of two databases against each other.
func compare(t testing.TB, who string, got, want books) {
	t.Helper()
	for _, table := range []string{"inbox", "offsets", "decisions", "rejected"} {
		missing, wrong := without(want[table], got[table]), without(got[table], want[table])
		if len(missing)+len(wrong) > 0 || len(got[table]) != len(want[table]) {
			t.Errorf("%s: table %s has %d rows, want %d; missing %d:\n%s\nnot wanted %d:\n%s", who, table, len(got[table]), len(want[table]),
				len(missing), strings.Join(missing[:min(len(missing), 5)], "\n"), len(wrong), strings.Join(wrong[:min(len(wrong), 5)], "\n"))
		}
	}
}

// without are those of the first rows that are not among the others.
func without(rows, others []string) (left []string) {
	for _, row := range rows {
		if _, found := slices.BinarySearch(others, row); !found {
			left = append(left, row)
		}
	}
	return left
}
