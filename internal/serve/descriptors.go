package serve

import (
	"fmt"
	"log/slog"
	"net"

	"golang.org/x/net/netutil"

	"github.com/kycbridge/kycbridge/ingest"
)

const (
	// leastDescriptors is the lowest limit of open files that ingest runs with.
	leastDescriptors = 512
	// adminConnections bounds the admin address, so that neither it nor the address of
	// the vendors can take the other's descriptors.
	adminConnections = 64
)

// limitConnections shares the process's descriptors out. A quarter is for the admin
// address, Kafka, Redis and files; of the rest, senders before their proof get half and
// proved deliveries that wait for Kafka the other half.
func limitConnections(o *ingest.Options, descriptors uint64, log *slog.Logger) error {
	if descriptors < leastDescriptors {
		return fmt.Errorf("the limit of open files is %d, and ingest needs at least %d: raise it, for example with `ulimit -n 65536` or LimitNOFILE=65536", descriptors, leastDescriptors)
	}
	each := int(min(descriptors, 1<<30) * 3 / 8)
	o.MaxUnprovedConnections = each
	if o.MaxRequests > each {
		log.Warn("the limit of open files allows fewer requests at a time than ingest.max_requests: raise the limit, for example with `ulimit -n 65536` or LimitNOFILE=65536",
			"open_files", descriptors, "max_requests", o.MaxRequests, "allowed", each)
		o.MaxRequests = each
	}
	return nil
}

// limitAdmin keeps the admin address to its share of the descriptors.
func limitAdmin(l net.Listener) net.Listener { return netutil.LimitListener(l, adminConnections) }
