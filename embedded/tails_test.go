package embedded

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

// TestTornWrites cuts the files of a partition with three records at every place
// where a kill can leave them, and goes on writing. What has both its batch and
// its index entry stays; the rest is gone; what is written later is there.
func TestTornWrites(t *testing.T) {
	dir := t.TempDir()
	s := start(t, dir)
	for _, v := range []string{"one", "two", "three"} {
		writeTxn(t, s.Brokers()[0], v, v, true) // two batches each: the record and its marker
	}
	for _, tc := range []struct {
		name     string
		dat, idx int64 // bytes that are missing at the end
		want     []string
	}{
		{"whole", 0, 0, []string{"one", "two", "three", "later"}},
		// The commit had begun, so its marker is written again.
		{"marker without entry", 0, indexEntry, []string{"one", "two", "three", "later"}},
		{"marker with half an entry", 0, 7, []string{"one", "two", "three", "later"}},
		{"half a marker", 10, indexEntry, []string{"one", "two", "three", "later"}},
		{"half a marker with its entry", 10, 0, []string{"one", "two", "three", "later"}},
		{"record without entry", 78, 2 * indexEntry, []string{"one", "two", "later"}},
		{"nothing left of the index", 0, 6 * indexEntry, []string{"later"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			torn := image(t, dir)
			part := filepath.Join(torn, "kafka", "partitions", "in-0", "0")
			cutFile(t, part+".dat", tc.dat)
			cutFile(t, part+".idx", tc.idx)
			s := start(t, torn)
			writeTxn(t, s.Brokers()[0], "later", "later", true)
			for range 2 { // entries that are out of step show only after one more kill
				if got := values(readAll(t, newClient(t, s.Brokers()[0]), "in")); !slices.Equal(got, tc.want) {
					t.Errorf("readers see %q, expected %q", got, tc.want)
				}
				s = start(t, image(t, torn))
			}
		})
	}
}

func TestTornLogs(t *testing.T) {
	dir := t.TempDir()
	s := start(t, dir)
	commitOffset(t, s.Brokers()[0], "before", 1)
	if err := produceOnce(testContext(t), s.Brokers()[0], &kgo.Record{Topic: "in"}); err != nil {
		t.Fatal(err)
	}
	for name, torn := range map[string]string{
		"a few bytes": "ab", "a length": "\x20\x00\x00\x00", "half an entry": "\x20\x00\x00\x00\x00\x00\x00\x00\x01\x00{\"type\":",
		"a wrong checksum": "\x04\x00\x00\x00\xff\xff\xff\xff\x01\x00{}", "zeros": "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00",
	} {
		t.Run(name, func(t *testing.T) {
			killed := image(t, dir)
			for _, log := range []string{"groups.log", "pids.log"} {
				appendTo(t, filepath.Join(killed, "kafka", log), torn)
			}
			s := start(t, killed)
			commitOffset(t, s.Brokers()[0], "after", 2)
			client := newClient(t, start(t, image(t, killed)).Brokers()[0])
			before, after := committedOffset(t, client, "before", "in", 0), committedOffset(t, client, "after", "in", 0)
			if before != 1 || after != 2 {
				t.Errorf("offsets are %d and %d, expected 1 and 2", before, after)
			}
		})
	}
}

// TestTornCommitLog: what is not whole never began.
func TestTornCommitLog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "commit")
	log, err := openCommitLog(path, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer log.close()
	long := commit{ProducerID: 1, Offsets: []groupOffset{{Group: "g", Topic: "a topic with a long name"}}}
	for _, c := range []commit{long, {ProducerID: 2, Epoch: 3}} {
		if err := log.write(c); err != nil {
			t.Fatal(err)
		}
	}
	if c, ok, err := log.read(); err != nil || !ok || c.ProducerID != 2 || c.Epoch != 3 {
		t.Errorf("read %+v, %t, %v; expected the second commit", c, ok, err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	size := 8 + int(whole[0])
	for n := range size {
		torn := bytes.Repeat([]byte{'x'}, len(whole))
		copy(torn, whole[:n])
		if err := os.WriteFile(path, torn, 0o600); err != nil {
			t.Fatal(err)
		}
		if c, ok, err := log.read(); ok || err != nil {
			t.Fatalf("with %d of %d bytes: read %+v, %t, %v; expected none", n, size, c, ok, err)
		}
	}
}

func FuzzEachEntry(f *testing.F) {
	f.Add(append(encodeEntry([]byte(`{"type":"commit"}`)), "torn"...))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, raw []byte) {
		var again []byte
		end := eachEntry(raw, func(text []byte) { again = append(again, encodeEntry(text)...) })
		if end > len(raw) || len(again) != end {
			t.Errorf("%d of %d bytes are whole, their entries have %d", end, len(raw), len(again))
		}
	})
}

func FuzzReadBatch(f *testing.F) {
	f.Add(make([]byte, batchHeader), int64(0))
	f.Fuzz(func(t *testing.T, raw []byte, at int64) {
		at = min(max(at, 0), int64(len(raw)))
		b, ok, err := readBatch(bytes.NewReader(raw), at, int64(len(raw)))
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			return
		}
		if b.size < batchHeader || b.at+b.size > int64(len(raw)) {
			t.Errorf("batch of %d bytes at %d of %d", b.size, b.at, len(raw))
		}
		isCommit(bytes.NewReader(raw), b) // must not panic
	})
}
