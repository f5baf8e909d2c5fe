// Package repair fixes the differences between kfake and Apache Kafka that exactly-once depends on.
// Everything that starts a kfake for transactions calls it, tests too.
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
