package main

import "github.com/go-json-experiment/json/jsontext"

// webhook is what is looked at of one, and its canonical form: names sorted, the last of equal ones,
// strings in one spelling, numbers as written, no space, no links.
type webhook struct {
	id, eventType, resource, created text
	payload                          payload
	said                             []byte // the canonical form
}

type payload struct {
	id, clientID, documentID, addressID, livePhotoID, liveVideoID, externalID text
	status, outcome, fullOutcome, checkType, monitoring, updated              text
	workflow, template, version, lastTask                                     text

	related []text // ids of checks
	said    []byte // the canonical form
}

// text is a scalar of the body: what a string says, or a number, true or false as written.
type text struct {
	kind jsontext.Kind // 0: it is not there
	s    string
}

func (t text) given() bool { return t.kind != 0 && t.kind != 'n' }

// str is the text of a string alone.
func (t text) str() string {
	if t.kind == '"' {
		return t.s
	}
	return ""
}

// id is a string or a number.
func (t text) id() string {
	if t.kind == '0' {
		return t.s
	}
	return t.str()
}

// flag is "true" or "false".
func (t text) flag() string {
	if t.kind == 't' || t.kind == 'f' {
		return t.s
	}
	return ""
}

// place is where in the body a member stands.
type place int

const (
	elsewhere place = iota
	top
	inPayload
	inImages
	inResult
	inRelated
)

// below is the place of what a member holds.
func (at place) below(name []byte) place {
	switch {
	case at == top && string(name) == "payload":
		return inPayload
	case at == inPayload && string(name) == "images":
		return inImages
	case at == inPayload && string(name) == "result":
		return inResult
	case at == inPayload && string(name) == "allRelatedChecks":
		return inRelated
	}
	return elsewhere
}

// saysNothing reports whether a member is left out: copies of a delivery name the same picture by
// different links.
func (at place) saysNothing(name []byte) bool {
	return (at == inPayload || at == inImages) && string(name) == "downloadLink"
}

// field is where a member's value is kept; nil: nowhere.
func (w *webhook) field(at place, name []byte) *text {
	switch {
	case at == top:
		return w.ownField(name)
	case at == inPayload:
		return w.payload.field(name)
	case at == inResult && string(name) == "outcome":
		return &w.payload.fullOutcome
	case at == inRelated && string(name) == "checkId":
		w.payload.related = append(w.payload.related, text{})
		return &w.payload.related[len(w.payload.related)-1]
	}
	return nil
}

func (w *webhook) ownField(name []byte) *text {
	switch string(name) {
	case "id":
		return &w.id
	case "type":
		return &w.eventType
	case "resourceType":
		return &w.resource
	case "createdAt":
		return &w.created
	}
	return nil
}

func (p *payload) field(name []byte) *text {
	switch string(name) {
	case "id":
		return &p.id
	case "clientId":
		return &p.clientID
	case "documentId":
		return &p.documentID
	case "addressId":
		return &p.addressID
	case "livePhotoId":
		return &p.livePhotoID
	case "liveVideoId":
		return &p.liveVideoID
	case "externalId":
		return &p.externalID
	case "status":
		return &p.status
	case "outcome":
		return &p.outcome
	case "type":
		return &p.checkType
	case "enableMonitoring":
		return &p.monitoring
	case "updatedAt":
		return &p.updated
	case "workflowId":
		return &p.workflow
	case "workflowTemplateId":
		return &p.template
	case "workflowVersion":
		return &p.version
	case "lastCompletedTaskId":
		return &p.lastTask
	}
	return nil
}
