package embedded

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"
)

// brokerFormat is the version of kfake's files that recovery reads and writes.
const brokerFormat = 1

// recoverBroker makes the files of the last life whole before kfake opens them.
// It may itself be killed and run again: each step finds done what is done.
func recoverBroker(dir string, log *commitLog, logger *slog.Logger) error {
	fresh, err := checkFormat(dir)
	if err != nil {
		return err
	}
	if fresh {
		return log.clear()
	}
	partitions, err := partitionSegments(dir)
	if err != nil {
		return err
	}
	if err := errors.Join(cutTails(dir, partitions), dropOpenSnapshots(dir)); err != nil {
		return err
	}
	c, ok, err := log.read()
	if err != nil {
		return err
	}
	if ok {
		if err := finish(c, partitions, log.groups, logger); err != nil {
			return fmt.Errorf("finish the last commit: %w", err)
		}
	}
	return log.clear()
}

// checkFormat refuses files of a kfake with another format. fresh is true where
// kfake has never run.
func checkFormat(dir string) (fresh bool, err error) {
	text, err := os.ReadFile(filepath.Join(dir, "meta.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	var meta struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(text, &meta); err != nil {
		return false, fmt.Errorf("meta.json: %w", err)
	}
	if meta.Version != brokerFormat {
		return false, fmt.Errorf("meta.json has format %d, expected %d: pass --data DIR with a new directory, or use the kycbridge that made it", meta.Version, brokerFormat)
	}
	return false, nil
}

// finish completes a commit that kfake may have left half done: markers first,
// then offsets, the order in which kfake writes them.
func finish(c commit, partitions [][]segment, groupsLog string, logger *slog.Logger) error {
	var unmarked []tail
	var marked int
	for _, segments := range partitions {
		t, err := traceCommit(c, segments)
		switch {
		case err != nil:
			return err
		case t.state == aborted: // kfake refused the commit: the producer was fenced or too late
			return nil
		case t.state == committed:
			marked++
		case t.state == open:
			unmarked = append(unmarked, t)
		}
	}
	if len(unmarked)+marked == 0 {
		return nil // kfake refused it, or it had no records; offsets alone are read again
	}
	for _, t := range unmarked {
		if err := t.segment.appendMarker(c, t.last); err != nil {
			return fmt.Errorf("%s: %w", t.segment.path, err)
		}
	}
	offsets, err := finishOffsets(c, groupsLog)
	if err != nil {
		return fmt.Errorf("%s: %w", groupsLog, err)
	}
	if len(unmarked) > 0 || offsets {
		logger.Info("embedded broker: finished a commit that was cut off", "partitions", len(unmarked), "already_committed", marked, "offsets", offsets)
	}
	return nil
}

// What became of a transaction in one partition.
type txnState int

const (
	absent txnState = iota
	open
	committed
	aborted
)

// tail is the end of a partition, and what a transaction did there.
type tail struct {
	state   txnState
	segment segment
	last    batch
}

// traceCommit looks for the transaction in one partition. Every transaction has
// its own epoch, so any other marker of its producer does not count.
func traceCommit(c commit, segments []segment) (tail, error) {
	var t tail
	for _, s := range segments {
		t.segment = s
		err := s.eachBatch(func(f *os.File, b batch) error {
			t.last = b
			switch {
			case b.producerID != c.ProducerID || b.attributes&transactional == 0:
			case b.attributes&controlBatch == 0:
				if b.epoch == c.Epoch {
					t.state = open
				}
			case t.state == open:
				ok, err := isCommit(f, b)
				if t.state = aborted; ok {
					t.state = committed
				}
				return err
			}
			return nil
		})
		if err != nil {
			return tail{}, fmt.Errorf("%s: %w", s.path, err)
		}
	}
	return t, nil
}

// groupEntry is a committed offset in groups.log.
type groupEntry struct {
	Type       string  `json:"type"`
	Group      string  `json:"g"`
	Topic      string  `json:"t,omitempty"`
	Partition  int32   `json:"p,omitempty"`
	Offset     int64   `json:"o,omitempty"`
	Epoch      int32   `json:"e,omitempty"`
	Metadata   *string `json:"m,omitempty"`
	LastCommit int64   `json:"lc,omitempty"`
}

// finishOffsets appends the offsets of the commit that are not in the log since
// it began, and reports whether there were any.
func finishOffsets(c commit, path string) (bool, error) {
	raw, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	type place struct {
		group, topic string
		partition    int32
	}
	written := map[place]bool{}
	if c.GroupsLog <= int64(len(raw)) {
		eachEntry(raw[c.GroupsLog:], func(text []byte) {
			var e groupEntry
			if json.Unmarshal(text, &e) == nil && e.Type == "commit" {
				written[place{e.Group, e.Topic, e.Partition}] = true
			}
		})
	}
	var missing []byte
	for _, o := range c.Offsets {
		if written[place{o.Group, o.Topic, o.Partition}] {
			continue
		}
		text, err := json.Marshal(groupEntry{
			Type: "commit", Group: o.Group, Topic: o.Topic, Partition: o.Partition,
			Offset: o.Offset, Epoch: o.LeaderEpoch, Metadata: o.Metadata, LastCommit: time.Now().UnixMilli(),
		})
		if err != nil {
			return false, err
		}
		missing = append(missing, encodeEntry(text)...)
	}
	if len(missing) == 0 {
		return false, nil
	}
	return true, appendFile(path, missing)
}
