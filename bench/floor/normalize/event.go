package main

import (
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/kycbridge/kycbridge/schemas"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// event is a message for one of the domain topics. All but its metadata is complete.
type event struct {
	kind     *kind
	message  proto.Message
	metadata *kycv1.EventMetadata
}

// kind is where a message goes, and what its headers call it.
type kind struct {
	topic        string
	name, schema []byte
}

var (
	sessionKind  = newKind(schemas.Session, "SessionEvent")
	checkKind    = newKind(schemas.Check, "CheckEvent")
	amlKind      = newKind(schemas.Aml, "AmlEvent")
	resourceKind = newKind(schemas.Resource, "ResourceEvent")
)

func newKind(topic, message string) *kind {
	return &kind{topic, []byte("kyc.v1." + message), []byte("urn:kycbridge:kyc.v1." + message)}
}

// events are what a webhook becomes.
func (w *webhook) events() []event {
	name := w.name()
	family, _, _ := strings.Cut(name, ".")
	switch {
	case family == "workflow":
		return w.session(name)
	case family == "check" && (name != "check.updated" || w.payload.status.term().given || w.payload.verdict().given):
		return w.check(name)
	}
	return w.change(family, name)
}

// metadata is what the webhook says of it; complete adds the rest.
func (w *webhook) metadata(subject *kycv1.Subject, incomplete bool, attributes ...string) *kycv1.EventMetadata {
	md := &kycv1.EventMetadata{Subject: subject, Hydration: kycv1.Hydration_HYDRATION_NOT_NEEDED}
	if subject.ClientId == "" {
		subject.ClientId = w.payload.clientID.id()
	}
	if incomplete { // and nobody may ask the vendor's API
		md.Hydration = kycv1.Hydration_HYDRATION_OFF
	}
	if at, err := time.Parse(time.RFC3339, w.created.str()); err == nil {
		md.OccurredAt = timestamppb.New(at)
	}
	for i := 0; i < len(attributes); i += 2 {
		if value := word(attributes[i+1]); value != "" {
			if md.VendorAttributes == nil {
				md.VendorAttributes = make(map[string]string, len(attributes)/2)
			}
			md.VendorAttributes[attributes[i]] = value
		}
	}
	return md
}

// term is a word of the vendor's vocabulary. An object is given, and no word.
type term struct {
	word  string
	given bool
}

func (t text) term() term {
	word := strings.TrimSpace(t.s)
	return term{word, t.given() && (word != "" || t.kind != '"')}
}

func (t term) is(words ...string) bool {
	return slices.ContainsFunc(words, func(w string) bool { return strings.EqualFold(t.word, w) })
}

// verdict is a check's outcome, which a full object has elsewhere.
func (p *payload) verdict() term {
	if t := p.outcome.term(); t.given {
		return t
	}
	return p.fullOutcome.term()
}

// maxWord is the longest word that leaves, in characters.
const maxWord = 128

// word is one line of at most maxWord characters.
func word(s string) string {
	blank := func(r rune) rune {
		if r < ' ' || r >= 0x7f && r <= 0x9f || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}
	s = strings.TrimSpace(strings.Map(blank, s))
	if len(s) > maxWord && utf8.RuneCountInString(s) > maxWord {
		s = strings.TrimSpace(string([]rune(s)[:maxWord]))
	}
	return s
}

// firstWord is the first that is not empty.
func firstWord(words ...string) string {
	for _, w := range words {
		if w = word(w); w != "" {
			return w
		}
	}
	return ""
}
