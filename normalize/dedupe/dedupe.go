// Package dedupe decides which of several copies of one delivery becomes an event, so that none is
// lost whatever Redis does, and none is doubled unless Redis lost data without showing it.
//
// It holds the decision table, the form of a claim, the Redis store, and the repair of Redis out of
// the disposition topic. It is not a lock, not a cache and not a set of "seen" flags: a claim names
// the raw record that made it, and only an earlier record of the same partition, or a confirmed
// commit, ever makes another one drop.
//
// It knows nothing of vendors, of protobuf events or of Kafka clients: the topic is read through the
// function History.
package dedupe
