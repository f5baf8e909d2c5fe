package embedded

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// kfake keeps a partition in a folder of segments: N.dat holds record batches as
// they are on the wire, one after another, and N.idx one entry of 15 bytes for
// each. It writes a batch, then its entry, then syncs both, then answers.
const (
	batchHeader    = 61 // bytes before the records of a batch
	indexEntry     = 15
	transactional  = 1 << 4 // batch attributes
	controlBatch   = 1 << 5
	longestControl = 1 << 10
)

// batch is the header of a record batch in a segment.
type batch struct {
	at, size    int64 // where it is in the file
	firstOffset int64
	lastDelta   int32
	leaderEpoch int32
	attributes  int16
	producerID  int64
	epoch       int16
}

// segment is one .dat file with its .idx.
type segment struct {
	base int64  // its first offset
	path string // without extension
}

// partitionSegments lists the segments of every partition under kfake's
// directory, oldest first; a partition that was never written is left out.
func partitionSegments(dir string) ([][]segment, error) {
	folders, err := os.ReadDir(filepath.Join(dir, "partitions"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	var all [][]segment
	for _, folder := range folders {
		segments, err := listSegments(filepath.Join(dir, "partitions", folder.Name()))
		if err != nil {
			return nil, err
		}
		if len(segments) > 0 {
			all = append(all, segments)
		}
	}
	return all, nil
}

func listSegments(folder string) ([]segment, error) {
	files, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	var segments []segment
	for _, f := range files {
		name, ok := strings.CutSuffix(f.Name(), ".dat")
		base, err := strconv.ParseInt(name, 10, 64)
		if ok && err == nil {
			segments = append(segments, segment{base: base, path: filepath.Join(folder, name)})
		}
	}
	slices.SortFunc(segments, func(a, b segment) int { return int(a.base - b.base) })
	return segments, nil
}

// errStop ends a walk early.
var errStop = errors.New("stop")

// eachBatch calls fn for the header of every whole batch of the segment.
func (s segment) eachBatch(fn func(f *os.File, b batch) error) error {
	f, err := os.Open(s.path + ".dat")
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	for at := int64(0); ; {
		b, ok, err := readBatch(f, at, info.Size())
		if err != nil || !ok {
			return err
		}
		if err := fn(f, b); err != nil {
			if errors.Is(err, errStop) {
				return nil
			}
			return err
		}
		at += b.size
	}
}

// readBatch reads the header at a position; ok is false where no whole batch is.
func readBatch(f io.ReaderAt, at, end int64) (b batch, ok bool, err error) {
	var h [batchHeader]byte
	if at+batchHeader > end {
		return batch{}, false, nil
	}
	if _, err := f.ReadAt(h[:], at); err != nil {
		return batch{}, false, err
	}
	size := 12 + int64(int32(binary.BigEndian.Uint32(h[8:])))
	if size < batchHeader || at+size > end {
		return batch{}, false, nil
	}
	return batch{
		at: at, size: size,
		firstOffset: int64(binary.BigEndian.Uint64(h[0:])),
		leaderEpoch: int32(binary.BigEndian.Uint32(h[12:])),
		attributes:  int16(binary.BigEndian.Uint16(h[21:])),
		lastDelta:   int32(binary.BigEndian.Uint32(h[23:])),
		producerID:  int64(binary.BigEndian.Uint64(h[43:])),
		epoch:       int16(binary.BigEndian.Uint16(h[51:])),
	}, true, nil
}

// isCommit reads the marker in a control batch.
func isCommit(f io.ReaderAt, b batch) (bool, error) {
	if b.size > longestControl {
		return false, fmt.Errorf("control batch at offset %d has %d bytes", b.firstOffset, b.size)
	}
	raw := make([]byte, b.size)
	if _, err := f.ReadAt(raw, b.at); err != nil {
		return false, err
	}
	var whole kmsg.RecordBatch
	var record kmsg.Record
	var key kmsg.ControlRecordKey
	if err := errors.Join(whole.ReadFrom(raw), record.ReadFrom(whole.Records), key.ReadFrom(record.Key)); err != nil {
		return false, fmt.Errorf("control batch at offset %d: %w", b.firstOffset, err)
	}
	return key.Type == kmsg.ControlRecordKeyTypeCommit, nil
}

// appendMarker writes a commit marker behind the last batch of the segment, as
// kfake does at the end of a transaction.
func (s segment) appendMarker(c commit, last batch) error {
	key := kmsg.ControlRecordKey{Type: kmsg.ControlRecordKeyTypeCommit}
	var end kmsg.EndTxnMarker
	record := kmsg.Record{Key: key.AppendTo(nil), Value: end.AppendTo(nil)}
	record.Length = int32(len(record.AppendTo(nil)) - 1) // the length itself takes one byte
	now := time.Now().UnixMilli()
	marker := kmsg.RecordBatch{
		FirstOffset:          last.firstOffset + int64(last.lastDelta) + 1,
		PartitionLeaderEpoch: last.leaderEpoch,
		Magic:                2,
		Attributes:           transactional | controlBatch,
		FirstTimestamp:       now,
		MaxTimestamp:         now,
		ProducerID:           c.ProducerID,
		ProducerEpoch:        c.Epoch,
		FirstSequence:        -1,
		NumRecords:           1,
		Records:              record.AppendTo(nil),
	}
	raw := marker.AppendTo(nil)
	binary.BigEndian.PutUint32(raw[8:], uint32(len(raw)-12))
	binary.BigEndian.PutUint32(raw[17:], crc32.Checksum(raw[21:], castagnoli))
	if err := appendFile(s.path+".dat", raw); err != nil {
		return err
	}
	return appendFile(s.path+".idx", encodeIndexEntry(last.leaderEpoch, now))
}

// encodeIndexEntry makes the entry of a batch that opens no transaction.
func encodeIndexEntry(leaderEpoch int32, maxTimestamp int64) []byte {
	var e [indexEntry]byte
	e[0] = brokerFormat
	binary.LittleEndian.PutUint32(e[2:], uint32(leaderEpoch))
	binary.LittleEndian.PutUint64(e[6:], uint64(maxTimestamp))
	e[1] = byte(crc32.Checksum(e[2:], castagnoli))
	return e[:]
}

func appendFile(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Sync(), f.Close())
}
