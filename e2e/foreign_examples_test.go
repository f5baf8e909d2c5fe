package e2e

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/kycbridge/kycbridge/e2e/foreign"
)

// example is one of the programs in examples/, all of which do the same.
type example struct {
	name string
	// build and run are commands of a shell, as examples/README.md has them, in the folder that prepare gives.
	build, run string
	prepare    func(t testing.TB) (dir string)
	// group says whether two of them side by side are tried, too.
	group bool
}

var examples = []example{
	{name: "go", build: "go build .", run: "go run .", group: true, prepare: inPlace("go")},
	{name: "java", build: "mvn -q compile", run: "mvn -q exec:java", group: true, prepare: copied("java")},
}

// inPlace is for a build that leaves nothing behind which git does not ignore.
func inPlace(name string) func(testing.TB) string {
	return func(t testing.TB) string { return filepath.Join(foreign.Root(t), "examples", name) }
}

// copied makes a copy with the contract's files in it. What an earlier build left in it stays.
func copied(name string) func(testing.TB) string {
	return func(t testing.TB) string {
		dir := filepath.Join(foreign.Root(t), ".foreign", "example-"+name)
		foreign.Copy(t, inPlace(name)(t), dir)
		foreign.Run(t, dir, nil, binary, "schema", "export", "--proto", "proto")
		return dir
	}
}

// built is the example, built and ready to read a topic.
func (x example) built(t testing.TB) program {
	t.Helper()
	dir := x.prepare(t)
	foreign.Run(t, dir, nil, "sh", "-c", x.build)
	return program{example: x, dir: dir}
}

// TestForeignExamples holds the examples against each other: each reads the same topic, is killed in the middle,
// goes on, and has in its database what the sender knows must be there, and so what every other has.
func TestForeignExamples(t *testing.T) {
	foreign.Need(t, "java", "mvn", "python3")
	e := startEmbedded(t)
	from := events(t, e)
	f := newFeed(t, e.kafka, "examples.session.v1", from)
	f.sendTo(t, len(f.all))
	t.Run("each", func(t *testing.T) {
		for _, x := range examples {
			t.Run(x.name, func(t *testing.T) {
				t.Parallel()
				p := x.built(t)
				killedInTheMiddle(t, p, f)
				if x.group {
					twoSideBySide(t, p, newFeed(t, e.kafka, x.name+".session.v1", from))
				}
			})
		}
	})
	e.stop(t)
}

// TestForeignExampleOnKafka runs one of them on Apache Kafka.
func TestForeignExampleOnKafka(t *testing.T) {
	foreign.Need(t, "java", "mvn", "python3")
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
// more lines are to come than fit into a pipe. The next one reads the rest, and a third finds nothing to do.
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
	if more := p.start(t, "KYC_UNTIL_END=1").end(t); len(more) > 0 {
		t.Errorf("%s, started once more at the end, prints %q", p.name, more)
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
