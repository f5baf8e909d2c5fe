package embedded

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

// The tests in this file run kfake alone and show the weaknesses that this
// package repairs. One that fails after an upgrade of kfake is good news: the
// repair it names may be superfluous.

func plainCluster(dir string) (*kfake.Cluster, error) {
	return kfake.NewCluster(kfake.NumBrokers(1), kfake.DataDir(filepath.Join(dir, "kafka")), kfake.SyncWrites(),
		kfake.SeedTopics(1, "in"), kfake.SeedTopics(commitWidth, "wide"))
}

func startPlain(dir string) (string, error) {
	c, err := plainCluster(dir)
	if err != nil {
		return "", err
	}
	return c.ListenAddrs()[0], nil
}

// live starts kfake alone on the directory; it ends with the test.
func live(t *testing.T, dir string) string {
	t.Helper()
	c, err := plainCluster(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c.ListenAddrs()[0]
}

// image copies the directory of a running, idle broker. kfake keeps nothing
// back from its files, so this is what a kill would leave.
func image(t *testing.T, dir string) string {
	t.Helper()
	to := t.TempDir()
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return to
}

// writeTxn produces one record in a transaction of the id, and ends it if asked.
func writeTxn(t *testing.T, addr, id, value string, commit bool) {
	t.Helper()
	client := newClient(t, addr, kgo.TransactionalID(id))
	if err := client.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	ctx := testContext(t)
	if err := client.ProduceSync(ctx, &kgo.Record{Topic: "in", Value: []byte(value)}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	if !commit {
		return
	}
	if err := client.EndTransaction(ctx, kgo.TryCommit); err != nil {
		t.Fatal(err)
	}
}

func TestFactOpenTransactionMisleadsItsReaders(t *testing.T) {
	dir := t.TempDir()
	writeTxn(t, live(t, dir), "same", "open", false)

	second := image(t, dir)
	addr := live(t, second)
	writeTxn(t, addr, "same", "after", true)
	writeTxn(t, addr, "fresh", "other", true)
	got := values(readAll(t, newClient(t, addr), "in"))
	if !slices.Equal(got, []string{"other"}) {
		t.Errorf("after a kill readers see %q, expected only the fresh id's record: kfake used to leave an open transaction without abort marker. Services.LifeID may not be needed any more", got)
	}

	got = values(readAll(t, newClient(t, live(t, image(t, second))), "in"))
	if !slices.Equal(got, []string{"open", "after", "other"}) {
		t.Errorf("after one more kill readers see %q, expected all three records: kfake used to take an open transaction for committed once its producer committed again. Services.LifeID may not be needed any more", got)
	}
}

func TestFactKilledCommitIsTorn(t *testing.T) {
	const attempts = 20
	for range attempts {
		dir := t.TempDir()
		startChild(t, "commit on kfake", childDir+"="+dir).wait(t)
		client := newClient(t, live(t, dir))
		got, offset := len(readAll(t, client, "wide")), committedOffset(t, client, "readers", "in", 0)
		if got > 0 && (got < commitWidth || offset != 1) {
			return
		}
	}
	t.Errorf("%d kills in the middle of a commit left it whole: commit.go and recovery.go may not be needed any more", attempts)
}

func TestFactBatchWithoutIndexEntryIsVisible(t *testing.T) {
	dir := t.TempDir()
	writeTxn(t, live(t, dir), "a", "open", false)
	killed := image(t, dir)
	cutFile(t, filepath.Join(killed, "kafka", "partitions", "in-0", "0.idx"), indexEntry)
	got := values(readAll(t, newClient(t, live(t, killed)), "in"))
	if !slices.Equal(got, []string{"open"}) {
		t.Errorf("readers see %q, expected the record of the open transaction: cutSegment may not be needed any more", got)
	}
}

func TestFactTornLogSwallowsWhatFollows(t *testing.T) {
	dir := t.TempDir()
	addr := live(t, dir)
	commitOffset(t, addr, "before", 1)
	second := image(t, dir)
	appendTo(t, filepath.Join(second, "kafka", "groups.log"), "torn")
	addr = live(t, second)
	commitOffset(t, addr, "after", 1)
	client := newClient(t, live(t, image(t, second)))
	before, after := committedOffset(t, client, "before", "in", 0), committedOffset(t, client, "after", "in", 0)
	if before != 1 || after != -1 {
		t.Errorf("offsets before and after the torn entry are %d and %d, expected 1 and -1: cutLog may not be needed any more", before, after)
	}
}

func TestFactSnapshotHoldsReadersBack(t *testing.T) {
	dir := t.TempDir()
	c, err := plainCluster(dir)
	if err != nil {
		t.Fatal(err)
	}
	writeTxn(t, c.ListenAddrs()[0], "a", "open", false)
	c.Close()
	live(t, dir) // reads session_state.json and removes it
	addr := live(t, image(t, dir))
	if err := produceOnce(testContext(t), addr, &kgo.Record{Topic: "in", Value: []byte("plain")}); err != nil {
		t.Fatal(err)
	}
	client := newClient(t, addr)
	meta := metadata(t, client, "in")
	part := fetch(testContext(t), t, client, meta, 0, 0)
	if part.LastStableOffset == part.HighWatermark {
		t.Errorf("readers see all of the log: dropOpenSnapshots may not be needed any more")
	}
}
