package sink

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Errors that callers tell apart with errors.Is. Every other error of this
// package is best read through Classify.
var (
	// ErrFenced: another producer took over the transactional id, or the broker
	// ended a transaction that ran past its time limit.
	ErrFenced = errors.New("fenced: the broker no longer takes this producer for the owner of its transactional id")
	// ErrTwin: a process that is alive took the slot's place in the consumer group. It
	// wraps ErrFenced.
	ErrTwin = fmt.Errorf("%w, and another process has its place in the consumer group", ErrFenced)
	// ErrTooLarge: a record exceeds the size limit; it can never be written.
	ErrTooLarge = errors.New("the record is larger than max_message_bytes allows")
	// ErrUnavailable: no broker could be reached or asked.
	ErrUnavailable = errors.New("no Kafka broker answers")
	// ErrRefused: a broker answers, but TLS, SASL or missing rights keep this
	// client from talking to it.
	ErrRefused = errors.New("no connection to Kafka")
	// ErrToken: there is no token to authenticate to Kafka with.
	ErrToken = errors.New("no token for OAUTHBEARER")
	// ErrBufferFull: backpressure. No more records may wait for an acknowledgement.
	ErrBufferFull = errors.New("the producer's buffer is full")
	// ErrClosed: the client was closed; what was in flight may be written.
	ErrClosed = errors.New("the Kafka client is closed")
	// ErrTopicChanged: the input topic was deleted and created again while it
	// was being read. Its offsets mean something else now.
	ErrTopicChanged = errors.New("the topic was deleted and created again")
	// ErrTopics: topics are missing or set up in a way that is refused.
	ErrTopics = errors.New("topic check failed")
	// ErrTooOld: the brokers, or a proxy before them, speak as a Kafka below LeastKafka.
	ErrTooOld = errors.New("this Kafka is too old")
	// ErrRebalanced: the group moved partitions, so the transaction was aborted
	// and its records will be read again. It is normal and never an alarm.
	ErrRebalanced = errors.New("the consumer group rebalanced")
	// ErrBatchOpen: Poll was called while a polled batch was neither committed
	// nor rewound. The next commit would have skipped that batch.
	ErrBatchOpen = errors.New("the polled batch was neither committed nor rewound")
	// ErrBroken: the session failed before and must be closed and reopened.
	ErrBroken = errors.New("the session failed and must be opened anew")
)

// The labels Classify returns. The set is closed, so it may label a metric.
const (
	ClassNone           = "none"
	ClassFenced         = "fenced"
	ClassTooLarge       = "too_large"
	ClassBufferFull     = "buffer_full"
	ClassTimeout        = "timeout"
	ClassCanceled       = "canceled"
	ClassClosed         = "closed"
	ClassUnavailable    = "unavailable"
	ClassHandshake      = "handshake"
	ClassAuthentication = "authentication"
	ClassToken          = "token"
	ClassAuthorization  = "authorization"
	ClassUnknownTopic   = "unknown_topic"
	ClassTopicChanged   = "topic_changed"
	ClassReplicas       = "replicas"
	ClassRebalance      = "rebalance"
	ClassDataLoss       = "data_loss"
	ClassDecompress     = "decompress"
	ClassTransaction    = "transaction"
	ClassClock          = "clock"
	ClassOther          = "other"
)

// class is one row of the table behind Classify and Advice.
type class struct {
	label  string
	advice string
	is     []error
}

