package idenfy

import (
	"strconv"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/kycbridge/kycbridge/providers"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// run is one delivery while it is mapped.
type run struct {
	*providers.Notice
	at *timestamppb.Timestamp // when it happened; nil where the vendor does not say
	providers.Mapping
}

// mapper lets f add the events. allowed are the names that the body may have.
func mapper(allowed providers.Fields, f func(r *run) error) providers.MapFunc {
	return func(_ *providers.Delivery, n *providers.Notice) (providers.Mapping, error) {
		r := &run{Notice: n}
		r.Shape("", n.Doc, allowed)
		if err := f(r); err != nil {
			return providers.Mapping{}, err
		}
		return r.Mapping, nil
	}
}

// metadata starts the metadata of an event about subject.
func (r *run) metadata(subject *kycv1.Subject) *kycv1.EventMetadata {
	return &kycv1.EventMetadata{Subject: subject, OccurredAt: r.at}
}

// id reads an id at the top of the body.
func (r *run) id(name string) string { return r.Doc.At(name).ID() }

// reference is the customer's own reference, clientId: the way back to the records
// of whoever runs this bridge.
func (r *run) reference() string { return r.Reference(r.Doc.At("clientId")) }

// maxAttribute is what an attribute holds, in bytes.
const maxAttribute = 128

// externalRef adds the customer's second reference to attributes.
func (r *run) externalRef(attributes map[string]string) map[string]string {
	ref := r.Reference(r.Doc.At("externalRef"))
	if len(ref) > maxAttribute {
		ref = providers.Digest(ref)
	}
	if ref != "" {
		attributes["external_ref"] = ref
	}
	return attributes
}

// fallback is the word for a state that the delivery has no word for: the first
// that is given, the event type in the end.
func (r *run) fallback(words ...string) string {
	return providers.FirstWord(providers.FirstWord(words...), r.Type, r.MapAs)
}

// say is providers.Say for what is mapped.
func say[E any](
	r *run, kind string, words providers.Enum[E], v *providers.Value, inferred ...providers.Enum[E],
) (E, providers.Term) {
	return providers.Say(&r.Mapping, kind, words, v, inferred...)
}

// unixTime reads seconds since 1970.
func (r *run) unixTime(kind string, v *providers.Value) *timestamppb.Timestamp {
	if !v.Given() {
		return nil
	}
	seconds, err := strconv.ParseInt(v.Scalar(), 10, 64)
	t := &timestamppb.Timestamp{Seconds: seconds}
	if err != nil || seconds <= 0 || t.CheckValid() != nil {
		r.Note(kind, "")
		return nil
	}
	return t
}

// dateLayouts are the forms of a date that the vendor uses or may well use: it
// documents none.
var dateLayouts = []string{time.DateOnly, time.RFC3339, "2006-01-02T15:04:05", time.DateTime}

// date reads a date or a time; a bare date is its midnight UTC. The second result
// is the vendor's own writing, "" where it might be anything.
func (r *run) date(kind string, v *providers.Value) (*timestamppb.Timestamp, string) {
	if !v.Given() || v.Text() == "" {
		return nil, ""
	}
	for _, layout := range dateLayouts {
		if t, err := time.Parse(layout, v.Text()); err == nil {
			if ts := timestamppb.New(t); ts.CheckValid() == nil {
				return ts, providers.Word(v.Text())
			}
		}
	}
	r.Note(kind, "")
	if providers.IsCode(v.Text()) {
		return nil, v.Text()
	}
	return nil, ""
}

// attributes are further words and ids, as pairs of name and value. What is no code
// stays inside: it might be free text.
func attributes(pairs ...string) map[string]string {
	out := make(map[string]string, len(pairs)/2)
	for i := 0; i < len(pairs); i += 2 {
		if v := pairs[i+1]; providers.IsCode(v) {
			out[pairs[i]] = v
		}
	}
	return out
}
