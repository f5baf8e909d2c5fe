package embedded

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// wholeCommits is the first version of EndTxn that gives every transaction an
// epoch of its own (KIP-890), so that producer id and epoch name it on disk.
// Commits of older clients are as whole as kfake leaves them.
const wholeCommits = 5

// castagnoli is the checksum of Kafka's record batches and of kfake's files.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// commit is a transaction that somebody asked to commit.
type commit struct {
	ProducerID int64         `json:"producer_id"`
	Epoch      int16         `json:"epoch"`
	GroupsLog  int64         `json:"groups_log"` // size of groups.log before the commit
	Offsets    []groupOffset `json:"offsets,omitempty"`
}

type groupOffset struct {
	Group       string  `json:"group"`
	Topic       string  `json:"topic"`
	Partition   int32   `json:"partition"`
	Offset      int64   `json:"offset"`
	LeaderEpoch int32   `json:"leader_epoch"`
	Metadata    *string `json:"metadata,omitempty"`
}

// commitLog is a write-ahead log of one commit. kfake writes the markers of a
// commit one partition after another and the offsets last, with nothing on disk
// that announces what it is about to do. It handles one request at a time, so when
// the next commit comes, the one before is complete and may be overwritten.
//
// It is used from kfake's request loop only, except before and after it runs.
type commitLog struct {
	file   *os.File
	groups string // path of groups.log
	staged map[int64]stagedOffsets
}

// stagedOffsets are those of the transaction a producer has open.
type stagedOffsets struct {
	epoch   int16
	offsets []groupOffset
}

func openCommitLog(path, brokerDir string) (*commitLog, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the commit log: %w", err)
	}
	return &commitLog{file: f, groups: filepath.Join(brokerDir, "groups.log"), staged: map[int64]stagedOffsets{}}, nil
}

func (l *commitLog) close() error { return l.file.Close() }

// watch looks at the requests that make up a commit, before kfake sees them.
// A commit that cannot be logged fails the broker.
func (l *commitLog) watch(cluster *kfake.Cluster, failure *failure) {
	cluster.ControlKey(int16(kmsg.TxnOffsetCommit), func(req kmsg.Request) (kmsg.Response, error, bool) {
		l.stage(req.(*kmsg.TxnOffsetCommitRequest), cluster.TopicIDInfo)
		return nil, nil, false
	})
	cluster.ControlKey(int16(kmsg.EndTxn), func(req kmsg.Request) (kmsg.Response, error, bool) {
		if failure.failed() { // the last commit must stay in the log
			cluster.KeepControl()
			return nil, errUnwritable, true
		}
		if err := l.begin(req.(*kmsg.EndTxnRequest)); err != nil {
			cluster.KeepControl()
			failure.fail(err.Error())
			return nil, errUnwritable, true
		}
		return nil, nil, false
	})
}

// stage remembers offsets until the transaction ends. kfake may still refuse
// them; the client then aborts. Newer clients name topics by their id.
func (l *commitLog) stage(req *kmsg.TxnOffsetCommitRequest, topicByID func([16]byte) *kfake.TopicInfo) {
	s := l.staged[req.ProducerID]
	if s.epoch != req.ProducerEpoch {
		s = stagedOffsets{epoch: req.ProducerEpoch}
	}
	for _, t := range req.Topics {
		name := t.Topic
		if info := topicByID(t.TopicID); name == "" && info != nil {
			name = info.Topic
		}
		for _, p := range t.Partitions {
			s.offsets = append(s.offsets, groupOffset{
				Group: req.Group, Topic: name, Partition: p.Partition,
				Offset: p.Offset, LeaderEpoch: p.LeaderEpoch, Metadata: p.Metadata,
			})
		}
	}
	l.staged[req.ProducerID] = s
}

// begin puts a commit on disk before kfake starts on it.
func (l *commitLog) begin(end *kmsg.EndTxnRequest) error {
	if !end.Commit || end.Version < wholeCommits {
		delete(l.staged, end.ProducerID)
		return nil
	}
	c := commit{ProducerID: end.ProducerID, Epoch: end.ProducerEpoch}
	if s := l.staged[end.ProducerID]; s.epoch == end.ProducerEpoch {
		c.Offsets = s.offsets
	}
	if info, err := os.Stat(l.groups); err == nil {
		c.GroupsLog = info.Size()
	}
	if err := l.write(c); err != nil {
		return err
	}
	delete(l.staged, end.ProducerID)
	return nil
}

// write replaces the commit in the log: length, checksum, JSON. A write that a
// kill cuts off fails the checksum, which is right in both respects: the commit
// before is complete, and kfake has not seen this one.
func (l *commitLog) write(c commit) error {
	text, err := json.Marshal(c)
	if err != nil {
		return err
	}
	buf := make([]byte, 8, 8+len(text))
	binary.LittleEndian.PutUint32(buf, uint32(len(text)))
	binary.LittleEndian.PutUint32(buf[4:], crc32.Checksum(text, castagnoli))
	if _, err := l.file.WriteAt(append(buf, text...), 0); err != nil {
		return err
	}
	return l.file.Sync()
}

// read returns the commit in the log; ok is false where there is none.
func (l *commitLog) read() (c commit, ok bool, err error) {
	raw, err := os.ReadFile(l.file.Name())
	if err != nil {
		return commit{}, false, fmt.Errorf("read the commit log: %w", err)
	}
	if len(raw) < 8 {
		return commit{}, false, nil
	}
	size, text := int64(binary.LittleEndian.Uint32(raw)), raw[8:]
	if size > int64(len(text)) || crc32.Checksum(text[:size], castagnoli) != binary.LittleEndian.Uint32(raw[4:]) {
		return commit{}, false, nil
	}
	if err := json.Unmarshal(text[:size], &c); err != nil {
		return commit{}, false, fmt.Errorf("read the commit log: %w", err)
	}
	return c, true, nil
}

// clear notes that nothing is unfinished.
func (l *commitLog) clear() error {
	return errors.Join(l.file.Truncate(0), l.file.Sync())
}
