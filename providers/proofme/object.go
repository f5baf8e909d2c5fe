package proofme

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/kycbridge/kycbridge/providers"
)

// object is what the API says of one id.
type object struct {
	kind             string
	answer           *providers.Value // the whole answer
	*providers.Value                  // the object in it
}

// readObject reads an answer of the API. Its errors name a field, since the
// webhook itself was readable.
func readObject(kind string, answer []byte) (object, error) {
	doc, err := providers.ReadObject(answer)
	if err != nil {
		var p *providers.Problem
		if errors.As(err, &p) {
			err = &providers.Problem{Field: kind, Detail: "the API's answer: " + p.Detail, Err: p.Err}
		}
		return object{}, err
	}
	o := objectIn(kind, doc)
	if o.id() == "" {
		return object{}, &providers.Problem{Field: kind + ".id", Detail: "the API's answer is no object with an id", Err: providers.ErrMalformed}
	}
	return o, nil
}

// objectIn finds the object: wrapped in its kind's name, as the reference of the
// API has it, or the answer itself, as the page about authentication shows it. What
// is wrapped and no object is none: what stands beside it is not about it.
func objectIn(kind string, answer *providers.Value) object {
	o := object{kind: kind, answer: answer, Value: answer}
	if o.wrapped() {
		o.Value = answer.At(kind)
	}
	return o
}

func (o object) wrapped() bool { return o.answer.At(o.kind).Given() }

func (o object) id() string { return o.At("id").ID() }

// status is the vendor's word for the object's state, "" without a readable one.
func (o object) status() string {
	if o.kind == document {
		return providers.Word(o.At("documentStatus").Scalar())
	}
	return providers.Word(o.At("status").Scalar())
}

// signers are the states of the people who sign a document, in an order of its
// own, without anything about the people.
func (o object) signers() []string {
	var out []string
	for user := range o.At("userDocument").Items() {
		out = append(out, strings.ToLower(user.At("signStatus").Scalar())+" "+user.At("updatedAt").Scalar())
	}
	slices.Sort(out)
	return out
}

// identity is the state that was fetched: asking twice about one change gives one
// event, and each change its own. A signature may leave the document's own status
// and time as they were, so the signers' are part of a document's state.
func (o object) identity() providers.Identity {
	id := providers.Identity{o.kind, o.id(), strings.ToLower(o.status()), o.At("updatedAt").Scalar()}
	if o.kind == document {
		id = append(id, o.signers()...)
	}
	return id
}

// content is the canonical form of all that events are made from. The rest of the
// object, such as links and the customer's own notes, may change without saying
// anything.
func (o object) content() []byte {
	said := map[string]any{"kind": o.kind, "status": strings.ToLower(o.status()), "signers": o.signers()}
	for _, name := range []string{
		"id", "updatedAt", "scannedAt", "mode", "organisationId", "proofmeId", "proofmeRevision", "isRequest", "verificationLevel",
	} {
		said[name] = o.At(name).Scalar()
	}
	text, err := json.Marshal(said) // sorts the names
	if err != nil {
		return nil // not reached: strings only
	}
	return text
}

// check reports whether an answer is the object that was asked for.
func check(t providers.Target, answer []byte) error {
	o, err := readObject(t.Kind, answer)
	if err != nil {
		return err
	}
	return o.answers(t.ID)
}

// answers holds an object against the id it was asked for by. Another object would
// be another person's verdict.
func (o object) answers(id string) error {
	switch {
	case o.id() != id:
		return &providers.Problem{Field: o.kind + ".id", Detail: "the API answered with another object than the one it was asked for", Err: providers.ErrMismatch}
	case o.kind == identification && o.status() == "":
		return &providers.Problem{Field: o.kind + ".status", Detail: "want a word for the state", Err: providers.ErrInvalid}
	}
	return nil
}
