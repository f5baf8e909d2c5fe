package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kycbridge/kycbridge/e2e/foreign"
)

// example is one of the programs in examples/, all of which do the same.
type example struct {
	name string
	// build and run are what examples/README.md says: commands of a shell, in the folder that prepare gives.
	build   []string
	run     string
	prepare func(t testing.TB, x example) (dir string)
	needs   []string
	test    string // a command that runs its own tests, once it is built
}

var examples = []example{
	{name: "go", run: "go run .", prepare: compiled},
	{name: "java", build: []string{"mvn -q compile"}, run: "mvn -q exec:java", prepare: copied, needs: []string{"java", "mvn"}},
	{name: "python", build: []string{"python3 -m venv .venv", ".venv/bin/pip install -c requirements.txt ."}, run: ".venv/bin/python -m accounts", prepare: copied, test: ".venv/bin/python -m unittest -q"},
	{name: "typescript", build: []string{"npm run build"}, run: "node dist/main.js", prepare: npm, needs: []string{"node", "npm"}, test: "npm test"},
}

func (x example) folder(t testing.TB) string {
	return filepath.Join(foreign.Root(t), "examples", x.name)
}

// compiled compiles a program of Go in its place, so that its first run is as quick as the next ones.
func compiled(t testing.TB, x example) string {
	foreign.Run(t, x.folder(t), nil, "go", "build", "-o", os.DevNull, ".")
	return x.folder(t)
}

// copied makes a copy with the contract's files in it. What an earlier build left there stays.
func copied(t testing.TB, x example) string {
	dir := filepath.Join(foreign.Root(t), ".foreign", "example-"+x.name)
	foreign.Copy(t, x.folder(t), dir)
	return withContract(t, dir)
}

// npm is copied, and `npm ci` is run where the lock is another one than before.
func npm(t testing.TB, x example) string { return withContract(t, foreign.Node(t, x.folder(t))) }

func withContract(t testing.TB, dir string) string {
	foreign.Run(t, dir, nil, binary, "schema", "export", "--proto", "proto")
	return dir
}

// built is the example, built and ready to read a topic.
func (x example) built(t testing.TB) program {
	t.Helper()
	foreign.Need(t, append(x.needs, "python3")...)
	dir := x.prepare(t, x)
	for _, command := range x.build {
		foreign.Run(t, dir, nil, "sh", "-c", command)
	}
	return program{example: x, dir: dir}
}

// TestExamplesAsTheyAreDescribed holds what TestForeignExamples runs against the pages: the index and the example's own.
func TestExamplesAsTheyAreDescribed(t *testing.T) {
	for _, x := range examples {
		for _, page := range []string{"../examples/README.md", filepath.Join(x.folder(t), "README.md")} {
			text, err := os.ReadFile(page)
			if err != nil {
				t.Fatal(err)
			}
			block := strings.Join(append(slices.Clone(x.build), "KYC_SANDBOX=1 "+x.run), "\n    ")
			if !strings.Contains(string(text), "    "+block+"\n") {
				t.Errorf("%s does not have the commands\n    %s", page, block)
			}
		}
	}
}

// TestForeignExamples holds the examples against each other: each reads the same topic, is killed in the middle,
// goes on, and has in its database what the sender knows must be there, and so what every other has.
func TestForeignExamples(t *testing.T) {
	foreign.Need(t)
	e := startEmbedded(t)
	from := events(t, e)
	f := newFeed(t, e.kafka, "examples.session.v1", from)
	f.sendTo(t, len(f.all))
	t.Run("each", func(t *testing.T) {
		for _, x := range examples {
			t.Run(x.name, func(t *testing.T) {
				t.Parallel()
				p := x.built(t)
				if x.test != "" {
					foreign.Run(t, p.dir, nil, "sh", "-c", x.test)
				}
				killedInTheMiddle(t, p, f)
				twoSideBySide(t, p, newFeed(t, e.kafka, x.name+".session.v1", from))
			})
		}
	})
	e.stop(t)
}

// TestForeignExampleOnKafka runs one of them on Apache Kafka.
func TestForeignExampleOnKafka(t *testing.T) {
	foreign.Need(t)
	kafka, _ := realServices(t)
	e := startEmbedded(t)
	from, run := events(t, e), fmt.Sprintf("examples-%d", time.Now().UnixNano())
	e.stop(t)
	p := examples[slices.IndexFunc(examples, func(x example) bool { return x.name == "java" })].built(t)
	f := newFeed(t, kafka, run+".session.v1", from)
	f.sendTo(t, len(f.all))
	killedInTheMiddle(t, p, f)
	twoSideBySide(t, p, newFeed(t, kafka, run+"-two.session.v1", from))
}

// killedInTheMiddle reads some lines of what an example prints and kills it. It cannot have come to the end by then:
// more lines are to come than fit into a pipe. The next one reads the rest. A third, with nothing but
// the offsets left in the database, has nothing to do.
func killedInTheMiddle(t *testing.T, p program, f *feed) {
	t.Helper()
	p.readsFrom(t, f, "killed")
	first := p.start(t)
	first.lines(t, 100)
	first.kill()
	p.expel(t, p.members(t)...)
	want, half := f.expected(false), p.stored(t)
	all, before := len(want["decisions"]), len(half["decisions"])
	if before < 100 || before >= all {
		t.Errorf("%s has stored %d of %d decisions when it is killed: that is not in the middle", p.name, before, all)
	}
	again := p.start(t, "KYC_UNTIL_END=1").end(t)
	compare(t, p.name, p.stored(t), want)
	if before+len(again) != all { // what was stored by then must not be printed again
		t.Errorf("%s printed %d lines after %d decisions of %d were stored", p.name, len(again), before, all)
	}
	p.forget(t)
	if more := p.start(t, "KYC_UNTIL_END=1").end(t); len(more) > 0 {
		t.Errorf("%s does not go on where the database says, but prints %d lines", p.name, len(more))
	}
}

// twoSideBySide lets a second example join the group of the first, kills the first when both read, and lets the second
// do the rest. They share a database.
func twoSideBySide(t *testing.T, p program, f *feed) {
	t.Helper()
	p.readsFrom(t, f, "two")
	f.sendTo(t, len(f.all)/2)
	first := p.start(t, "KYC_SANDBOX=1")
	first.lines(t, 10)
	member := p.members(t)
	first.readOn(t)
	second := p.start(t, "KYC_SANDBOX=1")
	if !eventually(patience, func() bool { return len(p.members(t)) == 2 }) {
		t.Fatalf("the second %s gets no partition", p.name)
	}
	f.sendTo(t, len(f.all)) // of which either gets some
	second.lines(t, 10)
	select {
	case <-first.done:
		t.Errorf("the first %s ends when a second one reads and writes, too", p.name)
	default:
	}
	first.kill()
	p.expel(t, member...)
	second.readOn(t)
	want := f.expected(true)
	if !eventually(patience, func() bool { return slices.Equal(p.stored(t)["offsets"], want["offsets"]) }) {
		t.Errorf("the %s that is left does not read to the end", p.name)
	}
	second.stop(t)
	compare(t, p.name+", two of them", p.stored(t), want)
}
