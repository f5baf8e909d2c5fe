// Package schemas is what consumers of kycbridge import: the catalogue of topics,
// and below it the generated Go of the contract in proto. It is not a client: it
// opens no connection, and knows no Kafka library and no evaluator of the
// contract's rules.
package schemas

import (
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// DefaultPrefix stands in front of every topic name unless the configuration
// says otherwise.
const DefaultPrefix = "kyc."

// Base names of the topics; the full name is a prefix and one of these.
const (
	Raw              = "raw.v1"
	Session          = "session.v1"
	Check            = "check.v1"
	Aml              = "aml.v1"
	Renewal          = "renewal.v1"
	Resource         = "resource.v1"
	Hydrate          = "hydrate.v1"
	HydrateWait      = "hydrate.wait.v1"
	DispositionTopic = "disposition.v1"
	DeadLetterTopic  = "deadletter.v1"
)

// RetentionClass names the setting that says how long a topic is kept.
type RetentionClass int

// The classes, each a setting of the configuration's topics section.
const (
	RetainRaw         RetentionClass = iota + 1 // raw_retention
	RetainDomain                                // domain_retention
	RetainDisposition                           // disposition_retention
	RetainDeadLetter                            // deadletter_retention
)

// String gives the name of the setting, for messages to operators.
func (c RetentionClass) String() string {
	switch c {
	case RetainRaw:
		return "raw_retention"
	case RetainDomain:
		return "domain_retention"
	case RetainDisposition:
		return "disposition_retention"
	case RetainDeadLetter:
		return "deadletter_retention"
	default:
		return "no retention class"
	}
}

// Topic is one row of the catalogue.
type Topic struct {
	Base          string         // name without prefix
	Message       proto.Message  // an empty message of the one type in the topic; do not change it
	Key           string         // what the record key is, in prose
	Retention     RetentionClass // how long it is kept
	CoPartitioned bool           // has as many partitions as the raw topic, always
	Domain        bool           // holds events for consumers
	TwinOf        string         // of another form of a topic, its JSON or its next version: that topic, without prefix, whose events it says again; "" for all others
	JSON          bool           // the values are JSON
}

const (
	deliveryKey = "<endpoint>/<id of the subject>, or of the resource for resource deliveries; <endpoint>/<SHA-256 of the body> where no id can be read; <endpoint>/ for account-level notices"
	subjectKey  = "<endpoint>/<id of the subject>; <endpoint>/ for account-level notices"
	resourceKey = "<endpoint>/<id of the resource>"
	sameAsRaw   = "as the raw record"
)

// catalogue is the one table. Its order is that of the documentation.
var catalogue = []Topic{
	{Base: Raw, Message: &kycv1.RawEnvelope{}, Key: deliveryKey, Retention: RetainRaw, CoPartitioned: true},
	{Base: Session, Message: &kycv1.SessionEvent{}, Key: subjectKey, Retention: RetainDomain, Domain: true},
	{Base: Check, Message: &kycv1.CheckEvent{}, Key: subjectKey, Retention: RetainDomain, Domain: true},
	{Base: Aml, Message: &kycv1.AmlEvent{}, Key: subjectKey, Retention: RetainDomain, Domain: true},
	{Base: Renewal, Message: &kycv1.RenewalEvent{}, Key: subjectKey, Retention: RetainDomain, Domain: true},
	{Base: Resource, Message: &kycv1.ResourceEvent{}, Key: resourceKey, Retention: RetainDomain, Domain: true},
	{Base: Hydrate, Message: &kycv1.HydrateTask{}, Key: sameAsRaw, Retention: RetainRaw, CoPartitioned: true},
	{Base: HydrateWait, Message: &kycv1.HydrateTask{}, Key: sameAsRaw, Retention: RetainRaw, CoPartitioned: true},
	{Base: DispositionTopic, Message: &kycv1.Disposition{}, Key: sameAsRaw, Retention: RetainDisposition, CoPartitioned: true},
	{Base: DeadLetterTopic, Message: &kycv1.DeadLetter{}, Key: sameAsRaw, Retention: RetainDeadLetter},
}

// Topics gives every topic that there always is, in a fixed order. The slice is the caller's.
func Topics() []Topic { return slices.Clone(catalogue) }

// twinSuffix is what the name of a twin has behind that of its topic.
const twinSuffix = ".json"

// Twin is the topic that holds the same events as JSON, where the configuration has
// such topics; false for a topic that holds no events, and for a twin.
func (t Topic) Twin() (Topic, bool) {
	if !t.Domain || t.JSON {
		return Topic{}, false
	}
	t.Base, t.TwinOf, t.JSON = t.Base+twinSuffix, t.Base, true
	return t, true
}

// twins are those of the catalogue.
var twins = indexTwins()

func indexTwins() (all []Topic) {
	for _, t := range catalogue {
		if twin, ok := t.Twin(); ok {
			all = append(all, twin)
		}
	}
	return all
}

// JSONTopics gives the twins of all domain topics, in the order of Topics, of which they
// are no part: a cluster has them where the configuration says topics.json. The slice is
// the caller's.
func JSONTopics() []Topic { return slices.Clone(twins) }

// Name is the topic's full name under a prefix.
func (t Topic) Name(prefix string) string { return prefix + t.Base }

// New gives an empty message of the topic's type, for decoding into.
func (t Topic) New() proto.Message { return t.Message.ProtoReflect().New().Interface() }

// TopicFor finds the topic a message belongs in; a HydrateTask belongs in
// Hydrate, from where it may be moved to HydrateWait.
func TopicFor(m proto.Message) (Topic, bool) {
	if m == nil {
		return Topic{}, false
	}
	i, ok := kinds[m.ProtoReflect().Descriptor().FullName()]
	if !ok {
		return Topic{}, false
	}
	return catalogue[i], true
}

// kinds finds the messages of the catalogue: it is asked for every record.
var kinds = indexCatalogue()

func indexCatalogue() map[protoreflect.FullName]int {
	index := make(map[protoreflect.FullName]int, len(catalogue))
	for i, t := range slices.Backward(catalogue) { // a HydrateTask has two topics: the first counts
		index[t.Message.ProtoReflect().Descriptor().FullName()] = i
	}
	return index
}

// TopicNamed finds a topic by its full name under a prefix. It finds twins too, the
// values of which are no protobuf.
func TopicNamed(prefix, name string) (Topic, bool) {
	for _, all := range [][]Topic{catalogue, twins} {
		for _, t := range all {
			if base, ok := strings.CutPrefix(name, prefix); ok && base == t.Base {
				return t, true
			}
		}
	}
	return Topic{}, false
}

// DomainEvent is a message of a domain topic: the header and what it says.
type DomainEvent interface {
	proto.Message
	GetMetadata() *kycv1.EventMetadata
}
