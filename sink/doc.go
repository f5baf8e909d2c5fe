// Package sink is the only code that writes to Kafka.
//
// It holds the client options every connection shares, the raw log that a
// webhook is acknowledged by, the transactional session that turns raw records
// into events, the readers that repair, recovery and tail use, the topics and
// their safety settings, and the classes errors fall into. A write that returns
// without an error is in the log of the broker and of its in-sync replicas.
//
// It is not a Kafka framework: it knows the topics of package schemas and
// nothing of vendors, HTTP or Redis, and it decides nothing about a record's
// content.
package sink
