package complycube

import (
	"encoding/hex"
	"strings"

	"github.com/kycbridge/kycbridge/providers"
)

// maxEventID is what metadata.vendor_event_id holds.
const maxEventID = 128

// volatile are paths that say nothing: links under which a picture can be had.
var (
	volatile        = providers.Paths("payload.images.downloadLink", "payload.downloadLink")
	volatilePayload = volatile["payload"]
)

// parse reads the envelope that all events share.
func parse(d *providers.Delivery) (*providers.Notice, error) {
	doc, err := providers.ReadObject(d.Body)
	if err != nil {
		return nil, err
	}
	spelling := doc.At("type").Text()
	n := &providers.Notice{
		ID:    doc.At("id").ID(),
		Type:  providers.Word(spelling),
		MapAs: current(spelling),
		Doc:   doc,
	}
	if n.Type == "" {
		return nil, &providers.Problem{Field: "type", Detail: "want a string that names the event", Err: providers.ErrMalformed}
	}
	if len(n.ID) > maxEventID {
		n.ID = ""
	}
	n.Identity, n.Content = identify(n)
	return n, nil
}

// current turns a spelling of older API versions, "check.complete" or
// "check.complete.clear", into that of today.
func current(spelling string) string {
	rest, ok := strings.CutPrefix(spelling, "check.complete")
	if ok && (rest == "" || rest[0] == '.') {
		return "check.completed" + rest
	}
	return spelling
}

// identify says what makes two deliveries the same: the event's id, or for the
// two families that tell one fact under two ids, the fact.
func identify(n *providers.Notice) (providers.Identity, []byte) {
	payload := n.Doc.At("payload")
	if fact := foldable(n, payload); fact != nil {
		content := providers.Canonical(payload, volatilePayload)
		return append(fact, hashOf(content)), content
	}
	content := providers.Canonical(n.Doc, volatile)
	if n.ID == "" {
		return providers.Identity{"content", hashOf(content)}, content
	}
	return providers.Identity{"event", n.ID}, content
}

// foldable is the fact that two deliveries may tell, without the payload's hash;
// nil for a delivery of its own. A delivery that contradicts itself or lacks an
// id is never folded: its dead letter must not swallow a sound one.
func foldable(n *providers.Notice, payload *providers.Value) providers.Identity {
	id, updated := payload.At("id").ID(), payload.At("updatedAt").Text()
	if n.ID == "" || id == "" || updated == "" {
		return nil
	}
	switch rest, isCheck := strings.CutPrefix(n.MapAs, "check.completed"); {
	case isCheck && (rest == "" || rest[0] == '.'):
		told, said := strings.TrimPrefix(rest, "."), providers.TermOf(outcomeOf(payload))
		if told != "" && said.Given && !said.Is(told) {
			return nil
		}
		if !said.Given {
			said.Text = told
		}
		return providers.Identity{"check.completed", id, updated, strings.ToLower(said.Text)}
	case n.MapAs == "document.updated" || strings.HasPrefix(n.MapAs, "document.updated.image_"):
		return providers.Identity{"document.updated", id, updated}
	}
	return nil
}

func hashOf(content []byte) string {
	sum := (&providers.Notice{Content: content}).ContentHash()
	return hex.EncodeToString(sum[:])
}

// outcomeOf is a check's outcome: on its own in a notice, under result in a full
// object.
func outcomeOf(payload *providers.Value) *providers.Value {
	if outcome := payload.At("outcome"); outcome.Given() {
		return outcome
	}
	return payload.At("result", "outcome")
}
