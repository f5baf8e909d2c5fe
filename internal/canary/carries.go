package canary

import (
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Carries is what a field of the contract may hold of what a vendor sent.
type Carries uint8

// From the least to all of it.
const (
	// Ours: nothing; it is made here, or chosen from a closed set.
	Ours Carries = iota + 1
	// Kept: ids of a form that nothing about a person has, such as UUIDs, words that the vendor documents, and
	// hashes. What is kept longest, or stands beside a record for all to see, holds no more.
	Kept
	// Code: what has the form of a code or of an id, and digests.
	Code
	// Word: the vendor's own word at a place where it has one of a vocabulary: a status, an outcome, the name of a
	// step. It is never read from a place that is about a person.
	Word
	// Data: whatever arrived. Who may read the topic is restricted.
	Data
)

// fields is every field of text or bytes of the messages that leave, and what it may hold. A new field must take
// a stand here: Undeclared finds it.
var fields = map[protoreflect.FullName]Carries{
	"kyc.v1.EventMetadata.event_id":          Ours,
	"kyc.v1.EventMetadata.provider":          Ours,
	"kyc.v1.EventMetadata.endpoint":          Ours,
	"kyc.v1.EventMetadata.tenant":            Ours,
	"kyc.v1.EventMetadata.vendor_event_id":   Code,
	"kyc.v1.EventMetadata.vendor_event_type": Word,
	"kyc.v1.EventMetadata.vendor_sequence":   Code,
	"kyc.v1.EventMetadata.mapper_version":    Ours,
	"kyc.v1.EventMetadata.flow_id":           Word,
	"kyc.v1.EventMetadata.flow_version":      Word,
	"kyc.v1.EventMetadata.vendor_attributes": Word,
	"kyc.v1.EventMetadata.flags":             Ours,

	"kyc.v1.Subject.session_id":          Code,
	"kyc.v1.Subject.check_id":            Code,
	"kyc.v1.Subject.client_id":           Code,
	"kyc.v1.Subject.company_id":          Code,
	"kyc.v1.Subject.document_id":         Code,
	"kyc.v1.Subject.address_id":          Code,
	"kyc.v1.Subject.step_id":             Code,
	"kyc.v1.Subject.attempt_id":          Code,
	"kyc.v1.Subject.customer_reference":  Code, // anything, where an endpoint lets it: the suite of vendors looks at that
	"kyc.v1.Subject.party_id":            Code,
	"kyc.v1.Subject.related_session_ids": Code,
	"kyc.v1.Subject.related_check_ids":   Code,

	"kyc.v1.RawPosition.topic":            Ours,
	"kyc.v1.RequiredStep.step_id":         Code,
	"kyc.v1.RequiredStep.reason_codes":    Code,
	"kyc.v1.RequiredStep.vendor_deadline": Word,

	"kyc.v1.SessionEvent.reason_codes":         Code,
	"kyc.v1.SessionEvent.vendor_status":        Word,
	"kyc.v1.SessionEvent.vendor_outcome":       Word,
	"kyc.v1.CheckEvent.reason_codes":           Code,
	"kyc.v1.CheckEvent.vendor_kind":            Word,
	"kyc.v1.CheckEvent.vendor_result":          Word,
	"kyc.v1.AmlEvent.reason_codes":             Code,
	"kyc.v1.AmlEvent.vendor_previous_decision": Word,
	"kyc.v1.AmlEvent.vendor_new_decision":      Word,
	"kyc.v1.AmlEvent.vendor_status":            Word,
	"kyc.v1.AmlFinding.vendor_category":        Word,
	"kyc.v1.AmlFinding.vendor_status":          Word,
	"kyc.v1.RenewalEvent.items":                Word,
	"kyc.v1.RenewalEvent.reason_codes":         Code,
	"kyc.v1.RenewalEvent.vendor_status":        Word,
	"kyc.v1.RenewalEvent.vendor_deadline":      Word,
	"kyc.v1.ResourceEvent.changed_fields":      Code,
	"kyc.v1.ResourceEvent.vendor_resource":     Word,
	"kyc.v1.ResourceEvent.vendor_status":       Word,

	"kyc.v1.Disposition.raw_topic_id":          Ours,
	"kyc.v1.Disposition.tenant":                Ours,
	"kyc.v1.Disposition.provider":              Ours,
	"kyc.v1.Disposition.endpoint":              Ours,
	"kyc.v1.Disposition.dedupe_key":            Ours,
	"kyc.v1.Disposition.content_hash":          Ours,
	"kyc.v1.Disposition.event_ids":             Ours,
	"kyc.v1.Disposition.vendor_event_id":       Kept,
	"kyc.v1.Disposition.vendor_event_type":     Kept,
	"kyc.v1.Disposition.mapper_version":        Ours,
	"kyc.v1.Disposition.replay_id":             Ours,
	"kyc.v1.Disposition.claimed_topic_id":      Ours,
	"kyc.v1.Disposition.pepper_id":             Ours,
	"kyc.v1.Disposition.duplicate_of_topic_id": Ours,
	"kyc.v1.Disposition.dedupe_flag":           Ours,

	"kyc.v1.DeadLetter.field":  Ours,
	"kyc.v1.DeadLetter.stage":  Ours,
	"kyc.v1.DeadLetter.detail": Ours,

	"kyc.v1.RawEnvelope.provider":     Ours,
	"kyc.v1.RawEnvelope.endpoint":     Ours,
	"kyc.v1.RawEnvelope.tenant":       Ours,
	"kyc.v1.RawEnvelope.method":       Ours,
	"kyc.v1.RawEnvelope.content_type": Data,
	"kyc.v1.RawEnvelope.body":         Data,
	"kyc.v1.RawEnvelope.secret_id":    Ours,
	"kyc.v1.RawEnvelope.delivery_id":  Ours,
	"kyc.v1.HttpHeader.name":          Ours,
	"kyc.v1.HttpHeader.value":         Data,

	"kyc.v1.HydrateTask.fetched_kind": Ours,
	"kyc.v1.HydrateTask.fetched":      Data,
	"kyc.v1.HydrateTask.raw_topic_id": Ours,
}

// CarriedBy is what a field may hold; 0 where nobody has said.
func CarriedBy(field protoreflect.FieldDescriptor) Carries { return fields[field.FullName()] }

// Undeclared are the fields of text or bytes of a message, and of all messages in it, that take no stand, and
// Stale those of the list that no such message has.
func Undeclared(messages ...protoreflect.MessageDescriptor) (undeclared, stale []protoreflect.FullName) {
	seen, known := map[protoreflect.FullName]bool{}, map[protoreflect.FullName]bool{}
	var visit func(m protoreflect.MessageDescriptor)
	visit = func(m protoreflect.MessageDescriptor) {
		if seen[m.FullName()] {
			return
		}
		seen[m.FullName()] = true
		for i := range m.Fields().Len() {
			f := m.Fields().Get(i)
			switch {
			case f.Message() != nil && !f.IsMap():
				visit(f.Message())
			case textual(f):
				known[f.FullName()] = true
				if fields[f.FullName()] == 0 {
					undeclared = append(undeclared, f.FullName())
				}
			}
		}
	}
	for _, m := range messages {
		visit(m)
	}
	for name := range fields {
		if !known[name] {
			stale = append(stale, name)
		}
	}
	return undeclared, stale
}

func textual(f protoreflect.FieldDescriptor) bool {
	return f.IsMap() || f.Kind() == protoreflect.StringKind || f.Kind() == protoreflect.BytesKind
}

// Leak is a canary in a field that may not hold it.
type Leak struct {
	Field protoreflect.FullName
	Value string
}

// Leaks are the fields of a message, and of all messages in it, in which a canary is and may not be. nowhere: it
// stood where a body is about a person, so it may be in none but those that hold whatever arrived.
func (c Canary) Leaks(m protoreflect.Message, nowhere bool) (leaks []Leak) {
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case f.IsMap():
			v.Map().Range(func(k protoreflect.MapKey, v protoreflect.Value) bool {
				leaks = append(leaks, c.leak(f, k.String(), true)...) // names of attributes are ours
				leaks = append(leaks, c.leak(f, v.String(), nowhere)...)
				return true
			})
		case f.IsList():
			for i := range v.List().Len() {
				leaks = append(leaks, c.inside(f, v.List().Get(i), nowhere)...)
			}
		default:
			leaks = append(leaks, c.inside(f, v, nowhere)...)
		}
		return true
	})
	return leaks
}

func (c Canary) inside(f protoreflect.FieldDescriptor, v protoreflect.Value, nowhere bool) []Leak {
	switch f.Kind() {
	case protoreflect.MessageKind:
		return c.Leaks(v.Message(), nowhere)
	case protoreflect.StringKind:
		return c.leak(f, v.String(), nowhere)
	case protoreflect.BytesKind:
		return c.leak(f, string(v.Bytes()), nowhere)
	}
	return nil
}

func (c Canary) leak(f protoreflect.FieldDescriptor, value string, nowhere bool) []Leak {
	if c.May(CarriedBy(f), nowhere) || !c.In([]byte(value)) {
		return nil
	}
	return []Leak{{f.FullName(), value}}
}

// May reports whether the canary may be where so much may be.
func (c Canary) May(carries Carries, nowhere bool) bool {
	switch carries {
	case Data:
		return true
	case Word:
		return !nowhere
	case Code:
		return !nowhere && c.Coded
	}
	return false
}
