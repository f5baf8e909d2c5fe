package embedded

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
)

// cutTails makes the ends of kfake's files match after a kill inside a write.
// kfake overlooks what is half written when it loads a file, but then goes on
// appending behind it.
func cutTails(dir string, partitions [][]segment) error {
	for _, segments := range partitions {
		last := segments[len(segments)-1]
		if err := cutSegment(last); err != nil {
			return fmt.Errorf("%s: %w", last.path, err)
		}
	}
	for _, name := range []string{"groups.log", "pids.log"} {
		if err := cutLog(filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	return nil
}

// cutSegment drops a batch without an index entry. It was never acknowledged,
// but kfake would load it as a record outside any transaction, visible to all,
// and from then on read each batch with the entry of its neighbour.
func cutSegment(s segment) error {
	info, err := os.Stat(s.path + ".idx")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	var entries int64
	if err == nil {
		entries = info.Size() / indexEntry
		if err := truncate(s.path+".idx", info.Size(), entries*indexEntry); err != nil {
			return err
		}
	}
	var batches, end int64
	err = s.eachBatch(func(_ *os.File, b batch) error {
		if batches == entries {
			return errStop
		}
		batches, end = batches+1, b.at+b.size
		return nil
	})
	if err != nil {
		return err
	}
	if info, err = os.Stat(s.path + ".dat"); err != nil {
		return err
	}
	return errors.Join(
		truncate(s.path+".dat", info.Size(), end),
		truncate(s.path+".idx", entries*indexEntry, batches*indexEntry),
	)
}

// cutLog drops what is behind the last whole entry of one of kfake's logs.
// Without it, everything appended later would be unreadable.
func cutLog(path string) error {
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return truncate(path, int64(len(raw)), int64(eachEntry(raw, func([]byte) {})))
}

// eachEntry calls fn for every whole entry of a log (length and checksum in four
// bytes each, a version in two, JSON) and returns where the last one ends.
func eachEntry(raw []byte, fn func(text []byte)) (end int) {
	for {
		rest := raw[end:]
		if len(rest) < 10 {
			return end
		}
		size := int64(binary.LittleEndian.Uint32(rest))
		if size < 2 || size > int64(len(rest)-8) {
			return end
		}
		body := rest[8 : 8+size]
		if crc32.Checksum(body, castagnoli) != binary.LittleEndian.Uint32(rest[4:]) {
			return end
		}
		fn(body[2:])
		end += 8 + int(size)
	}
}

// encodeEntry frames a log entry.
func encodeEntry(text []byte) []byte {
	raw := make([]byte, 10, 10+len(text))
	raw = append(raw, text...)
	binary.LittleEndian.PutUint32(raw, uint32(2+len(text)))
	binary.LittleEndian.PutUint16(raw[8:], brokerFormat)
	binary.LittleEndian.PutUint32(raw[4:], crc32.Checksum(raw[8:], castagnoli))
	return raw
}

// dropOpenSnapshots removes the snapshots of partitions with a transaction still
// open. kfake writes them when it is closed and tells apart in a further file
// which transactions go on; a kill in the next life loses that file, and readers
// would wait behind such a transaction for ever. Without snapshot, kfake reads
// the partition and takes the transaction for aborted.
func dropOpenSnapshots(dir string) error {
	paths, err := filepath.Glob(filepath.Join(dir, "partitions", "*", "snapshot.json"))
	if err != nil {
		return err
	}
	var dropped bool
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		var snapshot struct {
			End    int64 `json:"high_watermark"`
			Stable int64 `json:"last_stable_offset"`
		}
		if err := json.Unmarshal(text, &snapshot); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		if snapshot.Stable >= snapshot.End {
			continue
		}
		if err := os.Remove(path); err != nil {
			return err
		}
		dropped = true
	}
	if !dropped {
		return nil
	}
	err = os.Remove(filepath.Join(dir, "session_state.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func truncate(path string, size, to int64) error {
	if size <= to {
		return nil
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Truncate(to), f.Sync(), f.Close())
}
