package sink

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kycbridge/kycbridge/internal/record"
)

// Whatever a body holds, a batch of ours unpacks to a multiple of what it takes: a reader asks for so many bytes as
// they are kept.
func TestABatchUnpacksToABoundedMultiple(t *testing.T) {
	var webhooks strings.Builder
	for range 200 {
		fmt.Fprintf(&webhooks, `{"id":"%x","type":"check.completed.clear","payload":{"id":"%x","status":"complete"}}`, rand.Uint64(), rand.Uint64())
	}
	library := func(c kgo.CompressionCodec) kgo.Compressor {
		all, err := kgo.DefaultCompressor(c, kgo.NoCompression())
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	for name, c := range map[string]kgo.Compressor{
		"raw log": newLZ4Batches(), "gzip": library(kgo.GzipCompression()), "zstd": library(kgo.ZstdCompression()),
	} {
		for _, src := range []struct {
			name     string
			text     string
			squeezed bool
		}{
			{"blanks", strings.Repeat(" ", 1<<20), false},
			{"one object again and again", strings.Repeat(`{"id":1},`, 1<<17), false},
			{"webhooks", webhooks.String(), true},
		} {
			packed, codec := squeeze{c}.Compress(&bytes.Buffer{}, []byte(src.text))
			if got := codec != kgo.CodecNone; got != src.squeezed {
				t.Errorf("%s: %s is compressed: %v, expected %v", name, src.name, got, src.squeezed)
			}
			if squeezeMost*len(packed) < len(src.text) {
				t.Errorf("%s: %d bytes of %s are sent as %d", name, len(src.text), src.name, len(packed))
			}
			got, err := kgo.DefaultDecompressor().Decompress(packed, codec)
			if err != nil || string(got) != src.text {
				t.Errorf("%s: %s come back as %d bytes, error %v", name, src.name, len(got), err)
			}
		}
	}
}

// 24 MB of blanks took 96 kB in Kafka, so that one answer brought all of them into memory.
func TestASessionHoldsABoundedAmountOfABacklog(t *testing.T) {
	_, o := fake(t)
	o.MaxMessageBytes = 900 << 10
	blanks := bytes.Repeat([]byte(" "), 256<<10)
	var all []record.Outgoing
	for range 96 {
		all = append(all, record.Outgoing{Topic: "raw.v1", Key: []byte("shop/x"), Value: blanks, Partition: 0})
	}
	l := openLog(t, o, RawLogOptions{})
	acked := make(chan error, len(all))
	for _, out := range all {
		l.Append(out.Key, out.Value, nil, func(err error) { acked <- err })
	}
	for range all {
		if err := <-acked; err != nil {
			t.Fatal(err)
		}
	}
	so := slot()
	so.Gather = true
	s := openSession(t, o, so)
	for polled := 0; polled < len(all); {
		held := s.client.BufferedFetchBytes()
		if most := int64(4 << 20); held > most {
			t.Fatalf("the session holds %d bytes beside what was polled, expected at most %d", held, most)
		}
		records := pollSome(t, s)
		polled += len(records)
		bytes := 0
		for _, r := range records {
			bytes += len(r.Value)
		}
		if last := len(records[len(records)-1].Value); bytes-last*takeMost >= record.PollBytes {
			t.Fatalf("a poll brought %d bytes, expected %d and %d records more at most", bytes, record.PollBytes, takeMost)
		}
	}
}

func TestAPollEndsWithItsBytes(t *testing.T) {
	_, o := fake(t)
	appendRaw(t, o, 50)
	so := slot()
	so.Gather, so.PollBytes = true, 1
	s := openSession(t, o, so)
	for n := range 50 {
		if got := len(pollSome(t, s)); got != 1 {
			t.Fatalf("poll %d brought %d records, expected 1: it has its bytes", n, got)
		}
	}
}
