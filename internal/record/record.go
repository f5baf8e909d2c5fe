// Package record is a Kafka record on its way out or as it was read: what decides
// fills it, what writes sends it, and neither needs to know the other nor the client
// between them. It knows no topic and no message.
package record

import (
	"fmt"
	"time"
)

// Header is one Kafka record header.
type Header struct {
	Key   string
	Value []byte
}

// ByKey is the partition of a record that goes where its key sends it, as with Java
// clients (murmur2).
const ByKey int32 = -1

// Outgoing is one record on its way to Kafka.
type Outgoing struct {
	Topic     string // base name
	Key       []byte // never empty
	Value     []byte
	Partition int32 // or ByKey
	Headers   []Header
	Offset    int64 // set once the record is committed
}

// Position is where a record is in its topic.
type Position struct {
	Partition int32 `json:"partition"`
	Offset    int64 `json:"offset"`
}

// String is the form that commands take: 3@17.
func (p Position) String() string { return fmt.Sprintf("%d@%d", p.Partition, p.Offset) }

// ScanFrom is where a scan of a partition begins: at Offset, or at the first record that is
// not older than Time where one is set and that record comes later. A negative offset is the
// start of the log.
type ScanFrom struct {
	Offset int64
	Time   time.Time
}

// Nowhere stands for an offset that a group has not committed.
const Nowhere int64 = -1

// Place is where a partition that came to a member of a group is read from.
type Place struct {
	Committed int64 // the group's offset; Nowhere: none
	Foreign   bool  // no member has committed it: it was set from outside
	// Start and End are the log's, where Committed is foreign or Nowhere; the partition is read from Start
	// then.
	Start, End int64
}

// At is the offset that is read first.
func (p Place) At() int64 {
	if p.Foreign || p.Committed == Nowhere {
		return p.Start
	}
	return p.Committed
}

// Extent is the part of a partition that Kafka holds: from the first offset to the one after the last.
type Extent struct{ Start, End int64 }

// Bounds are those of a partition: of the raw topic, and of the dispositions of the same number.
type Bounds struct {
	Raw, Dispositions Extent
	Stable            int64 // the last stable offset of the dispositions: below End while a transaction is open
}

// HeldPartition is a partition of which read_committed readers do not see the end, since a transaction before it is
// open.
type HeldPartition struct {
	Topic     string // full name
	Partition int32
	Stable    int64 // the last stable offset, where the oldest open transaction begins
	Records   int64 // behind it, markers included
}
