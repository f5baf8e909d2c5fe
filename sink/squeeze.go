package sink

import (
	"bytes"

	"github.com/twmb/franz-go/pkg/kgo"
)

// squeezeMost is how many times as large as it is sent a batch of ours may be. A reader asks brokers for so many
// bytes as they are kept, and what it holds in memory is what they unpack to: a megabyte of blanks takes four
// kilobytes, so an answer of the size of a few webhooks could be a gigabyte.
const squeezeMost = 32

// squeeze is a compressor whose batches unpack to squeezeMost times their size at most. One that would become smaller
// is sent as it is: no webhook that means something does.
type squeeze struct{ kgo.Compressor }

// Compress is kgo.Compressor.
func (c squeeze) Compress(dst *bytes.Buffer, src []byte, flags ...kgo.CompressFlag) ([]byte, kgo.CompressionCodecType) {
	packed, codec := c.Compressor.Compress(dst, src, flags...)
	if squeezeMost*len(packed) < len(src) {
		return src, kgo.CodecNone
	}
	return packed, codec
}

// option has a client compress as c says, with fallback for the empty name, and within squeezeMost.
func (c Compression) option(fallback kgo.CompressionCodec) (kgo.Opt, error) {
	codec, err := c.codec(fallback)
	if err != nil {
		return kgo.ProducerBatchCompression(fallback), err
	}
	all, err := kgo.DefaultCompressor(codec, kgo.NoCompression())
	if err != nil || all == nil { // nil: nothing is compressed
		return kgo.ProducerBatchCompression(codec, kgo.NoCompression()), err
	}
	return kgo.WithCompressor(squeeze{all}), nil
}
