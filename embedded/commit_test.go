package embedded

import (
	"path/filepath"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func offsetCommit(producer int64, epoch int16, offset int64) *kmsg.TxnOffsetCommitRequest {
	req := kmsg.NewPtrTxnOffsetCommitRequest()
	req.Group, req.ProducerID, req.ProducerEpoch = "g", producer, epoch
	rt := kmsg.NewTxnOffsetCommitRequestTopic()
	rt.TopicID = [16]byte{1}
	rp := kmsg.NewTxnOffsetCommitRequestTopicPartition()
	rp.Offset = offset
	rt.Partitions = append(rt.Partitions, rp)
	req.Topics = append(req.Topics, rt)
	return req
}

func endTxn(producer int64, epoch int16, commit bool, version int16) *kmsg.EndTxnRequest {
	req := kmsg.NewPtrEndTxnRequest()
	req.ProducerID, req.ProducerEpoch, req.Commit, req.Version = producer, epoch, commit, version
	return req
}

func TestCommitLogHoldsTheOffsetsOfItsTransaction(t *testing.T) {
	byID := func(id [16]byte) *kfake.TopicInfo { return &kfake.TopicInfo{Topic: "in"} }
	for _, tc := range []struct {
		name  string
		end   *kmsg.EndTxnRequest
		ok    bool
		count int
	}{
		{"commit", endTxn(1, 2, true, 5), true, 2},
		{"abort", endTxn(1, 2, false, 5), false, 0},
		{"client without an epoch per transaction", endTxn(1, 2, true, 4), false, 0},
		{"later transaction of the producer", endTxn(1, 3, true, 5), true, 0},
		{"other producer", endTxn(9, 2, true, 5), true, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			log, err := openCommitLog(filepath.Join(t.TempDir(), "commit"), t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			defer log.close()
			log.stage(offsetCommit(1, 1, 10), byID) // aborted unseen, by a new epoch
			log.stage(offsetCommit(1, 2, 11), byID)
			log.stage(offsetCommit(1, 2, 12), byID)
			if err := log.begin(tc.end); err != nil {
				t.Fatal(err)
			}
			c, ok, err := log.read()
			if err != nil || ok != tc.ok || len(c.Offsets) != tc.count {
				t.Fatalf("read %+v, %t, %v; expected %t with %d offsets", c, ok, err, tc.ok, tc.count)
			}
			if tc.count > 0 && (c.Offsets[1].Offset != 12 || c.Offsets[1].Topic != "in" || c.Offsets[1].Group != "g") {
				t.Errorf("last offset is %+v", c.Offsets[1])
			}
		})
	}
}

// TestCommitWaitsForTheDisk: what cannot be written down does not begin, and can
// be tried again with the same offsets.
func TestCommitWaitsForTheDisk(t *testing.T) {
	path := filepath.Join(t.TempDir(), "commit")
	log, err := openCommitLog(path, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	log.stage(offsetCommit(1, 2, 11), func([16]byte) *kfake.TopicInfo { return nil })
	if err := log.close(); err != nil {
		t.Fatal(err)
	}
	if err := log.begin(endTxn(1, 2, true, 5)); err == nil {
		t.Fatal("the commit began without its entry in the log")
	}
	again, err := openCommitLog(path, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer again.close()
	log.file = again.file
	if err := log.begin(endTxn(1, 2, true, 5)); err != nil {
		t.Fatal(err)
	}
	if c, ok, err := log.read(); err != nil || !ok || len(c.Offsets) != 1 {
		t.Errorf("read %+v, %t, %v; expected the commit with its offset", c, ok, err)
	}
}