// classes is ordered: the first row that matches wins, so what says more
// stands before what says less.
func classes() []class {
	return []class{
		{ClassFenced, "this process stood still for longer than its session or transaction may last, or another took over its work", []error{
			ErrFenced, kerr.ProducerFenced, kerr.InvalidProducerEpoch,
		}},
		{ClassTopicChanged, "the topic was recreated: stop, read the runbook, start again", []error{ErrTopicChanged, kerr.UnknownTopicID, kerr.InconsistentTopicID}},
		{ClassTooLarge, "raise kafka.max_message_bytes and max.message.bytes of the topics, or lower the body limit", []error{ErrTooLarge, kerr.MessageTooLarge, kerr.RecordListTooLarge}},
		{ClassBufferFull, "backpressure: Kafka takes records more slowly than they arrive; look at the brokers", []error{ErrBufferFull, kgo.ErrMaxBuffered}},
		{ClassClosed, "the process is stopping", []error{ErrClosed, kgo.ErrClientClosed}},
		{ClassToken, "check kafka.sasl.oauth and the server it names", []error{ErrToken}},
		{ClassAuthentication, "check mechanism, user and password (or token) in kafka.sasl, and that the broker has the mechanism on this listener", []error{
			kerr.SaslAuthenticationFailed, kerr.UnsupportedSaslMechanism, kerr.IllegalSaslState,
		}},
		{ClassAuthorization, "grant this user the topic, group or transactional id it asks for", []error{
			kerr.TopicAuthorizationFailed, kerr.GroupAuthorizationFailed, kerr.ClusterAuthorizationFailed, kerr.TransactionalIDAuthorizationFailed,
		}},
		{ClassUnknownTopic, "create the topics: " + CreateCommand, []error{kerr.UnknownTopicOrPartition, ErrTopics}},
		{ClassReplicas, "a broker is down or its disk failed: bring the replicas back", []error{
			kerr.NotEnoughReplicas, kerr.NotEnoughReplicasAfterAppend, kerr.KafkaStorageError, kerr.LeaderNotAvailable, kerr.NotLeaderForPartition,
		}},
		{ClassRebalance, "a rebalance, normal while processes start, stop or move", []error{
			ErrRebalanced, kerr.RebalanceInProgress, kerr.IllegalGeneration, kerr.UnknownMemberID,
		}},
		{ClassTransaction, "the transaction coordinator is busy or moving; the client retries", []error{
			kerr.ConcurrentTransactions, kerr.InvalidTxnState, kerr.TransactionAbortable, kerr.OperationNotAttempted,
			kerr.UnknownProducerID, kerr.InvalidProducerIDMapping, kerr.OutOfOrderSequenceNumber, kerr.TransactionCoordinatorFenced,
		}},
		{ClassDecompress, "a batch in the topic unpacks to more than the limit: find out who wrote it", []error{kgo.ErrMaxDecompress}},
		{ClassClock, "this machine's clock or the broker's is wrong: compare `date` on both, and put right the one that is off", []error{kerr.InvalidTimestamp}},
		{ClassTimeout, "Kafka answers too slowly: look at the brokers and the network", []error{
			context.DeadlineExceeded, kgo.ErrRecordTimeout, kgo.ErrRecordRetries, kerr.RequestTimedOut,
		}},
		{ClassCanceled, "the process is stopping", []error{context.Canceled}},
		{ClassUnavailable, unavailableAdvice, []error{
			ErrUnavailable, kerr.CoordinatorNotAvailable, kerr.CoordinatorLoadInProgress, kerr.NotCoordinator, kerr.BrokerNotAvailable, kerr.NetworkException,
		}},
	}
}

const unavailableAdvice = "start Kafka (make services) or correct kafka.brokers"

// Classify puts err under one of the labels above; nil is ClassNone. The label
// carries nothing from the error's text, so it is safe as a metric's label.
func Classify(err error) string { return classOf(err).label }

// Advice says in half a sentence what an operator can do about err; it is empty
// for nil and for errors no advice is known for.
func Advice(err error) string { return classOf(err).advice }

func classOf(err error) class {
	if err == nil {
		return class{label: ClassNone}
	}
	if c, ok := typedClass(err); ok {
		return c
	}
	for _, c := range classes() {
		for _, target := range c.is {
			if errors.Is(err, target) {
				return c
			}
		}
	}
	var network *net.OpError
	if errors.As(err, &network) {
		return class{label: ClassUnavailable, advice: unavailableAdvice}
	}
	return class{label: ClassOther}
}

// typedClass covers the errors that only their type identifies, and what is a case of
// another row with an advice of its own.
func typedClass(err error) (class, bool) {
	if errors.Is(err, ErrTwin) || errors.Is(err, kerr.FencedInstanceID) {
		return class{label: ClassFenced, advice: "another process uses the same instance number: give each its own --instance"}, true
	}
	var loss *kgo.ErrDataLoss
	if errors.As(err, &loss) {
		return class{label: ClassDataLoss, advice: "the broker lost records it had acknowledged: read the runbook"}, true
	}
	if advice := handshakeAdvice(err); advice != "" {
		return class{label: ClassHandshake, advice: advice}, true
	}
	return class{}, false
}

// handshakeAdvice says what to do about a TLS handshake that failed, or about a broker
// that closes the connection at once; "" where err is neither.
func handshakeAdvice(err error) string {
	var name x509.HostnameError
	var authority x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	var cert *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var network *net.OpError
	var eof *kgo.ErrFirstReadEOF
	switch {
	case errors.Is(err, ErrToken): // about another server
	case errors.As(err, &name):
		return "the broker's certificate is for another name: connect by a name it holds, or set kafka.tls.server_name"
	case errors.As(err, &authority):
		return "the broker's certificate is from an authority that is not trusted: set kafka.tls.ca_file to that authority's certificate"
	case errors.As(err, &invalid), errors.As(err, &cert):
		return "the broker's certificate is not valid: renew it, or look at this machine's clock"
	case errors.As(err, &record):
		return "the broker does not speak TLS on this port: use its TLS port, or remove kafka.tls"
	case errors.As(err, &network) && network.Op == "remote error": // how crypto/tls passes an alert on
		return "the broker refuses our side of TLS: set certificate_file and key_file in kafka.tls to a certificate from an authority it trusts"
	case strings.Contains(err.Error(), "tls alert record"): // the client library has no value for it
		return "the broker speaks TLS on this port: set kafka.tls.enabled to true"
	case errors.As(err, &eof):
		return "the broker closes the connection at once: this port may expect TLS (kafka.tls) or SASL (kafka.sasl), or neither"
	}
	return ""
}
