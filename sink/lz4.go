package sink

import (
	"bytes"
	"io"
	"sync"

	"github.com/pierrec/lz4/v4"
	"github.com/twmb/franz-go/pkg/kgo"
)

// smallBatch is sent as it is: a webhook alone in its batch would become smaller by a fifth, two
// together already by half, for more processor time than checking a signature takes.
const smallBatch = 1 << 10

// lz4Batches compresses batches in blocks of 64 KiB. The library's own compressor takes blocks of
// 4 MiB, the format's largest, and so holds buffers of that size for batches that have a few
// kilobytes.
type lz4Batches struct{ writers sync.Pool }

var _ kgo.Compressor = (*lz4Batches)(nil)

func newLZ4Batches() *lz4Batches {
	return &lz4Batches{writers: sync.Pool{New: func() any {
		w := lz4.NewWriter(io.Discard)
		_ = w.Apply(lz4.BlockSizeOption(lz4.Block64Kb)) // fails for sizes that are none
		return w
	}}}
}

// Compress is kgo.Compressor.
func (c *lz4Batches) Compress(dst *bytes.Buffer, src []byte, _ ...kgo.CompressFlag) ([]byte, kgo.CompressionCodecType) {
	if len(src) < smallBatch {
		return src, kgo.CodecNone
	}
	w := c.writers.Get().(*lz4.Writer)
	defer c.writers.Put(w)
	w.Reset(dst)
	if _, err := w.Write(src); err != nil {
		return nil, kgo.CodecError
	}
	if err := w.Close(); err != nil {
		return nil, kgo.CodecError
	}
	return dst.Bytes(), kgo.CodecLz4
}
