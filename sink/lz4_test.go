package sink

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

// What the raw log compresses, every client must be able to read: the library's own decompressor
// stands for them.
func TestLZ4Batches(t *testing.T) {
	noise := make([]byte, 200<<10)
	_, _ = rand.Read(noise)
	c, reader := newLZ4Batches(), kgo.DefaultDecompressor()
	for _, src := range []string{"", "a", strings.Repeat("a", smallBatch-1), strings.Repeat("a", smallBatch), strings.Repeat("webhook ", 100_000), string(noise)} {
		packed, codec := c.Compress(&bytes.Buffer{}, []byte(src))
		if small := len(src) < smallBatch; small != (codec == kgo.CodecNone) {
			t.Errorf("%d bytes are sent with codec %d", len(src), codec)
		}
		got, err := reader.Decompress(packed, codec)
		if err != nil || string(got) != src {
			t.Errorf("%d bytes come back as %d, error %v", len(src), len(got), err)
		}
	}
}

func BenchmarkLZ4(b *testing.B) {
	library, err := kgo.DefaultCompressor(kgo.Lz4Compression())
	if err != nil {
		b.Fatal(err)
	}
	src := bytes.Repeat([]byte(`{"id":"0123456789abcdef","type":"check.pending","payload":{"status":"pending"}}`), 200)
	for name, c := range map[string]kgo.Compressor{"library": library, "raw log": newLZ4Batches()} {
		for _, size := range []int{800, 1600, 8000} {
			b.Run(fmt.Sprint(name, "/", size), func(b *testing.B) {
				b.ReportAllocs()
				b.SetBytes(int64(size))
				var dst bytes.Buffer
				for b.Loop() {
					dst.Reset()
					c.Compress(&dst, src[:size])
				}
			})
		}
	}
}
