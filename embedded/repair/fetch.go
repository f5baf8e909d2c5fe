// Package repair mends what kfake does otherwise than Apache Kafka and what exactly-once depends on.
// Whoever starts a kfake for transactions, a test too, calls it.
package repair

import (
	"math"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Fetch keeps answers to readers at read_committed from reaching the limit of the whole request:
// kfake then leaves out which transactions were aborted, and the reader takes their records for
// committed. The limit of each partition, which the client sets too, still bounds the answer.
func Fetch(cluster *kfake.Cluster) {
	cluster.ControlKey(int16(kmsg.Fetch), func(req kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		if fetch := req.(*kmsg.FetchRequest); fetch.IsolationLevel == 1 {
			fetch.MaxBytes = math.MaxInt32
		}
		return nil, nil, false
	})
}
