package embedded

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

// start starts the services on a free port; they end with the test.
func start(t testing.TB, dir string) *Services {
	t.Helper()
	s, err := Start(context.Background(), testOptions(dir, "127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// TestKilledCommitIsWhole kills the process when the first marker of a commit is
// on disk. The commit had begun, so it has to be there, in every partition and
// with its offset.
func TestKilledCommitIsWhole(t *testing.T) {
	for range 8 {
		dir := t.TempDir()
		startChild(t, "commit on services", childDir+"="+dir).wait(t)
		client := newClient(t, start(t, dir).Brokers()[0])
		got, offset := len(readAll(t, client, "wide")), committedOffset(t, client, "readers", "in", 0)
		if got != commitWidth || offset != 1 {
			t.Errorf("after the restart %d of %d records are visible and the offset is %d, expected all and 1", got, commitWidth, offset)
		}
	}
}

// killedCommit makes the files of a broker that was killed before the first
// marker of a commit: the widest gap there is to close.
func killedCommit(t *testing.T) (dir string, c commit) {
	t.Helper()
	live, _, c := openTransaction(t)
	killed := image(t, live)
	writeCommit(t, killed, c)
	return killed, c
}

// openTransaction leaves a transaction open in three partitions of a running
// broker, and returns the commit that would end it.
func openTransaction(t *testing.T) (dir, addr string, c commit) {
	t.Helper()
	dir = t.TempDir()
	addr = start(t, dir).Brokers()[0]
	ctx := testContext(t)
	client := newClient(t, addr, kgo.TransactionalID("id"), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err := client.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	for p := range int32(3) {
		if err := client.ProduceSync(ctx, &kgo.Record{Topic: "wide", Partition: p, Value: []byte("event")}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	id, epoch, err := client.ProducerID(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return dir, addr, commit{ProducerID: id, Epoch: epoch, Offsets: []groupOffset{{Group: "g", Topic: "in", Offset: 7}}}
}

func writeCommit(t testing.TB, dir string, c commit) {
	t.Helper()
	log, err := openCommitLog(filepath.Join(dir, "commit"), filepath.Join(dir, "kafka"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.close()
	if err := log.write(c); err != nil {
		t.Fatal(err)
	}
}

func recoverDir(t testing.TB, dir string) {
	t.Helper()
	log, err := openCommitLog(filepath.Join(dir, "commit"), filepath.Join(dir, "kafka"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.close()
	if err := recoverBroker(filepath.Join(dir, "kafka"), log, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
}

func TestRecoveryFinishesTheCommitOnce(t *testing.T) {
	dir, c := killedCommit(t)
	recoverDir(t, dir)
	first := files(t, dir)
	writeCommit(t, dir, c) // killed before it could say that it was done
	recoverDir(t, dir)
	for path, data := range files(t, dir) {
		if !bytes.Equal(first[path], data) {
			t.Errorf("%s changed in the second recovery: %d bytes, before %d", path, len(data), len(first[path]))
		}
	}
	client := newClient(t, start(t, dir).Brokers()[0])
	if got := len(readAll(t, client, "wide")); got != 3 {
		t.Errorf("%d records are visible, expected 3", got)
	}
	if got := committedOffset(t, client, "g", "in", 0); got != 7 {
		t.Errorf("committed offset is %d, expected 7", got)
	}
}

// TestRecoveryGoesOnWhereItWasKilled leaves one marker and part of another, as a
// kill in the middle of recovery does.
func TestRecoveryGoesOnWhereItWasKilled(t *testing.T) {
	dir, c := killedCommit(t)
	partitions, err := partitionSegments(filepath.Join(dir, "kafka"))
	if err != nil {
		t.Fatal(err)
	}
	for _, segments := range partitions[:2] {
		seen, err := traceCommit(c, segments)
		if err != nil || seen.state != open {
			t.Fatalf("%s: state %d, %v; expected an open transaction", segments[0].path, seen.state, err)
		}
		if err := seen.segment.appendMarker(c, seen.last); err != nil {
			t.Fatal(err)
		}
	}
	cutFile(t, partitions[1][0].path+".idx", 7)
	appendTo(t, filepath.Join(dir, "kafka", "groups.log"), "\x30\x00\x00\x00torn")
	recoverDir(t, dir)
	client := newClient(t, start(t, dir).Brokers()[0])
	if got := len(readAll(t, client, "wide")); got != 3 {
		t.Errorf("%d records are visible, expected 3", got)
	}
	if got := committedOffset(t, client, "g", "in", 0); got != 7 {
		t.Errorf("committed offset is %d, expected 7", got)
	}
}

// TestRefusedCommitStaysAborted: the broker refused the commit, because the
// transaction was aborted first. Nothing of it may appear, least of all its
// offsets.
func TestRefusedCommitStaysAborted(t *testing.T) {
	dir := t.TempDir()
	s := start(t, dir)
	addr := s.Brokers()[0]
	writeTxn(t, addr, "id", "late", false)
	client := newClient(t, addr, kgo.TransactionalID("id"))
	id, epoch, err := client.ProducerID(testContext(t)) // aborts what the id has open
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]commit{
		"fenced":  {ProducerID: id, Epoch: epoch - 1},
		"unknown": {ProducerID: id + 1},
	} {
		t.Run(name, func(t *testing.T) {
			c.Offsets = []groupOffset{{Group: "g", Topic: "in", Offset: 7}}
			killed := image(t, dir)
			writeCommit(t, killed, c)
			client := newClient(t, start(t, killed).Brokers()[0])
			if got := values(readAll(t, client, "in")); len(got) != 0 {
				t.Errorf("readers see %q, expected nothing", got)
			}
			if got := committedOffset(t, client, "g", "in", 0); got != -1 {
				t.Errorf("committed offset is %d, expected none", got)
			}
		})
	}
}

// TestHalfAbortedStaysAborted: one abort marker is enough to know that the
// transaction was not committed.
func TestHalfAbortedStaysAborted(t *testing.T) {
	dir, addr, c := openTransaction(t)
	killed := image(t, dir)
	if _, _, err := newClient(t, addr, kgo.TransactionalID("id")).ProducerID(testContext(t)); err != nil { // aborts it
		t.Fatal(err)
	}
	for _, name := range []string{"0.dat", "0.idx"} {
		path := filepath.Join("kafka", "partitions", "wide-2", name)
		data, err := os.ReadFile(filepath.Join(dir, path))
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(killed, path), string(data))
	}
	writeCommit(t, killed, c)
	client := newClient(t, start(t, killed).Brokers()[0])
	if got := len(readAll(t, client, "wide")); got != 0 {
		t.Errorf("%d records are visible, expected none", got)
	}
	if got := committedOffset(t, client, "g", "in", 0); got != -1 {
		t.Errorf("committed offset is %d, expected none", got)
	}
}

// TestFinishedCommitIsLeftAlone: offsets that were set after the commit are not
// overwritten by it.
func TestFinishedCommitIsLeftAlone(t *testing.T) {
	dir, c := killedCommit(t)
	recoverDir(t, dir)
	s := start(t, dir)
	commitOffset(t, s.Brokers()[0], "g", 3)
	killed := image(t, dir)
	writeCommit(t, killed, c)
	client := newClient(t, start(t, killed).Brokers()[0])
	if got := committedOffset(t, client, "g", "in", 0); got != 3 {
		t.Errorf("committed offset is %d, expected 3, which was set later", got)
	}
}

// TestOpenTransactionIsGone: a transaction that nobody asked to commit is not
// visible after a kill, and does not hide what fresh ids write.
func TestOpenTransactionIsGone(t *testing.T) {
	dir := t.TempDir()
	s := start(t, dir)
	writeTxn(t, s.Brokers()[0], "id-"+s.LifeID(), "open", false)
	for range 3 {
		dir = image(t, dir)
		s = start(t, dir)
		writeTxn(t, s.Brokers()[0], "id-"+s.LifeID(), "later", true)
	}
	got := values(readAll(t, newClient(t, s.Brokers()[0]), "in"))
	if !slices.Equal(got, []string{"later", "later", "later"}) {
		t.Errorf("readers see %q, expected the record of each later life", got)
	}
}

// TestClosedWithOpenTransaction: neither a restart nor a kill after it leaves
// readers waiting.
func TestClosedWithOpenTransaction(t *testing.T) {
	dir := t.TempDir()
	s := start(t, dir)
	writeTxn(t, s.Brokers()[0], "id", "open", false)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	start(t, dir)
	again := start(t, image(t, dir))
	if err := produceOnce(testContext(t), again.Brokers()[0], &kgo.Record{Topic: "in", Value: []byte("plain")}); err != nil {
		t.Fatal(err)
	}
	if got := values(readAll(t, newClient(t, again.Brokers()[0]), "in")); !slices.Equal(got, []string{"plain"}) {
		t.Errorf("readers see %q, expected only the plain record", got)
	}
}

func TestNewerFormatIsRefused(t *testing.T) {
	dir := t.TempDir()
	s := start(t, dir)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "kafka", "meta.json"), []byte(`{"version":2}`), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Start(context.Background(), testOptions(dir, "127.0.0.1:0"))
	wantError(t, err, "format 2, expected 1", "--data DIR")
}

// files reads kfake's directory.
func files(t testing.TB, dir string) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	err := filepath.WalkDir(filepath.Join(dir, "kafka"), func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		all[path], err = os.ReadFile(path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
